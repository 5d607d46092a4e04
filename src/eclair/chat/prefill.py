"""Prefills the engine's cache while a question is being written."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from eclair.errors import EclairError
from eclair.llm.base import Engine, Request
from eclair.util.background import IdleScheduler

MAX_PENDING_PREFILLS = 4
"""Conversations that may wait; beyond that, the oldest are dropped."""

BuildPrefill = Callable[[], Awaitable[tuple[Engine, Request]]]
"""Builds the part of a prompt that is known; may take its time."""

log = logging.getLogger(__name__)


class Prefill:
    """Prefills one prompt per conversation. `close` cancels what is under way."""

    def __init__(self, idle: IdleScheduler) -> None:
        self._idle = idle
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def begin(self, conversation: str, build: BuildPrefill) -> None:
        """Have the engine read the messages of the request soon that `build` returns.

        Replaces an earlier request for the same conversation.
        """
        for old in [conversation, *list(self._tasks)[: max(0, len(self._tasks) - MAX_PENDING_PREFILLS + 1)]]:
            if (task := self._tasks.pop(old, None)) is not None:
                task.cancel()
        task = asyncio.create_task(self._read(build), name="read ahead")
        self._tasks[conversation] = task
        task.add_done_callback(lambda done: self._forget(conversation, done))

    def _forget(self, conversation: str, done: asyncio.Task[None]) -> None:
        if self._tasks.get(conversation) is done:
            del self._tasks[conversation]

    async def _read(self, build: BuildPrefill) -> None:
        try:
            engine, request = await build()
            await self._idle.run_once(lambda: engine.prefill(request), delay_s=0)
        except EclairError as error:
            log.info("nothing was read ahead: %s", error.message)  # who asks will hear it
        except Exception:
            log.exception("nothing was read ahead")
