"""Finds the files and libraries of messages, and makes the retriever of an answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence

from eclair.accounts.rights import OPEN_RULES, RightRules
from eclair.citations.checker import CitationChecker
from eclair.documents.document_lookup import DocumentLookup
from eclair.documents.document_search import DocumentSearch
from eclair.documents.embeddings import Embedder
from eclair.documents.ingest import Ingestor
from eclair.documents.read_ahead import ReadAhead
from eclair.documents.readings import READ_AS_USUAL, ReadingOptions, Readings
from eclair.documents.retriever import DocumentRetriever
from eclair.errors import StoreError, UnreadableFile
from eclair.generation.sources import PassageNumbers
from eclair.generation.usage import AskModel
from eclair.schema.messages import Attachment, LibraryName, Message, Passage
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.chunks import SearchScope
from eclair.storage.files import FileState
from eclair.text.intent.whole_document import asks_each_file, compares_documents, wants_whole_document

EMBED_TIMEOUT_S = 10.0
"""The time that `wait_until_read` waits for embeddings once the text is read."""
MAX_AWAITED_CHUNKS = 100
"""It doesn't wait for more: two slow cores embed so many in that time."""
POLL_INTERVAL_S = 0.1


class DocumentService:
    """Finds the files and libraries of messages, and makes the retriever of an answer."""

    def __init__(
        self,
        storage: Storage,
        search: DocumentSearch,
        ingestor: Ingestor,
        embedder: Embedder | None,
        ask: AskModel,
        rights: RightRules = OPEN_RULES,
    ) -> None:
        self._rights = rights
        self._storage = storage
        self._search = search
        self._ingestor = ingestor
        self._embedder = embedder
        self._ask = ask
        self.readings = Readings()
        self._read_ahead = ReadAhead()

    async def get_attachments(self, principal: Principal, files: Sequence[str]) -> tuple[Attachment, ...]:
        """Return files as attachments of a message. Raises NotFound."""
        found = [(await self._storage.files.get_file(principal, id)).file for id in dict.fromkeys(files)]
        return tuple(Attachment(file.id, file.name, file.size, file.media) for file in found)

    async def wait_until_read(self, principal: Principal, files: Sequence[str]) -> AsyncGenerator[FileState, None]:
        """Wait until the files are read and, for a while, embedded; yield the file waited for as it progresses.

        Raises NotFound, UnreadableFile for a file that can't be read, and StoreError while none can be read.
        """
        until: float | None = None
        while True:
            states = [await self._storage.files.get_file(principal, id) for id in files]
            for fault in (each.document.fault for each in states):
                if fault is not None:
                    raise UnreadableFile(fault.message)
            waiting = [each for each in states if each.document.state != "ready"]
            if waiting and self._ingestor.read_error is not None:
                raise StoreError(self._ingestor.read_error)
            if not waiting:
                until = until or time.monotonic() + EMBED_TIMEOUT_S
                if (
                    time.monotonic() < until
                    and self._ingestor.embedding.is_enabled
                    and self._ingestor.embedding.error is None
                ):
                    missing = sum(each.document.chunks - each.document.embedded for each in states)
                    if missing <= MAX_AWAITED_CHUNKS:
                        waiting = [each for each in states if each.document.embedded < each.document.chunks]
            if not waiting:
                return
            yield waiting[0]
            await asyncio.sleep(POLL_INTERVAL_S)

    async def get_libraries(self, principal: Principal, names: Sequence[str]) -> tuple[LibraryName, ...]:
        """Return libraries by name or id. Raises NotFound and RightMissing."""
        found: list[LibraryName] = []
        for name in dict.fromkeys(names):
            by_id = name.startswith("lib_")
            library = await (
                self._storage.libraries.get_library if by_id else self._storage.libraries.get_library_by_name
            )(principal, name)
            sentence = f"Your account may not use the library {library.name!r}; ask an administrator."
            self._rights.require(principal, f"library:{library.id}", sentence)
            found.append(LibraryName(library.id, library.name))
        return tuple(found)

    async def has_files(self, principal: Principal, library: str) -> bool:
        """Return whether there is anything to search in a library. Raises NotFound."""
        return bool((await self._storage.files.list_files(principal, 1, library=library)).files)

    def make_retriever(
        self,
        principal: Principal,
        history: Sequence[Message],
        numbers: PassageNumbers | None = None,
        options: ReadingOptions = READ_AS_USUAL,
        *,
        gives_way: bool = False,
        is_stored: bool = True,
    ) -> DocumentRetriever | None:
        """Make the retriever for the last question; None if the conversation has no files or libraries.

        Nothing is read ahead for a conversation unless it `is_stored`, or will be.
        One that `gives_way` leaves it to a model that can look up by itself to search again with other words.
        """
        scope = self._find_scope(principal, history)
        if scope is None:
            return None
        if own := _own_files(history):
            scope = SearchScope(principal, own)
        collaborators = (self._storage, self._search, self._ingestor, self._embedder, self._ask)
        numbers = numbers or PassageNumbers(history)
        ahead = self._read_ahead if is_stored else ReadAhead()
        return DocumentRetriever(
            *collaborators, scope, history, numbers, self.readings, options, ahead, gives_way=gives_way
        )

    def has_scope(self, principal: Principal, history: Sequence[Message]) -> bool:
        """Return whether a conversation has files or libraries to search."""
        return self._find_scope(principal, history) is not None

    def make_lookup(self, principal: Principal, history: Sequence[Message]) -> DocumentLookup | None:
        """Make what looks up passages for the last question; None if there are no files or libraries."""
        scope = self._find_scope(principal, history)
        if scope is None:
            return None
        known = {library.id: library.name for message in history for library in message.libraries}
        question = next((message.text for message in reversed(history) if message.role == "user"), "")
        names = [known[id] for id in scope.libraries if id in known]
        return DocumentLookup(self._storage, self._search, self._ingestor, scope, question, names)

    def checker(self, question: str, passages: Sequence[Passage]) -> CitationChecker:
        """Make the checker of an answer to this question."""
        return CitationChecker(passages, self._embedder, question)

    def _find_scope(self, principal: Principal, history: Sequence[Message]) -> SearchScope | None:
        """Return the files and libraries of a conversation that its person may search; None if there are none."""
        files = dict.fromkeys(file.id for message in history for file in message.files)
        named = dict.fromkeys(library.id for message in history for library in message.libraries)
        libraries = [id for id in named if self._rights.may(principal, f"library:{id}")]
        return SearchScope(principal, tuple(files), tuple(libraries)) if files or libraries else None


def _own_files(history: Sequence[Message]) -> tuple[str, ...]:
    """Return the files of a question about the whole of them, as `compare these two`; none if it is about others."""
    asked = next((message for message in reversed(history) if message.role == "user"), None)
    if asked is None or not asked.files:
        return ()
    compares = compares_documents(asked.text) or asks_each_file(asked.text)
    is_about_them = len(asked.files) > 1 if compares else wants_whole_document(asked.text)
    return tuple(dict.fromkeys(file.id for file in asked.files)) if is_about_them else ()
