"""Words of a text as the keyword index knows them: what it is given beside the text, and what it is asked for.

The index folds case and accents by itself and parts words at apostrophes, so that `l'été` is found by `ete`. Beside
that it is given forms of words that are written in two ways (`Müller`, `Mueller`), numbers of sections with their sign
(`§ 12`), and pairs of characters of scripts that put no space between words.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

MOST = 32
"""Words of a query that are looked for."""

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
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One word of a query: as the index knows it, and the ways to write it that count as the same."""

    word: str
    ways: tuple[str, ...]

    @property
    def query(self) -> str:
        return "(" + " OR ".join(f'"{way}"' for way in self.ways) + ")"


def folded(word: str) -> str:
    """As the index's own tokenizer folds it."""
    return "".join(c for c in unicodedata.normalize("NFKD", word.lower()) if not unicodedata.combining(c))


def forms(text: str) -> str:
    """What the index is given beside the text."""
    text = unicodedata.normalize("NFC", text)
    words = dict.fromkeys(word for word in _WORD.findall(text.lower()) if not word.isascii())
    spelt = [form for word in words if (form := word.translate(_SPELT)) != word]
    return " ".join([*spelt, *_sections(text), *_pairs(text)])


def wanted(query: str) -> list[Wanted]:
    """The words of a query, each once."""
    query = unicodedata.normalize("NFC", query)
    found: dict[str, Wanted] = {}
    for code in [*_sections(query), *_CODE.findall(query)]:
        found.setdefault(code.lower(), Wanted(code.lower(), (code,)))
    rest = _SECTION.sub(" ", _CODE.sub(" ", query))
    for word in [*_WORD.findall(_UNSPACED.sub(" ", rest).lower()), *_pairs(rest)]:
        ways = dict.fromkeys((word, word.translate(_SPELT)))
        found.setdefault(folded(word), Wanted(folded(word), tuple(ways)))
    return list(found.values())[:MOST]


def _sections(text: str) -> list[str]:
    return list(dict.fromkeys(f"§{number}" for number in _SECTION.findall(text)))


def _pairs(text: str) -> list[str]:
    runs = _UNSPACED.findall(text)
    return list(dict.fromkeys(run[i : i + 2] for run in runs for i in range(len(run) - 1)))
