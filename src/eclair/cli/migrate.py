"""`eclair migrate`: copies the database from SQLite to PostgreSQL."""

from __future__ import annotations

import argparse

from eclair.cli._arguments import load_settings
from eclair.cli._progress import ProgressCounter
from eclair.cli._terminal import Terminal
from eclair.errors import InvalidInput


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    url = arguments.url or settings.database_url
    if url is None:
        raise InvalidInput(
            "Set ECLAIR_DATABASE_URL to the database to copy to: postgresql://USER:PASSWORD@HOST/DATABASE."
        )
    if not url.startswith(("postgresql://", "postgres://")):
        raise InvalidInput("The address of the database must begin with postgresql://; correct it.")
    from eclair.storage.postgres.copying import copy_to_postgres

    counts = copy_to_postgres(settings.data_dir, url, ProgressCounter(terminal, "Copying and comparing rows").show)
    remaining = "Start" if url == settings.database_url else "Set ECLAIR_DATABASE_URL to that address, and start"
    terminal.line(
        f"{sum(counts.values()):,} rows were copied and compared. {remaining} Éclair; the database in the data folder "
        "stays as it was."
    )
    return 0
