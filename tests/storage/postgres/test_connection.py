"""Connections to PostgreSQL, as the stores use them."""

from __future__ import annotations

from eclair.storage.postgres.database import PostgresDatabase
from eclair.storage.sql.connection import Connection
from tests.postgres import TestDatabases

RUNS = 8
"""More than the five for which PostgreSQL plans a prepared statement each time, to see whether one plan will do."""


async def test_a_statement_is_parsed_once_and_then_run_by_one_plan(databases: TestDatabases) -> None:
    database = PostgresDatabase.open(databases.create())
    statement = "SELECT owner FROM conversation WHERE id = ?"

    def plans(db: Connection) -> list[int]:
        for number in range(RUNS):
            list(db.execute(statement, (f"conv_{number}",)))
        found = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE ?"
        return [*next(iter(db.execute(found, ("SELECT owner FROM conversation%",))))]

    try:
        assert await database.read(plans) == [RUNS - 5, 5]
    finally:
        await database.close()
