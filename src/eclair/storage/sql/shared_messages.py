"""Erases from shared snapshots what is erased of the messages, files and images that they show.

The body of a share is a JSON list of messages, with the ids that they have here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import orjson

from eclair.storage.sql.connection import Connection

_Message = dict[str, Any]


def erase_messages(db: Connection, conversation: str, erased: Collection[str]) -> None:
    """Erase messages from the shares of their conversation; a share that keeps none is deleted."""
    rows = list(db.execute("SELECT id, body FROM share WHERE conversation = ?", (conversation,)))
    _edit(db, rows, lambda messages: [message for message in messages if message["id"] not in erased])


def erase_file(db: Connection, file: str) -> None:
    """Erase a file's name, and what is quoted from it, from all shares."""
    _edit(db, _mentioning(db, file), lambda messages: [_without_file(message, file) for message in messages])


def erase_image(db: Connection, image: str) -> None:
    """Erase an image's prompt from all shares."""
    _edit(db, _mentioning(db, image), lambda messages: [_without_prompt(message, image) for message in messages])


def _mentioning(db: Connection, id: str) -> list[tuple[str, str]]:
    return list(db.execute("SELECT id, body FROM share WHERE instr(body, ?) > 0", (f'"{id}"',)))


def _edit(db: Connection, rows: list[tuple[str, str]], edit: Callable[[list[_Message]], list[_Message]]) -> None:
    for id, body in rows:
        messages: list[_Message] = orjson.loads(body)
        edited = edit(messages)
        if not edited:
            db.execute("DELETE FROM share WHERE id = ?", (id,))
        elif edited != messages:
            db.execute("UPDATE share SET body = ? WHERE id = ?", (orjson.dumps(edited).decode(), id))


def _without_file(message: _Message, file: str) -> _Message:
    passages = message.get("passages", [])
    erased = {passage["number"] for passage in passages if passage["file"] == file}
    return {
        **message,
        "files": [each for each in message.get("files", []) if each["id"] != file],
        "passages": [passage for passage in passages if passage["file"] != file],
        "citations": [each for each in message.get("citations", []) if each["passage"] not in erased],
        "doubts": [
            {**each, "passage": None, "about": ""} if each.get("passage") in erased else each
            for each in message.get("doubts", [])
        ],
    }


def _without_prompt(message: _Message, image: str) -> _Message:
    parts = [
        {**part, "text": ""} if part["kind"] == "picture" and part["id"] == image else part for part in message["parts"]
    ]
    return {**message, "parts": parts}
