"""Queues before generators: so many pictures are made together, and whoever asks for many does not keep others waiting.

The next place is that of the owner who has had none for longest; an owner's own come in the order in which they asked.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from itertools import chain, zip_longest

from eclair.errors import TooBusy

MOST = 100
"""Pictures that may wait in one queue."""


class Place:
    """A place in a queue, to be left however it ends."""

    def __init__(self, queue: Queue, owner: str) -> None:
        self.owner = owner
        self.before = 0
        """Pictures that are made first; 0 once it is its turn."""
        self._queue = queue
        self._moved = asyncio.Event()

    async def moved(self, before: int) -> int:
        """Wait until there are not so many before it any more, and say how many there are."""
        while self.before == before:
            self._moved.clear()
            await self._moved.wait()
        return self.before

    def move(self, before: int) -> None:
        if before != self.before:
            self.before = before
            self._moved.set()

    def leave(self) -> None:
        self._queue.leave(self)


class Queue:
    """Lets `at_once` work together; the others wait."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._working: set[Place] = set()
        self._waiting: dict[str, deque[Place]] = {}

    def enter(self, owner: str) -> Place:
        """Raises TooBusy where too many wait."""
        if sum(map(len, self._waiting.values())) >= MOST:
            raise TooBusy(f"{MOST} pictures wait to be made already; ask again when some of them are done.")
        place = Place(self, owner)
        self._waiting.setdefault(owner, deque()).append(place)
        self._advance()
        return place

    def leave(self, place: Place) -> None:
        """To leave twice is no error."""
        self._working.discard(place)
        own = self._waiting.get(place.owner)
        if own is not None and place in own:
            own.remove(place)
            if not own:
                del self._waiting[place.owner]
        self._advance()

    def _advance(self) -> None:
        while self._waiting and len(self._working) < self._at_once:
            owner = next(iter(self._waiting))
            own = self._waiting.pop(owner)
            place = own.popleft()
            self._working.add(place)
            place.move(0)
            if own:
                self._waiting[owner] = own  # after everybody else's
        for number, place in enumerate(self._in_order(), 1):
            place.move(number)

    def _in_order(self) -> Iterator[Place]:
        """Those that wait, in the order in which their turns come."""
        rounds = zip_longest(*self._waiting.values())
        return (place for place in chain.from_iterable(rounds) if place is not None)
