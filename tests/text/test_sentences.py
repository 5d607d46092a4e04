"""Sentences of Markdown that comes in pieces, and of plain text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.text.sentences import (
    MAX_SENTENCE_CHARS,
    SentenceSplitter,
    ends_with_question_mark,
    has_question_mark,
    split_sentences,
)

ANSWER = """\
# Was gilt
Hallo! Das gilt z. B. für Dr. Müller am 3. Mai 2024. Er zahlte 1.000,50 Euro [1]. Pi is 3.14. See e.g. No. 5. [^2] Yes…

Soft
wrapped line. Ends here
- item one
  1. **Bold.** It goes on

| Town | People |
|---|---|
| Berlin | 3.7 million |

> quoted
> words. Then

```python
x = 1. Not. A sentence.
```
東京は首都です。大阪は違う！ هل هذا صحيح؟ نعم.
"""

marks = st.text(st.sampled_from('aA1.!?… \n\t-*#|>`~[]()^"»«。؟_=é'), max_size=120)


def whole(text: str) -> list[tuple[int, int]]:
    sentences = SentenceSplitter()
    return sentences.add(text) + sentences.finish()


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in whole(text)]


def test_an_answer() -> None:
    assert words(ANSWER) == [
        "# Was gilt",
        "Hallo!",
        "Das gilt z. B. für Dr. Müller am 3. Mai 2024.",
        "Er zahlte 1.000,50 Euro [1].",
        "Pi is 3.14.",
        "See e.g. No. 5. [^2]",
        "Yes…",
        "Soft\nwrapped line.",
        "Ends here",
        "item one",
        "**Bold.**",
        "It goes on",
        "Berlin | 3.7 million",
        "quoted\n> words.",
        "Then",
        "東京は首都です。",
        "大阪は違う！",
        "هل هذا صحيح؟",
        "نعم.",
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        "M. Dupont vient, p. ex. le 5 mai.",
        "Mme. Curie a dit « Bonjour. »",
        "Der 2. Weltkrieg endete im 20. Jahrhundert.",
        "Am 3. Oktober war es so.",
        "George W. Bush met Mr. Smith at No. 10.",
        "It grew by 12.5 % vs. 3.1 % before.",
        "Vgl. Art. 5 Abs. 2 und Nr. 7.",
        'He said: "No."',
        "El Sr. García pagó 1.000,50 euros.",
        "Das gilt u. a. Dinge betreffend, d. h. Haus und Hof.",
        "It is at https://example.org/a.b?c=d. [1][2]",
        "He stopped... and went on.",
        "So it says.[12]",
        "So it says.¹²",
        "Caesar wurde 44 v. Chr. ermordet.",
        "W 1999 r. Polska przystąpiła do NATO.",
        "Lietuva 2004 m. Įstojo.",
        "Murió en el 44 a. C. Augusto le siguió.",
        "År 300 f. Kr. byggdes det.",
        "Sie nahm 275 t.",
    ],
)
def test_stops_that_end_nothing(sentence: str) -> None:
    assert words(f"{sentence} The next one.") == [sentence, "The next one."]
    assert [f"{sentence} The next one."[start:end] for start, end in split_sentences(f"{sentence} The next one.")] == [
        sentence,
        "The next one.",
    ]


def test_a_sentence_is_given_as_soon_as_the_next_has_begun() -> None:
    sentences = SentenceSplitter()
    assert sentences.add("It rained. The") == []
    assert sentences.add(" sun") == [(0, 10)]
    assert sentences.finish() == [(11, 18)]


@given(marks | st.text(max_size=80), st.data())
def test_pieces_make_no_difference(text: str, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=20).map(sorted))
    sentences = SentenceSplitter()
    found = [
        span
        for left, right in zip([0, *cuts], [*cuts, len(text)], strict=True)
        for span in sentences.add(text[left:right])
    ]
    assert found + sentences.finish() == whole(text)


def test_any_two_pieces_of_an_answer() -> None:
    for at in range(len(ANSWER)):
        sentences = SentenceSplitter()
        assert sentences.add(ANSWER[:at]) + sentences.add(ANSWER[at:]) + sentences.finish() == whole(ANSWER)
    letters = SentenceSplitter()
    assert [span for letter in ANSWER for span in letters.add(letter)] + letters.finish() == whole(ANSWER)


@given(marks | st.text(max_size=80))
def test_spans_are_in_order_and_say_something(text: str) -> None:
    for spans in (whole(text), split_sentences(text)):
        ends = 0
        for start, end in spans:
            assert ends <= start < end <= len(text)
            assert text[start:end].strip() == text[start:end]
            ends = end


@given(st.lists(st.sampled_from(["It rained.", "Nobody came?", "Am 3. Mai war es so.", "Yes!"]), max_size=9))
def test_plain_text_loses_no_word(sentences: list[str]) -> None:
    text = "\n".join(sentences)
    assert [text[start:end] for start, end in split_sentences(text)] == sentences


def test_what_never_stops_is_cut() -> None:
    text = "word " * MAX_SENTENCE_CHARS
    assert max(end - start for start, end in whole(text)) <= MAX_SENTENCE_CHARS
    assert sum(end - start for start, end in whole(text)) > 4.5 * MAX_SENTENCE_CHARS


def test_code_without_an_end_is_skipped() -> None:
    assert words("Look. \n```\nnever. Closed. ") == ["Look."]


def test_rows_of_plain_text_are_sentences() -> None:
    text = "Name: Ada\nBorn: 1815\n\n- one\n- two"
    assert [text[start:end] for start, end in split_sentences(text)] == ["Name: Ada", "Born: 1815", "- one", "- two"]


@pytest.mark.parametrize(
    ("text", "has_mark", "ends"),
    [
        ("Πόσο είναι το ενοίκιο;", True, True),
        ("Πόσο ήταν το 2025;", True, True),
        ("«Πόσο είναι το ενοίκιο\u037e»", True, True),
        ("Το ενοίκιο είναι 950 ευρώ; η εγγύηση είναι 2.850.", False, False),
        ("La caution est de 950 euros ;", False, False),
        ("Is it 850? I think so.", True, False),
        ("(Is it 850?)", True, True),
        ("„Ist es 850?“", True, True),
        ("「850ですか？」", True, True),
    ],
)
def test_a_semicolon_asks_in_greek_alone(text: str, has_mark: bool, ends: bool) -> None:
    assert (has_question_mark(text), ends_with_question_mark(text)) == (has_mark, ends)
