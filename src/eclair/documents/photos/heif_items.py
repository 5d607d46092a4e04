"""Refuses HEIC files that hold more than a photo: the decoder is given few kinds of items, as cameras write them.

Derived, uncompressed and masked images, transparency and sequences are where libheif has had flaws that write out of
bounds. The boxes are those of ISO/IEC 14496-12 and 23008-12.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from eclair.documents.readers.base import damaged_file
from eclair.sandbox.protocol import Rejected

MAX_META_BYTES = 16 << 20
"""Items are listed in it; their content is elsewhere."""

PHOTO_ITEMS = frozenset((b"hvc1", b"grid", b"Exif", b"mime", b"uri ", b"tmap"))
"""Pictures, tiles, metadata and gain maps."""

_SEQUENCES = frozenset((b"moov", b"moof", b"mini"))
_ALPHA = frozenset(
    (
        b"urn:mpeg:avc:2015:auxid:1",
        b"urn:mpeg:hevc:2015:auxid:1",
        b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
    )
)


def check_items(file: BinaryIO, name: str) -> None:
    """Raise Rejected unless the file is one photo without transparency. Leaves the file at its beginning."""
    try:
        metas = list(_find_metas(file, name))
        if len(metas) != 1:
            raise damaged_file(name)
        (meta,) = metas
        for kind, body in _boxes(meta[4:]):
            if kind == b"iinf":
                _check_kinds(body, name)
            elif kind == b"iprp":
                _check_properties(body, name)
    except (struct.error, ValueError, IndexError) as error:
        raise damaged_file(name) from error
    file.seek(0)


def _find_metas(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield the `meta` boxes of the file."""
    end, at = file.seek(0, 2), 0
    while at < end:
        file.seek(at)
        size, kind, head = _head(file.read(16))
        size = size or end - at
        if kind in _SEQUENCES:
            raise _strange(name, kind)
        if kind == b"meta":
            if size > MAX_META_BYTES:
                raise damaged_file(name)
            file.seek(at + head)
            yield file.read(size - head)
        at += size


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and body of each box. Raises ValueError and struct.error for one that doesn't fit."""
    at = 0
    while at < len(data):
        size, kind, head = _head(data[at : at + 16])
        size = size or len(data) - at
        if at + size > len(data):
            raise ValueError("a box is cut off")
        yield kind, data[at + head : at + size]
        at += size


def _head(data: bytes) -> tuple[int, bytes, int]:
    """Return the size of a box (0: to the end), its kind, and the size of its head."""
    size, kind = struct.unpack(">I4s", data[:8])
    head = 8
    if size == 1:
        (size,) = struct.unpack(">Q", data[8:16])
        head = 16
    if size and size < head:
        raise ValueError("a box smaller than its head")
    return size, kind, head


def _check_kinds(iinf: bytes, name: str) -> None:
    for kind, body in _boxes(iinf[6 if iinf[0] == 0 else 8 :]):
        at = {2: 8, 3: 10}.get(body[0]) if kind == b"infe" else None
        if at is None or body[at : at + 4] not in PHOTO_ITEMS:
            raise _strange(name, body[at : at + 4] if at is not None else kind)


def _check_properties(iprp: bytes, name: str) -> None:
    for kind, body in _boxes(iprp):
        for inner, value in _boxes(body) if kind == b"ipco" else ():
            if inner == b"auxC" and value[4:].partition(b"\0")[0] in _ALPHA:
                raise _strange(name, b"alpha")


def _strange(name: str, kind: bytes) -> Rejected:
    shown = kind.decode("ascii", "replace").strip()
    shown = shown if shown.isalnum() else "unknown"
    return Rejected(f"{name} holds more than a photo ({shown}), which is not decoded; send it as JPEG or PNG.")
