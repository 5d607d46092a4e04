"""Processes that share a PostgreSQL database: leases that are rows, notices of writes, and of what they changed.

A process that lives renews its lease every second, by the clock of the database, so that no machine's own clock counts.
One that is gone for LEASE_S, killed or cut off, is dead to the others, who end or take over its runs. A server that
answers nothing for ANSWER_TIMEOUT_S, as where the network was cut in between, counts as gone: nobody waits for it.
After an outage everybody's lease may have run out, so a process believes a lease that ran out until it has renewed its
own for LEASE_S on one connection. One that ended in order has given its lease back, which counts at once.

That something was written is told on one channel, and wakes those who wait for more of an answer. What pages show is
named on another, so that they read no more than what was changed: most writes are none of theirs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncGenerator, Iterable
from typing import Any, get_args

import orjson

from eclair.errors import StoreError
from eclair.schema.ids import Clock, new_id
from eclair.schema.messages import Change, ChangeKind
from eclair.storage.postgres.connection import RawConnection, number_parameters
from eclair.storage.postgres.database import PostgresDatabase, translated
from eclair.storage.processes import NOTICE_BOUNDS_S, UNNAMED, ChangeNotice, LeaseReport
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, read, read_brief
from eclair.util.histogram import Histogram

LEASE_S = 5
RENEWAL_S = 1.0
MAX_GAP_S = LEASE_S / 2
"""Between two renewals; after a longer outage, which a lease may not have survived, others are believed again."""
NOTICE_INTERVAL_S = 0.02
"""Least time between two notices of a process, each of which takes a lock of the whole database for a moment."""
RETRY_S = 1.0
ANSWER_TIMEOUT_S = 10.0
"""A renewal that takes longer fails, and with it every statement on this database."""
CHANNEL = "eclair"
CHANGES_CHANNEL = "eclair_changes"
NAMES_CHANGES = " names"
"""Ends the notice of a write by a process that tells of its changes by name."""
MAX_NOTICES = 100
"""Changes that are named, in one notice or to one follower who hasn't read them; more become one without a name."""
_RENEWAL = (
    f"INSERT INTO process (id, until) VALUES (?, clock_timestamp() + interval '{LEASE_S} seconds')"
    " ON CONFLICT (id) DO UPDATE SET until = excluded.until"
    " RETURNING CAST(extract(epoch FROM clock_timestamp()) AS float8)"
)
"""Renews a lease, and returns the time by the clock of the database, in seconds since 1970."""

log = logging.getLogger(__name__)


class _Notices:
    """Notices that wait; equal ones are kept once."""

    def __init__(self) -> None:
        self._waiting: dict[ChangeNotice, None] = {}

    def add(self, notice: ChangeNotice) -> None:
        self._waiting.pop(notice, None)  # it comes last again, after what came between
        self._waiting[notice] = None
        if len(self._waiting) > MAX_NOTICES:
            self._waiting = {UNNAMED: None}

    def take_notices(self) -> list[ChangeNotice]:
        taken, self._waiting = [*self._waiting], {}
        return taken


