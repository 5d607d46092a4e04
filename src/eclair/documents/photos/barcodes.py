"""Reads QR codes and bar codes with zxing-cpp, limited to reliable kinds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import zxingcpp
from PIL import Image

from eclair.documents.readers.base import single_line

MAX_CODES = 10
MAX_CODE_CHARS = 500

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


def read_codes(image: Image.Image) -> list[tuple[str, str]]:
    """Return the kind and the text of each code."""
    wanted = [getattr(_zxing.BarcodeFormat, name) for name in _KINDS if hasattr(_zxing.BarcodeFormat, name)]
    read: Iterable[Any] = _zxing.read_barcodes(np.ascontiguousarray(np.asarray(image.convert("L"))), formats=wanted)
    said = {
        single_line(each.text)[:MAX_CODE_CHARS]: _KINDS.get(_kind(each.format), "bar code")
        for each in read
        if each.valid
    }
    return [(kind, text) for text, kind in said.items() if text][:MAX_CODES]


def _kind(form: Any) -> str:
    return str(getattr(form, "name", form))
