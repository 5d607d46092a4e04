"""Describes a photo in sentences, without a vision model.

It guesses nothing about people: no age, gender, mood or name. The place where a photo was taken is a page of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from PIL import Image

from eclair.documents.photos.barcodes import read_codes
from eclair.documents.photos.colors import main_colors
from eclair.documents.photos.exif import PhotoMetadata, read_metadata
from eclair.documents.photos.labels import label_photo
from eclair.documents.readers.base import ContentPart, PageBuilder, SourceFile
from eclair.schema.documents import DESCRIPTION, PLACE, Page

SAMPLE_SIDE_PX = 1200
"""Longer side at which a photo is examined, or up to twice as much."""

MIN_TELLING_LINES = 3
"""Lines of text that tell what a picture is, such as a receipt."""

FORMAT_NAMES = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WebP",
    "image/avif": "AVIF",
    "image/heic": "HEIC",
    "image/gif": "GIF",
    "image/tiff": "TIFF",
    "image/bmp": "BMP",
    "image/svg+xml": "SVG",
}


def describe(image: Image.Image, source: SourceFile, after: int, lines: int, network: Path | None) -> Iterator[Page]:
    """Yield the pages after the photo itself, on which OCR found `lines` lines: its description and location."""
    metadata = read_metadata(image.info.get("exif", b""))
    number = after + 1
    yield _page(number, DESCRIPTION, list(_describe(image, source, metadata, lines, network)))
    if metadata.place is not None:
        north, east = metadata.place
        place = f"{abs(north):.5f}° {'N' if north >= 0 else 'S'}, {abs(east):.5f}° {'E' if east >= 0 else 'W'}"
        yield _page(number + 1, PLACE, [f"The file says that the picture was taken at {place}."])


def count_pages(image: Image.Image) -> int:
    """Return how many pages there are besides the photo itself."""
    return 1 + (read_metadata(image.info.get("exif", b"")).place is not None)


def _describe(
    image: Image.Image, source: SourceFile, metadata: PhotoMetadata, lines: int, network: Path | None
) -> Iterator[str]:
    wide, high = image.size
    kind = FORMAT_NAMES[source.media]
    size = "an SVG" if kind == "SVG" else f"a picture of {wide:,} × {high:,} pixels ({kind})"
    yield f"This is {size}."
    if metadata.taken is not None or metadata.camera:
        when = f" on {_moment(metadata.taken)}" if metadata.taken is not None else ""
        camera = f" with a camera that calls itself {metadata.camera}" if metadata.camera else ""
        yield f"Its file says that it was taken{when}{camera}."
    small = image.reduce(max(1, max(image.size) // SAMPLE_SIDE_PX))
    shown = label_photo(small, network) if network is not None and network.exists() else None
    if shown is not None:
        yield f"It looks most like this: {shown}."
    elif lines < MIN_TELLING_LINES:
        yield "What it shows isn't known; the name of the file is no evidence of it."
    if named := main_colors(small):
        shares = [f"{name} ({share:.0%})" for name, share in named]
        yield f"Its main {'colors are' if len(shares) > 1 else 'color is'} {_join_words(shares)}."
    for code, text in read_codes(small):
        yield f"A {code} in it says: {text}"
    yield f"It has {lines:,} line{'' if lines == 1 else 's'} of text." if lines else "No text was found in it."


def _page(number: int, label: str, sentences: list[str]) -> Page:
    sheet = PageBuilder()
    sheet.add(ContentPart("paragraph", "\n".join(sentences)))
    return sheet.page(number, label)


def _moment(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y} at {moment:%H:%M}"


def _join_words(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