class _Follower:
    """Follower of the notices, on a loop of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.notices = _Notices()
        self.woken = asyncio.Event()

    def add(self, notice: ChangeNotice) -> None:
        """Add a notice. Called on any loop."""
        with contextlib.suppress(RuntimeError):  # that loop has ended
            self._loop.call_soon_threadsafe(self._add_here, notice)

    def _add_here(self, notice: ChangeNotice) -> None:
        self.notices.add(notice)
        self.woken.set()


class PostgresProcessStore(SQLStore):
    """Implements `ProcessStore`, from `begin` to `end`, which run on the loop of the database."""

    def __init__(self, database: PostgresDatabase, clock: Clock = time.time) -> None:
        super().__init__(database, clock)
        self._database = database
        self._name = new_id("process")
        self._foreign_writes = 0
        self._heard = asyncio.Event()
        self._renewed = time.monotonic()
        self._running_since = 0.0
        """The time by the clock of the database when the running time of this machine was 0."""
        self._clock_offset_s: float | None = None
        self._judges_from = math.inf
        """The moment from which a lease that has run out isn't believed any more."""
        self._tasks: list[asyncio.Task[None]] = []
        self._names_changes = False
        self._untold = _Notices()
        self._followers = set[_Follower]()
        self._failed_renewals = 0
        self._untold_since: float | None = None
        """When there was something to tell that this process hasn't heard itself yet."""
        self._notice_s = Histogram(NOTICE_BOUNDS_S)

    @property
    def current(self) -> str:
        return self._name

    async def begin(self) -> None:
        """Take a lease and begin to renew it, and to tell and hear of writes. Raises StoreError."""
        there = await self._database.write_here(self._put_lease, is_news=False)
        self._running_since = there - time.monotonic()
        self._tasks = [
            asyncio.create_task(self._announce_writes(), name="notices of writes"),
            asyncio.create_task(self._stay_connected(), name="lease and notices of others"),
        ]
        for task in self._tasks:
            task.add_done_callback(_report_death)

    async def end(self) -> None:
        """Give the lease back, so that others know at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(StoreError):
            await self._database.write_here(self._give_back, is_news=False)
            await self._announce()

    async def list_dead(self, processes: Iterable[str]) -> set[str]:
        others = set(processes) - {self._name}
        if not others:
            return others
        now = time.monotonic()
        believes_all = now < self._judges_from or now - self._renewed > MAX_GAP_S
        return others - await self._list_alive(others, believes_all=believes_all)

    @read_brief
    def _list_alive(self, db: Connection, processes: set[str], *, believes_all: bool) -> set[str]:
        rows = db.execute(
            "SELECT id FROM process WHERE id IN (SELECT value FROM json_each(?)) AND (? OR until > now())",
            (orjson.dumps([*processes]).decode(), believes_all),
        )
        return {id for (id,) in rows}

    def clock(self) -> float:
        return self._running_since + time.monotonic()

    async def check(self) -> None:
        written = await self._database.write_here(self._write_check, is_concurrent=True, is_news=False)
        if await self._read_check() < written:  # others count on
            raise StoreError(f"{self._database.name} does not keep what is written to it.")

    async def wait_for_write(self, seconds: float, version: int | None = None) -> int | None:
        await self._database.run(self._wait_here(seconds, version))
        return self._foreign_writes

    async def get_foreign_version(self) -> int:
        return self._foreign_writes

    @property
    def losses(self) -> int:
        return self._database.losses

    @property
    def lease(self) -> LeaseReport:
        age_s = time.monotonic() - self._renewed
        return LeaseReport(age_s, self._clock_offset_s, self._failed_renewals, self._notice_s)

    def name_changes(self) -> None:
        self._names_changes = True

    def tell(self, notice: ChangeNotice) -> None:
        self._database.call_soon(self._tell_here, notice)

    async def follow_notices(self) -> AsyncGenerator[list[ChangeNotice]]:
        follower = _Follower()
        self._followers.add(follower)
        try:
            while True:
                await follower.woken.wait()
                follower.woken.clear()
                yield follower.notices.take_notices()
        finally:
            self._followers.discard(follower)

    def _write_check(self, db: Connection) -> int:
        (written,) = first_row(
            db,
            "INSERT INTO health_check (id, written) VALUES (1, 1)"
            " ON CONFLICT (id) DO UPDATE SET written = health_check.written + 1 RETURNING written",
            (),
        )
        return int(written)

    @read
    def _read_check(self, db: Connection) -> int:
        row = first_row(db, "SELECT written FROM health_check WHERE id = ?", (1,))
        return 0 if row is None else int(row[0])

    def _put_lease(self, db: Connection) -> float:
        (now,) = first_row(db, _RENEWAL, (self._name,))
        return now

    def _give_back(self, db: Connection) -> None:
        db.execute("DELETE FROM process WHERE id = ? OR until < now() - interval '1 day'", (self._name,))

    async def _announce_writes(self) -> None:
        while True:
            await self._database.written.wait()
            if self._untold_since is None:
                self._untold_since = time.monotonic()
            try:
                await self._announce()
            except StoreError as error:
                log.warning("others are not told of writes: %s", error.message)
                await asyncio.sleep(RETRY_S)
            await asyncio.sleep(NOTICE_INTERVAL_S)

    def _tell_here(self, notice: ChangeNotice) -> None:
        self._untold.add(notice)
        self._database.written.set()

    async def _announce(self) -> None:
        """Tell others of what was written since the last time, if anything was. Raises StoreError."""
        if not self._database.written.is_set():
            return
        self._database.written.clear()
        name = self._name + NAMES_CHANGES if self._names_changes else self._name
        untold = self._untold.take_notices()
        try:
            await self._database.notify([(CHANNEL, name), *((CHANGES_CHANNEL, self._encode(each)) for each in untold)])
        except BaseException:
            for each in untold:
                self._untold.add(each)
            self._database.written.set()
            raise

    def _encode(self, notice: ChangeNotice) -> str:
        return orjson.dumps([self._name, notice.owner, notice.change.conversation, notice.change.kind]).decode()

    async def _stay_connected(self) -> None:
        """Renew the lease and hear of others' writes, on a connection that no work can keep waiting."""
        while True:
            try:
                raw = await self._database.connect()
                try:
                    with translated(self._database.name):
                        await self._renew_and_listen(raw)
                finally:
                    raw.terminate()
            except StoreError as error:
                self._database.losses += 1
                self._failed_renewals += 1
                log.warning("the lease of this process cannot be renewed: %s", error.message)
                if time.monotonic() - self._renewed > ANSWER_TIMEOUT_S:
                    self._database.drop_connections()
            await asyncio.sleep(RETRY_S)

    async def _renew_and_listen(self, raw: RawConnection) -> None:
        await raw.add_listener(CHANNEL, self._hear_of_write)
        await raw.add_listener(CHANGES_CHANNEL, self._hear_of_change)
        self._untold_since = None  # what was told meanwhile isn't heard any more
        self._note_write()  # there may have been some before
        self._hand_on(UNNAMED)
        await raw.execute("SET synchronous_commit = off; SET default_transaction_isolation = 'read committed'")
        is_first = True
        while True:
            asked = self._clock()
            there = await raw.fetchval(number_parameters(_RENEWAL), self._name, timeout=ANSWER_TIMEOUT_S)
            self._clock_offset_s = (asked + self._clock()) / 2 - there
            now = time.monotonic()
            if is_first or now - self._renewed > MAX_GAP_S:
                self._judges_from = now + LEASE_S
            self._renewed, self._running_since, is_first = now, there - now, False
            await asyncio.sleep(RENEWAL_S)

    async def _wait_here(self, seconds: float, version: int | None) -> None:
        if version is not None and version != self._foreign_writes:
            return
        heard = self._heard
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await heard.wait()

    def _note_write(self) -> None:
        self._foreign_writes += 1
        self._heard.set()
        self._heard = asyncio.Event()

    def _hand_on(self, notice: ChangeNotice) -> None:
        for follower in tuple(self._followers):
            follower.add(notice)

    def _hear_of_write(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        process = payload.removesuffix(NAMES_CHANGES)
        if process == self._name:
            if self._untold_since is not None:
                self._notice_s.observe(time.monotonic() - self._untold_since)
                self._untold_since = None
            return
        self._note_write()
        if process == payload:
            self._hand_on(UNNAMED)

    def _hear_of_change(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        process, owner, conversation, kind = orjson.loads(payload)
        if process != self._name:
            is_known = kind in get_args(ChangeKind)  # a newer Éclair may have others
            self._hand_on(ChangeNotice(owner, Change(conversation, kind)) if is_known else UNNAMED)


def _report_death(task: asyncio.Task[None]) -> None:
    """Log that a task, which is to run until the end of the process, was ended by a fault of ours."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("%s ended because of an error in Éclair; restart this process", task.get_name(), exc_info=error)
