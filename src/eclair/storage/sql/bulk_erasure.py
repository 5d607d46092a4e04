"""Erases many conversations: in batches, and in rounds that are each followed by a merge of the index of words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eclair.storage.sql.connection import Connection
from eclair.storage.sql.retention import HELD

MAX_CONVERSATIONS_ONE_BY_ONE = 20
CONVERSATIONS_PER_BATCH = 100
MIN_ROUND = 1000
"""Conversations that are erased before a merge, if there are so many."""
ROUND_SHARE = 0.9
"""A merge step reads until it has written its pages. With a tenth of the words left, it reads ten times as many."""


def rounds(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Split what is to be erased into rounds, each to be followed by a merge."""
    while ids:
        size = max(MIN_ROUND, int(len(ids) * ROUND_SHARE))
        yield ids[:size]
        ids = ids[size:]


def batches(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def erase_conversations(db: Connection, ids: Sequence[str], before: int) -> None:
    """Erase those of the conversations that were deleted before a moment and aren't held, and their words."""
    query = f"DELETE FROM conversation WHERE id = ? AND deleted < ? AND NOT {HELD}"
    db.executemany(query, [(id, before) for id in ids])
