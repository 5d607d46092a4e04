"""Erases many conversations: quickly from the tables, and from the index of words by merging it afterwards.

One by one, FTS5 finds and overwrites each word of each message in its index, which takes about 15 ms a conversation. In
bulk it writes markers instead, and a merge of the whole index drops the words together with their markers. A merge that
is due is a row of the database, committed with the erasure, so that one which was cut short goes on after a restart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eclair.storage.sql.connection import Connection
from eclair.storage.sql.retention import HELD
from eclair.storage.sql.store import first_row

MAX_CONVERSATIONS_ONE_BY_ONE = 20
CONVERSATIONS_PER_BATCH = 100
MERGED_PAGES_PER_STEP = 32
"""Pages that one step of a merge writes."""
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


def erase_conversations_in_bulk(db: Connection, ids: Sequence[str], before: int) -> None:
    """Erase as `erase_conversations` does; the words leave the index with the merge that is due then."""
    db.execute("INSERT INTO index_merge_due VALUES (1, 1) ON CONFLICT DO UPDATE SET erasures = erasures + 1")
    set_secure_delete(db, on=False)
    erase_conversations(db, ids, before)
    set_secure_delete(db, on=True)


def set_secure_delete(db: Connection, *, on: bool) -> None:
    """Say how words leave the index of messages from here on; what was deleted before is written first."""
    db.execute("INSERT INTO message_text (message_text, rank) VALUES ('secure-delete', ?)", (int(on),))


def get_erasures(db: Connection) -> int | None:
    """Return the number of bulk erasures whose words are still in the index; None if there are none."""
    row = first_row(db, "SELECT erasures FROM index_merge_due", ())
    return None if row is None else row[0]


def begin_merge(db: Connection) -> None:
    """Begin to merge the whole index of messages."""
    db.execute("INSERT INTO message_text (message_text, rank) VALUES ('usermerge', 2)")  # else 4 segments are a minimum
    _merge(db, -MERGED_PAGES_PER_STEP)


def go_on_merging(db: Connection, erasures: int) -> bool:
    """Go on merging; return whether there is more to do.

    With the last step the merge is no longer due, unless something was erased in bulk since there were `erasures`.
    """
    before = db.total_changes()
    _merge(db, MERGED_PAGES_PER_STEP)
    if db.total_changes() - before > 1:  # the command itself is one
        return True
    db.execute("DELETE FROM index_merge_due WHERE erasures = ?", (erasures,))
    return False


def _merge(db: Connection, pages: int) -> None:
    db.execute("INSERT INTO message_text (message_text, rank) VALUES ('merge', ?)", (pages,))
