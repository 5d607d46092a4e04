"""Ratings in SQL. A rating stands in its message's body; the column `rated`, its time, finds those that have one.

A question whose answers were compared has its choice there in the same way.
"""

from __future__ import annotations

from dataclasses import replace

from eclair.errors import Conflict, NotFound
from eclair.schema.messages import Message, Rating
from eclair.schema.principal import Principal
from eclair.storage.ratings import RatedAnswer
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.messages import decode_message, find_newest_leaf, get_message, update_message
from eclair.storage.sql.store import SQLStore, first_row, read, write
from eclair.storage.sql.stored_rows import skip_unreadable

MAX_BEGINNING_CHARS = 200


class SQLRatingStore(SQLStore):
    """Implements `RatingStore`."""

    @write
    def rate_answer(self, db: Connection, principal: Principal, message: str, rating: Rating | None) -> str:
        found = _find(db, principal, message)
        if found.role != "assistant" or found.is_open:
            raise Conflict("Only an answer that has ended can be rated.")
        update_message(db, self.database.text_index, replace(found, rating=rating))
        return found.conversation

    @write
    def keep_answer(self, db: Connection, principal: Principal, question: str, answer: str) -> Message:
        found = _find(db, principal, question)
        if found.comparison is None or answer not in found.comparison.answers:
            raise NotFound(f"The message {answer!r} is not among the compared answers.")
        if _find(db, principal, answer).is_open:
            raise Conflict("This answer is still being written; wait for it, or stop it.")
        kept = replace(found, comparison=replace(found.comparison, kept=answer, decided=self.now()))
        update_message(db, self.database.text_index, kept)
        leaf = find_newest_leaf(db, found.conversation, answer)
        db.execute("UPDATE conversation SET leaf = ? WHERE id = ?", (leaf, found.conversation))
        return kept

    @read
    def list_judged(self, db: Connection, principal: Principal) -> dict[str, list[str]]:
        rows = db.execute(
            "SELECT message.conversation, message.id FROM message"
            " JOIN conversation ON conversation.id = message.conversation"
            " WHERE rated IS NOT NULL AND owner = ? AND deleted IS NULL ORDER BY rated DESC",
            (principal.id,),
        )
        found: dict[str, list[str]] = {}
        for conversation, message in rows:
            found.setdefault(conversation, []).append(message)
        return found

    @read
    def list_ratings(self, db: Connection, principal: Principal, limit: int) -> list[RatedAnswer]:
        rows = db.execute(
            "SELECT title, CAST(message.body AS BLOB) FROM message"
            " JOIN conversation ON conversation.id = message.conversation"
            " WHERE rated IS NOT NULL AND owner = ? AND deleted IS NULL ORDER BY rated DESC",
            (principal.id,),
        )
        note = self.database.damage.note_row
        found: list[RatedAnswer] = []
        for title, body in skip_unreadable(rows, lambda: note("message")):
            if len(found) == limit:
                break
            message = decode_message(body)
            if message is None or (message.rating is None and message.comparison is None):
                note("message")
            elif message.rating is not None:
                found.append(_rated(title, message, message.rating))
        return found


def _find(db: Connection, principal: Principal, message: str) -> Message:
    known = first_row(
        db,
        "SELECT 1 FROM message JOIN conversation ON conversation.id = message.conversation"
        " WHERE message.id = ? AND owner = ? AND deleted IS NULL",
        (message, principal.id),
    )
    if known is None:
        raise NotFound(f"There is no message {message!r}.")
    return get_message(db, message)


def _rated(title: str, message: Message, rating: Rating) -> RatedAnswer:
    beginning = " ".join(message.text[: 2 * MAX_BEGINNING_CHARS].split())[:MAX_BEGINNING_CHARS]
    return RatedAnswer(message.conversation, title, message.id, message.model, rating, beginning)
