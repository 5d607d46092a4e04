"""Checks of the database's pages by SQLite, table by table, on a connection and a thread of their own."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import apsw

from eclair.storage.sql.store import SQLStore
from eclair.storage.sqlite.database import SQLiteDatabase, translated
from eclair.storage.sqlite.lease import UNCLEAN_FILE
from eclair.util.cpu import lower_thread_priority
from eclair.util.tasks import wait_to_end

T = TypeVar("T")

CHECK_INTERVAL_S = 24 * 3600.0
YIELD_S = 1.0
"""Pause of a check that was in the way of an erasure."""
CHECKED_FILE = "checked"

DAMAGE_ERRORS = (apsw.CorruptError, apsw.NotADBError, apsw.IOError, apsw.SQLError)
"""Raised by SQLite for damaged pages, and for a damaged schema, whose text may have become anything."""

_SEARCH_TABLE = re.compile(r"(message|piece|entry|picture)_text(_\w+)?")
CONTENTS = {
    "api_conversation": "conversations of the API",
    "api_event": "responses of the API",
    "api_item": "responses of the API",
    "api_key": "keys",
    "api_response": "responses of the API",
    "assistant": "assistants",
    "assistant_share": "shares",
    "attached": "files",
    "audit": "the audit log",
    "audit_checkpoint": "the audit log",
    "audit_delivery": "the audit log",
    "audit_destination": "destinations of the audit log",
    "audit_value": "the audit log",
    "batch": "batches",
    "batch_file": "batches",
    "batch_part": "batches",
    "batch_reply": "batches",
    "budget": "budgets",
    "budget_use": "budgets",
    "canvas": "canvases",
    "canvas_version": "canvases",
    "chunk": "records of answers",
    "conversation": "conversations",
    "document": "files",
    "egress": "outgoing calls",
    "announcement": "announcements",
    "branding": "branding",
    "entry": "feeds",
    "feed": "feeds",
    "file": "files",
    "erasure_request": "requests for erasure",
    "legal_hold": "legal holds",
    "library": "libraries",
    "message": "messages",
    "page": "texts of files",
    "picture": "images",
    "piece": "texts of files",
    "memory": "memories",
    "occurrence": "schedules",
    "preference": "preferences",
    "probe": "engines",
    "prompt": "prompts",
    "prompt_share": "shares",
    "reservation": "budgets",
    "reserved_part": "budgets",
    "retention_rule": "retention rules",
    "run": "records of answers",
    "schedule": "schedules",
    "server": "engines",
    "share": "shared links",
    "skill": "skills",
    "skill_file": "skills",
    "skill_switch": "skills",
    "spent": "usage",
    "upload": "files",
    "vector": "texts of files",
    "web_page": "web pages",
    "web_settings": "web settings",
    "workspace_file": "workspaces",
    "python_state": "workspaces",
}
"""Names of what tables hold, for people."""
_DERIVED = {"health_check", "literacy", "picture_gone", "probe"}
"""Tables whose loss nobody notices."""


class SQLiteIntegrityStore(SQLStore):
    """Implements `IntegrityStore`. The moment of the last check is the time of a file beside the leases."""

    def __init__(self, database: SQLiteDatabase, leases: Path) -> None:
        super().__init__(database)
        self._database = database
        self._unclean = leases / UNCLEAN_FILE
        self._checked = leases / CHECKED_FILE
        self._sound = set[str]()
        """Tables that an unfinished check has passed."""

    @property
    def has_ended_uncleanly(self) -> bool:
        return self._unclean.exists()

    @property
    def is_check_due(self) -> bool:
        if self.has_ended_uncleanly or self.database.damage.is_unchecked:
            return True
        try:
            return time.time() - self._checked.stat().st_mtime >= CHECK_INTERVAL_S
        except OSError:
            return True

    @property
    def damage(self) -> str | None:
        return self.database.damage.sentence

    async def check(self) -> None:
        marked = _modified(self._unclean)
        executor = ThreadPoolExecutor(1, thread_name_prefix="eclair-check", initializer=lower_thread_priority)
        try:
            faults = await self._check_tables(executor)
        finally:
            executor.shutdown(wait=False)
        self._sound.clear()
        self.database.damage.replace(describe_damage(self._database.path, faults) if faults else None)
        try:
            self._checked.touch()
            if _modified(self._unclean) == marked:  # else another process has died meanwhile
                self._unclean.unlink(missing_ok=True)
        except OSError:  # on a disk that takes no files, the next start checks again
            pass

    async def _check_tables(self, executor: ThreadPoolExecutor) -> list[str]:
        """Return the damaged tables; `sqlite_schema` stands for all."""
        damaged: list[str] = []
        tables = await self._run(executor, list_tables)
        if tables is None:
            return ["sqlite_schema"]
        for table in tables:
            if table in self._sound:
                continue
            if await self._run(executor, lambda db, table=table: is_sound(db, table)):
                self._sound.add(table)
            else:
                damaged.append(table)
        return damaged

    async def _run(self, executor: ThreadPoolExecutor, work: Callable[[apsw.Connection], T]) -> T | None:
        """Run `work` in the thread until it isn't interrupted; None where the database is too damaged for it."""
        while True:
            connection = _open_readonly(self._database.path)
            with self._database.interruptible(connection) as interrupted:
                future = asyncio.get_running_loop().run_in_executor(executor, work, connection)
                try:
                    return await asyncio.shield(future)
                except apsw.InterruptError:
                    pass
                except DAMAGE_ERRORS:
                    return None
                except asyncio.CancelledError:
                    interrupted.set()
                    try:
                        await wait_to_end(future)  # else the connection would be closed while it is in use
                    finally:
                        future.exception()
                    raise
            await asyncio.sleep(YIELD_S)


def list_tables(db: apsw.Connection) -> list[str]:
    """List the tables that have pages of their own, those of search indexes too, smallest first."""
    rows = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY name")
    return ["sqlite_schema", *(str(name) for (name,) in rows)]


def is_sound(db: apsw.Connection, table: str) -> bool:
    """Check the pages and rows of a table and its indexes. Raises apsw.InterruptError."""
    try:
        return all(row[0] == "ok" for row in db.execute(f'PRAGMA quick_check("{table}")'))
    except DAMAGE_ERRORS:
        return False


def list_damaged_tables(db: apsw.Connection) -> list[str]:
    """Check all tables; return the damaged ones. Blocks."""
    try:
        tables = list_tables(db)
    except DAMAGE_ERRORS:
        return ["sqlite_schema"]
    return [table for table in tables if not is_sound(db, table)]


def describe_damage(path: Path, tables: Iterable[str]) -> str:
    """Say what is damaged by the names of tables, what can be saved, and how."""
    names = {name: "search" if _SEARCH_TABLE.fullmatch(name) else CONTENTS.get(name, "") for name in tables}
    contents = sorted({name for name in names.values() if name})
    what = f" ({', '.join(contents)})" if contents else ""
    if all(content == "search" or name in _DERIVED for name, content in names.items()):
        return (
            f"{path} is damaged{what}, but nothing is lost; "
            "stop Éclair and have it made whole with `eclair doctor --repair`."
        )
    return (
        f"{path} is damaged{what}; what isn't can still be read. Stop Éclair and save it with `eclair doctor --repair`,"
        " or restore a backup (`eclair restore`)."
    )


def _open_readonly(path: Path) -> apsw.Connection:
    """Open another connection. Raises StoreError."""
    with translated(path):
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        return apsw.Connection(f"file:{quote(str(path))}?mode=ro", flags=flags)


def _modified(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
