"""Backups of the database: made before migrations, aged out, and kept free of what was erased since."""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import apsw

from eclair.errors import StoreError
from eclair.util.disk_sync import sync_path
from eclair.util.humanize import format_size

FOLDER = "backups"
MAX_COPIES = 5
"""A migration that fails at each start leaves a copy each time."""
PART_SUFFIX = ".part"

_MOMENT = "%Y%m%d-%H%M%S"
_NAME = re.compile(r"-format\d++-(\d{8}-\d{6})\.db")

_ROWS = (
    ("legal_hold", "scope || subject"),
    *(("egress", "id"), ("share", "id"), ("picture", "id"), ("web_page", "id"), ("message", "id")),
    *(("canvas_version", "id"), ("canvas", "id"), ("workspace_file", "conversation || name || version")),
    ("python_state", "conversation"),
    *(("conversation", "id"), ("file", "id"), ("library", "id"), ("document", "number"), ("entry", "number")),
    *(("api_key", "id"), ("feed", "id"), ("preference", "owner"), ("server", "name"), ("probe", "server")),
    *(("web_settings", "id"), ("api_item", "number"), ("api_response", "id"), ("api_conversation", "id")),
    *(("batch_reply", "batch || line"), ("batch_file", "id"), ("batch", "id")),
)
"""Tables and their keys; rows that refer to others come first."""

_CONTENTS = ("piece", "vector", "page")
"""Tables of what documents hold, whose ids begin with the document's number."""

_TEXTS = (
    *(("conversation", "id", "title"), ("conversation", "id", "tags"), ("share", "id", "title")),
    *(("share", "id", "body"), ("preference", "owner", "body"), ("file", "id", "name"), ("library", "id", "name")),
    *(("egress", "id", "url"), ("server", "name", "url"), ("server", "name", "key")),
    *(("web_settings", "id", "body"), ("api_item", "number", "body"), ("api_response", "id", "body")),
    *(("api_conversation", "id", "metadata"), ("canvas", "id", "title"), ("canvas_version", "id", "text")),
)
"""Columns that are overwritten: table, key, column."""

log = logging.getLogger(__name__)


class Backups:
    """The backups of one database. Copies under other names in the folder are left alone."""

    def __init__(self, database: Path, days: int) -> None:
        """Keep the newest MAX_COPIES backups for `days` days; 0 keeps all until they are deleted by hand."""
        self._database = database
        self._folder = database.parent / FOLDER
        self._days = days
        self._open: apsw.Connection | None = None
        self._is_interrupted = False

    def make(self, connection: apsw.Connection, version: int) -> None:
        """Back up the open database: written beside its place, checked, then renamed.

        Raises StoreError where there is no room for it, apsw.Error and OSError; nothing is left then.
        """
        self._folder.mkdir(exist_ok=True)
        target = self._folder / f"{self._database.stem}-format{version}-{datetime.now():{_MOMENT}}.db"
        part = target.with_name(f"{target.name}{PART_SUFFIX}")
        for left in self._folder.glob(f"{self._database.stem}-*{PART_SUFFIX}"):
            left.unlink()
        needed, free = self._size(), shutil.disk_usage(self._folder).free
        if free < needed:
            raise StoreError(
                f"The database must be backed up before it is updated, which needs {format_size(needed)}, and "
                f"{self._folder} has {format_size(free)} free; free some space and try again."
            )
        try:
            connection.execute("VACUUM INTO ?", (str(part),))
            _check(part)
            sync_path(part)
            part.replace(target)
            sync_path(self._folder)
            self.remove_old()
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def _size(self) -> int:
        """Return the bytes of the database with its log, which no copy exceeds."""
        paths = (self._database, self._database.with_name(f"{self._database.name}-wal"))
        return sum(path.stat().st_size for path in paths if path.exists())

    def remove_old(self) -> None:
        """Remove backups older than `days`, and all but the newest MAX_COPIES."""
        if self._days:
            oldest = datetime.now() - timedelta(days=self._days)
            newest_first = sorted(self._list(), key=lambda backup: backup[1], reverse=True)
            for number, (path, made) in enumerate(newest_first):
                if made < oldest or number >= MAX_COPIES:
                    _remove(path)

    def erase(self) -> None:
        """Erase from every backup what the database no longer holds. One that cannot be changed is removed."""
        for path, _ in self._list():
            try:
                with contextlib.closing(apsw.Connection(_uri(path, "rw"), flags=_READ_WRITE)) as self._open:
                    if self._is_interrupted:
                        return
                    _erase(self._open, self._database)
            except apsw.InterruptError:
                return
            except apsw.Error as error:
                log.warning("%s was removed, since it holds erased data that cannot be erased there: %s", path, error)
                _remove(path)

    def interrupt(self) -> None:
        """End an `erase` in another thread; what it has begun is undone."""
        self._is_interrupted = True
        if self._open is not None:
            with contextlib.suppress(apsw.ConnectionClosedError):
                self._open.interrupt()

    def _list(self) -> list[tuple[Path, datetime]]:
        """List the backups that were made here, with the time of each."""
        found: list[tuple[Path, datetime]] = []
        for path in self._folder.glob(f"{self._database.stem}-*.db"):
            match = _NAME.fullmatch(path.name.removeprefix(self._database.stem))
            if match is not None:
                with contextlib.suppress(ValueError):
                    found.append((path, datetime.strptime(match[1], _MOMENT)))
        return found


