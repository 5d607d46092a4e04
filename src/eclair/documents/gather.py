"""Gathers what an answer can rest on: the passages of the files and libraries that go along with a conversation.

A document that the model reads whole at little cost is given whole; of others the passages that fit the question.
Passages keep their numbers for the whole conversation. What is said of them is checked by `citations`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace

from eclair.citations import Checker
from eclair.documents.embedding import Embedder
from eclair.documents.intake import Intake, is_unknown
from eclair.documents.quoting import quotes
from eclair.documents.search import Found, Search
from eclair.engines.base import Model
from eclair.errors import NotFound, StoreError, UnreadableFile
from eclair.events import Remarked, SourceFound, StepFinished, StepStarted
from eclair.grounds import Finding, Quoted
from eclair.messages import Attachment, LibraryName, Message, Passage
from eclair.store.documents import DocumentStore, FileState, Scope

WAIT = 20.0
"""Seconds for which an answer waits for something of a document to be read."""
PATIENCE = 15.0
"""Seconds for which files that were read are waited for until they are found by meaning too."""
GLANCE = 0.1
"""Seconds between two looks at how far files are."""
SHORT = 5
"""Words below which a question is searched for together with the one before."""
SMALL = 1.0
"""Billions of parameters below which a model reads few passages well, and is not trusted to answer by itself."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How many passages a model is shown, and how many characters of a document it is given whole."""

    passages: int
    whole: int


