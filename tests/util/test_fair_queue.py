"""Queues: whose turn it is, however many ask for however much."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.util.fair_queue import FairQueue, QueueFull, QueuePlace


def test_owners_take_turns() -> None:
    queue = FairQueue(1)
    first = [queue.enter("anna") for _ in range(3)]
    second = [queue.enter("ben") for _ in range(2)]
    assert [place.ahead for place in first + second] == [0, 2, 4, 1, 3]
    first[0].leave()
    assert [place.ahead for place in first[1:] + second] == [1, 3, 0, 2]
    second[0].leave()
    assert [place.ahead for place in (first[1], first[2], second[1])] == [0, 2, 1]


def test_who_goes_lets_the_others_move_up() -> None:
    queue = FairQueue(1)
    working, waiting, last = (queue.enter(name) for name in ("anna", "ben", "carl"))
    waiting.leave()
    assert last.ahead == 1
    working.leave()
    assert last.ahead == 0
    working.leave()  # to leave twice is no error
    assert queue.enter("dora").ahead == 1


def test_several_work_together_where_they_may() -> None:
    queue = FairQueue(3)
    places = [queue.enter("anna") for _ in range(5)]
    assert [place.ahead for place in places] == [0, 0, 0, 1, 2]


def test_it_is_not_without_end() -> None:
    queue = FairQueue(1, max_waiting=2)
    for _ in range(3):
        queue.enter("anna")
    with pytest.raises(QueueFull):
        queue.enter("ben")


def test_who_has_most_under_way_goes_last() -> None:
    queue = FairQueue(2)
    batch = [queue.enter("batch") for _ in range(10)]
    others = [queue.enter(f"person {number}") for number in range(3)]
    batch[0].leave()
    assert [place.ahead for place in others] == [0, 1, 2]
    assert batch[2].ahead == 3


async def test_who_waits_hears_when_it_moves() -> None:
    queue = FairQueue(1)
    places = [queue.enter("anna") for _ in range(3)]
    waited = asyncio.create_task(places[2].wait_until_moved(2))
    await asyncio.sleep(0)
    assert not waited.done()
    places[0].leave()
    assert await waited == 1


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=80), st.integers(1, 3))
def test_nobody_is_forgotten_or_served_twice(steps: list[tuple[bool, int]], at_once: int) -> None:
    queue = FairQueue(at_once)
    there: list[QueuePlace] = []
    for enters, number in steps:
        if enters or not there:
            there.append(queue.enter(f"owner {number % 4}"))
        else:
            there.pop(number % len(there)).leave()
        waiting = sorted(place.ahead for place in there if place.ahead)
        assert len(there) - len(waiting) == min(at_once, len(there))
        assert waiting == list(range(1, len(waiting) + 1))
