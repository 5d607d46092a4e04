"""Background work in SQL.

Which documents wait is told by their own rows, so no job can be lost or left over; the table `job` has the claims on
them, and the failures that are to be waited for. A claim is one statement that adds its row or takes a free one, so two
processes never get the same.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from typing import Any, cast

from eclair.errors import StoreError
from eclair.schema.jobs import BackgroundWorker, ClaimKind, Job, JobQueue, WorkKind
from eclair.storage.chunks import SearchScope
from eclair.storage.sql.chunks import find_unembedded
from eclair.storage.sql.connection import Connection, Database
from eclair.storage.sql.job_rows import NOW, claim_job, free
from eclair.storage.sql.store import SQLStore, first_row, read, write, write_brief

_WAITING = "state IN ('queued', 'reading') AND sha256 IS NOT NULL"
_FREE_TO_EMBED = f" AND {free('embed', 'sha256')}"
_HAS_FILE = "coalesce(sha256, '') <> ''"
"""`sha256 IS NOT NULL`, for which SQLite would take the index of hashes, which has nearly all rows."""
MAX_CLAIMS = 10
"""Attempts to claim what is found free, while others are faster each time."""
_MINE = "kind = ? AND subject = ? AND process = ?"

log = logging.getLogger(__name__)


class SQLJobStore(SQLStore):
    """Implements `JobStore` for one process."""

    def __init__(self, database: Database, process: str) -> None:
        super().__init__(database)
        self._process = process
        self._left: list[Job] = []
        self._freed = 0

    @write_brief
    def _claim(self, db: Connection, kind: ClaimKind, subject: str) -> Job | None:
        return claim_job(db, self._process, kind, subject)

    @contextlib.asynccontextmanager
    async def hold(self, kind: ClaimKind, subject: str) -> AsyncGenerator[bool]:
        job = await self._claim(kind, subject)
        try:
            yield job is not None
        finally:
            if job is not None:
                try:
                    await self.finish(job)
                except StoreError as error:
                    log.warning("a claim is given back later: %s", error.message)
                    self.put_back_later(job)

    def put_back_later(self, job: Job) -> None:
        self._left.append(job)

    async def put_left_back(self) -> None:
        while self._left:
            await self.put_back(self._left[-1])
            self._left.pop()

    @write_brief
    def claim_reading(self, db: Connection, *, min_priority: int = 0) -> Job | None:
        return self._claim_found(db, "read", lambda: _find_unread(db, min_priority))

    @write_brief
    def claim_embedding(
        self, db: Connection, embedder: str, asked: SearchScope | None = None, without: Collection[str] = ()
    ) -> Job | None:
        def find() -> str | None:
            found = find_unembedded(db, embedder, asked, without, _FREE_TO_EMBED)
            return None if found is None else found.sha256

        return self._claim_found(db, "embed", find)

    def _claim_found(self, db: Connection, kind: WorkKind, find: Callable[[], str | None]) -> Job | None:
        """Claim what `find` returns, or what it returns then if another process was faster; None for nothing."""
        for _ in range(MAX_CLAIMS):
            subject = find()
            job = None if subject is None else claim_job(db, self._process, kind, subject)
            if subject is None or job is not None:
                return job
        return None

    @read
    def has_unread(self, db: Connection) -> bool:
        return _find_unread(db, 0) is not None

    @read
    def has_unembedded(self, db: Connection, embedder: str, without: Collection[str] = ()) -> bool:
        return find_unembedded(db, embedder, None, without, _FREE_TO_EMBED) is not None

    @write_brief
    def finish(self, db: Connection, job: Job) -> None:
        db.execute(f"DELETE FROM job WHERE {_MINE}", (job.kind, job.subject, self._process))

    @write_brief
    def put_back(self, db: Connection, job: Job, delay_s: float = 0) -> None:
        db.execute(
            f"UPDATE job SET process = NULL, attempts = attempts - 1, due = {NOW} + ? WHERE {_MINE}",
            (int(delay_s * 1000), job.kind, job.subject, self._process),
        )

    @write_brief
    def fail(self, db: Connection, job: Job, fault: str, delay_s: float) -> None:
        db.execute(
            f"UPDATE job SET process = NULL, fault = ?, due = {NOW} + ? WHERE {_MINE}",
            (fault, int(delay_s * 1000), job.kind, job.subject, self._process),
        )

    async def release_dead(self, process: str, delay_s: float) -> int:
        freed = await self._release_dead(process, delay_s)
        self._freed += freed
        return freed

    @property
    def freed(self) -> int:
        return self._freed

    @write
    def _release_dead(self, db: Connection, process: str, delay_s: float) -> int:
        db.execute("DELETE FROM worker WHERE process = ?", (process,))
        db.execute(
            f"UPDATE job SET process = NULL, due = {NOW} + (attempts - 1) * ? WHERE process = ?",
            (int(delay_s * 1000), process),
        )
        return db.changes()

    @read
    def list_processes(self, db: Connection) -> list[str]:
        rows = db.execute("SELECT process FROM job WHERE process IS NOT NULL UNION SELECT process FROM worker")
        return [process for (process,) in rows]

    @read
    def list_queues(self, db: Connection, embedder: str | None) -> list[JobQueue]:
        running = dict(db.execute("SELECT kind, count(*) FROM job WHERE process IS NOT NULL GROUP BY kind"))
        waiting, oldest = first_row(
            db, f"SELECT count(*), {NOW} - min(nullif(queued, 0)) FROM document WHERE {_WAITING}", ()
        )
        oldest_s = None if oldest is None else max(0, oldest) / 1000
        queues = [JobQueue("read", max(0, waiting - running.get("read", 0)), running.get("read", 0), oldest_s)]
        if embedder is not None:
            (waiting,) = first_row(
                db,
                f"SELECT (SELECT count(*) FROM document WHERE embedded < chunks AND {_HAS_FILE})"
                " + (SELECT count(*) FROM document WHERE (embedder < ?1 OR embedder > ?1)"
                f" AND embedded >= chunks AND chunks > 0 AND {_HAS_FILE})",
                (embedder,),
            )
            queues.append(JobQueue("embed", max(0, waiting - running.get("embed", 0)), running.get("embed", 0)))
        return queues

    @write
    def add_worker(self, db: Connection, worker: BackgroundWorker) -> None:
        db.execute(
            "INSERT INTO worker (process, host, kinds, at_once, began) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (process) DO NOTHING",
            (worker.process, worker.host, " ".join(worker.kinds), worker.at_once, worker.began),
        )

    @write
    def remove_worker(self, db: Connection, process: str) -> None:
        db.execute("DELETE FROM worker WHERE process = ?", (process,))

    @read
    def list_workers(self, db: Connection) -> list[BackgroundWorker]:
        rows = db.execute("SELECT process, host, kinds, at_once, began FROM worker ORDER BY began, process")
        return [_worker(row) for row in rows]


def _find_unread(db: Connection, min_priority: int) -> str | None:
    """Return the SHA-256 of the document to be read next."""
    row = first_row(
        db,
        f"SELECT sha256 FROM document WHERE {_WAITING} AND priority >= ? AND {free('read', 'document.sha256')}"
        " ORDER BY priority DESC, number LIMIT 1",
        (min_priority,),
    )
    return None if row is None else row[0]


def _worker(row: Sequence[Any]) -> BackgroundWorker:
    process, host, kinds, at_once, began = row
    return BackgroundWorker(process, host, cast("tuple[WorkKind, ...]", tuple(kinds.split())), at_once, began)
