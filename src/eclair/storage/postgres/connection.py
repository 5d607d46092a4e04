"""A connection to PostgreSQL as the stores use it: SQL with `?`, rows at once, and counts of what changed."""

from __future__ import annotations

import functools
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from eclair.storage.postgres.bridge import wait_for

RawConnection = Any
"""A connection of asyncpg, which has no types of its own."""
PreparedStatement = Any

MAX_STATEMENTS = 500
"""Statements that a connection keeps prepared."""

_TOKEN = re.compile(r"'[^']*'|\?(\d*)|\browid\b")


@functools.lru_cache(maxsize=4096)
def number_parameters(statement: str) -> str:
    """Return a statement with `$1` for each `?` or `?1`, and PostgreSQL's name for a row's place, outside of texts."""
    count = 0

    def translate(token: re.Match[str]) -> str:
        nonlocal count
        if token[0].startswith("'"):
            return token[0]
        if token[0] == "rowid":
            return "ctid"
        count = max(count, int(token[1])) if token[1] else count + 1
        return f"${token[1] or count}"

    return _TOKEN.sub(translate, statement)


class PostgresConnection:
    """Implements `Connection`, within `run_bridged`; an instance stays with its connection to the server."""

    def __init__(self, raw: RawConnection) -> None:
        self.raw = raw
        self._prepared: OrderedDict[str, PreparedStatement] = OrderedDict()
        self._changes = 0
        self._total_changes = 0

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Iterator[Any]:
        if not values and statement in ("BEGIN", "ROLLBACK"):
            wait_for(self.raw.execute(statement))
            return iter(())
        prepared = self._prepare(statement)
        rows = wait_for(prepared.fetch(*map(storable, values)))
        self._count(prepared.get_statusmsg())
        return iter(rows)

    def executemany(self, statement: str, values: Iterable[Sequence[Any]], /) -> None:
        """Run a statement once for each of the values, sent together.

        `changes` doesn't count these, and `total_changes` counts each as a row, since the server doesn't say.
        """
        rows = [[*map(storable, each)] for each in values]
        wait_for(self._prepare(statement).executemany(rows))
        self._total_changes += len(rows)

    def changes(self) -> int:
        return self._changes

    def total_changes(self) -> int:
        return self._total_changes

    def forget_statements(self) -> None:
        """Prepare all statements again, as after another process has changed the tables."""
        self._prepared.clear()

    def _prepare(self, statement: str) -> PreparedStatement:
        found = self._prepared.get(statement)
        if found is None:
            found = wait_for(self.raw.prepare(number_parameters(statement)))
            self._prepared[statement] = found
            if len(self._prepared) > MAX_STATEMENTS:
                self._prepared.popitem(last=False)
        else:
            self._prepared.move_to_end(statement)
        return found

    def _count(self, status: str) -> None:
        verb, _, count = status.partition(" ")
        if verb in ("INSERT", "UPDATE", "DELETE", "MERGE"):
            self._changes = int(count.rpartition(" ")[2])
            self._total_changes += self._changes


def storable(value: Any) -> Any:
    """Return a value that PostgreSQL takes: its texts have no NUL."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else value
