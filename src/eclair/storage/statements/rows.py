"""What statements of every kind begin with."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

import apsw


def first(db: apsw.Connection, statement: str, values: tuple[Any, ...]) -> Any:
    """The first row, or None where there is none."""
    return next(iter(db.execute(statement, values)), None)


@contextlib.contextmanager
def one_view(db: apsw.Connection) -> Generator[None]:
    """What is read within is of one moment."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("COMMIT")
