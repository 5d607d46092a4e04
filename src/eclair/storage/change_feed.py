"""Feed of changes to conversations, as they happen, for each person their own. Nothing of it is stored.

Other processes are told of each change, and tell of theirs, as far as the storage has a way to; where it hasn't, it is
known that something was written, and not what. They are heard of only while someone follows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from eclair.errors import StoreError
from eclair.schema.messages import Change, ChangeKind
from eclair.schema.principal import Principal
from eclair.storage.processes import UNNAMED, ChangeNotice, ProcessStore

RETRY_S = 0.5

EVERYTHING = UNNAMED.change

log = logging.getLogger(__name__)


class _Follower:
    """Changes that one follower has not read yet; equal ones are kept once, however slowly it reads."""

    def __init__(self, principal: Principal, conversation: str | None) -> None:
        self.principal = principal
        self.conversation = conversation
        self.pending: dict[Change, None] = {EVERYTHING: None}
        self.ended = False
        self.woken = asyncio.Event()
        self.woken.set()

    def concerns(self, notice: ChangeNotice) -> bool:
        """Tell whether the follower is to hear of a change; who has a conversation open concerns those who have."""
        if notice.change.kind == "presence":
            return notice.change.conversation == self.conversation
        return notice.owner in (None, self.principal.id)

    def add(self, change: Change) -> None:
        self.pending.pop(change, None)  # it comes last again, after what came between
        self.pending[change] = None
        self.woken.set()


class ChangeFeed:
    """Publishes changes to those whom they concern; `close` ends all followers."""

    def __init__(self, processes: ProcessStore) -> None:
        self._processes = processes
        self._followers: set[_Follower] = set()
        self._watcher: asyncio.Task[None] | None = None

    def publish(self, principal: Principal, conversation: str | None, kind: ChangeKind) -> None:
        """Publish a change of something of the principal's; None stands for more conversations than can be named."""
        self._publish(ChangeNotice(principal.id, Change(conversation, kind)))

    def publish_to_all(self, kind: ChangeKind) -> None:
        """Publish a change that concerns everybody, or somebody who isn't known; it names nothing."""
        self._publish(ChangeNotice(None, Change(None, kind)))

    def publish_presence(self, conversation: str) -> None:
        """Tell those who have a conversation open that somebody has come or gone."""
        self._publish(ChangeNotice(None, Change(conversation, "presence")))

    async def follow(self, principal: Principal, conversation: str | None = None) -> AsyncGenerator[list[Change], None]:
        """The principal's changes from now on, those that came together in one list. The first is EVERYTHING.

        `conversation` is the one that they have open; whoever hands `presence` of it on asks if it is shown to them.
        """
        follower = _Follower(principal, conversation)
        self._followers.add(follower)
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch(), name="watch for other processes")
        try:
            while not follower.ended:
                await follower.woken.wait()
                follower.woken.clear()
                changes, follower.pending = list(follower.pending), {}
                if changes:
                    yield changes
        finally:
            self._followers.discard(follower)
            if not self._followers:
                self._watcher.cancel()
                self._watcher = None

    async def close(self) -> None:
        for follower in self._followers:
            follower.ended = True
            follower.woken.set()

    def _publish(self, notice: ChangeNotice) -> None:
        self._hand_on(notice)
        self._processes.tell(notice)

    def _hand_on(self, notice: ChangeNotice) -> None:
        for follower in self._followers:
            if follower.concerns(notice):
                follower.add(notice.change)

    async def _watch(self) -> None:
        while True:
            try:
                async with aclosing(self._processes.follow_notices()) as followed:
                    async for notices in followed:
                        for notice in notices:
                            self._hand_on(notice)
            except StoreError as error:
                log.warning("cannot see whether another process wrote: %s", error.message)
            await asyncio.sleep(RETRY_S)
            self._hand_on(UNNAMED)  # for what was written meanwhile
