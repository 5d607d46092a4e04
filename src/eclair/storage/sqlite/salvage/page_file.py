"""Pages of a database file with its write-ahead log applied, in whatever state they are.

The formats are those of https://www.sqlite.org/fileformat2.html. Where SQLite refuses a file as a whole, each page can
still be read by itself.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

PAGE_BYTES = 4096
"""Éclair never chooses another size; the one in the header may be damaged."""
HEADER_BYTES = 100
FREELIST_AT = 32
VERSION_AT = 60

_LOG_MAGICS = {0x377F0682: "<", 0x377F0683: ">"}
"""Byte order of the checksums, by the log's first four bytes."""
_LOG_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24
_MAX_SUM = 0xFFFFFFFF


class PageFile:
    """Numbered pages, from 1. They are read when they are asked for."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self._file = path.open("rb")
        self._size = path.stat().st_size
        self._log = _read_log(path.with_name(f"{path.name}-wal"))
        self.count = self._log.pages or -(-self._size // PAGE_BYTES)

    def close(self) -> None:
        self._file.close()

    def read(self, number: int) -> bytes:
        """Return a page, filled with zeros where the file is cut off. Raises OSError."""
        if number in self._log.frames:
            return self._log.frames[number]
        self._file.seek((number - 1) * PAGE_BYTES)
        return self._file.read(PAGE_BYTES).ljust(PAGE_BYTES, b"\0")

    def list_free(self) -> set[int]:
        """List the pages that are in no use, as far as the list of them is whole."""
        free = set[int]()
        (trunk,) = struct.unpack_from(">I", self.read(1), FREELIST_AT)
        while 1 <= trunk <= self.count and trunk not in free:
            free.add(trunk)
            page = self.read(trunk)
            trunk, count = struct.unpack_from(">II", page)
            if count > PAGE_BYTES // 4 - 2:
                break
            free.update(struct.unpack_from(f">{count}I", page, 8))
        return free

    @property
    def version(self) -> int:
        """The `user_version` in the header, which may be damaged."""
        return struct.unpack_from(">i", self.read(1), VERSION_AT)[0]


class _Log:
    """The committed frames of a log: the newest page of each number, and the pages of the database after them."""

    def __init__(self) -> None:
        self.frames: dict[int, bytes] = {}
        self.pages = 0


def _read_log(path: Path) -> _Log:
    """Read the frames up to the last commit that SQLite itself would see."""
    log = _Log()
    content = path.read_bytes() if path.exists() else b""
    if len(content) < _LOG_HEADER_BYTES:
        return log
    magic, _, size, _, salt_1, salt_2, *sums = struct.unpack_from(">8I", content)
    order = _LOG_MAGICS.get(magic)
    if order is None or size != PAGE_BYTES:
        return log
    current = _checksum(content[: _LOG_HEADER_BYTES - 8], order, (0, 0))
    if current != tuple(sums):
        return log
    pending: dict[int, bytes] = {}
    for number, commit, salts, header, page, stored in _frames(content):
        current = _checksum(page, order, _checksum(header, order, current))
        if salts != (salt_1, salt_2) or current != stored:
            break
        pending[number] = page
        if commit:
            log.frames.update(pending)
            log.pages = commit
            pending.clear()
    return log


def _frames(content: bytes) -> Iterator[tuple[int, int, tuple[int, int], bytes, bytes, tuple[int, int]]]:
    """Yield page number, pages after a commit or 0, salts, the header's summed part, the page and the checksum."""
    step = _FRAME_HEADER_BYTES + PAGE_BYTES
    for at in range(_LOG_HEADER_BYTES, len(content) - step + 1, step):
        number, commit, salt_1, salt_2, sum_1, sum_2 = struct.unpack_from(">6I", content, at)
        page = content[at + _FRAME_HEADER_BYTES : at + step]
        yield number, commit, (salt_1, salt_2), content[at : at + 8], page, (sum_1, sum_2)


def _checksum(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for one, other in zip(words, words, strict=True):
        first = (first + one + second) & _MAX_SUM
        second = (second + other + first) & _MAX_SUM
    return first, second
