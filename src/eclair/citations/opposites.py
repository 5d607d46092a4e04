"""Find a word whose contrary a span has, such as `rejected` for `approved` or `unbegrenzt` for `begrenzt`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, lru_cache

from eclair.citations.evidence import Claim, EvidenceSentence
from eclair.text.facts import Facts
from eclair.text.lexicon.loader import load_lexicons
from eclair.text.terms import Term, fold_text, is_content_word, split_terms, strip_ending

NEGATION_REACH = 3
"""Words on either side of a negation that it may deny."""

MIN_PREFIXED_CHARS = 5
"""Shorter words have a syllable such as `in` by chance."""

_PARTY = re.compile(r"(?<!\w)(\w++),? \((?:[^\W\d_]{1,20}[ ,]{1,2}){0,4}?[„“«\"]?([^\W\d_]{3,30})[“”»\"]?\)")
"""A name, and in parentheses the party to a contract."""

_NEGATING_PREFIXES = ("un", "in", "im", "ir", "il", "dis", "non", "des", "de", "mal", "anti")
_NEGATING_SUFFIXES = (("ful", "less"), ("voll", "los"))


def find_opposite(claim: Claim, span: Sequence[EvidenceSentence]) -> Term | None:
    """Return the word of the claim whose contrary stands in the span, unless one of the two is negated."""
    theirs = [term for sentence in span for term in sentence.facts.terms]
    negated = {id(term) for sentence in span for term in _near_negations(sentence.facts)}
    here = {_base(term.key) for term in theirs}
    mine = {_base(term.key) for term in claim.facts.terms}
    for position, term in enumerate(claim.facts.terms):
        word = _base(term.key)
        if word in here or any(other.stem == term.stem or are_synonyms(other, term) for other in theirs):
            continue
        for other in theirs:
            contrary = _base(other.key)
            if contrary in mine or contrary == word:
                continue
            if _has_opposite_affix(term.key, other.key) or contrary in _opposites().get(word, ()):
                is_same_place = _next_content(claim.facts.terms, position) == _next_of(other, span)
                if (is_content_word(term) or is_same_place) and bool(claim.facts.negations) == (id(other) in negated):
                    return term
    return None


def find_counterpart(claim: Claim, span: Sequence[EvidenceSentence]) -> Term | None:
    """Return the party to a contract that a claim names where the span, with the same words, names the other."""
    mine = {_base(term.key): term for term in claim.facts.terms if is_content_word(term)}
    said = {term.key for term in claim.facts.terms}
    for sentence in span:
        if (party := _find_other_party(claim.facts.terms, sentence.text)) is not None:
            return party
        lacking = mine.keys() - {_base(term.key) for term in sentence.facts.terms}
        party = mine[min(lacking)] if len(lacking) == 1 else None
        others = _counterparts().get(party.key, frozenset()) if party is not None else frozenset[str]()
        if others & {term.key for term in sentence.facts.terms} and not others & said:
            return party
    return None


def _find_other_party(terms: Sequence[Term], text: str) -> Term | None:
    """Return the party that a claim calls somebody, whom a text calls the other one: `Ann Lee (the tenant)`."""
    said = {term.key: term for term in terms}
    called = {(fold_text(found[1]), fold_text(found[2])) for found in _PARTY.finditer(text)}
    for name, party in called:
        others = _counterparts().get(party, frozenset()) & said.keys()
        is_named = name in said and party not in said
        if is_named and others and not any(other in said for other, called_so in called if called_so in others):
            return said[min(others)]
    return None


def has_denied_opposite(claim: Claim, span: Sequence[EvidenceSentence]) -> bool:
    """Tell whether a claim denies the contrary of what a span says, or says what the contrary of is denied there."""
    bare = replace(claim, facts=replace(claim.facts, negations=()))
    return bool(claim.facts.negations) and find_opposite(bare, span) is not None


def _near_negations(facts: Facts) -> list[Term]:
    return [
        term for at in facts.negations for term in facts.terms[max(0, at - NEGATION_REACH) : at + NEGATION_REACH + 1]
    ]


def are_opposites(one: Term, other: Term) -> bool:
    """Tell whether two words are contraries."""
    listed = _opposites().get(_base(one.key), frozenset())
    return _has_opposite_affix(one.key, other.key) or _base(other.key) in listed


def are_synonyms(one: Term, other: Term) -> bool:
    """Tell whether two words have the same contraries, as `rise` and `grow` do."""
    return bool(_sides().get(_base(one.key), frozenset()) & _sides().get(_base(other.key), frozenset()))


def _has_opposite_affix(one: str, other: str) -> bool:
    """Tell whether two words differ in a prefix or suffix that negates."""
    short, long = sorted((one, other), key=len)
    if len(short) < MIN_PREFIXED_CHARS:
        return False
    if any(long == prefix + short for prefix in _NEGATING_PREFIXES):
        return True
    stripped = _base(short)
    if len(stripped) >= MIN_PREFIXED_CHARS and any(_base(long) == prefix + stripped for prefix in _NEGATING_PREFIXES):
        return True
    return any(
        {short.removesuffix(ending), long.removesuffix(contrary)} == {short.removesuffix(ending)}
        for left, right in _NEGATING_SUFFIXES
        for ending, contrary in ((left, right), (right, left))
        if short.endswith(ending) and long.endswith(contrary)
    )


def _next_content(terms: Sequence[Term], position: int) -> str:
    return next((term.stem for term in terms[position + 1 : position + 5] if is_content_word(term)), "")


def _next_of(term: Term, span: Sequence[EvidenceSentence]) -> str:
    for sentence in span:
        if term in sentence.facts.terms:
            return _next_content(sentence.facts.terms, sentence.facts.terms.index(term))
    return ""


@cache
def _opposites() -> dict[str, frozenset[str]]:
    """The contraries of a word in any language, without endings."""
    entries = [entry for lexicon in load_lexicons() for entry in lexicon.comparison.opposites]
    return _other_sides(entries, _words_of)


@cache
def _counterparts() -> dict[str, frozenset[str]]:
    """The other party to each party, in any language."""
    entries = [entry for lexicon in load_lexicons() for entry in lexicon.comparison.counterparts]
    return _other_sides(entries, lambda words: frozenset(term.key for term in split_terms(words)))


def _other_sides(entries: Sequence[str], read: Callable[[str], frozenset[str]]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for entry in entries:
        left, _, right = entry.partition(":")
        for words, contraries in ((left, right), (right, left)):
            for word in read(words):
                found[word] = found.get(word, frozenset()) | read(contraries)
    return found


@cache
def _sides() -> dict[str, frozenset[int]]:
    """The lists of contraries that a word stands in, by their numbers; each has two sides."""
    found: dict[str, frozenset[int]] = {}
    entries = [entry.partition(":") for lexicon in load_lexicons() for entry in lexicon.comparison.opposites]
    for number, words in enumerate(side for entry in entries for side in (entry[0], entry[2])):
        for word in _words_of(words):
            found[word] = found.get(word, frozenset()) | {number}
    return found


def _words_of(words: str) -> frozenset[str]:
    return frozenset(_base(term.key) for term in split_terms(words))


@lru_cache(maxsize=50_000)
def _base(key: str) -> str:
    """Return a word without its endings, however many: `destroyed` and `destroy` alike."""
    bare = strip_ending(key)
    return bare if bare == key else _base(bare)
