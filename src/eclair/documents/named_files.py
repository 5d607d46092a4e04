"""Finds the files of a scope that a question names, such as `Dupont 2021.pdf` in one about the lease of Dupont."""

from __future__ import annotations

import asyncio
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from eclair.storage.chunks import ChunkStore, ListedNames, SearchScope
from eclair.text.search_terms import PREFIX_ENDING_CHARS, SearchTerm, is_pair, normalize_spelling, parse_query
from eclair.text.terms import is_content_word, split_terms

MAX_QUESTION_WORDS = 16
"""With more words of its own, a question is a pasted text; each word is compared with each name."""
MAX_COMPARED_NAMES = 2000
"""Of more names that have a word of the question, those with most of its words are compared, and the newest."""
MAX_NAMED_FILES = 20
MIN_NAME_SCORE = 0.5
"""The score of a word that √N of N names have: 3 of 10, 10 of 100."""
MIN_NUMBER_DIGITS = 4
"""A shorter number names a file only beside a word: a question has numbers of its own."""

_WORD = re.compile(r"[^\W_]+")
_EXTENSION = re.compile(r"\.\w{2,4}\Z")


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that a question names. `key` is the storage's own for its document; the best one's score is at most 1."""

    key: int
    file: str
    score: float


async def find_named_files(chunks: ChunkStore, scope: SearchScope, question: str) -> list[NamedFile]:
    """Return the files whose names have rare words of the question, best first. Raises StoreError.

    A word in all names names none of them, as `lease` in a library of leases.
    """
    terms = [term for term in parse_query(question) if _may_name(term)]
    if not 0 < len(terms) <= MAX_QUESTION_WORDS:
        return []
    names = await chunks.list_names(scope, _spellings(question, terms), MAX_COMPARED_NAMES)
    return await asyncio.to_thread(_choose_named, terms, names) if names.total > 1 else []


def _choose_named(terms: Sequence[SearchTerm], names: ListedNames) -> list[NamedFile]:
    total = names.total if len(names.files) < MAX_COMPARED_NAMES else MAX_COMPARED_NAMES
    found = [(each, _shared_terms(terms, each.name)) for each in names.files]
    counts = Counter(term for _, shared in found for term in shared)
    weights = {term: math.log(total / count) / math.log(total) for term, count in counts.items()}
    scored = [(each, sum(weights[term] for term in shared)) for each, shared in found]
    named = sorted((pair for pair in scored if pair[1] >= MIN_NAME_SCORE), key=lambda pair: -pair[1])[:MAX_NAMED_FILES]
    best = max([1.0, *(score for _, score in named[:1])])
    return [NamedFile(each.key, each.file, score / best) for each, score in named]


def _may_name(term: SearchTerm) -> bool:
    if any(map(str.isdigit, term.word)):
        return True
    return len(term.word) > 1 and any(map(is_content_word, split_terms(term.word)))


def _spellings(question: str, terms: Sequence[SearchTerm]) -> list[str]:
    """Return the words of the terms, and those with accents as the question spells them, which a name may do too."""
    words = dict.fromkeys(term.word for term in terms)
    asked = _WORD.findall(unicodedata.normalize("NFC", question).lower())
    spelled = (each for word in asked for each in (word, word[:-PREFIX_ENDING_CHARS]))
    return [*(words | dict.fromkeys(each for each in spelled if normalize_spelling(each) in words))]


def _shared_terms(terms: Sequence[SearchTerm], name: str) -> list[SearchTerm]:
    """Return the terms that a file's name has before its extension; none if they are only a short number."""
    folded = normalize_spelling(unicodedata.normalize("NFC", _EXTENSION.sub("", name)).lower())
    shared = [term for term in terms if term.word in folded and _is_word(term, folded)]
    is_named = any(not term.word.isdigit() or len(term.word) >= MIN_NUMBER_DIGITS for term in shared)
    return shared if is_named else []


def _is_word(term: SearchTerm, name: str) -> bool:
    """Tell whether a term that a name has is a word of it, or a pair of characters of a script without spaces.

    A word without its last letters may have as many and one more there.
    """
    if is_pair(term.word):
        return True
    ending = rf"[^\W_]{{0,{PREFIX_ENDING_CHARS + 1}}}+" if term.is_prefix else ""
    return re.search(rf"(?<![^\W_]){re.escape(term.word)}{ending}(?![^\W_])", name) is not None
