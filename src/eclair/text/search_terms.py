"""Words of a text as the keyword index knows them: what it is given beside the text, and what it is asked for.

The index folds case and accents by itself and parts words at apostrophes, so that `l'été` is found by `ete`. Beside
that it is given forms of words that are written in two ways (`Müller`, `Mueller`), numbers of sections with their sign
(`§ 12`), and pairs of characters of scripts that put no space between words.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from eclair.text.language import is_small, language_of

MOST = 32
"""Words of a query that are looked for."""

LONG = 7
ENDING = 2
"""Of a word with LONG letters the last ones may differ. That finds the right paragraph first for 91 % of German
questions where whole words do for 88 % (bench/retrieve.py)."""

_WORD = re.compile(r"[^\W_]+")
_SECTION = re.compile(r"§+\s*(\d+\w*)")
_CODE = re.compile(r"(?=[\w./:-]*\d)\w+(?:[./:-]\w+)+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003134f\u0e00-\u0eff]{2,}")
_SPELT = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "ß": "ss",
        "æ": "ae",
        "œ": "oe",
        "ø": "oe",
        "å": "aa",
        "ł": "l",
        "đ": "d",
        "þ": "th",
    }
    | {"ς": "σ", "ё": "е"}
)
_LATIN = re.compile(r"([A-Za-z\u00c0-\u024f])[\u0300-\u036f]+")
_GREEK = re.compile(r"([\u0370-\u03ff])[\u0300-\u036f]+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A word of a query as the index has it, folded; with `ending`, any that begin so. `query` is in FTS5's grammar."""

    word: str
    query: str
    ending: bool = False


def folded(word: str) -> str:
    """A word in small letters as the index's own tokenizer folds it, which minds the accents of Latin letters alone."""
    return unicodedata.normalize("NFC", _LATIN.sub(r"\1", unicodedata.normalize("NFD", word)))


def spelt(word: str) -> str:
    """The one way to write a word in small letters that stands for all."""
    bare = unicodedata.normalize("NFD", folded(word.translate(_SPELT)))
    return unicodedata.normalize("NFC", _GREEK.sub(r"\1", bare))


def forms(text: str) -> str:
    """What the index is given beside the text."""
    text = unicodedata.normalize("NFC", text)
    words = dict.fromkeys(word for word in _WORD.findall(text.lower()) if not word.isascii())
    further = [form for word in words if (form := spelt(word)) != folded(word)]
    return " ".join([*further, *_sections(text), *_pairs(text)])


def words_of(text: str) -> set[str]:
    """The words of a text as `wanted` has those of a query."""
    text = unicodedata.normalize("NFC", text)
    codes = {code.lower() for code in [*_sections(text), *_CODE.findall(text)]}
    return codes | {_spelt_once(word) for word in {*_WORD.findall(text.lower()), *_pairs(text)}}


@lru_cache(maxsize=50_000)
def _spelt_once(word: str) -> str:
    return spelt(word)


def wanted(query: str) -> list[Wanted]:
    """The words of a query, each once, without the small ones of its language; unless it has no others."""
    query = unicodedata.normalize("NFC", query)
    language = language_of(query)
    found = {code.lower(): Wanted(code.lower(), f'"{code}"') for code in [*_sections(query), *_CODE.findall(query)]}
    rest = _SECTION.sub(" ", _CODE.sub(" ", query))
    words = [*_WORD.findall(_UNSPACED.sub(" ", rest).lower()), *_pairs(rest)]
    telling = [word for word in words if language is None or not is_small(word, language)]
    for word in telling if telling or found else words:
        found.setdefault(spelt(word), _looked_for(spelt(word)))
    return list(found.values())[:MOST]


def _looked_for(word: str) -> Wanted:
    """A long word is found in its other cases and numbers too, and as the beginning of a compound."""
    if len(word) >= LONG and word.isalpha():
        return Wanted(word[:-ENDING], f'"{word[:-ENDING]}"*', ending=True)
    return Wanted(word, f'"{word}"')


def _sections(text: str) -> list[str]:
    return list(dict.fromkeys(f"§{number}" for number in _SECTION.findall(text)))


def _pairs(text: str) -> list[str]:
    runs = _UNSPACED.findall(text)
    return list(dict.fromkeys(run[i : i + 2] for run in runs for i in range(len(run) - 1)))
