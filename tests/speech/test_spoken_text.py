"""Answers become sentences to speak: without markup, in their language, the same however they stream."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.speech.spoken_text import SpokenSentence, SpokenTextReader, read_spoken_text, speak_markdown

ANSWER = """# Bread of the week

The **quick** [baker](https://example.org/a_(b)) sells bread [1]. It costs $5 today, or $10 tomorrow.[2, 3]
See https://www.example.org/path?x=1.

```python
print("not spoken. Never.")
```

- The first has `rye_flour`
- The second: $E = mc^2$ holds.

| Name | Age |
|---|---|
| Ann | 31 |

Der letzte Satz ist auf Deutsch und nicht sehr lang. 😀
"""


def test_an_answer_is_spoken_without_its_markup() -> None:
    said = [(each.text, each.language) for each in read_spoken_text(ANSWER, "en")]
    assert said == [
        ("Bread of the week", "en"),
        ("The quick baker sells bread.", "en"),
        ("It costs $5 today, or $10 tomorrow.", "en"),
        ("See example.org.", "en"),
        ("The first has rye flour", "en"),
        ("The second: E equals mc squared holds.", "en"),
        ("Ann, 31", "en"),
        ("Der letzte Satz ist auf Deutsch und nicht sehr lang.", "de"),
    ]


def test_a_sentence_knows_its_place_in_the_markdown() -> None:
    for each in read_spoken_text(ANSWER, "en"):
        assert speak_markdown(ANSWER[each.start : each.end], each.language) == each.text


@pytest.mark.parametrize(
    ("markdown", "said"),
    [
        ("Nothing but `let x = {1: 2};` here", "Nothing but here"),
        (r"So \(a \leq b\) and $\frac{a}{b}$.", "So a is at most b and formula."),
        ("![A red barn](barn.png) stands there[^note].", "A red barn stands there."),
        ("- [x] Buy milk", "Buy milk"),
        ("Press <kbd>Ctrl</kbd> now", "Press Ctrl now"),
        ("snake_case stays, _emphasis_ goes, 3 \\* 4 too", "snake_case stays, emphasis goes, 3 * 4 too"),
    ],
)
def test_markup_says_what_it_means(markdown: str, said: str) -> None:
    assert [each.text for each in read_spoken_text(markdown, "en")] == [said]


def test_only_signs_are_not_spoken() -> None:
    assert read_spoken_text("😀 ---\n\n```\ncode\n```\n\n* * *\n") == []


@given(st.lists(st.integers(1, 40), max_size=60))
def test_however_an_answer_streams_it_is_spoken_the_same(cuts: list[int]) -> None:
    reader, at = SpokenTextReader("en"), 0
    found: list[SpokenSentence] = []
    for size in [*cuts, len(ANSWER)]:
        found += reader.add(ANSWER[at : at + size])
        at += size
    assert [*found, *reader.finish()] == read_spoken_text(ANSWER, "en")


@given(st.text(alphabet=st.sampled_from("aB1 .!?*_`#[]()|$\\-\n<>~é"), max_size=200))
def test_whatever_comes_is_spoken_in_order(text: str) -> None:
    at = 0
    for each in read_spoken_text(text, "en"):
        assert at <= each.start < each.end <= len(text)
        assert each.text.strip() == each.text != ""
        at = each.end


def test_a_sentence_is_there_as_soon_as_it_ends() -> None:
    reader = SpokenTextReader("en")
    assert reader.add("Bread costs two euros. And ") != []


@pytest.mark.parametrize("size", [1, 7, 200])
@pytest.mark.parametrize(("language", "text", "said"), [
    ("en", "The sky looks blue today, which is rare. It rains, mostly, in May.",
     ["The sky looks blue today,", "which is rare.", "It rains, mostly, in May."]),
    ("en", "The sky is blue because of the scattering of light by tiny particles. It rains and rains.",
     ["The sky is blue,", "because of the scattering of light,", "by tiny particles.", "It rains and rains."]),
    ("en", "No, it costs 1,000 euros a year. Ask the baker, or his wife, again.",
     ["No, it costs 1,000 euros a year.", "Ask the baker, or his wife, again."]),
    ("en", "The **sky** looks blue today, which is rare.", ["The sky looks blue today, which is rare."]),
    ("it", "La torre è stata costruita nel 1889 per l'esposizione di Parigi.",
     ["La torre è stata costruita nel 1889,", "per l'esposizione di Parigi."]),
    ("hu", "Az ég ma kék és ritkán esik.", ["Az ég ma kék és ritkán esik."]),
])  # fmt: skip
def test_who_waits_hears_the_first_sentence_phrase_by_phrase(
    language: str, text: str, said: list[str], size: int
) -> None:
    reader = SpokenTextReader(language, early=True)
    found = [each for at in range(0, len(text), size) for each in reader.add(text[at : at + size])]
    found += reader.finish()
    assert [each.text for each in found] == said
    assert all(left.end <= right.start for left, right in itertools.pairwise(found))


def test_the_first_phrase_is_there_before_its_sentence_ends() -> None:
    for text in ("Bread costs two euros here; but ", "Bread costs two euros here because it "):
        assert [each.text for each in SpokenTextReader("en", early=True).add(text)] == ["Bread costs two euros here,"]


@pytest.mark.parametrize(("so_far", "said"), [
    ("Yes.", ["Yes."]),
    ("In the old harbour,", ["In the old harbour,"]),
    ("Bread costs two euros here, and butter three!", ["Bread costs two euros here,", "and butter three!"]),
    ("Ask Prof.", []),
    ("Well,", []),
    ("It costs 1.", []),
    ("It costs about a 1,", []),
    ("The **bread.", []),
    ("Go.", []),
])  # fmt: skip
def test_a_phrase_is_there_with_its_last_sign(so_far: str, said: list[str]) -> None:
    assert [each.text for each in SpokenTextReader("en", early=True).add(so_far)] == said


@pytest.mark.parametrize(
    "rest", ["js is a runtime. It is fast.", " It runs on servers. It is fast.", '" he said. "So."']
)
def test_what_follows_an_early_phrase_is_spoken_wherever_it_was_cut(rest: str) -> None:
    reader, text = SpokenTextReader("en", early=True), "Node." + rest
    (first,) = reader.add("Node.")
    streamed = [*reader.add(rest), *reader.finish()]
    again = SpokenTextReader("en", early=True, start=first.end)
    assert [*again.add(text), *again.finish()] == streamed
    assert "".join(text[each.start : each.end] for each in (first, *streamed)).replace(" ", "") == text.replace(" ", "")


_WORDS = st.lists(st.sampled_from(["and ", "because ", "by", "wheat ", "is, ", "**so** ", ". ", "1,", "~", "【", "\n"]))


@given(_WORDS.map("".join), st.integers(1, 30))
def test_the_first_phrases_are_the_same_however_it_streams(text: str, size: int) -> None:
    whole, streamed = SpokenTextReader("en", early=True), SpokenTextReader("en", early=True)
    expected = [*whole.add(text), *whole.finish()]
    found = [each for at in range(0, len(text), size) for each in streamed.add(text[at : at + size])]
    assert [*found, *streamed.finish()] == expected
