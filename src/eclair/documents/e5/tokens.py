"""Splits text into the pieces of words that an encoder knows: the likeliest ones, as SentencePiece's unigram model has
it (Kudo, 2018, arXiv:1804.10959). No piece goes beyond a word, so that words are split one by one and remembered."""

from __future__ import annotations

import re
from functools import lru_cache

from eclair.documents.e5.weights import Vocabulary

MARK = "\u2581"
"""What stands for a space."""
LESS = 10.0
"""How much less likely than the least likely piece a character is of which there is none."""
REMEMBERED = 20_000
"""Words."""

_SPACES = re.compile(" {2,}")
_WORD = re.compile(f"{MARK}?[^{MARK}]*")


class Tokens:
    def __init__(self, vocabulary: Vocabulary) -> None:
        self._known = dict(zip(vocabulary.pieces, range(len(vocabulary.pieces)), strict=True))
        self._shares = vocabulary.shares
        self._unknown = vocabulary.unknown
        self._plain = vocabulary.plain
        self._least = min(vocabulary.shares) - LESS
        self._longest = max(map(len, vocabulary.pieces))
        self._split = lru_cache(REMEMBERED)(self._word)

    def of(self, text: str) -> list[int]:
        """The numbers of the text's pieces, without those that mark its beginning and end."""
        plain = _SPACES.sub(" ", text.translate(self._plain)).replace(" ", MARK)
        if not plain.startswith(MARK):
            plain = MARK + plain
        return [number for word in _WORD.findall(plain) for number in self._split(word)]

    def _word(self, word: str) -> tuple[int, ...]:
        """The pieces with the greatest sum of shares (Viterbi's algorithm)."""
        best = [0.0, *[float("-inf")] * len(word)]
        come: list[tuple[int, int]] = [(0, 0)] * (len(word) + 1)
        for start in range(len(word)):
            for end in range(start + 1, min(len(word), start + self._longest) + 1):
                number = self._known.get(word[start:end], self._unknown)
                if number != self._unknown and best[start] + self._shares[number] > best[end]:
                    best[end], come[end] = best[start] + self._shares[number], (start, number)
            if best[start] + self._least > best[start + 1]:
                best[start + 1], come[start + 1] = best[start] + self._least, (start, self._unknown)
        found: list[int] = []
        end = len(word)
        while end > 0:
            end, number = come[end]
            found.append(number)
        return tuple(found[::-1])
