"""Foreign pictures, opened with Pillow in a bounded process: whatever it raises on damaged ones is `Unfit`."""

from __future__ import annotations

import struct
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

_FAULTS = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    RuntimeError,
    struct.error,
)
"""What Pillow raises on damaged pictures."""


class Unfit(Exception):
    """The picture cannot be taken; the text is a sentence without its subject and its full stop."""


def opened(source: BinaryIO, formats: tuple[str, ...], strange: str, damaged: str) -> Image.Image:
    """The picture in one of these formats of Pillow's, not decoded yet. Raises Unfit with `strange` for anything else,
    and with `damaged` for what cannot be read."""
    Image.MAX_IMAGE_PIXELS = None  # whoever opens counts them, with a sentence
    try:
        return Image.open(source, formats=formats)
    except UnidentifiedImageError as error:
        raise Unfit(strange) from error
    except _FAULTS as error:
        raise Unfit(damaged) from error


def loaded(image: Image.Image, damaged: str) -> Image.Image:
    """The picture, decoded. Raises Unfit with `damaged`."""
    try:
        image.load()
    except _FAULTS as error:
        raise Unfit(damaged) from error
    return image
