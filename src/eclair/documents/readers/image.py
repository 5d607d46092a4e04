"""Reads images: their text by OCR, and a simple description of a photo."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from eclair.documents.layout import PageComposer
from eclair.documents.page_lines import PageLines
from eclair.documents.photos.open import count_pages, open_page
from eclair.documents.readers.base import Opened, ReadPiece, SourceFile, UnreadPart
from eclair.sandbox.protocol import Rejected

MIN_LINE_CHARS = 3
"""Letters and digits that make a line of text: OCR sees an O or an 8 in leaves and stones."""

MAX_SIDE_PX = 3600
"""A larger picture is scaled down before it is read."""


def read(source: SourceFile) -> Iterator[ReadPiece]:
    count = count_pages(source)
    if count == 1 and not source.depth:
        yield from _photo(source)
        return
    if count > source.limits.pages:
        raise Rejected(f"{source.name} has {count:,} pages; the limit is {source.limits.pages:,}.", "too_large")
    yield Opened(source.media, count)
    blocks = PageComposer()
    for number in range(source.after + 1, count + 1):
        try:
            image = open_page(source, number)
        except Rejected:
            if count == 1:
                raise
            yield UnreadPart(f"Page {number} of {source.name} is damaged and was not read.")
            continue
        page = _recognize_page(image, number)
        blocks.learn(page)
        yield blocks.page(page)


def _photo(source: SourceFile) -> Iterator[ReadPiece]:
    """Yield the text in a single picture, then its description."""
    image = open_page(source, 1)
    from eclair.documents.photos import describe

    yield Opened(source.media, 1 + describe.count_pages(image))
    blocks, page = PageComposer(), _recognize_page(image, 1)
    blocks.learn(page)
    yield blocks.page(page)
    lines = sum(sum(map(str.isalnum, line.text)) >= MIN_LINE_CHARS for line in page.lines)
    yield from describe.describe(image, source, 1, lines, source.labels)


def _recognize_page(image: Image.Image, number: int) -> PageLines:
    """Return the lines of text in a picture, and their positions on its sheet."""
    from eclair.documents.ocr import read_lines  # what OCR takes is loaded when it is needed

    scale = min(1.0, MAX_SIDE_PX / max(image.size))
    seen = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    points = 72 / _dpi(image)
    pixels = np.ascontiguousarray(np.asarray(seen)[:, :, ::-1])
    lines, quarter = read_lines(pixels, points / scale)
    sides = [round(image.width * points, 2), round(image.height * points, 2)]
    wide, high = sides[::-1] if quarter % 2 else sides
    return PageLines(number, lines, wide, high, read="ocr", quarter=quarter)


def _dpi(image: Image.Image) -> float:
    """Return pixels per inch: the picture's own if that makes a sheet, else such that it is as wide as one."""
    said = image.info.get("dpi")
    if said is not None:
        across = float(said[0])
        if across > 0 and 200 <= image.width * 72 / across <= 2000:
            return across
    return max(image.width * 72 / 595, 1.0)
