"""Salvages a damaged database into a new one, and checks that."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import apsw

from eclair.errors import StoreError
from eclair.storage.base import ReportSteps
from eclair.storage.sqlite.database import bring_forward, migrations
from eclair.storage.sqlite.integrity import CONTENTS
from eclair.storage.sqlite.salvage.mending import LinkedBlob, Mender
from eclair.storage.sqlite.salvage.page_file import PageFile
from eclair.storage.sqlite.salvage.rows import RowSalvage, read_schema
from eclair.storage.sqlite.salvage.shapes import list_shapes


@dataclass(frozen=True, slots=True)
class SalvageReport:
    """Numbers of rows by what they are, such as "messages": saved, lost as far as anything tells, and mended."""

    saved: dict[str, int]
    lost: dict[str, int]
    mended: dict[str, int]


def salvage_database(damaged: Path, target: Path, find_blob: LinkedBlob, progress: ReportSteps) -> SalvageReport:
    """Write all rows of a damaged database that can be read to a new one of the latest format, which is checked.

    Changes nothing of the damaged one. Blocks. Raises StoreError for a database of a newer format, apsw.Error and
    OSError; what was written to `target` then is incomplete.
    """
    pages = PageFile(damaged)
    db = apsw.Connection(str(target))
    try:
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA foreign_keys = OFF")
        bring_forward(db)
        _refuse_newer(pages, db)
        db.execute("BEGIN")
        rows = RowSalvage(pages, list_shapes(migrations()), db)
        rows.run(progress)
        mender = Mender(db, find_blob)
        mender.run()
        db.execute("COMMIT")
        _check(db)
    finally:
        db.close()
        pages.close()
    saved = Counter[str]({name: table.saved_count for name, table in rows.tables.items()})
    lost = Counter[str]({name: table.lost_count for name, table in rows.tables.items()})
    lost.update(mender.lost)
    saved.subtract(mender.lost)
    return SalvageReport(_by_contents(saved), _by_contents(lost), _by_contents(mender.mended))


def _refuse_newer(pages: PageFile, latest: apsw.Connection) -> None:
    """Raise StoreError for a newer format, which this Éclair would take apart; a damaged number is none."""
    if pages.version <= len(migrations()):
        return
    known = {sql for (sql,) in latest.execute("SELECT sql FROM sqlite_schema")}
    if any(entry.sql and entry.sql not in known for entry in read_schema(pages)):
        raise StoreError(
            f"The database was written by a newer Éclair (format {pages.version}, this one knows {len(migrations())}); "
            "update Éclair, then repair it."
        )


def _check(db: apsw.Connection) -> None:
    """Raise StoreError unless the new database is whole."""
    faults = [str(row[0]) for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
    faults += [f"a row of {row[0]} refers to nothing" for row in db.execute("PRAGMA foreign_key_check")]
    if faults:
        raise StoreError(f"The repaired database is not whole ({faults[0]}), so nothing was changed; report this.")


def _by_contents(counts: Counter[str]) -> dict[str, int]:
    """Sum up tables under the names that people know; those that nobody misses are left out."""
    named = Counter[str]()
    for table, count in counts.items():
        if table in CONTENTS:
            named[CONTENTS[table]] += count
    return {name: count for name, count in sorted(named.items()) if count > 0}
