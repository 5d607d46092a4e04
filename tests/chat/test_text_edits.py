"""Texts that are changed piece by piece: nothing that is not named changes by a byte."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.chat.text_edits import EditTask, TextChange, TextPatch, WritingTask, split_pieces
from eclair.errors import EngineBroken

PROSE = (
    "It rained all night. In the morning the streets shone, and the baker swept the water from his door. "
    'He said: "It will be dry by noon." Nobody believed him; yet at noon the sun came out.\n\n'
    "    def f(x):\r\n        return x\r\n\tEnd"
)

texts = st.text(st.sampled_from("ab.!? \t\r\n[]<>12\u2028\x85é"), max_size=400) | st.text(max_size=200)
news = st.text(st.sampled_from("xyz .\t"), max_size=40).map(str.rstrip) | st.just("a\nb")


@given(texts)
def test_the_pieces_are_the_text(text: str) -> None:
    pieces = split_pieces(text)
    assert "".join(piece.text + piece.after for piece in pieces) == text
    assert all("\n" not in piece.text and piece.text == piece.text.rstrip() for piece in pieces)


@given(texts)
def test_what_is_not_named_stays(text: str) -> None:
    task = EditTask(text, "Change nothing.")
    edited = task.apply(task.reply([]))
    assert (edited.text, edited.changes) == (text, ())


@given(texts, st.data())
def test_changes_are_made_where_they_belong_and_nowhere_else(text: str, data: st.DataObject) -> None:
    pieces = split_pieces(text)
    numbers = [number for number, piece in enumerate(pieces, 1) if piece.text]
    chosen = data.draw(st.dictionaries(st.sampled_from(numbers), news)) if numbers else {}
    newline = "\r\n" if "\r\n" in text else "\n"
    expected = ""
    for number, piece in enumerate(pieces, 1):
        new = chosen.get(number, piece.text).replace("\n", newline if number in chosen else "\n")
        expected += new + piece.after if new or not piece.text else ""
    changes = [TextChange(number, pieces[number - 1].text, new) for number, new in sorted(chosen.items())]
    task = EditTask(text, "Change this.")
    assert task.apply(task.reply(changes)).text == expected


@given(texts, texts)
def test_any_reply_is_made_or_refused(text: str, reply: str) -> None:
    pieces = split_pieces(text)
    try:
        edited = EditTask(text, "Change this.").apply(reply)
    except EngineBroken:
        return
    assert all(pieces[change.number - 1].text == change.before for change in edited.changes)


def test_long_lines_are_cut_at_their_sentences() -> None:
    assert [piece.text for piece in split_pieces(PROSE) if piece.text] == [
        "It rained all night.",
        "In the morning the streets shone, and the baker swept the water from his door.",
        'He said: "It will be dry by noon."',
        "Nobody believed him; yet at noon the sun came out.",
        "    def f(x):",
        "        return x",
        "\tEnd",
    ]


def test_the_text_is_shown_with_numbers_and_the_instruction_first() -> None:
    system, user = EditTask("One.\n\nTwo.\n", "Shout.").messages
    modest, _ = EditTask("One.\n\nTwo.\n", "Shout.", may_decline=False).messages
    assert "If nothing changes" in str(system.content)
    assert "If nothing changes" not in str(modest.content)
    assert user.content == "Shout.\n\n[1] One.\n[3] Two."
    assert isinstance(system.content, str)
    assert "answer [0]" in system.content


def test_a_text_with_numbers_of_its_own_gets_other_brackets() -> None:
    task = EditTask("See below.\n[1] A note.\n", "Change the note.")
    assert task.messages[1].content == "Change the note.\n\n<1> See below.\n<2> [1] A note."
    assert task.apply("<2> [1] Another note.").text == "See below.\n[1] Another note.\n"


def test_a_piece_goes_or_becomes_several() -> None:
    task = EditTask("a\r\nb\r\nc\r\n", "Do it.")
    assert task.apply("[1]\n[2] b\nb2\n[3] c").text == "b\r\nb2\r\nc\r\n"


def test_words_change_within_a_piece() -> None:
    task = EditTask("The cat sat on the mat, and the dog lay there.\nEnd", "Do it.")
    edited = task.apply("[1] cat → cats\n[1] the dog lay → two dogs lay\n[2] End → The\nend")
    assert edited.text == "The cats sat on the mat, and two dogs lay there.\nThe\nend"
    assert [change.number for change in edited.changes] == [1, 2]
    assert task.apply("[1] , and the dog lay there →").text == "The cat sat on the mat.\nEnd"


def test_a_correction_names_few_words() -> None:
    before = "The cat sat on the mat, adn the dog lay there."
    task = EditTask(before, "Correct it.")
    assert task.reply([TextChange(1, before, before.replace("adn", "and"))]) == "[1] adn → and"
    assert task.reply([TextChange(1, before, before.replace("the dog", "the old dog"))]) == "[1] adn the → adn the old"
    assert task.reply([TextChange(1, before, "Nothing.")]) == "[1] Nothing."


def test_a_text_with_arrows_has_another_between_its_words() -> None:
    task = EditTask("a → b\nc", "Do it.")
    assert "[3] two cat ⇒ two cats" in str(task.messages[0].content)
    assert task.apply("[1] b ⇒ c").text == "a → c\nc"
    assert task.apply("[2] d → e").text == "a → b\nd → e"


@given(texts.filter(lambda text: "→" not in text), st.data())
def test_words_are_swapped_where_they_stand_and_nowhere_else(text: str, data: st.DataObject) -> None:
    numbers = [number for number, piece in enumerate(split_pieces(text), 1) if piece.text]
    if not numbers:
        return
    number = data.draw(st.sampled_from(numbers))
    piece = split_pieces(text)[number - 1].text
    start = data.draw(st.integers(0, len(piece) - 1))
    old = piece[start : data.draw(st.integers(start + 1, len(piece)))].strip()
    new = data.draw(st.text(st.sampled_from("xyz"), min_size=1, max_size=9))
    task = EditTask(text, "Change this.")
    mark = task.reply([TextChange(number, piece, "q")]).removesuffix(" q")
    try:
        changed = task.apply(f"{mark} {old} → {new}")
    except EngineBroken:
        assert not old or piece.count(old) != 1
        return
    parts = [each.text + each.after for each in split_pieces(text)]
    parts[number - 1] = piece.replace(old, new) + split_pieces(text)[number - 1].after
    assert changed.text == "".join(parts)


@pytest.mark.parametrize("reply", ["Here you are:\n[1] A\n", "```text\n[1] A\n```", "```\n[1] A\n```\n", "[1] A\n\n"])
def test_what_models_put_around_their_changes_is_left_out(reply: str) -> None:
    assert EditTask("a\nb", "Do it.").apply(reply).text == "A\nb"


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("", "has no usable changes"),
        ("The text is fine.", "has no usable changes"),
        ("[3] C", "piece 3"),
        ("[2] B", "piece 2"),
        ("[1] A\n[1] B", "piece 1 of the text twice"),
        ("[1] a cat → A\n[1] B", "piece 1 of the text twice"),
        ("[1] B\n[1] a cat → A", "piece 1 of the text twice"),
        ("[1] dog → cat", "words that do not occur exactly once in piece 1"),
        ("[1] a → b", "words that do not occur exactly once in piece 1"),
        ("[1] → b", "words that do not occur exactly once in piece 1"),
        ("[1] a cat → b\n[1] cat → c", "the same words of piece 1 twice"),
    ],
)
def test_a_reply_that_cannot_be_made_changes_nothing(reply: str, fault: str) -> None:
    with pytest.raises(EngineBroken, match=re.escape(fault)):
        EditTask("a cat\n\n", "Do it.").apply(reply)


@given(st.lists(st.text(st.sampled_from("a` \n"), max_size=6), max_size=12), st.sampled_from(["", " \n"]))
def test_what_is_known_of_a_text_while_it_is_written_is_its_beginning(chunks: list[str], blank: str) -> None:
    task, reply = WritingTask(blank, "Write."), "".join(chunks)
    reader = task.reader()
    known = [patch for chunk in chunks for patch in reader.read(chunk)]
    assert [(patch.start, patch.end) for patch in known] == [
        (len(blank) if number else 0, len(blank)) for number in range(len(known))
    ]
    if not reply.strip():
        assert known == []
        with pytest.raises(EngineBroken, match="wrote nothing"):
            task.apply(reply)
    elif known:
        assert "".join(patch.text for patch in known) == reply.strip() == task.apply(reply).text


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("```markdown\n# Bread\n```", "# Bread"),
        ("```\nprint(1)\n```\n", "print(1)"),
        ("```markdown\n# Bread\n```py\nbake()\n```\n```", "# Bread\n```py\nbake()\n```"),
        ("```py\none()\n```\nand\n```py\ntwo()\n```", "```py\none()\n```\nand\n```py\ntwo()\n```"),
        ("```py\nbake()", "```py\nbake()"),
    ],
)
def test_a_fence_around_all_of_a_written_text_is_left_out(reply: str, text: str) -> None:
    assert WritingTask("", "Write.").apply(reply).text == text
    assert WritingTask("", "Write.").reader().read(reply) == []


def test_a_text_is_written_on_as_it_comes() -> None:
    reader = WritingTask("", "Write.").reader()
    assert [patch for word in ("\n#", " Bread\n", "\n", "It ") for patch in reader.read(word)] == [
        TextPatch(0, 0, "#"),
        TextPatch(0, 0, " Bread"),
        TextPatch(0, 0, "\n\nIt"),
    ]


@pytest.mark.parametrize(
    ("language", "rule"),
    [
        ("markdown", "You write texts."),
        ("plaintext", "You write texts."),
        ("mermaid", "in the format mermaid."),
        ("html", "loads nothing from elsewhere."),
        ("tsx", "exports one React component"),
    ],
)
def test_the_model_is_told_in_which_format_to_write(language: str, rule: str) -> None:
    system, asked = WritingTask("", "Write {it}.", language).messages
    assert (rule in str(system.content), asked.content) == (True, "Write {it}.")
