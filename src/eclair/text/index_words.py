"""Split text into the words of the keyword index, as FTS5's tokenizer `unicode61 remove_diacritics 2` does.

A word is a run of letters, digits and characters for private use. Its case is folded, and Latin letters lose their
accents; those that are characters of their own are dropped from any letter.
"""

from __future__ import annotations

import re
import unicodedata

SECTION_SIGN = "§"

_WORD, _ACCENT, _OTHER = "w", "a", " "
_ACCENTS = frozenset(
    first + bit for first, mask in ((0x300, 0x08029FDF), (0x320, 0x000361F8)) for bit in range(32) if mask >> bit & 1
)
"""Combining characters that FTS5 leaves out of a word; others end it."""
_KINDS_OF_WORD = re.compile(f"{_WORD}[{_WORD}{_ACCENT}]*")


class _Kinds(dict[int, str]):
    """Map each character to its kind, for `str.translate`."""

    def __missing__(self, code: int) -> str:
        found = self[code] = _kind(code)
        return found


class _Folds(dict[int, str]):
    """Map each character to what stands for it in the index, for `str.translate`."""

    def __missing__(self, code: int) -> str:
        kind = _kind(code)
        found = self[code] = _fold(code) if kind == _WORD else "" if kind == _ACCENT else " "
        return found


_KINDS = _Kinds()
_FOLDS = _Folds()
_FOLDS_WITH_SECTIONS = _Folds({ord(SECTION_SIGN): SECTION_SIGN})


def split_words(text: str, *, has_sections: bool = False) -> list[str]:
    """Return the words of a text in order, folded; with `has_sections` the sign `§` is a letter."""
    folds = _FOLDS_WITH_SECTIONS if has_sections else _FOLDS
    return [word for word in text.translate(folds).split(" ") if word]


def locate_words(text: str) -> list[tuple[str, int, int]]:
    """Return the words of a text in order, folded, each with where it begins and ends in the text."""
    kinds = text.translate(_KINDS)
    return [
        (text[found.start() : found.end()].translate(_FOLDS), found.start(), found.end())
        for found in _KINDS_OF_WORD.finditer(kinds)
    ]


def _kind(code: int) -> str:
    if code in _ACCENTS:
        return _ACCENT
    category = unicodedata.category(chr(code))
    return _WORD if category[0] in "LN" or category == "Co" else _OTHER


def _fold(code: int) -> str:
    letter = chr(code).casefold()
    if len(letter) != 1:
        letter = chr(code).lower()[0]
    first = unicodedata.normalize("NFD", letter)[0]
    return first if first.isascii() else letter
