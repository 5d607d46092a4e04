"""Detect requests that concern whole documents: to sum up, compare, or list all.

A rule for the languages whose lexicon has such words, on letters without case and accents. Where it is wrong, a
question is answered from the passages that fit it, or the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Literal

from eclair.text.intent import MAX_QUESTION_CHARS
from eclair.text.lexicon.loader import Patterns, WholeDocument, merge_patterns, merge_words
from eclair.text.terms import fold_text, is_content_word, split_terms

ListedKind = Literal["dates", "deadlines", "amounts", "percentages", "emails", "phones", "links"]

_KINDS: tuple[tuple[ListedKind, Callable[[WholeDocument], Patterns]], ...] = (
    ("deadlines", lambda rules: rules.deadlines),
    ("emails", lambda rules: rules.emails),
    ("phones", lambda rules: rules.phones),
    ("links", lambda rules: rules.links),
    ("percentages", lambda rules: rules.percentages),
    ("amounts", lambda rules: rules.amounts),
    ("dates", lambda rules: rules.dates),
)


def wants_whole_document(question: str) -> bool:
    """Tell whether a question concerns all of a document rather than a place in it."""
    return _request().search(fold_text(question[:MAX_QUESTION_CHARS])) is not None


def compares_documents(question: str) -> bool:
    """Tell whether a question asks how documents differ."""
    return wants_whole_document(question) and _has(question, lambda rules: rules.comparisons)


def asks_each_file(question: str) -> bool:
    """Tell whether a question asks the same of each of several files, as `which of these contracts ends first?`."""
    return _has(question, lambda rules: rules.across_files)


def listed_kind(question: str) -> ListedKind | None:
    """Return what a question asks to list all of, where a program can find that; None for anything else."""
    if not wants_whole_document(question) or not _has(question, lambda rules: rules.listings):
        return None
    if _has(question, lambda rules: (*rules.comparisons, *rules.nouns)):
        return None
    return next((kind for kind, rule in _KINDS if _has(question, rule)), None)


def subject_stems(question: str) -> frozenset[str]:
    """Return the stems of what the listed things are about, as in `all deadlines for payments`."""
    folded = fold_text(question[:MAX_QUESTION_CHARS])
    folded = _pattern_of(lambda rules: rules.listings).sub(" ", folded)
    for _, rule in _KINDS:
        folded = _pattern_of(rule).sub(" ", folded)
    stems = {term.stem for term in split_terms(folded) if is_content_word(term)}
    return frozenset(stems - request_stems())


def _has(question: str, rule: Callable[[WholeDocument], Patterns]) -> bool:
    return _pattern_of(rule).search(fold_text(question[:MAX_QUESTION_CHARS])) is not None


def _pattern_of(rule: Callable[[WholeDocument], Patterns]) -> re.Pattern[str]:
    return _compile(merge_patterns(lambda lexicon: rule(lexicon.whole_document)))


@cache
def _compile(patterns: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{patterns})\b")


@cache
def request_stems() -> frozenset[str]:
    """Return the stems of words that say only that the whole is asked for, and how."""
    words = merge_words(lambda lexicon: lexicon.whole_document.request_words)
    return frozenset(term.stem for term in split_terms(" ".join(words)))


@cache
def _request() -> re.Pattern[str]:
    """All rules as one pattern, which takes milliseconds to compile."""
    nouns = merge_patterns(lambda lexicon: lexicon.whole_document.nouns)
    exceptions = merge_patterns(lambda lexicon: lexicon.whole_document.not_nouns_before)
    openings = merge_patterns(lambda lexicon: lexicon.whole_document.openings)
    determiners = merge_patterns(lambda lexicon: lexicon.whole_document.determiners)
    these = merge_patterns(lambda lexicon: lexicon.whole_document.these)
    patterns = merge_patterns(lambda lexicon: lexicon.whole_document.patterns)
    noun = rf"(?:{nouns})\b(?! (?:{exceptions}))"
    rules = (
        # "Summary" is asked for at the start of a request, or with an article that says there is none yet.
        rf"^[^\w\n]*+(?:(?:{openings}) )?{noun}",
        rf"\b(?:{determiners}) (?:[\w-]+ ){{0,3}}?{noun}",
        patterns.replace("{these}", rf"(?:{these})\b"),
    )
    # A look at where rules begin spares trying each of them at every letter.
    return re.compile(rf"(?=\b|^|[,;:.!?])(?:{'|'.join(rules)})", re.MULTILINE)
