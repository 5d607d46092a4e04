"""Prefills the engine's cache while a question is being written."""

from __future__ import annotations

import asyncio
import logging

from eclair.errors import EclairError
from eclair.llm.base import Engine, Request
from eclair.util.background import IdleScheduler

MAX_PENDING_PREFILLS = 4
"""Conversations that may wait; beyond that, the oldest are dropped."""

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

    def begin(self, conversation: str, engine: Engine, request: Request) -> None:
        """Have the engine read the messages of `request` soon.

        Replaces an earlier request for the same conversation.
        """
        for old in [conversation, *list(self._tasks)[: max(0, len(self._tasks) - MAX_PENDING_PREFILLS + 1)]]:
            if (task := self._tasks.pop(old, None)) is not None:
                task.cancel()
        task = asyncio.create_task(self._read(engine, request), name="read ahead")
        self._tasks[conversation] = task
        task.add_done_callback(lambda done: self._forget(conversation, done))

    def _forget(self, conversation: str, done: asyncio.Task[None]) -> None:
        if self._tasks.get(conversation) is done:
            del self._tasks[conversation]

    async def _read(self, engine: Engine, request: Request) -> None:
        try:
            await self._idle.run_once(lambda: engine.prefill(request), delay_s=0)
        except EclairError as error:
            log.info("nothing was read ahead: %s", error.message)  # who asks will hear it
        except Exception:
            log.exception("nothing was read ahead")
