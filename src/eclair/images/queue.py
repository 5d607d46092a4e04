"""Queues before backends: few images at a time, and people take turns.

The next image is that of the person who has waited longest since their last one; their own keep their order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from heapq import heapify, heappop, heappush

from eclair.errors import TooBusy
from eclair.schema.principal import Principal

MAX_WAITING_IMAGES = 100
"""Per queue."""


class QueuePlace:
    """A place in a queue; call `leave` in the end. `ahead` images are generated first, 0 once it is its turn."""

    def __init__(self, queue: ImageQueue, principal: Principal) -> None:
        self.principal = principal
        self.ahead = 0
        self._queue = queue
        self._moved = asyncio.Event()

    async def wait_until_moved(self, ahead: int) -> int:
        """Wait until the number of images ahead is another than `ahead`, and return it."""
        while self.ahead == ahead:
            self._moved.clear()
            await self._moved.wait()
        return self.ahead

    def move(self, ahead: int) -> None:
        """Set how many images are ahead."""
        if ahead != self.ahead:
            self.ahead = ahead
            self._moved.set()

    def leave(self) -> None:
        """Leave the queue, or make room for the next."""
        self._queue.leave(self)


class ImageQueue:
    """Lets `max_concurrent` images be generated at a time; the others wait."""

    def __init__(self, max_concurrent: int) -> None:
        self._max_concurrent = max_concurrent
        self._running: set[QueuePlace] = set()
        self._waiting: dict[Principal, deque[QueuePlace]] = {}
        self._turn = 0
        self._last_turns: dict[Principal, int] = {}

    @property
    def running(self) -> int:
        """Images that are being generated."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Images that wait."""
        return sum(map(len, self._waiting.values()))

    def enter(self, principal: Principal) -> QueuePlace:
        """Take a place. Raises TooBusy where too many wait."""
        if self.waiting >= MAX_WAITING_IMAGES:
            raise TooBusy(f"{MAX_WAITING_IMAGES} images are waiting already; try again when some are done.")
        place = QueuePlace(self, principal)
        self._waiting.setdefault(principal, deque()).append(place)
        self._advance()
        return place

    def leave(self, place: QueuePlace) -> None:
        """Give up a place; doing so twice does nothing."""
        self._running.discard(place)
        if place in self._waiting.get(place.principal, ()):
            self._remove(place)
        self._advance()

    def _advance(self) -> None:
        while self._waiting and len(self._running) < self._max_concurrent:
            place = next(self._in_order())
            self._remove(place)
            self._running.add(place)
            self._last_turns[place.principal] = self._turn = self._turn + 1
            place.move(0)
        for number, place in enumerate(self._in_order(), 1):
            place.move(number)

    def _remove(self, place: QueuePlace) -> None:
        own = self._waiting[place.principal]
        own.remove(place)
        if not own:
            del self._waiting[place.principal]

    def _in_order(self) -> Iterator[QueuePlace]:
        """Yield waiting places in the order of their turns."""
        turns = [(self._last_turns.get(person, 0), number, person) for number, person in enumerate(self._waiting)]
        heapify(turns)
        own = {person: iter(tuple(places)) for person, places in self._waiting.items()}
        after = self._turn
        while turns:
            _, number, person = heappop(turns)
            if (place := next(own[person], None)) is not None:
                yield place
                after += 1
                heappush(turns, (after, number, person))
