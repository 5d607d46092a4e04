"""Prefills the engine's cache between an answer and the next question, and while that is being written."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from eclair.errors import EclairError
from eclair.llm.base import Engine, Request
from eclair.util.background import IdleScheduler

MAX_PENDING_PREFILLS = 4
"""Conversations that may wait; beyond that, the oldest are dropped."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PrefillRequest:
    """The part of a prompt that is known, for one engine.

    `note_seconds` is told for how long the engine has read it: infinity if it has read all of it.
    """

    engine: Engine
    request: Request
    note_seconds: Callable[[float], None] | None = None


PrefillKey = tuple[str, str]
"""The id of a principal, and of a conversation of theirs; empty for a new one."""

BuildPrefill = Callable[[], Awaitable[PrefillRequest]]
"""Builds the part of a prompt that is known. Any answer interrupts it; then it is called again."""


@dataclass(slots=True, eq=False)
class DraftTicket:
    """A question that is being written, until it is found out what is known of its prompt."""

    key: PrefillKey
    is_asked: bool = False


class Prefill:
    """Prefills one prompt per conversation. `close` cancels what is under way. `clock` tells seconds."""

    def __init__(self, idle: IdleScheduler, clock: Callable[[], float] = time.monotonic) -> None:
        self._idle = idle
        self._clock = clock
        self._tasks: dict[PrefillKey, asyncio.Task[None]] = {}
        self._unasked = set[PrefillKey]()
        self._tickets = set[DraftTicket]()

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @contextmanager
    def expect(self, key: PrefillKey) -> Generator[DraftTicket]:
        """Learn from the ticket whether the question is asked within the block, so that nothing is read for it."""
        ticket = DraftTicket(key)
        self._tickets.add(ticket)
        try:
            yield ticket
        finally:
            self._tickets.remove(ticket)

    def begin(
        self,
        key: PrefillKey,
        build: BuildPrefill,
        wait: Callable[[], Awaitable[None]] | None = None,
        *,
        is_unasked: bool = False,
    ) -> None:
        """Have the engine read the messages of the request soon that `build` returns.

        No answer interrupts the `wait` for what that needs. What an answer interrupts is begun again after it.
        Replaces an earlier request for the same conversation. One that `is_unasked`, since nobody writes yet, gives
        way to any that comes later.
        """
        ended = list[asyncio.Task[None]]()
        unasked = () if is_unasked else self._unasked
        for old in [key, *unasked, *list(self._tasks)[: max(0, len(self._tasks) - MAX_PENDING_PREFILLS + 1)]]:
            if (task := self._tasks.pop(old, None)) is not None:
                task.cancel()
                ended.append(task)
        self._unasked = {*(self._unasked & self._tasks.keys()), *([key] if is_unasked else [])}
        task = asyncio.create_task(self._read(build, wait, ended), name="read ahead")
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._forget(key, done))

    def drop(self, *keys: PrefillKey) -> None:
        """Read nothing more for these conversations, which a question has come for."""
        for ticket in self._tickets:
            ticket.is_asked |= ticket.key in keys
        for key in keys:
            if (task := self._tasks.pop(key, None)) is not None:
                task.cancel()

    async def until_read(self) -> None:
        """Return once nothing is being read, or will be soon."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    def _forget(self, key: PrefillKey, done: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is done:
            del self._tasks[key]

    async def _read(
        self, build: BuildPrefill, wait: Callable[[], Awaitable[None]] | None, ended: Sequence[asyncio.Task[None]]
    ) -> None:
        """Build and read while no answer is made, once it is known how far those that `ended` came."""

        async def read() -> bool:
            wanted = await build()
            began, is_read = self._clock(), False
            try:
                await wanted.engine.prefill(wanted.request)
                is_read = True
            finally:
                if wanted.note_seconds is not None:
                    wanted.note_seconds(math.inf if is_read else self._clock() - began)
            return True

        try:
            if ended:
                await asyncio.wait(ended)
            if wait is not None:
                await wait()
            while await self._idle.prepare(read) is None:
                pass
        except EclairError as error:
            log.info("nothing was read ahead: %s", error.message)  # who asks will hear it
        except Exception:
            log.exception("nothing was read ahead")
