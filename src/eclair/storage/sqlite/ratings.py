"""Ratings on SQLite. A rating stands in its message's body; the column `rated`, its time, finds those that have one."""

from __future__ import annotations

from dataclasses import replace

import apsw

from eclair.errors import Conflict, NotFound
from eclair.schema.messages import Message, Rating
from eclair.schema.principal import Principal
from eclair.storage.ratings import RatedAnswer
from eclair.storage.sqlite.messages import decode_message, get_message, update_message
from eclair.storage.sqlite.store import SQLiteStore, first_row, read, write
from eclair.storage.sqlite.stored_rows import skip_unreadable

MAX_BEGINNING_CHARS = 200


class SQLiteRatingStore(SQLiteStore):
    """Implements `RatingStore`."""

    @write
    def rate_answer(self, db: apsw.Connection, principal: Principal, message: str, rating: Rating | None) -> str:
        known = first_row(
            db,
            "SELECT 1 FROM message JOIN conversation ON conversation.id = message.conversation"
            " WHERE message.id = ? AND owner = ? AND deleted IS NULL",
            (message, principal.id),
        )
        if known is None:
            raise NotFound(f"There is no message {message!r}.")
        found = get_message(db, message)
        if found.role != "assistant" or found.is_open:
            raise Conflict("Only an answer that has ended can be rated.")
        update_message(db, replace(found, rating=rating))
        return found.conversation

    @read
    def list_ratings(self, db: apsw.Connection, principal: Principal, limit: int) -> list[RatedAnswer]:
        rows = db.execute(
            "SELECT title, CAST(message.body AS BLOB) FROM message"
            " JOIN conversation ON conversation.id = message.conversation"
            " WHERE rated IS NOT NULL AND owner = ? AND deleted IS NULL ORDER BY rated DESC LIMIT ?",
            (principal.id, limit),
        )
        note = self.database.damage.note_row
        found: list[RatedAnswer] = []
        for title, body in skip_unreadable(rows, lambda: note("message")):
            message = decode_message(body)
            if message is None or message.rating is None:
                note("message")
            else:
                found.append(_rated(title, message, message.rating))
        return found


def _rated(title: str, message: Message, rating: Rating) -> RatedAnswer:
    beginning = " ".join(message.text[: 2 * MAX_BEGINNING_CHARS].split())[:MAX_BEGINNING_CHARS]
    return RatedAnswer(message.conversation, title, message.id, message.model, rating, beginning)
