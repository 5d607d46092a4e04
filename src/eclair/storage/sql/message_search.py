"""Search of messages: the newest that match, best first.

A word may be in most messages of somebody who asked much. To compare all of them would take seconds, and who looks for
such a word means something recent; so the newest MAX_RANKED_MATCHES are compared, and the index is read no further.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import apsw
import orjson

from eclair.schema.messages import Hit
from eclair.schema.principal import Principal
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.messages import full_text_query
from eclair.storage.sql.store import snapshot
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

MAX_RANKED_MATCHES = 1000

SATURATION = 1.2
LENGTH_WEIGHT = 0.75
"""The usual parameters of BM25."""

_VISIBLE = (
    " FROM message_text CROSS JOIN message ON message.number = message_text.rowid"
    " CROSS JOIN conversation ON conversation.id = message.conversation"
    " WHERE message_text MATCH ? AND owner = ? AND deleted IS NULL"
)


def find_messages(db: Connection, principal: Principal, words: str, limit: int, note: Callable[[], None]) -> list[Hit]:
    """Find messages as `ConversationStore.search_messages` says; call `note` for damaged ones, which are left out."""
    if not (query := full_text_query(words)):
        return []
    cast(apsw.Connection, db).register_fts5_function("match_score", _score)
    with snapshot(db):
        newest = db.execute(
            f"SELECT message_text.rowid, match_score(message_text){_VISIBLE} ORDER BY message_text.rowid DESC LIMIT ?",
            (query, principal.id, MAX_RANKED_MATCHES),
        )
        best = [number for number, _ in sorted(newest, key=lambda row: row[1], reverse=True)[:limit]]
        rows = db.execute(
            "SELECT message_text.rowid, conversation.id, conversation.title, message.id,"
            " iif(json_valid(body), body ->> 'role', 'user'), iif(json_valid(body), body ->> 'created', 0),"
            " snippet(message_text, 0, char(0xE000), char(0xE001), '…', 16)"
            f"{_VISIBLE} AND message_text.rowid >= ? AND +message_text.rowid IN (SELECT value FROM json_each(?))",
            (query, principal.id, min(best, default=0), orjson.dumps(best).decode()),
        )
        hits = dict(decode_rows(rows, _hit, note))
    return [hits[number] for number in best if number in hits]


@row_decoder
def _build_hit(values: Any) -> Hit:
    return Hit(*values)


def _hit(row: Any) -> tuple[int, Hit]:
    number, *values = row
    return number, _build_hit(values)


def _score(matches: apsw.FTS5ExtensionApi, *_: Any) -> float:
    """Score a message: BM25 with all words weighing the same, since every message here has all of them."""
    length = matches.column_size(0) * matches.row_count / max(1, matches.column_total_size(0))
    resistance = SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * length)
    counts = (len(matches.phrase_locations(phrase)[0]) for phrase in range(matches.phrase_count))
    return sum(count / (count + resistance) for count in counts)
