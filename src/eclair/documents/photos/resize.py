"""A photo as a model is shown it: upright, no larger than it uses, and its pixels alone, without any metadata."""

from __future__ import annotations

import io

from PIL import Image

from eclair.documents.photos.exif import told
from eclair.documents.photos.open import frame
from eclair.documents.readers.base import Source
from eclair.schema.documents import Prepared

QUALITY = 90
DRAWN = ("image/png", "image/gif", "image/bmp", "image/svg+xml")
"""Types in which screens and charts come, whose edges a JPEG blurs."""

DEAR = 2.0
"""How many times a JPEG's bytes such a picture may have as PNG."""

SMALLEST = 32
"""Pixels of the shorter side: models cut a picture into squares, of which one at least must fit."""


def prepared(source: Source, side: int) -> Prepared:
    """The picture, its longer side `side` pixels at most, and what was left out. Raises Rejected."""
    image = frame(source, 1)
    with source.path.open("rb") as file:
        gives = told(image.info.get("exif", b""), file.read()).gives
    image = _fitting(image, side)
    data, media = _written(image, "JPEG", quality=QUALITY, subsampling=0), "image/jpeg"
    if source.media in DRAWN:
        png = _written(image, "PNG", optimize=False)
        if len(png) <= DEAR * len(data):
            data, media = png, "image/png"
    return Prepared(media, image.width, image.height, gives, data)


def _fitting(image: Image.Image, side: int) -> Image.Image:
    scale = min(1.0, side / max(image.size))
    size = tuple(max(1, round(length * scale)) for length in image.size)
    if size != image.size:
        image = image.resize((size[0], size[1]), Image.Resampling.LANCZOS, reducing_gap=3.0)
    if min(image.size) < SMALLEST:
        paper = Image.new("RGB", (max(image.width, SMALLEST), max(image.height, SMALLEST)), "white")
        paper.paste(image)
        image = paper
    return image


def _written(image: Image.Image, form: str, **how: object) -> bytes:
    bare = Image.new("RGB", image.size)
    bare.paste(image)
    out = io.BytesIO()
    bare.save(out, form, **how)
    return out.getvalue()
