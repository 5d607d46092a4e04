"""`eclair migrate` copies an installation to PostgreSQL, which goes on there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_cli import Eclair
from tests.postgres import TestDatabases, databases

__all__ = ["databases"]


@pytest.fixture
def run(tmp_path: Path) -> Eclair:
    return Eclair(tmp_path)


def test_an_installation_goes_on_after_it_was_copied(run: Eclair, databases: TestDatabases) -> None:
    asked = run("ask", "Hello?", ECLAIR_SCRIPTED="true")
    assert asked.returncode == 0, asked.stderr
    added = run("prompts", "add", "letter", stdin="Write a letter.")
    assert added.returncode == 0, added.stderr
    url = databases.create()
    copied = run("migrate", ECLAIR_DATABASE_URL=url)
    assert copied.returncode == 0, copied.stderr
    assert "rows were copied and compared. Start Éclair" in copied.stdout
    listed = run("prompts", ECLAIR_DATABASE_URL=url)
    assert "letter" in listed.stdout, listed.stderr
    examined = run("doctor", ECLAIR_DATABASE_URL=url)
    assert "sound" in examined.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Set ECLAIR_DATABASE_URL to the database to copy to: postgresql://USER:PASSWORD@HOST/DATABASE."),
        (("mysql://db/eclair",), "The address of the database must begin with postgresql://; correct it."),
        (("postgresql://db/eclair",), "There is no database in"),
    ],
)
def test_what_is_missing_is_said(run: Eclair, arguments: tuple[str, ...], says: str) -> None:
    failed = run("migrate", *arguments)
    assert failed.returncode != 0
    assert says in failed.stderr
