"""Counts of the literacy page."""

from __future__ import annotations

from eclair.storage.base import Storage
from eclair.storage.literacy import LiteracyCounts


async def test_events_are_counted_for_every_process(storage: Storage, other: Storage) -> None:
    assert await storage.literacy.get_literacy_counts() == LiteracyCounts()
    await storage.literacy.count_literacy("offered")
    await other.literacy.count_literacy("offered")
    await other.literacy.count_literacy("read")
    assert await storage.literacy.get_literacy_counts() == LiteracyCounts(offered=2, read=1)
