"""Opens untrusted images with Pillow in a sandbox; damage becomes `Rejected`."""

from __future__ import annotations

import struct
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from eclair.sandbox.protocol import Rejected

_ERRORS = (
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
"""Raised by Pillow on damaged pictures."""


def open_image(source: BinaryIO, formats: tuple[str, ...], unsupported: str, damaged: str) -> Image.Image:
    """Return a picture in one of Pillow's `formats`, not decoded yet.

    Raises Rejected with `unsupported` for anything else, and with `damaged` for one that cannot be read.
    """
    Image.MAX_IMAGE_PIXELS = None  # the caller checks the size, with a message of its own
    try:
        return Image.open(source, formats=formats)
    except UnidentifiedImageError as error:
        raise Rejected(unsupported) from error
    except _ERRORS as error:
        raise Rejected(damaged) from error


def decode_image(image: Image.Image, damaged: str) -> Image.Image:
    """Decode and return the picture. Raises Rejected with `damaged`."""
    try:
        image.load()
    except _ERRORS as error:
        raise Rejected(damaged) from error
    return image
