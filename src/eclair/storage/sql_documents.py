"""The port of documents on SQLite: which of its methods reads and which writes. What they do stands in `statements/`.

Vectors are kept in memory once they were searched (`nearest.py`), brought up to date from the database by each search.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import apsw

from eclair.schema.documents import Chunk, Page
from eclair.schema.messages import Fault
from eclair.storage.database import Database
from eclair.storage.documents import (
    DocumentState,
    FileState,
    Library,
    ListedFiles,
    ListedLibrary,
    Located,
    Near,
    Scope,
    StoredFile,
    StoredPage,
)
from eclair.storage.statements import deletion, files, found, libraries, pieces
from eclair.text.search_terms import forms

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    from eclair.storage.vectors import Vectors

ERASED = 200
"""Rows that are erased at once, so that no other write waits for long."""

FILES = 20
"""Files of a library that are deleted at once."""

BLOCKS = 50
"""Documents whose vectors are read at once."""


class SQLDocuments:
    """Implements `DocumentStore`; see there for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._vectors: Vectors | None = None
        self._embedder = ""
        self._searching = asyncio.Lock()

    async def add_library(self, library: Library) -> None:
        await self._database.write(lambda db: libraries.add(db, library))

    async def library(self, owner: str, id: str) -> Library:
        return await self._database.read(lambda db: libraries.owned(db, owner, id))

    async def library_named(self, owner: str, name: str) -> Library:
        return await self._database.read(lambda db: libraries.named(db, owner, name))

    async def libraries(self, owner: str) -> list[ListedLibrary]:
        return await self._database.read(lambda db: libraries.listed(db, owner))

    async def rename_library(self, owner: str, id: str, name: str) -> Library:
        return await self._database.write(lambda db: libraries.rename(db, owner, id, name))

    async def delete_library(self, owner: str, id: str) -> list[str]:
        blobs: list[str] = []
        while not await self._database.write(lambda db: libraries.delete(db, owner, id)):
            blobs += await self._database.write(lambda db: _delete_some(db, owner, id))
        await self.erase_rest()
        return blobs

    async def add_file(self, file: StoredFile, reader: int) -> DocumentState:
        return await self._database.write(lambda db: files.add(db, file, reader))

    async def replace_file(self, id: str, file: StoredFile, reader: int) -> tuple[DocumentState, str | None]:
        state, blob = await self._database.write(lambda db: files.put_in_place(db, id, file, reader))
        if blob is not None:
            await self.erase_rest()
        return state, blob

    async def file(self, owner: str, id: str) -> FileState:
        return await self._database.read(lambda db: files.owned(db, owner, id))

    async def files(
        self, owner: str, limit: int, *, library: str | None = None, before: str | None = None
    ) -> ListedFiles:
        return await self._database.read(lambda db: files.page(db, owner, limit, library, before))

    async def watched(self, owner: str, library: str) -> list[StoredFile]:
        return await self._database.read(lambda db: files.watched(db, owner, library))

    async def change_file(
        self, owner: str, id: str, *, name: str | None = None, library: str | None = None, mtime_ns: int | None = None
    ) -> FileState:
        return await self._database.write(lambda db: files.change(db, owner, id, name, library, mtime_ns))

    async def delete_file(self, owner: str, id: str) -> str | None:
        blob = await self._database.write(lambda db: files.delete(db, owner, id))
        if blob is not None:
            await self.erase_rest()
        return blob

    async def attach(self, owner: str, message: str, ids: Sequence[str]) -> None:
        await self._database.write(lambda db: files.attach(db, owner, message, ids))

    async def attached(self, owner: str, conversation: str) -> dict[str, list[StoredFile]]:
        return await self._database.read(lambda db: files.attached(db, owner, conversation))

    async def loose(self, before: int) -> list[StoredFile]:
        return await self._database.read(lambda db: files.loose(db, before))

    async def erase_rest(self) -> None:
        gone = await self._database.read(pieces.nameless)
        for number in gone:
            while not await self._database.write(lambda db, number=number: pieces.erase(db, number, ERASED)):
                pass
        if gone:
            await self._forget(gone)
            await self._database.read(deletion.empty_log)

    async def state(self, sha256: str) -> DocumentState:
        return await self._database.read(lambda db: pieces.state(db, sha256))

    async def name_of(self, sha256: str) -> str:
        return await self._database.read(lambda db: files.name_of(db, sha256))

    async def unfinished(self) -> list[DocumentState]:
        return await self._database.read(pieces.unfinished)

    async def outdated(self, reader: int) -> list[str]:
        return await self._database.read(lambda db: pieces.outdated(db, reader))

    async def read_anew(self, sha256: str, reader: int) -> DocumentState:
        state = await self._database.write(lambda db: pieces.read_anew(db, sha256, reader))
        await self.erase_rest()
        return state

    async def opened(self, sha256: str, pages: int | None) -> None:
        await self._database.write(lambda db: pieces.opened(db, sha256, pages))

    async def remarked(self, sha256: str, remark: str) -> None:
        await self._database.write(lambda db: pieces.remarked(db, sha256, remark))

    async def add_pages(
        self, sha256: str, pages: Sequence[Page], chunks: Sequence[Chunk], *, finished: bool = False
    ) -> DocumentState:
        indexed = await asyncio.to_thread(lambda: [_indexed(chunk) for chunk in chunks])
        return await self._database.write(lambda db: pieces.add(db, sha256, pages, indexed, finished=finished))

    async def failed(self, sha256: str, fault: Fault) -> None:
        await self._database.write(lambda db: pieces.failed(db, sha256, fault))

    async def pages(self, sha256: str, first: int = 1, last: int | None = None) -> list[StoredPage]:
        return await self._database.read(lambda db: pieces.pages(db, sha256, first, last))

    async def pages_at(self, sha256: str, start: int, end: int) -> list[StoredPage]:
        return await self._database.read(lambda db: pieces.pages_at(db, sha256, start, end))

    async def text(self, sha256: str, start: int, end: int) -> str:
        return await self._database.read(lambda db: pieces.text(db, sha256, start, end))

    async def chunks(self, sha256: str, first: int = 0, last: int | None = None) -> list[Chunk]:
        return await self._database.read(lambda db: pieces.chunks(db, sha256, first, last))

    async def to_embed(self, embedder: str, limit: int) -> list[Chunk]:
        return await self._database.read(lambda db: pieces.to_embed(db, embedder, limit))

    async def add_vectors(self, embedder: str, chunks: Sequence[Chunk], vectors: NDArray[float32]) -> bool:
        from eclair.storage.vectors import packed  # numpy takes 0.1 s to import, and many never need it

        data = packed(vectors)
        return await self._database.write(lambda db: pieces.add_vectors(db, embedder, chunks, data))

    async def keyword(self, scope: Scope, query: str, limit: int) -> list[Near]:
        return await self._database.read(lambda db: found.keyword(db, scope, query, limit))

    async def nearest(self, scope: Scope, embedder: str, vector: NDArray[float32], limit: int) -> list[Near]:
        documents = await self._database.read(lambda db: found.embedded(db, scope, embedder))
        async with self._searching:
            vectors = await self._loaded(embedder, len(vector), documents)
            best = await asyncio.to_thread(vectors.best, [key for key, _ in documents], vector, limit)
        return [Near(*each) for each in best]

    async def located(self, scope: Scope, hits: Sequence[Near]) -> dict[tuple[int, int], Located]:
        return await self._database.read(lambda db: found.located(db, scope, hits))

    async def _loaded(self, embedder: str, dimensions: int, documents: Sequence[tuple[int, int]]) -> Vectors:
        """The vectors in memory, with all that these documents have."""
        from eclair.storage.vectors import MOST_ROWS, Vectors

        vectors = self._vectors
        if vectors is None or (self._embedder, vectors.dimensions) != (embedder, dimensions):
            vectors = self._vectors = Vectors(dimensions)
            self._embedder = embedder
        missing = [(key, count) for key, count in documents if vectors.held(key) != count]
        room = max(MOST_ROWS, 2 * sum(count for _, count in documents))
        if missing and vectors.rows + sum(count for _, count in missing) > room:
            vectors.clear()
            missing = list(documents)
        for start in range(0, len(missing), BLOCKS):
            some = missing[start : start + BLOCKS]
            await self._database.read(lambda db, some=some: _load(db, vectors, some))
        return vectors

    async def _forget(self, documents: Sequence[int]) -> None:
        async with self._searching:
            for key in documents:
                if self._vectors is not None:
                    self._vectors.drop(key)


def _indexed(chunk: Chunk) -> pieces.Indexed:
    whole = " ".join((*chunk.heading, chunk.text))
    return pieces.Indexed(chunk, forms(whole))


def _delete_some(db: apsw.Connection, owner: str, library: str) -> list[str]:
    blobs = [files.delete(db, owner, id) for id in libraries.some_files(db, library, FILES)]
    return [blob for blob in blobs if blob is not None]


def _load(db: apsw.Connection, vectors: Vectors, documents: Sequence[tuple[int, int]]) -> None:
    for key, embedded in documents:
        if vectors.held(key) > embedded:  # embedded anew meanwhile
            vectors.drop(key)
        for count, data in found.vectors(db, key, vectors.held(key)):
            if len(data) == count * vectors.dimensions * 2:  # else the model was exchanged under its name
                vectors.add(key, data)
