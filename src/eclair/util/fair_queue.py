"""Fair queues: few of many who wait go at a time, and people take turns.

Next is whoever has fewest under way, and of those the one who has waited longest since their last turn; what one
person waits for keeps its order. What is for the background goes after all others.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Hashable, Iterator
from contextlib import aclosing
from heapq import heapify, heappop, heappush
from typing import TypeVar

T = TypeVar("T")


class QueueFull(Exception):
    """So many wait already that nobody else may."""


QueuePerson = tuple[bool, Hashable]
"""A person; with True first where they wait for nothing themselves, since it is for the background."""


class QueuePlace:
    """A place in a queue; call `leave` in the end. `ahead` others go first, 0 once it is its turn."""

    def __init__(self, queue: FairQueue, person: QueuePerson) -> None:
        self.person = person
        self.ahead = 0
        self._queue = queue
        self._moved = asyncio.Event()

    async def wait_until_moved(self, ahead: int) -> int:
        """Wait until the number of those ahead is another than `ahead`, and return it."""
        while self.ahead == ahead:
            self._moved.clear()
            await self._moved.wait()
        return self.ahead

    async def wait_for_turn(self) -> None:
        """Wait until it is its turn."""
        while ahead := self.ahead:
            await self.wait_until_moved(ahead)

    def move(self, ahead: int) -> None:
        """Set how many are ahead."""
        if ahead != self.ahead:
            self.ahead = ahead
            self._moved.set()

    def leave(self) -> None:
        """Leave the queue, or make room for the next."""
        self._queue.leave(self)


class FairQueue:
    """Lets `max_concurrent` go at a time, and `max_waiting` wait, or any number."""

    def __init__(self, max_concurrent: int, max_waiting: int | None = None) -> None:
        self._max_concurrent = max_concurrent
        self._max_waiting = max_waiting
        self._running: set[QueuePlace] = set()
        self._running_of = Counter[QueuePerson]()
        self._waiting: dict[QueuePerson, deque[QueuePlace]] = {}
        self._turn = 0
        self._last_turns: dict[QueuePerson, int] = {}

    @property
    def running(self) -> int:
        """Places whose turn it is."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Places that wait."""
        return sum(map(len, self._waiting.values()))

    def enter(self, person: Hashable, *, in_background: bool = False) -> QueuePlace:
        """Take a place. Raises QueueFull where too many wait."""
        if self._max_waiting is not None and self.waiting >= self._max_waiting:
            raise QueueFull
        place = QueuePlace(self, (in_background, person))
        self._waiting.setdefault(place.person, deque()).append(place)
        self._advance()
        return place

    def leave(self, place: QueuePlace) -> None:
        """Give up a place; doing so twice does nothing."""
        if place in self._running:
            self._running.discard(place)
            self._running_of[place.person] -= 1
        if place in self._waiting.get(place.person, ()):
            self._remove(place)
        self._advance()
        if not self._running and not self._waiting:  # nobody is owed a turn
            self._running_of.clear()
            self._last_turns.clear()

    def _advance(self) -> None:
        while self._waiting and len(self._running) < self._max_concurrent:
            place = next(self._in_order())
            self._remove(place)
            self._running.add(place)
            self._running_of[place.person] += 1
            self._last_turns[place.person] = self._turn = self._turn + 1
            place.move(0)
        for number, place in enumerate(self._in_order(), 1):
            place.move(number)

    def _remove(self, place: QueuePlace) -> None:
        own = self._waiting[place.person]
        own.remove(place)
        if not own:
            del self._waiting[place.person]

    def _in_order(self) -> Iterator[QueuePlace]:
        """Yield waiting places in the order of their turns."""
        turns = [
            (person[0], self._running_of[person], self._last_turns.get(person, 0), number, person)
            for number, person in enumerate(self._waiting)
        ]
        heapify(turns)
        own = {person: iter(tuple(places)) for person, places in self._waiting.items()}
        after = self._turn
        while turns:
            is_last, running, _, number, person = heappop(turns)
            if (place := next(own[person], None)) is not None:
                yield place
                after += 1
                heappush(turns, (is_last, running + 1, after, number, person))


async def in_turn(
    queue: FairQueue, person: Hashable, source: AsyncGenerator[T, None], full: Exception
) -> AsyncGenerator[T, None]:
    """Yield what `source` yields, once it is the person's turn. Raises `full` where too many wait."""
    try:
        place = queue.enter(person)
    except QueueFull:
        raise full from None
    try:
        await place.wait_for_turn()
        async with aclosing(source):
            async for item in source:
                yield item
    finally:
        place.leave()
