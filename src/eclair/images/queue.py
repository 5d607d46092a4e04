"""Queues before generators: so many pictures are made together, and whoever asks for many does not keep others waiting.

The next place is that of the owner who has had none for longest; an owner's own come in the order in which they asked.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from heapq import heapify, heappop, heappush

from eclair.errors import TooBusy
from eclair.schema.principal import Principal

MOST = 100
"""Pictures that may wait in one queue."""


class Place:
    """A place in a queue, to be left however it ends."""

    def __init__(self, queue: Queue, principal: Principal) -> None:
        self.principal = principal
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
        self._waiting: dict[Principal, deque[Place]] = {}
        self._turn = 0
        self._turns: dict[Principal, int] = {}
        """When each owner had a turn last."""

    @property
    def working(self) -> int:
        return len(self._working)

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    def enter(self, principal: Principal) -> Place:
        """Raises TooBusy where too many wait."""
        if self.waiting >= MOST:
            raise TooBusy(f"{MOST} pictures wait to be made already; ask again when some of them are done.")
        place = Place(self, principal)
        self._waiting.setdefault(principal, deque()).append(place)
        self._advance()
        return place

    def leave(self, place: Place) -> None:
        """To leave twice is no error."""
        self._working.discard(place)
        if place in self._waiting.get(place.principal, ()):
            self._remove(place)
        self._advance()

    def _advance(self) -> None:
        while self._waiting and len(self._working) < self._at_once:
            place = next(self._in_order())
            self._remove(place)
            self._working.add(place)
            self._turns[place.principal] = self._turn = self._turn + 1
            place.move(0)
        for number, place in enumerate(self._in_order(), 1):
            place.move(number)

    def _remove(self, place: Place) -> None:
        own = self._waiting[place.principal]
        own.remove(place)
        if not own:
            del self._waiting[place.principal]

    def _in_order(self) -> Iterator[Place]:
        """Those that wait, in the order in which their turns come."""
        turns = [(self._turns.get(owner, 0), place, owner) for place, owner in enumerate(self._waiting)]
        heapify(turns)
        own = {owner: iter(tuple(places)) for owner, places in self._waiting.items()}
        after = self._turn
        while turns:
            _, number, owner = heappop(turns)
            if (place := next(own[owner], None)) is not None:
                yield place
                after += 1
                heappush(turns, (after, number, owner))
