"""Shapes of tables, by which a row is recognized whatever page it is found on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from eclair.storage.sqlite.salvage.records import StoredValue

_TYPES: dict[str, tuple[type, ...]] = {"TEXT": (str,), "INTEGER": (int,), "REAL": (float, int), "BLOB": (bytes,)}


@dataclass(frozen=True, slots=True)
class ColumnShape:
    name: str
    types: tuple[type, ...]
    is_nullable: bool


@dataclass(frozen=True, slots=True)
class TableShape:
    """The stored columns of a table, in the order of its records; `alias` is the place of the rowid's, if any.

    Rows from before a column was added lack it; `min_columns` they all have.
    """

    name: str
    columns: tuple[ColumnShape, ...]
    alias: int | None
    has_rowids: bool
    min_columns: int

    def fits(self, rowid: int | None, values: Sequence[StoredValue]) -> bool:
        """Tell whether a record can be a row of this table."""
        if (rowid is None) == self.has_rowids or not self.min_columns <= len(values) <= len(self.columns):
            return False
        for place, (value, column) in enumerate(zip(values, self.columns, strict=False)):
            if value is None:
                if not column.is_nullable and place != self.alias:
                    return False
            elif place == self.alias or type(value) not in column.types:
                return False
        return True


def list_shapes(scripts: Sequence[str]) -> list[TableShape]:
    """List the shapes of the ordinary tables that migrations make."""
    db = apsw.Connection(":memory:")
    first: dict[str, int] = {}
    for script in scripts:
        db.execute(script)
        for name, _, count in _list_tables(db):
            first.setdefault(name, count)
    return [_shape(db, name, first[name], has_rowids=has_rowids) for name, has_rowids, _ in _list_tables(db)]


def _list_tables(db: apsw.Connection) -> list[tuple[str, bool, int]]:
    """List the ordinary tables: name, whether rows have rowids, and the number of stored columns."""
    tables = db.execute(
        "SELECT name, wr, (SELECT count(*) FROM pragma_table_xinfo(listed.name) WHERE hidden = 0)"
        " FROM pragma_table_list AS listed"
        " WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    )
    return [(str(name), not is_without, int(count)) for name, is_without, count in tables]


def _shape(db: apsw.Connection, name: str, min_columns: int, *, has_rowids: bool) -> TableShape:
    rows = list(db.execute('SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?) WHERE hidden = 0', (name,)))
    if not has_rowids:
        rows.sort(key=lambda row: (row[3] == 0, row[3]))  # the key comes first
    keys = [place for place, row in enumerate(rows) if row[3]]
    is_alias = has_rowids and len(keys) == 1 and rows[keys[0]][1] == "INTEGER"
    columns = tuple(
        ColumnShape(str(column), _TYPES[str(kind)], not (is_required or key)) for column, kind, is_required, key in rows
    )
    return TableShape(name, columns, keys[0] if is_alias else None, has_rowids, min_columns)
