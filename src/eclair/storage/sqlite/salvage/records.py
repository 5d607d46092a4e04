"""Cells and records in the pages of B-trees, decoded defensively: what is damaged raises `DamagedCell`."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from eclair.storage.sqlite.salvage.page_file import HEADER_BYTES, PAGE_BYTES, PageFile

StoredValue = None | int | float | str | bytes
PageKind = Literal["table", "table_interior", "index", "index_interior"]

_KINDS: dict[int, PageKind] = {0x0D: "table", 0x05: "table_interior", 0x0A: "index", 0x02: "index_interior"}
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_MIN_LOCAL = (PAGE_BYTES - 12) * 32 // 255 - 23
_MAX_LOCAL_TABLE = PAGE_BYTES - 35
_MAX_LOCAL_INDEX = (PAGE_BYTES - 12) * 64 // 255 - 23
_MIN_TEXT = 13
MAX_RECORD_BYTES = 1 << 30
"""SQLite's own limit of a row."""


class DamagedCell(Exception):
    """A cell that can't be decoded; `rowid` is None unless that much could be read."""

    def __init__(self, rowid: int | None = None) -> None:
        super().__init__(rowid)
        self.rowid = rowid


@dataclass(frozen=True, slots=True)
class Cell:
    """A decoded cell; `rowid` is None in indexes and tables without rowids."""

    rowid: int | None
    values: tuple[StoredValue, ...]


@dataclass(frozen=True, slots=True)
class TreePage:
    """A page of a B-tree: its kind, the pages below it, and the offsets of its cells."""

    number: int
    kind: PageKind
    content: bytes
    offsets: tuple[int, ...]

    def children(self) -> list[int]:
        """List the pages below an interior page."""
        if not self.kind.endswith("interior"):
            return []
        below = [_uint(self.content, at) for at in self.offsets if at + 4 <= PAGE_BYTES]
        return [*below, _uint(self.content, _header_at(self.number) + 8)]


def parse_page(pages: PageFile, number: int) -> TreePage | None:
    """Parse the header of a page; None where that is no page of a B-tree. Raises OSError."""
    content = pages.read(number)
    start = _header_at(number)
    kind = _KINDS.get(content[start])
    if kind is None:
        return None
    count = int.from_bytes(content[start + 3 : start + 5])
    first = start + (12 if kind.endswith("interior") else 8)
    if first + 2 * count > PAGE_BYTES:
        return None
    return TreePage(number, kind, content, struct.unpack_from(f">{count}H", content, first))


def read_cells(pages: PageFile, page: TreePage) -> Iterator[Cell | DamagedCell]:
    """Yield the cells that hold records, none for the interior pages of tables. Raises OSError."""
    if page.kind == "table_interior":
        return
    for at in page.offsets:
        try:
            yield _read_cell(pages, page, at)
        except DamagedCell as damaged:
            yield damaged


def _read_cell(pages: PageFile, page: TreePage, at: int) -> Cell:
    content = page.content
    if page.kind == "index_interior":
        at += 4
    size, at = _varint(content, at)
    rowid = None
    if page.kind == "table":
        unsigned, at = _varint(content, at)
        rowid = unsigned - (1 << 64) if unsigned >= 1 << 63 else unsigned
    try:
        return Cell(rowid, _decode(_payload(pages, content, at, size, is_table=page.kind == "table")))
    except DamagedCell:
        raise DamagedCell(rowid) from None


def _payload(pages: PageFile, content: bytes, at: int, size: int, *, is_table: bool) -> bytes:
    """Join the payload of a cell from its page and its overflow pages."""
    most = _MAX_LOCAL_TABLE if is_table else _MAX_LOCAL_INDEX
    if not 0 < size <= min(MAX_RECORD_BYTES, pages.count * PAGE_BYTES):
        raise DamagedCell
    local = size
    if size > most:
        local = _MIN_LOCAL + (size - _MIN_LOCAL) % (PAGE_BYTES - 4)
        local = local if local <= most else _MIN_LOCAL
    if at + local + (4 if size > local else 0) > PAGE_BYTES:
        raise DamagedCell
    parts, left = [content[at : at + local]], size - local
    following = _uint(content, at + local) if left else 0
    while left:
        if not 1 <= following <= pages.count:
            raise DamagedCell
        page = pages.read(following)
        part = page[4 : 4 + min(left, PAGE_BYTES - 4)]
        parts.append(part)
        left -= len(part)
        following = _uint(page, 0)
    return b"".join(parts)


def _decode(payload: bytes) -> tuple[StoredValue, ...]:
    """Decode a record: the types of its values, then the values."""
    header, at = _varint(payload, 0)
    if not at <= header <= len(payload):
        raise DamagedCell
    values: list[StoredValue] = []
    place = header
    while at < header:
        kind, at = _varint(payload, at)
        value, place = _value(payload, kind, place)
        values.append(value)
    if at != header:
        raise DamagedCell
    return tuple(values)


def _value(payload: bytes, kind: int, at: int) -> tuple[StoredValue, int]:
    """Decode a value of a serial type at an offset; return it and the offset after it."""
    if kind in (0, 8, 9):
        return (None if kind == 0 else kind - 8), at
    if kind in (10, 11):
        raise DamagedCell
    size = _INTEGER_BYTES.get(kind, 8 if kind == 7 else (kind - 12) // 2)
    data = payload[at : at + size]
    if len(data) < size:
        raise DamagedCell
    if kind in _INTEGER_BYTES:
        return int.from_bytes(data, signed=True), at + size
    if kind == 7:
        return struct.unpack(">d", data)[0], at + size
    if kind >= _MIN_TEXT and kind % 2:
        return data.decode("utf-8", "replace"), at + size
    return data, at + size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Decode an integer of one to nine bytes; return it and the offset after it."""
    value = 0
    for step in range(9):
        if at >= len(data):
            raise DamagedCell
        byte = data[at]
        at += 1
        if step == 8:
            return (value << 8) | byte, at
        value = (value << 7) | (byte & 0x7F)
        if byte < 0x80:
            break
    return value, at


def _uint(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4])


def _header_at(number: int) -> int:
    return HEADER_BYTES if number == 1 else 0
