"""Prepares a photo for a model: upright, small enough, without metadata."""

from __future__ import annotations

import io

from PIL import Image

from eclair.documents.photos.exif import read_metadata
from eclair.documents.photos.open import open_page
from eclair.documents.readers.base import SourceFile
from eclair.sandbox.descriptors import open_input
from eclair.schema.documents import Prepared

JPEG_QUALITY = 90
SHARP_EDGED_TYPES = ("image/png", "image/gif", "image/bmp", "image/svg+xml")
"""Types of screenshots and charts, whose edges JPEG blurs."""

MAX_PNG_TO_JPEG_RATIO = 2.0
"""Such a picture stays PNG up to this many times the size of the JPEG."""

MIN_SHORT_SIDE_PX = 32
"""Models cut a picture into squares, at least one of which must fit."""


def prepare(source: SourceFile, side: int) -> Prepared:
    """Return the picture, its longer side at most `side` pixels, and what was removed. Raises Rejected."""
    image = open_page(source, 1)
    with open_input(source.path) as file:
        reveals = read_metadata(image.info.get("exif", b""), file.read()).reveals
    image = _fit(image, side)
    data, media = _encode(image, "JPEG", quality=JPEG_QUALITY, subsampling=0), "image/jpeg"
    if source.media in SHARP_EDGED_TYPES:
        png = _encode(image, "PNG", optimize=False)
        if len(png) <= MAX_PNG_TO_JPEG_RATIO * len(data):
            data, media = png, "image/png"
    return Prepared(media, image.width, image.height, reveals, data)


def _fit(image: Image.Image, side: int) -> Image.Image:
    scale = min(1.0, side / max(image.size))
    size = tuple(max(1, round(length * scale)) for length in image.size)
    if size != image.size:
        image = image.resize((size[0], size[1]), Image.Resampling.LANCZOS, reducing_gap=3.0)
    if min(image.size) < MIN_SHORT_SIDE_PX:
        paper = Image.new("RGB", (max(image.width, MIN_SHORT_SIDE_PX), max(image.height, MIN_SHORT_SIDE_PX)), "white")
        paper.paste(image)
        image = paper
    return image


def _encode(image: Image.Image, form: str, **how: object) -> bytes:
    bare = Image.new("RGB", image.size)
    bare.paste(image)
    out = io.BytesIO()
    bare.save(out, form, **how)
    return out.getvalue()
