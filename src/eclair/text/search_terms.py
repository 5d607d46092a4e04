"""Turn text and queries into terms of the keyword index.

The index folds case and accents itself and splits words at apostrophes, so that `ete` finds `l'été`. Beside the text it
gets other forms: of words with two spellings (`Müller`, `Mueller`), of section numbers with their sign (`§ 12`), and
pairs of characters of scripts without spaces between words.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from eclair.text.language import identify_language, is_small_word

MAX_QUERY_TERMS = 32

MIN_PREFIX_WORD_CHARS = 7
PREFIX_ENDING_CHARS = 2
"""A word so long is searched without its last letters. That finds the right paragraph first for 91 % of German
questions where whole words do for 88 % (bench/retrieve.py)."""

_WORD = re.compile(r"[^\W_]+")
_SECTION = re.compile(r"(?<!§)§++\s*+(\d++\w*+)")
_JOINED = re.compile(r"\b\w++(?:[./:-]\w++)++")
_DIGIT = re.compile(r"\d")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003134f\u0e00-\u0eff]{2,}")
_SPELLINGS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "œ": "oe", "ø": "oe", "å": "aa"}
    | {"ł": "l", "đ": "d", "þ": "th", "ς": "σ", "ё": "е"}
)
_LATIN_ACCENTS = re.compile(r"([A-Za-z\u00c0-\u024f])[\u0300-\u036f]+")
_GREEK_ACCENTS = re.compile(r"([\u0370-\u03ff])[\u0300-\u036f]+")


@dataclass(frozen=True, slots=True)
class SearchTerm:
    """A normalized word of a query, and the `query` for it in FTS5's grammar; `is_prefix` matches any continuation."""

    word: str
    query: str
    is_prefix: bool = False


def parse_query(query: str) -> list[SearchTerm]:
    """Return the terms of a query, each once, without the small words of its language unless there are no others."""
    query = unicodedata.normalize("NFC", query)
    language = identify_language(query)
    terms = {code.lower(): SearchTerm(code.lower(), f'"{code}"') for code in [*_sections(query), *_codes(query)]}
    rest = _SECTION.sub(" ", _without_codes(query))
    words = [*_WORD.findall(_UNSPACED.sub(" ", rest).lower()), *_pairs(rest)]
    content = [word for word in words if language is None or not is_small_word(word, language)]
    for word in content if content or terms else words:
        normalized = normalize_spelling(word)
        terms.setdefault(normalized, _search_term(normalized))
    return list(terms.values())[:MAX_QUERY_TERMS]


def index_forms(text: str) -> str:
    """Return the other forms that the index gets beside the text."""
    text = unicodedata.normalize("NFC", text)
    words = dict.fromkeys(word for word in _WORD.findall(text.lower()) if not word.isascii())
    forms = [form for word in words if (form := normalize_spelling(word)) != fold_like_index(word)]
    return " ".join([*forms, *_sections(text), *_pairs(text)])


def extract_terms(text: str) -> set[str]:
    """Return the words of a text as `parse_query` has those of a query."""
    text = unicodedata.normalize("NFC", text)
    codes = {code.lower() for code in [*_sections(text), *_codes(text)]}
    return codes | {_normalize_cached(word) for word in {*_WORD.findall(text.lower()), *_pairs(text)}}


def is_pair(word: str) -> bool:
    """Return whether a term's word is a pair of characters of a script without spaces between words."""
    return len(word) == 2 and _UNSPACED.fullmatch(word) is not None


def _codes(text: str) -> list[str]:
    """Return what is joined by signs and has a digit, such as `2024/1689` or `EN-12.3`."""
    return [joined for joined in _JOINED.findall(text) if _DIGIT.search(joined)]


def _without_codes(text: str) -> str:
    return _JOINED.sub(lambda found: " " if _DIGIT.search(found[0]) else found[0], text)


def fold_like_index(word: str) -> str:
    """Fold a lowercase word as the index's own tokenizer does, which strips the accents of Latin letters alone."""
    return unicodedata.normalize("NFC", _LATIN_ACCENTS.sub(r"\1", unicodedata.normalize("NFD", word)))


def normalize_spelling(word: str) -> str:
    """Return the one spelling of a lowercase word that stands for all."""
    bare = unicodedata.normalize("NFD", fold_like_index(word.translate(_SPELLINGS)))
    return unicodedata.normalize("NFC", _GREEK_ACCENTS.sub(r"\1", bare))


@lru_cache(maxsize=50_000)
def _normalize_cached(word: str) -> str:
    return normalize_spelling(word)


def _search_term(word: str) -> SearchTerm:
    """A long word is found in its other cases and numbers too, and as the beginning of a compound."""
    if len(word) >= MIN_PREFIX_WORD_CHARS and word.isalpha():
        prefix = word[:-PREFIX_ENDING_CHARS]
        return SearchTerm(prefix, f'"{prefix}"*', is_prefix=True)
    return SearchTerm(word, f'"{word}"')


def _sections(text: str) -> list[str]:
    return list(dict.fromkeys(f"§{number}" for number in _SECTION.findall(text)))


def _pairs(text: str) -> list[str]:
    runs = _UNSPACED.findall(text)
    return list(dict.fromkeys(run[i : i + 2] for run in runs for i in range(len(run) - 1)))
