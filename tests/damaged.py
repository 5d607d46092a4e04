"""Ways to damage a database that is closed, as a disk does."""

from __future__ import annotations

from pathlib import Path

import apsw

PAGE_BYTES = 4096


def find_pages(path: Path, name: str, kind: str = "leaf") -> list[int]:
    """The numbers of a table's or index's pages, after the log has been copied into the database."""
    db = apsw.Connection(str(path))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    pages = [page for (page,) in db.execute("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = ?", (name, kind))]
    db.close()
    return pages


def overwrite_page(path: Path, page: int, content: bytes = b"") -> None:
    """Fill a page with bytes, or with zeros."""
    size = PAGE_BYTES
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(content[:size].ljust(size, b"\0"))