def budget(model: Model) -> Budget:
    """Few and short ones for a small model, more for a large one, never more than a good half of its window."""
    size = model.active or model.parameters or 4.0
    window = 4 * (model.context or 32_000)
    if size < SMALL:
        return Budget(4, min(3_600, window // 4))
    passages = 8 if size < 10 else 12
    return Budget(min(passages, max(2, window // 2 // 1000)), min(window // 3, 6_000 if size < 2 else 48_000))


class Documents:
    """What turns ask of documents: what goes along with a question, and the grounds of its answer."""

    def __init__(self, store: DocumentStore, search: Search, intake: Intake, embedder: Embedder | None) -> None:
        self._store = store
        self._search = search
        self._intake = intake
        self._embedder = embedder

    async def attachments(self, owner: str, files: Sequence[str]) -> tuple[Attachment, ...]:
        """Raises NotFound."""
        found = [(await self._store.file(owner, id)).file for id in dict.fromkeys(files)]
        return tuple(Attachment(file.id, file.name, file.size, file.media) for file in found)

    async def until_read(self, owner: str, files: Sequence[str]) -> AsyncGenerator[FileState, None]:
        """Until all of these are read and, for a while, embedded: how far the one is that is waited for, now and again.
        Raises NotFound, UnreadableFile for one that cannot be read, StoreError where nothing can be for now."""
        until: float | None = None
        while True:
            states = [await self._store.file(owner, id) for id in files]
            for fault in (each.document.fault for each in states):
                if fault is not None:
                    raise UnreadableFile(fault.message)
            waiting = [each for each in states if not _ready(each)]
            if waiting and self._intake.unread is not None:
                raise StoreError(self._intake.unread)
            if not waiting:
                until = until or time.monotonic() + PATIENCE
                if time.monotonic() < until and self._intake.embeds and self._intake.unembedded is None:
                    waiting = [each for each in states if each.document.embedded < each.document.chunks]
            if not waiting:
                return
            yield waiting[0]
            await asyncio.sleep(GLANCE)

    async def libraries(self, owner: str, names: Sequence[str]) -> tuple[LibraryName, ...]:
        """Those of these names or ids. Raises NotFound."""
        found: list[LibraryName] = []
        for name in dict.fromkeys(names):
            by_id = name.startswith("lib_")
            library = await (self._store.library if by_id else self._store.library_named)(owner, name)
            found.append(LibraryName(library.id, library.name))
        return tuple(found)

    def grounds(self, owner: str, history: Sequence[Message]) -> DocumentGrounds | None:
        """Those of an answer to the last question; None where no file or library goes along with the conversation."""
        files = dict.fromkeys(file.id for message in history for file in message.files)
        libraries = dict.fromkeys(library.id for message in history for library in message.libraries)
        if not files and not libraries:
            return None
        scope = Scope(owner, tuple(files), tuple(libraries))
        return DocumentGrounds(self._store, self._search, self._intake, self._embedder, scope, history)


class DocumentGrounds:
    """The grounds of one answer, as `assistant.Grounds` has it. `history` ends with the question."""

    def __init__(
        self,
        store: DocumentStore,
        search: Search,
        intake: Intake,
        embedder: Embedder | None,
        scope: Scope,
        history: Sequence[Message],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._store = store
        self._search = search
        self._intake = intake
        self._embedder = embedder
        self._scope = scope
        self._history = history
        self._clock = clock
        self._passages: list[Passage] = []

    async def gather(self, model: Model) -> AsyncGenerator[Finding, None]:
        """Wait until something is read, search, and give the passages, best first or a whole document in its order."""
        files = await self._files()
        waiting = {each.document.sha256: each.file.name for each in files if is_unknown(each.document)}
        if waiting:
            began = self._clock()
            yield StepStarted("read", "read", f"Reading {_names(list(waiting.values()))}")
            await self._intake.wait(set(waiting), WAIT)
            yield StepFinished("read", self._since(began))
            files = await self._files()
        began = self._clock()
        yield StepStarted("search", "search", f"Searching {self._what(files)}")
        self._passages = self._numbered(await self._found(files, budget(model)))
        yield StepFinished("search", self._since(began))
        for passage in self._passages:
            yield SourceFound(passage)
        for remark in self._remarks(files):
            yield remark

    async def certain(self, model: Model) -> list[Passage]:
        """The passages that will be shown whatever is asked: those of files that are given whole."""
        files = await self._files()
        return self._numbered(await self._whole_files(files, budget(model)) or ())

    async def lead(self, model: Model) -> Sequence[Quoted]:
        """The sentences that answer best, where the model is too small to be trusted with that."""
        size = model.active or model.parameters
        if size is None or size >= SMALL or not self._passages:
            return ()
        return await quotes(_question(self._history), self._passages, self._embedder)

    def checker(self, passages: Sequence[Passage]) -> Checker:
        return Checker(passages, self._embedder, _question(self._history))

    async def _files(self) -> list[FileState]:
        """The files that were attached, as far as they are still there."""
        files: list[FileState] = []
        for id in self._scope.files:
            try:
                files.append(await self._store.file(self._scope.owner, id))
            except NotFound:
                continue
        return files

    def _what(self, files: Sequence[FileState]) -> str:
        known = {library.id: library.name for message in self._history for library in message.libraries}
        return _names([*(each.file.name for each in files), *(known[id] for id in self._scope.libraries)])

    async def _found(self, files: Sequence[FileState], most: Budget) -> list[Passage]:
        """Passages without their numbers."""
        if (whole := await self._whole_files(files, most)) is not None:
            return whole
        found = await self._search.find(self._scope, _query(self._history), most.passages)
        return [_passage(each) for each in found]

    async def _whole_files(self, files: Sequence[FileState], most: Budget) -> list[Passage] | None:
        """All that there is to know, where the model may be shown it; None where it has to be searched."""
        characters = sum(each.document.characters for each in files)
        if not files or self._scope.libraries or characters > most.whole or not all(map(_ready, files)):
            return None
        return [passage for each in files for passage in await self._whole(each)]

    async def _whole(self, file: FileState) -> list[Passage]:
        chunks = await self._store.chunks(file.document.sha256)
        labels = {stored.page.number: stored.page for stored in await self._store.pages(file.document.sha256)}
        return [
            Passage(
                number=0,
                file=file.file.id,
                name=file.file.name,
                page=chunk.page,
                label=labels[chunk.page].label,
                heading=chunk.heading,
                start=chunk.start,
                end=chunk.end,
                text=chunk.text,
                member=labels[chunk.page].member,
            )
            for chunk in chunks
        ]

    def _numbered(self, passages: Sequence[Passage]) -> list[Passage]:
        """Each passage under the number that it had in the conversation, or the next one."""
        known = {(old.file, old.start, old.end): old.number for message in self._history for old in message.passages}
        next = max(known.values(), default=0)
        numbered: list[Passage] = []
        for passage in passages:
            place = (passage.file, passage.start, passage.end)
            if place not in known:
                next += 1
                known[place] = next
            numbered.append(replace(passage, number=known[place]))
        return numbered

    def _remarks(self, files: Sequence[FileState]) -> list[Remarked]:
        """What of the files the answer cannot rest on."""
        remarks: list[Remarked] = []
        for each in files:
            state = each.document
            if state.fault is not None:
                remarks.append(Remarked("unread", state.fault.message))
            elif not _ready(each):
                pages = f"{state.pages_read:,} of {state.pages:,}" if state.pages else f"{state.pages_read:,}"
                remarks.append(Remarked("partly_read", f"Of {each.file.name} {pages} pages were read so far."))
        if not self._passages:
            remarks.append(Remarked("nothing_found", "Nothing in the documents fits the question."))
        return remarks

    def _since(self, began: float) -> float:
        return round((self._clock() - began) * 1000, 1)


def _passage(found: Found) -> Passage:
    chunk = found.chunk
    return Passage(
        number=0,
        file=found.file,
        name=found.name,
        page=chunk.page,
        label=found.label,
        heading=chunk.heading,
        start=chunk.start,
        end=chunk.end,
        text=chunk.text,
        member=found.member,
    )


def _query(history: Sequence[Message]) -> str:
    """What is searched for: the question, and where it is short what was asked before."""
    asked = [message.text for message in history if message.role == "user"]
    return "\n".join(asked[-2:]) if len(asked[-1].split()) < SHORT else asked[-1]


def _question(history: Sequence[Message]) -> str:
    return next(message.text for message in reversed(history) if message.role == "user")


def _ready(file: FileState) -> bool:
    return file.document.state == "ready"


def _names(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more"
