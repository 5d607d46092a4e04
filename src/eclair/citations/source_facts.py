"""The facts of a passage that don't stand in its text: its title, headings, site and day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from urllib.parse import urlsplit

from eclair.schema.messages import Passage
from eclair.text.facts import Facts, extract_facts
from eclair.text.lexicon.loader import merge_words
from eclair.text.terms import fold_text, is_content_word, split_terms
from eclair.text.written_dates import Date
from eclair.text.written_numbers import Number

MAX_ATTRIBUTION_CHARS = 48
"""A day this far behind the name of its source, or the word `reported`, is the source's."""

MIN_SITE_WORD_CHARS = 4

OPENING_CHARS = 300
"""A document names at its beginning whom and what it is about: the parties of a contract, the sender of a letter."""


PHOTO_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".heic", ".heif", ".avif", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """The stems, numbers and day by which an answer may name a passage; `site_stems` are those of its address."""

    stems: frozenset[str]
    site_stems: frozenset[str]
    numbers: tuple[Number, ...]
    published: Date | None


def read_source(passage: Passage) -> SourceFacts:
    """Return the facts of where a passage comes from. A photo's name is no evidence of whom or what it shows."""
    host = urlsplit(passage.url).hostname or "" if passage.url is not None else ""
    site = {term.stem for term in split_terms(host.replace("-", " ").replace(".", " "))}
    files = [] if passage.url is None and _is_photo(passage) else [passage.name, passage.member or ""]
    title = extract_facts(" . ".join((*files, *passage.heading, passage.label or "")))
    day = extract_facts(passage.published or "").dates
    stems = frozenset(term.stem for term in title.terms if is_content_word(term))
    return SourceFacts(stems, frozenset(site), title.numbers, day[0] if day else None)


def _is_photo(passage: Passage) -> bool:
    return (passage.member or passage.name).casefold().endswith(PHOTO_ENDINGS)


def without_attribution(text: str, facts: Facts, source: SourceFacts) -> tuple[Facts, frozenset[str]]:
    """Take from a claim's facts what only names the source: its day, and the words that name it.

    Returns the facts left, and the stems that count no longer: none unless the claim names the source.
    """
    names = {term.start for term in facts.terms if _is_site_word(term.stem, source)}
    hints = names | {term.start for term in facts.terms if term.key in _attributions()}
    days = [
        date
        for date in facts.dates
        if source.published is not None
        and date.matches(source.published)
        and all(value is not None for reading in date.readings[:1] for value in reading)
        and any(0 <= date.start - hint <= MAX_ATTRIBUTION_CHARS for hint in hints)
    ]
    if not names and not days:
        return facts, frozenset()
    dropped = {term.stem for term in facts.terms if term.start in hints or term.stem in source.site_stems}
    dropped |= {term.stem for date in days for term in facts.terms if date.start <= term.start < date.end}
    left = tuple(date for date in facts.dates if date not in days)
    kept = [at for at, term in enumerate(facts.terms) if term.stem not in dropped]
    negations = tuple(kept.index(at) for at in facts.negations if at in kept)
    terms = tuple(facts.terms[at] for at in kept)
    return replace(facts, terms=terms, dates=left, negations=negations), frozenset(dropped)


def says_only_where(facts: Facts, dropped: frozenset[str], source: SourceFacts) -> bool:
    """Tell whether what is left of a claim is only about its source: its title, its headings and the like."""
    known = source.stems | dropped
    words = [term for term in facts.terms if is_content_word(term)]
    are_known = all(term.stem in known or term.key in source_words() for term in words)
    numbers_known = all(any(number.matches(other) for other in source.numbers) for number in facts.numbers)
    names_source = bool(dropped) or any(term.stem in source.stems for term in words)
    return are_known and numbers_known and not facts.dates and not facts.negations and names_source


def opening_names(text: str) -> frozenset[str]:
    """Return the stems of the capitalized words at the beginning of a document."""
    terms = split_terms(text[:OPENING_CHARS])
    return frozenset(term.stem for term in terms if term.is_capitalized and is_content_word(term))


@cache
def source_words() -> frozenset[str]:
    """Words that say nothing but that something is a source, or stands in one."""
    return frozenset(map(fold_text, merge_words(lambda lexicon: lexicon.comparison.source_words)))


@cache
def _attributions() -> frozenset[str]:
    return frozenset(map(fold_text, merge_words(lambda lexicon: lexicon.comparison.attributions)))


def _is_site_word(stem: str, source: SourceFacts) -> bool:
    return len(stem) >= MIN_SITE_WORD_CHARS and stem in source.site_stems
