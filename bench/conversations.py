"""Makes a data folder with very many conversations: `python bench/conversations.py FOLDER [COUNT]`.

The words are made up and as unevenly frequent as those of a language: the n-th is used about 1/n times as often as the
first. Each conversation has two questions and two answers.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import apsw

from eclair.schema.messages import Conversation, Message, Part
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.open import open_storage
from eclair.storage.sql import conversations
from eclair.storage.sql.messages import insert_message
from eclair.storage.sqlite.open import DATABASE_FILE
from eclair.storage.sqlite.text_index import SQLiteTextIndex

COUNT = 100_000
WORDS = 50_000
QUESTION_WORDS = 12
ANSWER_WORDS = 100
BATCH = 500
"""Conversations in one transaction."""
NEWEST = 1_790_000_000_000
"""When the newest was asked, in milliseconds since 1970."""
STEP = 60_000
"""Milliseconds between two conversations."""

_SYLLABLES = [
    first + vowel + last for first in "bcdfghjklmnprstvw" for vowel in "aeiou" for last in ("", "n", "r", "s")
]


def words() -> list[str]:
    """All words, the most frequent first."""
    chosen = random.Random(7)
    found: dict[str, None] = {}
    while len(found) < WORDS:
        found["".join(chosen.choices(_SYLLABLES, k=1 + min(3, len(found) // 200)))] = None
    return list(found)


async def fill(folder: Path, count: int = COUNT) -> None:
    """Add so many conversations to the database of a folder, which is made where there is none."""
    await open_storage(folder).close()
    db = apsw.Connection(str(folder / DATABASE_FILE))
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA foreign_keys = OFF")
    made = _conversations(count)
    for _ in range(0, count, BATCH):
        with db:
            for _, (conversation, messages) in zip(range(BATCH), made, strict=False):
                conversations.find_or_add(db, LOCAL_PRINCIPAL, conversation)
                for message in messages:
                    insert_message(db, SQLiteTextIndex(), message)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def _conversations(count: int) -> Iterator[tuple[Conversation, list[Message]]]:
    vocabulary = words()
    weights = list(accumulate(1 / (rank + 1) for rank in range(WORDS)))
    chosen = random.Random(11)

    def text(length: int) -> str:
        return " ".join(chosen.choices(vocabulary, cum_weights=weights, k=length))

    for number in range(count):
        id = f"conversation-{number}"
        moment = NEWEST - (count - number) * STEP
        messages: list[Message] = []
        for at in range(4):
            role = "user" if at % 2 == 0 else "assistant"
            parent = messages[-1].id if messages else None
            parts = (Part("text", text(QUESTION_WORDS if role == "user" else ANSWER_WORDS)),)
            messages.append(Message(f"message-{number}-{at}", id, parent, role, parts, moment + at))
        title = text(5)
        yield Conversation(id, LOCAL_PRINCIPAL.id, title, moment, moment + 4, messages[-1].id), messages


if __name__ == "__main__":
    began = time.perf_counter()
    asyncio.run(fill(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else COUNT))
    print(f"made in {time.perf_counter() - began:.0f} s")
