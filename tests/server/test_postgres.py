"""The server and the commands on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from eclair import doctor
from eclair.errors import Conflict, StoreError
from eclair.settings import Settings
from eclair.storage.open import compact_database, has_api_keys, inspect_database, open_storage, read_added_servers
from tests.postgres import TestDatabases, databases
from tests.support import serving

__all__ = ["databases"]


@pytest.fixture
def on_postgres(settings: Settings, databases: TestDatabases) -> Iterator[Settings]:
    with databases.lend() as url:
        yield replace(settings, database_url=url)


async def test_a_conversation_outlives_its_server(on_postgres: Settings) -> None:
    async with serving(on_postgres) as server:
        id = await server.begin()
        first = await server.say(id, "Hello?")
        assert first["status"] == "finished"
    assert not (on_postgres.data_dir / "eclair.db").exists()
    async with serving(on_postgres) as server:
        assert (await server.tree(id))["messages"][-1]["id"] == first["id"]


async def test_it_is_read_before_a_start(on_postgres: Settings) -> None:
    report = inspect_database(on_postgres)
    assert report is not None
    assert report.version == report.latest
    assert report.size > 0
    assert read_added_servers(on_postgres) == []
    assert not has_api_keys(on_postgres)
    with pytest.raises(Conflict, match="its own tools"):
        compact_database(on_postgres)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("postgresql://eclair:secret@db.example.org/eclair", "db.example.org"),
        ("postgresql://eclair:secret@localhost,db.example.org:5433/eclair?sslmode=prefer", "db.example.org"),
        ("postgresql://eclair@[2001:db8::1]:5432/eclair", "2001:db8::1"),
        ("postgresql://eclair@/eclair?host=db.example.org", "db.example.org"),
        ("postgresql://eclair@db.example.org/eclair?sslmode=verify-full", None),
        ("postgresql://eclair@127.0.0.1:5432,[::1]/eclair", None),
        ("postgresql://eclair@/eclair?host=/run/postgresql", None),
        (None, None),
    ],
)
def test_a_connection_that_may_be_without_tls_is_noted(settings: Settings, url: str | None, host: str | None) -> None:
    checks = doctor._database_encryption(replace(settings, database_url=url))  # pyright: ignore[reportPrivateUsage]
    assert [(check.state, check.detail.split(",")[0]) for check in checks] == (
        [] if host is None else [("note", f"Without TLS on {host}")]
    )


def test_what_cannot_be_opened_says_why(settings: Settings, databases: TestDatabases) -> None:
    with pytest.raises(StoreError, match=r"doesn't exist; create it, or check ECLAIR_DATABASE_URL\.$"):
        open_storage(replace(settings, database_url=databases.url("nowhere")))
    away = "postgresql://eclair:secret@127.0.0.1:1/eclair"
    with pytest.raises(StoreError, match=r"^The database eclair on 127\.0\.0\.1 cannot be reached") as raised:
        open_storage(replace(settings, database_url=away))
    assert "secret" not in raised.value.message
