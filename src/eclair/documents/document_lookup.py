"""Looks up passages in the files and libraries of one conversation: by words, or a file from some place on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eclair.documents.document_search import DocumentSearch
from eclair.documents.ingest import Ingestor, is_pending
from eclair.documents.neighbors import with_neighbors
from eclair.documents.passages import file_passages, found_passage
from eclair.errors import NotFound, UnreadableFile
from eclair.schema.messages import Passage
from eclair.storage.base import Storage
from eclair.storage.chunks import SearchScope
from eclair.storage.files import FileState
from eclair.text.intent.location import filter_photo_locations
from eclair.text.terms import fold_text

READ_TIMEOUT_S = 20.0
MAX_LISTED_FILES = 500
MAX_NAMES = 20
"""Of files, in what is said where a name fits none."""

MAX_CHUNKS_AT_ONCE = 60


@dataclass(frozen=True, slots=True)
class PlacedPassage:
    """A passage, and its number in its file, from 1."""

    number: int
    passage: Passage


class DocumentLookup:
    """Looks up what an answer needs. `question` is the person's; `names` are those of the scope's libraries.

    Only what the scope's principal may read is found.
    """

    def __init__(
        self,
        storage: Storage,
        search: DocumentSearch,
        ingestor: Ingestor,
        scope: SearchScope,
        question: str,
        names: Sequence[str] = (),
    ) -> None:
        self._storage = storage
        self._search = search
        self._ingestor = ingestor
        self._scope = scope
        self._question = question
        self._names = names

    async def describe(self) -> str:
        """Name what is searched."""
        attached = [each.file.name for each in await self._attached()]
        names = [*attached, *self._names]
        return " and ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more"

    async def find(self, query: str, limit: int, *, local: bool) -> list[Passage]:
        """Return the passages that fit best, unnumbered; `local` says if the model is on this machine.

        Waits for attached files that are being read. Raises StoreError.
        """
        await self._wait([each for each in await self._attached() if is_pending(each.document)])
        found = await self._search.find(self._scope, query, limit)
        shown = await with_neighbors(self._search, self._scope, found)
        return filter_photo_locations([found_passage(each) for each in shown], self._question, local=local)

    async def find_file(self, name: str) -> FileState:
        """Return the file of that name or id, once it can be read; the name may be cut short.

        Raises NotFound, which names files that there are, and UnreadableFile.
        """
        files = await self._list_files()
        wanted = fold_text(name.strip())
        exact = [each for each in files if each.file.id == name or fold_text(each.file.name) == wanted]
        like = [each for each in files if wanted and wanted in fold_text(each.file.name)]
        found = exact or like
        if not found:
            names = "; ".join(each.file.name for each in files[:MAX_NAMES])
            raise NotFound(f"There is no file {name!r} here. There are: {names or 'none'}.")
        state = found[0]
        if is_pending(state.document):
            await self._wait([state])
            state = await self._storage.files.get_file(self._scope.principal, state.file.id)
        if state.document.fault is not None:
            raise UnreadableFile(state.document.fault.message)
        return state

    async def read(self, file: FileState, first: int, page: int | None, *, local: bool) -> list[PlacedPassage]:
        """Return passages in order, unnumbered, from number `first` (from 1) or the beginning of a page on."""
        sha256 = file.document.sha256
        if page is not None:
            pages = await self._storage.documents.list_pages(sha256, page, page)
            first = await self._chunk_at(sha256, pages[0].start) if pages else file.document.chunks + 1
        chunks = await self._storage.chunks.list_chunks(sha256, first - 1, first - 2 + MAX_CHUNKS_AT_ONCE)
        if not chunks:
            return []
        pages = await self._storage.documents.list_pages_at(sha256, chunks[0].start, chunks[-1].end)
        placed = {passage: number for number, passage in enumerate(file_passages(file.file, chunks, pages), first)}
        return [
            PlacedPassage(placed[passage], passage)
            for passage in filter_photo_locations(list(placed), self._question, local=local)
        ]

    async def _chunk_at(self, sha256: str, start: int) -> int:
        """Return the number, from 1, of the chunk that holds a place of the text."""
        chunks = await self._storage.chunks.list_chunks(sha256)
        return next((chunk.number + 1 for chunk in chunks if chunk.end > start), len(chunks) + 1)

    async def _wait(self, files: Sequence[FileState]) -> None:
        if files:
            await self._ingestor.wait_until_searchable({each.document.sha256 for each in files}, READ_TIMEOUT_S)

    async def _attached(self) -> list[FileState]:
        """Return the attached files that still exist."""
        found: list[FileState] = []
        for id in self._scope.files:
            try:
                found.append(await self._storage.files.get_file(self._scope.principal, id))
            except NotFound:
                continue
        return found

    async def _list_files(self) -> list[FileState]:
        """List the attached files, then those of the libraries, newest first."""
        files = await self._attached()
        for library in self._scope.libraries:
            try:
                listed = await self._storage.files.list_files(self._scope.principal, MAX_LISTED_FILES, library=library)
            except NotFound:
                continue
            files += listed.files
        return list({each.file.id: each for each in files}.values())
