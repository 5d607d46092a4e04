"""Extract comparable facts of a text: words, numbers, dates and negations.

The same fact is the same value however and in whatever language it is written: `12,5 %` and `12.5 percent`, `3. Mai
2024` and `2024-05-03`. What a difference means is decided elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from eclair.text.lexicon.loader import load_lexicons, merge_words
from eclair.text.terms import Term, is_content_word, split_terms, unambiguous_negations
from eclair.text.written_dates import Date, extract_dates
from eclair.text.written_numbers import Number, extract_figures, extract_numbers

_NUMBER_AFTER = re.compile(r"\.?[ \u00a0]?\d")


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of a stretch of text. `negations` are positions in `terms` of the words that negate."""

    terms: tuple[Term, ...]
    numbers: tuple[Number, ...]
    dates: tuple[Date, ...]
    negations: tuple[int, ...]


def extract_facts(text: str, language: str | None = None) -> Facts:
    """Extract the facts of a text; where its language is given, only that language's negations count."""
    dates = extract_dates(text)
    terms = split_terms(text)
    numbers = extract_numbers(text, ((date.start, date.end) for date in dates))
    return Facts(terms, numbers, dates, _find_negations(text, terms, language))


def content_stems(text: str) -> list[str]:
    """Return the stems of the content words, in order, then the figures as written."""
    return [term.stem for term in split_terms(text) if is_content_word(term)] + extract_figures(text)


def negation_scope(facts: Facts, position: int, reach: int) -> set[str]:
    """Return the stems that a negation may deny: content words up to `reach` positions on either side of it."""
    near = facts.terms[max(0, position - reach) : position + reach + 1]
    return {term.stem for term in near if is_content_word(term)}


def _find_negations(text: str, terms: Sequence[Term], language: str | None) -> tuple[int, ...]:
    words = _negations_by_language().get(language or "", unambiguous_negations())
    positions: list[int] = []
    for position, term in enumerate(terms):
        if term.text.casefold() not in words and not ("n't" in words and _is_contraction(text, terms, position)):
            continue
        after = terms[position + 1].text.casefold() if position + 1 < len(terms) else ""
        if after not in _limiters() and not _NUMBER_AFTER.match(text[term.end : term.end + 3]):
            positions.append(position)
    return tuple(positions)


def _is_contraction(text: str, terms: Sequence[Term], position: int) -> bool:
    """Tell whether a term is the `t` of `n't`."""
    term = terms[position]
    return (
        term.text.casefold() == "t"
        and text[term.start - 1 : term.start] in ("'", "’")
        and terms[position - 1].key.endswith("n")
    )


@cache
def _negations_by_language() -> dict[str, frozenset[str]]:
    return {lexicon.code: frozenset(lexicon.negation.words) for lexicon in load_lexicons() if lexicon.negation.words}


@cache
def _limiters() -> frozenset[str]:
    """Words after which a negation denies nothing, as in `not only`."""
    return frozenset(map(str.casefold, merge_words(lambda lexicon: lexicon.negation.limiters)))
