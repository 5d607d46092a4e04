"""Rows of messages: their tree, and the terms that find their words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import apsw
import orjson
from pydantic import TypeAdapter, ValidationError

from eclair.errors import Conflict, DataDamaged, NotFound
from eclair.schema.messages import Fault, Message, Part, Role
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import first_row
from eclair.storage.sql.stored_rows import skip_unreadable
from eclair.storage.sql.text_index import TextIndex
from eclair.text.search_terms import SearchTerm

MAX_QUERY_WORDS = 32
"""Further words of a query are ignored; each costs, and no one types more."""

DAMAGED_MESSAGE = (
    "This message is damaged on disk; what is shown of it could still be read. `eclair doctor --repair`, or a backup, "
    "may have more of it."
)

_WORD = re.compile(r"\w+")


@cache
def _message() -> TypeAdapter[Message]:
    return TypeAdapter(Message)


def insert_message(db: Connection, index: TextIndex, message: Message, known: str | None = None) -> None:
    """Insert a message and index its words; `known` is a message that is in its conversation.

    Raises Conflict where its id is taken, NotFound for a parent outside the conversation.
    """
    if message.parent not in (None, known):
        require_message(db, message.conversation, message.parent)
    db.execute(
        "INSERT INTO message (id, conversation, parent, text, body, rated) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO NOTHING",
        (message.id, message.conversation, message.parent, message.text, _json(message), _rated(message)),
    )
    if not db.changes():
        raise Conflict(f"The id {message.id!r} is taken; leave it out to be given one.")
    if message.text:
        index.put_message(db, message.id, message.text)


def update_message(db: Connection, index: TextIndex, message: Message) -> None:
    db.execute(
        "UPDATE message SET text = ?, body = ?, rated = ? WHERE id = ?",
        (message.text, _json(message), _rated(message), message.id),
    )
    index.put_message(db, message.id, message.text)


def get_message(db: Connection, id: str) -> Message:
    (body,) = first_row(db, "SELECT body FROM message WHERE id = ?", (id,))
    return _message().validate_json(body)


def list_messages(db: Connection, conversation: str, note: Callable[[], None]) -> list[Message]:
    """List the messages of a conversation, oldest first; call `note` for damaged ones.

    In place of a damaged message stands one that says so. Parents of all messages are in the list.
    """
    found: list[Message] = []
    roles: dict[str, Role] = {}
    for number, id, parent, body in _read_messages(db, conversation, note):
        message = decode_message(body)
        if type(parent) not in (str, type(None)):
            parent = found[-1].id if found else None
        if message is None or (message.id, message.conversation, message.parent) != (id, conversation, parent):
            note()
            role: Role = "assistant" if roles.get(parent or "") == "user" else "user"
            message = damaged_message(id, conversation, parent, role, _read_text(db, number))
        if message.parent is not None and message.parent not in roles:  # that one can't be read at all
            note()
            role = "user" if message.role == "assistant" else "assistant"
            above = found[-1].id if found else None
            found.append(damaged_message(message.parent, conversation, above, role, ""))
            roles[message.parent] = role
        found.append(message)
        roles[id] = message.role
    return found


def _read_messages(
    db: Connection, conversation: str, note: Callable[[], None]
) -> Iterator[tuple[int, str, str | None, Any]]:
    """Yield number, id, parent and body of the messages whose rows can be read; by the index where a page can't."""
    columns = "number, id, parent, CAST(body AS BLOB)"
    last = -1
    try:
        rows = db.execute(f"SELECT {columns} FROM message WHERE conversation = ? ORDER BY number", (conversation,))
        for row in skip_unreadable(rows, note):
            last = row[0]
            yield row
        return
    except apsw.CorruptError:
        note()
    later = "SELECT rowid FROM message WHERE conversation = ? AND rowid > ? ORDER BY 1"
    for (number,) in list(db.execute(later, (conversation, last))):
        try:
            yield from db.execute(f"SELECT {columns} FROM message WHERE number = ?", (number,))
        except (apsw.CorruptError, UnicodeDecodeError):
            note()


def _read_text(db: Connection, number: int) -> str:
    """Read the words by which a message is searched, as far as they can be read."""
    (text,) = first_row(db, "SELECT CAST(text AS BLOB) FROM message WHERE number = ?", (number,))
    return text if isinstance(text, str) else bytes(text).decode("utf-8", "replace")


def decode_message(body: Any) -> Message | None:
    """Decode a stored message; None if it is damaged."""
    try:
        return _message().validate_json(body)
    except ValidationError:
        return None


def damaged_message(id: str, conversation: str, parent: str | None, role: Role, text: str) -> Message:
    """Return a stand-in for a damaged message, with the text that the search index was built from."""
    parts = (Part("text", text),) if text else ()
    if role != "assistant":
        return Message(id, conversation, parent, role, parts, 0)
    return Message(
        id, conversation, parent, role, parts, 0, status="failed", fault=Fault(DataDamaged.code, DAMAGED_MESSAGE)
    )


def require_message(db: Connection, conversation: str, message: str) -> None:
    """Raise NotFound unless the message is in the conversation."""
    if first_row(db, "SELECT 1 FROM message WHERE id = ? AND conversation = ?", (message, conversation)) is None:
        raise NotFound(f"There is no message {message!r} in this conversation.")


def find_newest_leaf(db: Connection, conversation: str, parent: str | None) -> str | None:
    """Return the end of the newest branch under `parent`, which may be `parent` itself."""
    leaf = parent
    while True:
        below = first_row(
            db,
            "SELECT id FROM message WHERE conversation = ? AND parent IS NOT DISTINCT FROM ?"
            " ORDER BY number DESC LIMIT 1",
            (conversation, leaf),
        )
        if below is None:
            return leaf
        leaf = below[0]


def parse_words(words: str) -> list[SearchTerm]:
    """Return the terms for texts with every word, or a word beginning with it; empty without words.

    A single letter of an alphabet is looked for as a word of its own: too many words begin with it.
    """
    found = _WORD.findall(unicodedata.normalize("NFC", words))[:MAX_QUERY_WORDS]
    return [
        SearchTerm(word, f'"{word}"') if _is_single_letter(word) else SearchTerm(word, f'"{word}"*', is_prefix=True)
        for word in found
    ]


def _is_single_letter(word: str) -> bool:
    return len(word) == 1 and unicodedata.category(word) != "Lo"  # a character of Chinese is a word's worth


def _json(message: Message) -> str:
    return orjson.dumps(message).decode()


def _rated(message: Message) -> int | None:
    """Return when a message was rated, or one of the answers to it was kept."""
    if message.rating is not None:
        return message.rating.created
    return message.comparison.decided if message.comparison is not None else None
