"""Messages: the tree that they make of a conversation, and the words that are found in them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

import apsw
import orjson
from pydantic import TypeAdapter

from eclair.errors import Conflict
from eclair.schema.messages import Conversation, Hit, Message
from eclair.storage.statements.conversations import begun, holds, owned
from eclair.storage.statements.rows import first

MOST_WORDS = 32
"""Words of a search that are looked for; each costs, and no one types more."""

LATELY = 200
"""Messages that are looked at to know how fast models write, and how many words make an answer worth counting."""
ENOUGH = 10

_WORD = re.compile(r"\w+")


@cache
def _message() -> TypeAdapter[Message]:
    return TypeAdapter(Message)


def insert(db: apsw.Connection, message: Message) -> None:
    if first(db, "SELECT 1 FROM message WHERE id = ?", (message.id,)) is not None:
        raise Conflict(f"The id {message.id!r} is taken; leave it out to be given one.")
    if message.parent is not None:
        holds(db, message.conversation, message.parent)
    db.execute(
        "INSERT INTO message (id, conversation, parent, text, body) VALUES (?, ?, ?, ?, ?)",
        (message.id, message.conversation, message.parent, message.text, _json(message)),
    )


def update(db: apsw.Connection, message: Message) -> None:
    db.execute("UPDATE message SET text = ?, body = ? WHERE id = ?", (message.text, _json(message), message.id))


def whole(db: apsw.Connection, owner: str, id: str) -> tuple[Conversation, list[Message]]:
    conversation = owned(db, owner, id)
    rows = db.execute("SELECT body FROM message WHERE conversation = ? ORDER BY number", (id,))
    return conversation, [_message().validate_json(body) for (body,) in rows]


def add(db: apsw.Connection, conversation: Conversation, messages: Sequence[Message]) -> bool:
    db.execute("DELETE FROM conversation WHERE id = ? AND deleted IS NOT NULL", (conversation.id,))
    if begun(db, conversation) is not conversation:
        return False
    for message in messages:
        insert(db, message)
    if conversation.leaf is not None:
        holds(db, conversation.id, conversation.leaf)
    return True


def search(db: apsw.Connection, owner: str, words: str, limit: int) -> list[Hit]:
    if not (query := matching(words)):
        return []
    rows = db.execute(
        "SELECT conversation.id, conversation.title, message.id, message.body ->> 'role',"
        " message.body ->> 'created', snippet(message_text, 0, char(0xE000), char(0xE001), '…', 16)"
        " FROM message_text JOIN message ON message.number = message_text.rowid"
        " JOIN conversation ON conversation.id = message.conversation"
        " WHERE message_text MATCH ? AND owner = ? AND deleted IS NULL ORDER BY message_text.rank LIMIT ?",
        (query, owner, limit),
    )
    return [Hit(*row) for row in rows]


def matching(words: str) -> str:
    """What finds texts that hold every word or a word that begins so; empty where there is no word."""
    wanted = _WORD.findall(unicodedata.normalize("NFC", words))[:MOST_WORDS]
    return " ".join(f'"{word}"*' for word in wanted)


def speeds(db: apsw.Connection) -> dict[str, float]:
    rows = db.execute(
        "SELECT model, avg(speed) FROM (SELECT body ->> '$.model' AS model, body ->> '$.usage.words' AS words,"
        " body ->> '$.usage.words_per_second' AS speed FROM message ORDER BY number DESC LIMIT ?)"
        " WHERE model IS NOT NULL AND speed IS NOT NULL AND words >= ? GROUP BY model",
        (LATELY, ENOUGH),
    )
    return dict(rows)


def newest_leaf(db: apsw.Connection, conversation: str, parent: str | None) -> str | None:
    """The end of the newest branch under `parent`, which may be `parent` itself."""
    leaf = parent
    while True:
        below = first(
            db,
            "SELECT id FROM message WHERE conversation = ? AND parent IS ? ORDER BY number DESC LIMIT 1",
            (conversation, leaf),
        )
        if below is None:
            return leaf
        leaf = below[0]


def _json(message: Message) -> str:
    return orjson.dumps(message).decode()
