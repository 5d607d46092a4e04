"""Matches names such as titles, tags and file names with the words of a search."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

MIN_INFIX_CHARS = 3
"""Shorter words are only looked for where a word begins: they are inside too many others."""
MAX_QUERY_WORDS = 32

_WORD = re.compile(r"\w+")
_COMBINING = re.compile("[\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u064b-\u065f]")


@dataclass(frozen=True, slots=True)
class NameQuery:
    """The words of a search, without case and accents."""

    words: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> NameQuery:
        """Parse a search; none of its words count if all of them are single letters of an alphabet."""
        words = tuple(_WORD.findall(_fold(text))[:MAX_QUERY_WORDS])
        return cls(words if any(len(word) > 1 or unicodedata.category(word) == "Lo" for word in words) else ())

    def score(self, name: str) -> int:
        """Score a name that has every word, also inside a longer word; 0 for others.

        4 is the name itself, 3 its beginning, 2 words that begin in it as written, 1 is anything else.
        """
        folded = _fold(name)
        if not self.words or not all(word in folded for word in self.words):
            return 0
        begins = [re.search(rf"(?<!\w){re.escape(word)}", folded) is not None for word in self.words]
        if any(not begun and len(word) < MIN_INFIX_CHARS for word, begun in zip(self.words, begins, strict=True)):
            return 0
        words = tuple(_WORD.findall(folded))
        if words == self.words:
            return 4
        count = len(self.words)
        if words[: count - 1] == self.words[:-1] and words[count - 1].startswith(self.words[-1]):
            return 3
        return 2 if all(begins) else 1


def _fold(text: str) -> str:
    """Return the text without case and accents; quick, since every name is compared."""
    folded = text.casefold()
    return folded if folded.isascii() else _COMBINING.sub("", unicodedata.normalize("NFKD", folded))
