"""Writes `schema.sql`, which creates at once the tables that the migrations lead to one after another.

`python -m eclair.storage.sqlite.schema_script` prints it.
"""

from __future__ import annotations

import re
import sys

import apsw

from eclair.storage.sqlite.database import migrations

HEADER = "-- Generated from the migrations by `make generate`; it creates what they lead to. Do not edit.\n"


def write_schema() -> str:
    """Return the script that creates the tables, indexes and triggers of the latest format in an empty database."""
    scripts = migrations()
    db = apsw.Connection(":memory:")
    try:
        for script in scripts:
            db.execute(script)
        shadows = "SELECT name FROM pragma_table_list WHERE type = 'shadow'"  # virtual tables create them
        created = db.execute(
            "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
            f" AND name NOT LIKE 'sqlite~_%' ESCAPE '~' AND name NOT IN ({shadows}) ORDER BY rowid"
        )
        statements: list[str] = []
        for name, sql in list(created):
            statements.append(str(sql))
            if re.match(r"CREATE VIRTUAL TABLE \S+ USING fts5\b", str(sql), re.IGNORECASE):
                options = db.execute(f"SELECT quote(k), quote(v) FROM {name}_config WHERE k <> 'version' ORDER BY k")
                statements += [f"INSERT INTO {name} ({name}, rank) VALUES ({key}, {value})" for key, value in options]
    finally:
        db.close()
    return HEADER + "".join(f"{each};\n" for each in [*statements, f"PRAGMA user_version = {len(scripts)}"])


if __name__ == "__main__":
    sys.stdout.write(write_schema())
