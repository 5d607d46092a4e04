"""Splits text into subword tokens as SentencePiece does (arXiv:1804.10959).

No token crosses a word boundary, so words are split one by one and cached.
"""

from __future__ import annotations

import re
from functools import lru_cache

from eclair.documents.e5.weights import TokenVocabulary

SPACE_MARK = "\u2581"
"""Stands for a space."""
UNKNOWN_PENALTY = 10.0
"""Log probability by which an unknown character is below the least likely token."""
MAX_CACHED_WORDS = 20_000

_SPACES = re.compile(" {2,}")
_WORD = re.compile(f"{SPACE_MARK}?[^{SPACE_MARK}]*")


class Tokenizer:
    def __init__(self, vocabulary: TokenVocabulary) -> None:
        self._known = dict(zip(vocabulary.pieces, range(len(vocabulary.pieces)), strict=True))
        self._shares = vocabulary.shares
        self._unknown = vocabulary.unknown
        self._plain = vocabulary.plain
        self._least = min(vocabulary.shares) - UNKNOWN_PENALTY
        self._longest = max(map(len, vocabulary.pieces))
        self._split = lru_cache(MAX_CACHED_WORDS)(self._split_word)

    def encode(self, text: str) -> list[int]:
        """Return the token numbers of the text, without begin and end markers."""
        plain = _SPACES.sub(" ", text.translate(self._plain)).replace(" ", SPACE_MARK)
        if not plain.startswith(SPACE_MARK):
            plain = SPACE_MARK + plain
        return [number for word in _WORD.findall(plain) for number in self._split(word)]

    def _split_word(self, word: str) -> tuple[int, ...]:
        """Return the most likely tokens of a word (Viterbi's algorithm)."""
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
