"""Texts that are changed piece by piece: nothing that is not named changes by a byte."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.edits import Change, Task, cut
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
    pieces = cut(text)
    assert "".join(piece.text + piece.after for piece in pieces) == text
    assert all("\n" not in piece.text and piece.text == piece.text.rstrip() for piece in pieces)


@given(texts)
def test_what_is_not_named_stays(text: str) -> None:
    task = Task(text, "Change nothing.")
    edited = task.apply(task.reply([]))
    assert (edited.text, edited.changes) == (text, ())


@given(texts, st.data())
def test_changes_are_made_where_they_belong_and_nowhere_else(text: str, data: st.DataObject) -> None:
    pieces = cut(text)
    numbers = [number for number, piece in enumerate(pieces, 1) if piece.text]
    chosen = data.draw(st.dictionaries(st.sampled_from(numbers), news)) if numbers else {}
    newline = "\r\n" if "\r\n" in text else "\n"
    expected = ""
    for number, piece in enumerate(pieces, 1):
        new = chosen.get(number, piece.text).replace("\n", newline if number in chosen else "\n")
        expected += new + piece.after if new or not piece.text else ""
    changes = [Change(number, pieces[number - 1].text, new) for number, new in sorted(chosen.items())]
    task = Task(text, "Change this.")
    assert task.apply(task.reply(changes)).text == expected


@given(texts, texts)
def test_any_reply_is_made_or_refused(text: str, reply: str) -> None:
    pieces = cut(text)
    try:
        edited = Task(text, "Change this.").apply(reply)
    except EngineBroken:
        return
    assert all(pieces[change.number - 1].text == change.before for change in edited.changes)


def test_long_lines_are_cut_at_their_sentences() -> None:
    assert [piece.text for piece in cut(PROSE) if piece.text] == [
        "It rained all night.",
        "In the morning the streets shone, and the baker swept the water from his door.",
        'He said: "It will be dry by noon."',
        "Nobody believed him; yet at noon the sun came out.",
        "    def f(x):",
        "        return x",
        "\tEnd",
    ]


def test_the_text_is_shown_with_numbers_and_the_instruction_first() -> None:
    system, user = Task("One.\n\nTwo.\n", "Shout.").messages
    assert user.content == "Shout.\n\n[1] One.\n[3] Two."
    assert isinstance(system.content, str)
    assert "answer [0]" in system.content


def test_a_text_with_numbers_of_its_own_gets_other_brackets() -> None:
    task = Task("See below.\n[1] A note.\n", "Change the note.")
    assert task.messages[1].content == "Change the note.\n\n<1> See below.\n<2> [1] A note."
    assert task.apply("<2> [1] Another note.").text == "See below.\n[1] Another note.\n"


def test_a_piece_goes_or_becomes_several() -> None:
    task = Task("a\r\nb\r\nc\r\n", "Do it.")
    assert task.apply("[1]\n[2] b\nb2\n[3] c").text == "b\r\nb2\r\nc\r\n"


@pytest.mark.parametrize("reply", ["Here you are:\n[1] A\n", "```text\n[1] A\n```", "```\n[1] A\n```\n", "[1] A\n\n"])
def test_what_models_put_around_their_changes_is_left_out(reply: str) -> None:
    assert Task("a\nb", "Do it.").apply(reply).text == "A\nb"


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("", "did not answer with changes"),
        ("The text is fine.", "did not answer with changes"),
        ("[3] C", "piece 3"),
        ("[2] B", "piece 2"),
        ("[1] A\n[1] B", "piece 1 of the text twice"),
    ],
)
def test_a_reply_that_cannot_be_made_changes_nothing(reply: str, fault: str) -> None:
    with pytest.raises(EngineBroken, match=re.escape(fault)):
        Task("a\n\n", "Do it.").apply(reply)
