"""QR codes and bar codes in a picture, by zxing-cpp: the kinds that do not mistake any stripes for themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import zxingcpp
from PIL import Image

from eclair.documents.readers.base import line

MOST = 10
LONGEST = 500
"""Characters of what a code says."""

_zxing: Any = zxingcpp
_KINDS: dict[str, str] = {
    "QRCode": "QR code",
    "MicroQRCode": "QR code",
    "RMQRCode": "QR code",
    "DataMatrix": "Data Matrix code",
    "Aztec": "Aztec code",
    "PDF417": "PDF417 code",
    "EAN13": "bar code",
    "UPCA": "bar code",
    "Code128": "bar code",
}


def codes(image: Image.Image) -> list[tuple[str, str]]:
    """What kind each code is, and what it says."""
    wanted = [getattr(_zxing.BarcodeFormat, name) for name in _KINDS if hasattr(_zxing.BarcodeFormat, name)]
    read: Iterable[Any] = _zxing.read_barcodes(np.ascontiguousarray(np.asarray(image.convert("L"))), formats=wanted)
    said = {line(each.text)[:LONGEST]: _KINDS.get(_kind(each.format), "bar code") for each in read if each.valid}
    return [(kind, text) for text, kind in said.items() if text][:MOST]


def _kind(form: Any) -> str:
    return str(getattr(form, "name", form))
