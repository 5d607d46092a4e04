"""Turns, files and documents that the contract tests share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from eclair.schema.documents import Chunk, Page
from eclair.schema.events import RunFinished, encode
from eclair.schema.messages import Part
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.chunks import SearchScope
from eclair.storage.files import StoredFile
from eclair.storage.runs import EventChunk, RunRecord
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore
from tests.support import Ids, new_turn


async def turn(storage: Storage, ids: Ids, text: str = "Hello", say: str = "Hi", where: str = "conv_a") -> RunRecord:
    """A whole turn: a question and its answer."""
    added, started = new_turn(storage, ids, where, text)
    run = await storage.runs.open_turn(
        replace(added, first=EventChunk(started.run, 1, encode(replace(started, seq=1))))
    )
    answer = replace(added.answer, status="finished", parts=(Part("text", say),))
    await storage.runs.finish_run(run, answer, EventChunk(run.id, 2, encode(RunFinished("stop", seq=2))))
    return run


async def edit(storage: Storage, statement: str, *values: object) -> None:
    """Change one row behind the back of the storage, as damage does."""

    def change(db: Connection) -> int:
        db.execute(statement, values)
        return db.changes()

    assert await cast(SQLStore, storage.runs).database.write(change) == 1


ME = Principal("me")
SOMEONE = Principal("someone")

SHA = "a" * 64


OTHER = "b" * 64


def file(
    id: str, sha256: str = SHA, owner: str = "me", library: str | None = None, path: str | None = None
) -> StoredFile:
    return StoredFile(
        id=id,
        owner=owner,
        name=f"{id}.txt",
        size=10,
        sha256=sha256,
        media="text/plain",
        created=5,
        library=library,
        path=path,
        mtime_ns=None if path is None else 7,
    )


def paged(texts: Sequence[str]) -> list[Page]:
    return [Page(number, text) for number, text in enumerate(texts, 1)]


def cut(texts: Sequence[str], sha256: str = SHA, after: int = 0) -> list[Chunk]:
    """One chunk a page."""
    starts = [sum(len(text) + 1 for text in texts[:i]) for i in range(len(texts))]
    chunks = [
        Chunk(sha256, i, i + 1, start, start + len(text), ("Head",), text)
        for i, (start, text) in enumerate(zip(starts, texts, strict=True))
    ]
    return chunks[after:]


def directions(count: int, dimensions: int = 4) -> np.typing.NDArray[np.float32]:
    vectors = np.random.default_rng(count).normal(size=(count, dimensions)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


async def read(storage: Storage, texts: Sequence[str], id: str = "file_a", sha256: str = SHA) -> SearchScope:
    await storage.files.add_file(ME, file(id, sha256), 1)
    await storage.documents.mark_reading(sha256, len(texts))
    await storage.documents.add_pages(sha256, paged(texts), cut(texts, sha256), finished=True)
    return SearchScope(ME, files=(id,))


async def found(storage: Storage, scope: SearchScope, query: str) -> list[int]:
    return [near.number for near in await storage.chunks.search_words(scope, query, 10)]
