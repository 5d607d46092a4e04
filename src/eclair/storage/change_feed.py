"""Tells whoever listens what happens to conversations, as it happens. Nothing of it is kept.

What another process writes to the same data is noticed by the database's own count of changes, which is looked at only
while someone listens; which conversation it was is then not known.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator

from eclair.errors import StoreError
from eclair.schema.messages import Change, ChangeKind
from eclair.storage.types import Store

GLANCE = 0.5
"""Seconds between two looks at whether another process wrote."""

EVERYTHING = Change(None, "changed")

log = logging.getLogger(__name__)


class _Listener:
    """What one follower has not read yet. The same news twice is news once, however slowly it reads."""

    def __init__(self) -> None:
        self.news: dict[Change, None] = {EVERYTHING: None}
        self.ended = False
        self.woken = asyncio.Event()
        self.woken.set()

    def hear(self, change: Change) -> None:
        self.news.pop(change, None)  # it comes last again, after what came between
        self.news[change] = None
        self.woken.set()


class Changes:
    """`close` ends every follower."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listeners: set[_Listener] = set()
        self._watcher: asyncio.Task[None] | None = None

    def tell(self, conversation: str | None, kind: ChangeKind) -> None:
        """This has happened; None is to more conversations than can be named."""
        for listener in self._listeners:
            listener.hear(Change(conversation, kind))

    async def follow(self) -> AsyncGenerator[list[Change], None]:
        """What happens from now on, what came together in one list. The first, which comes at once, is EVERYTHING."""
        listener = _Listener()
        self._listeners.add(listener)
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch(), name="watch for other processes")
        try:
            while not listener.ended:
                await listener.woken.wait()
                listener.woken.clear()
                news, listener.news = list(listener.news), {}
                if news:
                    yield news
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                self._watcher.cancel()
                self._watcher = None

    async def close(self) -> None:
        for listener in self._listeners:
            listener.ended = True
            listener.woken.set()

    async def _watch(self) -> None:
        seen: int | None = None
        while True:
            try:
                version = await self._store.version()
                if seen not in (None, version):
                    self.tell(None, "changed")
                seen = version
            except StoreError as error:  # it is asked again, and what was written meanwhile is seen then
                log.warning("whether another process wrote cannot be seen: %s", error.message)
            await asyncio.sleep(GLANCE)