def _check(path: Path) -> None:
    """Check a copy of a database. Raises apsw.CorruptError."""
    copy = apsw.Connection(f"file:{quote(str(path))}?mode=ro", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    try:
        faults = [row[0] for row in copy.execute("PRAGMA quick_check(1)") if row[0] != "ok"]
    finally:
        copy.close()
    if faults:
        raise apsw.CorruptError(str(faults[0]))


def _remove(path: Path) -> None:
    try:
        for suffix in ("", "-journal", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    except OSError as error:
        log.error("%s cannot be removed: %s; remove it.", path, error.strerror)


def _erase(db: apsw.Connection, database: Path) -> None:
    """Erase from a backup the rows and texts that the database no longer holds. Raises apsw.Error."""
    db.execute("PRAGMA secure_delete = ON")
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("ATTACH ? AS live", (_uri(database, "ro"),))
    tables = {name for (name,) in db.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'")}
    before = db.total_changes()
    with db:
        _erase_documents(db, tables)
        for table, key in _ROWS:
            if table not in tables:
                continue
            if table == "message":
                _erase_messages(db)
            else:
                db.execute(f"DELETE FROM main.{table} WHERE {key} NOT IN (SELECT {key} FROM live.{table})")
        if "audit_value" in tables:
            db.execute(
                "UPDATE main.audit_value SET salt = NULL, value = NULL WHERE value IS NOT NULL"
                " AND (number, field) IN (SELECT number, field FROM live.audit_value WHERE value IS NULL)"
            )
        for table, key, column in _TEXTS:
            if table in tables:
                db.execute(
                    f"UPDATE main.{table} AS mine SET {column} = theirs.{column} FROM live.{table} AS theirs"
                    f" WHERE theirs.{key} = mine.{key} AND theirs.{column} IS NOT mine.{column}"
                )
    if db.total_changes() > before:
        db.execute("DETACH live")
        db.execute("VACUUM")  # pages keep traces of rows that were moved within them


def _erase_messages(db: apsw.Connection) -> None:
    """Erase the messages that the database no longer holds; their words leave the index with one merge of it."""
    gone = "id NOT IN (SELECT id FROM live.message)"
    if next(iter(db.execute(f"SELECT 1 FROM main.message WHERE {gone} LIMIT 1")), None) is None:
        return
    secure = list(db.execute("SELECT v FROM main.message_text_config WHERE k = 'secure-delete'"))
    db.execute("INSERT INTO main.message_text (message_text, rank) VALUES ('secure-delete', 0)")
    db.execute(f"DELETE FROM main.message WHERE {gone}")
    db.execute("INSERT INTO main.message_text (message_text) VALUES ('optimize')")
    if secure:
        db.execute("INSERT INTO main.message_text (message_text, rank) VALUES ('secure-delete', ?)", secure[0])


def _erase_documents(db: apsw.Connection, tables: set[str]) -> None:
    """Erase the contents of documents that the database no longer holds."""
    if "document" not in tables:
        return
    gone = db.execute("SELECT number FROM main.document WHERE number NOT IN (SELECT number FROM live.document)")
    for (number,) in list(gone):
        for table in _CONTENTS:
            db.execute(f"DELETE FROM main.{table} WHERE id BETWEEN ?1 << 24 AND (?1 << 24) + 0xffffff", (number,))


_READ_WRITE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(str(path))}?mode={mode}"
