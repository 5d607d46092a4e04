"""Removes erased text from the write-ahead log, unused space and the backups, and frees space, in a thread of its own.

What is erased in the database stays in its write-ahead log until a checkpoint has truncated the log, which no reader of
an older state may be in the way of. A checkpoint that was refused is tried again until it succeeds; the first one
follows the start if the last process died before its own. Rows that once moved from one page to another may have left
a copy in the unused space of the first; rewriting the database removes it, which is done while it is small.

What erasing leaves unused is given back to the disk in small steps, so that the file shrinks. A database whose format
can't do that yet is rewritten once, in a calm time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import apsw

from eclair.storage.sqlite import compaction
from eclair.storage.sqlite.backups import Backups

START_DELAY_S = 1.0
"""Wait after the start, which has better things to do."""
GATHER_DELAY_S = 0.5
"""Wait after an overwritten text, so that many cost one checkpoint."""
FIRST_RETRY_S = 0.1
MAX_RETRY_S = 10.0
CHECK_INTERVAL_S = 3600.0
"""Interval at which backups are aged out, and the log is emptied even if nothing was erased."""
BACKUP_INTERVAL_S = 30.0
"""Least time between two rewrites of the backups."""
CLOSE_TIMEOUT_S = 10.0
"""Longest wait of an end for backups; what is left of them, the next start does."""
PAUSE_RATIO = 4.0
"""A pause lasts this many times as long as the step before it."""

REWRITE_INTERVAL_S = 600.0
"""Time between two attempts to rewrite a database that can't shrink yet."""

log = logging.getLogger(__name__)


class KeepUp(Protocol):
    """Does work on the writing connection, outside a transaction, and returns its result.

    With `in_calm` only while nobody writes, else False; a write interrupts it.
    """

    def __call__(self, work: Callable[[apsw.Connection], bool], *, in_calm: bool = False) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Request:
    """An erasure that was committed; `done` is called after the first attempt, or None if nobody waits."""

    done: Callable[[], None] | None


