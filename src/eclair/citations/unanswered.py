"""Tell that a figure answers nothing: the sources have it, but not the words of its question.

A small model that is asked for a price which no source states takes another figure of the source. The best sign of that
are words of the question that the sources lack altogether. The weights were fitted to figures of the documents in
`bench/answers/tune`, right ones and arbitrary ones as answers to questions that nothing answers.
"""

from __future__ import annotations

from collections.abc import Sequence

from eclair.citations.differences import first_words
from eclair.citations.evidence import EvidenceSentence
from eclair.citations.index import EvidenceIndex
from eclair.text.intent.asked_fact import FactKind, read_asked_fact, states_kind
from eclair.text.language import identify_language
from eclair.text.terms import Term, share_word
from eclair.text.written_numbers import extract_numbers

MISSING_WEIGHT, MISSING_NEAR_WEIGHT = 0.85, 1.85
"""Weights of the share of the question's words that no source has, and that the figure's sentence lacks."""

MISSING_WORD_WEIGHT = 1.35
MAX_MISSING_WORDS = 2

UNCOUNTED_WEIGHT = 1.8
"""Weight of a question for a number of things that the figure's sentence doesn't name."""

MIN_SCORE = 3.1
"""From here on the figure answers nothing."""


def is_unanswered(index: EvidenceIndex, question: str, at: int) -> bool:
    """Tell whether the sources don't answer a question, although sentence `at` has the figure of an answer.

    False where that can't be told, as between languages.
    """
    sentence = index.sentences[at]
    stated = index.language_of(at)
    language = identify_language(question) or stated
    asked = read_asked_fact(question, language) if language == (stated or language) else None
    if asked is None:
        return False
    is_code_missing = any(not any(code in passage.text for passage in index.passages) for code in asked.codes)
    if asked.is_person or asked.is_existence or is_code_missing or not _has_kind(index, asked.kind, sentence):
        return True
    units = {number.unit for number in sentence.numbers if number.unit is not None}
    telling = [word for word in asked.words if word.key not in first_words()]
    words = [word for word in telling if word.stem not in index.title_stems and not _is_unit(word, units)]
    near = [*index.headings[at], *(term for each in _with_context(index, at) for term in each.facts.terms)]
    missing_near = [word for word in words if not _stands_in(word, near)]
    missing = [word for word in missing_near if not index.has_word(word)]
    is_uncounted = asked.counted is not None and not _stands_in(asked.counted, near)
    count = max(1, len(telling))
    score = (
        MISSING_WEIGHT * len(missing) / count
        + MISSING_NEAR_WEIGHT * len(missing_near) / count
        + MISSING_WORD_WEIGHT * min(MAX_MISSING_WORDS, len(missing))
        + UNCOUNTED_WEIGHT * is_uncounted
    )
    return score >= MIN_SCORE


def _with_context(index: EvidenceIndex, at: int) -> list[EvidenceSentence]:
    """Return a sentence with the one before it in its passage, and a row with the first row, which names columns."""
    sentence = index.sentences[at]
    before = [each for each in index.sentences[:at] if each.passage == sentence.passage]
    context = [each for each in before if "|" in each.text][:1] if "|" in sentence.text else before[-1:]
    return [*context, sentence]


def _has_kind(index: EvidenceIndex, kind: FactKind | None, sentence: EvidenceSentence) -> bool:
    """Tell whether a fact of the kind asked for stands in the sentence; of money, in its passage."""
    if kind is None:
        return True
    return states_kind(kind, index.passages[sentence.passage].text if kind == "money" else sentence.text)


def _is_unit(word: Term, units: set[str]) -> bool:
    """Tell whether a word is a unit that the sentence may abbreviate, as `Std.` for hours."""
    return any(number.unit in units for number in extract_numbers(f"3 {word.text}"))


def _stands_in(word: Term, stated: Sequence[Term]) -> bool:
    return any(share_word(word, other) for other in stated)
