"""Each table that belongs to people is named with how it is exported and erased."""

from __future__ import annotations

import apsw
import pytest

from eclair.storage.sql.personal_tables import PERSONAL_TABLES
from eclair.storage.sqlite.database import bring_forward

OWNER_COLUMNS = {"owner", "person", "actor", "holder"}
CONTENT = {"document", "page", "piece", "vector", "audit_value"}
"""Tables without such a column: of what files hold, which belong to whoever has the file, and of names of acts."""
NOT_PERSONAL: dict[str, str] = {}
"""Tables with such a column that hold nothing of a person, and why."""


@pytest.fixture(scope="module")
def schema() -> apsw.Connection:
    db = apsw.Connection(":memory:")
    bring_forward(db)
    return db


def tables(db: apsw.Connection) -> set[str]:
    """Tables that hold rows of their own: neither indexes of words nor what those are made of."""
    rows = list(db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'"))
    virtual = {str(name) for name, sql in rows if "VIRTUAL TABLE" in str(sql)}
    return {
        str(name)
        for name, _ in rows
        if name not in virtual
        and not any(str(name).startswith(f"{index}_") for index in virtual)
        and not str(name).startswith("sqlite_")
    }


def personal(db: apsw.Connection) -> set[str]:
    """Tables with an owner, and those that hang under one."""
    found = set(CONTENT)
    names = tables(db)
    for name in names:
        columns = {str(column) for (column,) in db.execute("SELECT name FROM pragma_table_info(?)", (name,))}
        if columns & OWNER_COLUMNS or name == "person":
            found.add(name)
    while True:
        more = {
            name
            for name in names - found
            for (parent,) in db.execute('SELECT "table" FROM pragma_foreign_key_list(?)', (name,))
            if parent in found
        }
        if not more:
            return found - NOT_PERSONAL.keys()
        found |= more


def test_each_table_of_people_is_in_the_list(schema: apsw.Connection) -> None:
    listed = {table.name for table in PERSONAL_TABLES}
    missing = personal(schema) - listed
    assert not missing, f"say in personal_tables.py how {sorted(missing)} are exported and erased"
    assert listed <= tables(schema)


def test_each_condition_and_list_of_columns_is_sound(schema: apsw.Connection) -> None:
    for table in PERSONAL_TABLES:
        columns = table.columns or "count(*)"
        list(schema.execute(f"SELECT {columns} FROM {table.name} WHERE {table.mine}", ("local",)))
        assert (table.exported == "rows") == bool(table.columns), table.name


def test_what_goes_with_something_else_hangs_under_it(schema: apsw.Connection) -> None:
    for table in PERSONAL_TABLES:
        if table.erased == "cascade":
            rules = list(schema.execute("SELECT on_delete FROM pragma_foreign_key_list(?)", (table.name,)))
            assert ("CASCADE",) in rules, f"nothing erases {table.name}"


def test_no_column_of_a_secret_is_exported(schema: apsw.Connection) -> None:
    for table in PERSONAL_TABLES:
        for secret in ("digest", "hash", "secret"):
            assert secret not in table.columns, table.name
