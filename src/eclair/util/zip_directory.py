"""Reads the size of a ZIP's central directory, so that one that would fill memory can be refused unread."""

from __future__ import annotations

import struct
import zipfile
from typing import BinaryIO

_END_MARK, _END_BYTES = b"PK\5\6", 22
_LOCATOR_MARK, _LOCATOR_BYTES = b"PK\6\7", 20
_END_64_MARK, _END_64_BYTES = b"PK\6\6", 56
_MAX_COMMENT_BYTES = 1 << 16


def read_directory_bytes(file: BinaryIO) -> int:
    """Return the size in bytes that a ZIP, or ZIP64, claims for its central directory.

    `zipfile` takes about ten times that in memory once it parses it. Raises BadZipFile where there is no directory.
    """
    end = file.seek(0, 2)
    file.seek(max(0, end - _MAX_COMMENT_BYTES - _END_BYTES - _LOCATOR_BYTES - _END_64_BYTES))
    tail = file.read()
    at = tail.rfind(_END_MARK)
    if at < 0 or at + _END_BYTES > len(tail):
        raise zipfile.BadZipFile
    locator = at - _LOCATOR_BYTES
    end_64 = locator - _END_64_BYTES
    if end_64 >= 0 and tail.startswith(_LOCATOR_MARK, locator) and tail.startswith(_END_64_MARK, end_64):
        (size,) = struct.unpack_from("<Q", tail, end_64 + 40)
    else:
        (size,) = struct.unpack_from("<I", tail, at + 12)
    return size
