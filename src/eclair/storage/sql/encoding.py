"""Encoding of pages as bytes: text, blocks and words apart."""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Iterable
from itertools import chain

import orjson

from eclair.schema.documents import Block, Page, Word

_LEVEL = 1  # of zlib: a higher one saves 5 % of the space and takes twice the time


def packed_text(text: str) -> bytes:
    return zlib.compress(text.encode(), _LEVEL)


def unpacked_text(data: bytes) -> str:
    return zlib.decompress(data).decode()


def packed_blocks(blocks: Iterable[Block]) -> bytes:
    rows = [(block.kind, block.start, block.end, block.level, block.ref) for block in blocks]
    return zlib.compress(orjson.dumps(rows), _LEVEL)


def unpacked_blocks(data: bytes) -> tuple[Block, ...]:
    return tuple(Block(*row) for row in orjson.loads(zlib.decompress(data)))


def packed_pages(pages: Iterable[Page]) -> bytes:
    """Pack text and blocks of the pages of a web page, without the boxes of words."""
    rows = [
        (page.number, page.text, page.label, [(b.kind, b.start, b.end, b.level, b.ref) for b in page.blocks])
        for page in pages
    ]
    return zlib.compress(orjson.dumps(rows), _LEVEL)


def unpacked_pages(data: bytes) -> tuple[Page, ...]:
    return tuple(
        Page(number, text, tuple(Block(*row) for row in blocks), label=label)
        for number, text, label, blocks in orjson.loads(zlib.decompress(data))
    )


def packed_words(words: Iterable[Word]) -> bytes:
    """Six 32-bit floats a word: offsets in a page stay exact up to 2^24 characters."""
    numbers = array("f", chain.from_iterable(words))
    return zlib.compress(_little(numbers).tobytes(), _LEVEL)


def unpacked_words(data: bytes) -> tuple[Word, ...]:
    numbers = array("f")
    numbers.frombytes(zlib.decompress(data))
    flat = iter(_little(numbers))
    rows = zip(flat, flat, flat, flat, flat, flat, strict=True)
    return tuple(Word(int(start), int(end), *box) for start, end, *box in rows)


def _little(numbers: array[float]) -> array[float]:
    """Convert to or from little-endian."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
