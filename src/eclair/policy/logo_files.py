"""Logos that a policy file names: beside it, or in it as a data URL."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Final

from eclair.errors import InvalidInput
from eclair.images.logo_maker import MAX_LOGO_BYTES

_PREFIX: Final = "data:"


def write_logo(logo: bytes) -> str:
    """Return a logo as a data URL."""
    return f"{_PREFIX}image/png;base64,{base64.b64encode(logo).decode()}"


def read_logo(text: str, folder: Path, where: str) -> bytes:
    """Return the bytes of a logo: of a data URL, or of a file whose path is relative to `folder`.

    Raises InvalidInput.
    """
    if text.startswith(_PREFIX):
        head, comma, body = text.partition(",")
        try:
            if not comma or not head.endswith(";base64"):
                raise ValueError("no base64")
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidInput(f"{where} is no data URL in base64; name a file instead.") from None
    try:
        with (folder / Path(text).expanduser()).open("rb") as file:
            return file.read(MAX_LOGO_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its name can't be"
        raise InvalidInput(f"{where} names {text}, which can't be read: {reason}; correct it.") from None
