"""Pictures of whatever format: the text in them, read by OCR, and of a photo a simple description."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from eclair.documents.layout import Blocks
from eclair.documents.page_lines import Drawn
from eclair.documents.photos.open import frame, frames
from eclair.documents.readers.base import Opened, Piece, Remarked, Source
from eclair.sandbox.protocol import Rejected

LEAST = 3
"""Letters and digits of what is called a line of text: in leaves and stones OCR sees an O or an 8."""

LONGEST = 3600
"""Pixels of the longer side of a picture that is read; a larger one is made smaller first."""


def read(source: Source) -> Iterator[Piece]:
    count = frames(source)
    if count == 1 and not source.depth:
        yield from _photo(source)
        return
    if count > source.limits.pages:
        raise Rejected(f"{source.name} has {count:,} pages; the limit is {source.limits.pages:,}.", "too_large")
    yield Opened(source.media, count)
    blocks = Blocks()
    for number in range(source.after + 1, count + 1):
        try:
            image = frame(source, number)
        except Rejected:
            if count == 1:
                raise
            yield Remarked(f"Page {number} of {source.name} is damaged and was not read.")
            continue
        drawn = _drawn(image, number)
        blocks.learn(drawn)
        yield blocks.page(drawn)


def _photo(source: Source) -> Iterator[Piece]:
    """A picture by itself: what is written in it, then what can be told of it."""
    image = frame(source, 1)
    from eclair.documents.photos import describe

    yield Opened(source.media, 1 + describe.count(image))
    blocks, drawn = Blocks(), _drawn(image, 1)
    blocks.learn(drawn)
    yield blocks.page(drawn)
    lines = sum(sum(map(str.isalnum, line.text)) >= LEAST for line in drawn.lines)
    yield from describe.pages(image, source, 1, lines, source.labels)


def _drawn(image: Image.Image, number: int) -> Drawn:
    """The lines of text in a picture, and where they stand on its sheet."""
    from eclair.documents.ocr import lines_of  # what OCR takes is loaded when it is needed

    scale = min(1.0, LONGEST / max(image.size))
    seen = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    points = 72 / _dpi(image)
    pixels = np.ascontiguousarray(np.asarray(seen)[:, :, ::-1])
    lines, quarter = lines_of(pixels, points / scale)
    sides = [round(image.width * points, 2), round(image.height * points, 2)]
    wide, high = sides[::-1] if quarter % 2 else sides
    return Drawn(number, lines, wide, high, read="ocr", quarter=quarter)


def _dpi(image: Image.Image) -> float:
    """Pixels an inch: what the picture says where that makes a sheet, else such that it is as wide as one."""
    said = image.info.get("dpi")
    if said is not None:
        across = float(said[0])
        if across > 0 and 200 <= image.width * 72 / across <= 2000:
            return across
    return max(image.width * 72 / 595, 1.0)