class LogEraser:
    """Empties the log of a database after each erasure, from construction to `close`."""

    def __init__(
        self,
        keep_up: KeepUp,
        backups: Backups,
        interrupt: Callable[[], None],
        *,
        was_killed: bool,
        is_shrinkable: bool,
    ) -> None:
        """`interrupt` ends long reads. `was_killed` says that the last process may have left erased text in the log.

        `is_shrinkable` says that the database's format lets unused pages be freed one by one.
        """
        self._keep_up = keep_up
        self._backups = backups
        self._interrupt = interrupt
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._has_erased = False
        self._is_compaction_due = not is_shrinkable
        self._retry_s = FIRST_RETRY_S
        self._log_due = time.monotonic() + (START_DELAY_S if was_killed else CHECK_INTERVAL_S)
        self._are_backups_due = True
        self._backups_due = time.monotonic() + START_DELAY_S
        self._freeing_due: float | None = time.monotonic() + START_DELAY_S
        self._is_freeing = False
        self._rewrite_due = math.inf if is_shrinkable else time.monotonic() + REWRITE_INTERVAL_S
        self._thread = threading.Thread(target=self._run, name="eclair-erase", daemon=True)
        self._thread.start()

    def request(self) -> None:
        """Empty the log soon."""
        self._requests.put(_Request(None))

    async def erase(self) -> None:
        """Empty the log. Where a reader is in the way, return after the first attempt; others follow."""
        loop = asyncio.get_running_loop()
        attempted = asyncio.Event()

        def done() -> None:
            with contextlib.suppress(RuntimeError):  # the loop closed meanwhile
                loop.call_soon_threadsafe(attempted.set)

        self._requests.put(_Request(done))
        await attempted.wait()

    def close(self) -> None:
        """Make a last attempt if something was erased, and end the thread. Blocks."""
        self._requests.put(None)
        self._thread.join(CLOSE_TIMEOUT_S)
        if self._thread.is_alive():
            self._backups.interrupt()
            self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                request = self._requests.get(timeout=max(0.0, self._next_due() - time.monotonic()))
            except queue.Empty:
                self._work()
                continue
            if request is None:
                break
            self._has_erased = self._are_backups_due = True
            self._freeing_due = self._freeing_due or time.monotonic() + GATHER_DELAY_S
            self._is_compaction_due = self._is_compaction_due or request.done is not None
            if request.done is None:
                self._log_due = min(self._log_due, time.monotonic() + GATHER_DELAY_S)
            else:
                self._empty_log()
                request.done()
        if self._is_compaction_due:
            self._keep_up(_compact)
        if self._has_erased or self._is_compaction_due:
            self._empty_log()
            if self._are_backups_due:
                self._backups.erase()

    def _next_due(self) -> float:
        dues = [self._log_due, self._rewrite_due]
        if self._are_backups_due:
            dues.append(self._backups_due)
        if self._freeing_due is not None:
            dues.append(self._freeing_due)
        return min(dues)

    def _work(self) -> None:
        """Do what is due."""
        if self._freeing_due is not None and self._freeing_due <= time.monotonic():
            self._free_space()
        if self._log_due <= time.monotonic():
            if self._is_compaction_due and not self._has_erased:  # the hourly round, not another try
                self._is_compaction_due = not self._keep_up(_compact)
            self._empty_log()
            self._are_backups_due = True
            self._freeing_due = self._freeing_due or time.monotonic()
        if self._rewrite_due <= time.monotonic():
            is_done = self._keep_up(_rewrite, in_calm=True)
            self._rewrite_due = math.inf if is_done else time.monotonic() + REWRITE_INTERVAL_S
            if is_done:
                self._empty_log()
        if self._are_backups_due and self._backups_due <= time.monotonic():
            self._backups.remove_old()
            self._backups.erase()
            self._are_backups_due = False
            self._backups_due = time.monotonic() + BACKUP_INTERVAL_S

    def _free_space(self) -> None:
        """Do a step of giving unused space back to the disk, and set when to do the next, if any."""
        began = time.monotonic()
        if self._keep_up(_free_pages if self._is_freeing else _has_unused_space):
            self._is_freeing = True
            self._freeing_due = time.monotonic() + PAUSE_RATIO * (time.monotonic() - began)
        else:
            self._freeing_due = None
            if self._is_freeing:
                self._is_freeing = False
                self._empty_log()  # with that, the file is cut

    def _empty_log(self) -> None:
        """Try to truncate the log, and set when to do so next."""
        self._interrupt()
        if self._keep_up(_truncate_log):
            self._has_erased = False
            self._log_due = time.monotonic() + CHECK_INTERVAL_S
            self._retry_s = FIRST_RETRY_S
        else:
            self._log_due = time.monotonic() + self._retry_s
            self._retry_s = min(2 * self._retry_s, MAX_RETRY_S)


def _compact(connection: apsw.Connection) -> bool:
    return _attempt(lambda: compaction.compact_small(connection))


def _rewrite(connection: apsw.Connection) -> bool:
    return _attempt(lambda: compaction.make_shrinkable(connection))


def _has_unused_space(connection: apsw.Connection) -> bool:
    return _attempt(lambda: compaction.has_unused_space(connection))


def _free_pages(connection: apsw.Connection) -> bool:
    return _attempt(lambda: compaction.free_pages(connection))


def _truncate_log(connection: apsw.Connection) -> bool:
    """Empty the write-ahead log; return False where a reader or another process is in the way."""

    def work() -> bool:
        _, frames, copied = _checkpoint(connection, "PASSIVE")
        return frames == copied and not _checkpoint(connection, "TRUNCATE")[0]

    return _attempt(work)


def _attempt(work: Callable[[], bool]) -> bool:
    try:
        return work()
    except (apsw.BusyError, apsw.LockedError, apsw.InterruptError):
        return False
    except apsw.Error as error:
        log.error("erased text is still in the files of the database: %s", error)
        return False


def _checkpoint(connection: apsw.Connection, mode: str) -> tuple[int, int, int]:
    """Return whether somebody was in the way, the frames in the log, and those copied into the database."""
    ((is_busy, frames, copied),) = list(connection.execute(f"PRAGMA wal_checkpoint({mode})"))
    return is_busy, frames, copied
