"""Gathers what an answer can rest on: the passages of the files and libraries that go along with a conversation.

A document that the model reads whole at little cost is given whole; of others the passages that fit the question, or
where that is on the whole, notes on every part. Passages keep their numbers for the whole conversation. What is said of
them is checked by `citations`.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from eclair.citations.checker import CitationChecker
from eclair.documents.embeddings import Embedder
from eclair.documents.ingest import Ingestor, is_pending
from eclair.documents.notes import NoteTaker
from eclair.documents.passages import file_passages, found_passage
from eclair.documents.quotes import choose_quotes, make_quote
from eclair.documents.reading_budget import ReadingBudget, reading_budget
from eclair.documents.relevance import CALIBRATED_EMBEDDER, may_answer, nothing_found_text, passage_cosines
from eclair.documents.search import DocumentSearch, FoundChunk
from eclair.documents.sections import (
    PASSAGE_OVERHEAD_CHARS,
    KeySentence,
    Section,
    choose_key_sentences,
    fit_sentences,
    split_sections,
)
from eclair.errors import NotFound, StoreError, UnreadableFile, UpstreamError
from eclair.generation.sources import NO_LEAD, Finding, Lead, Note, PassageNumbers, Quote
from eclair.generation.usage import AskModel
from eclair.llm.base import Engine
from eclair.schema.events import Notice, SourceFound, StepFinished, StepStarted
from eclair.schema.messages import Attachment, LibraryName, Message, Passage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.chunks import SearchScope
from eclair.storage.files import FileState
from eclair.text.intent.location import filter_photo_locations
from eclair.text.intent.whole_document import wants_whole_document
from eclair.text.language import identify_language, lists_language

READ_TIMEOUT_S = 20.0
"""How long an answer waits for the first pages of a document."""
EMBED_TIMEOUT_S = 15.0
"""How long `wait_until_read` waits for embeddings once the text is read."""
POLL_INTERVAL_S = 0.1
MIN_QUERY_WORDS = 5
"""A shorter question is searched for together with the one before."""
MAX_CHUNKS = 10_000
"""Chunks read for one answer: about two thousand pages."""
MAX_SECTIONS = 64
MAX_LIBRARY_FILES = 20
"""A larger library is never read as a whole."""
MIN_SECTION_CHARS = 800
"""Each quote stands for at least this much text."""
MIN_ROW_CHARS = 100
"""Passages of a table are rarely shorter."""
MAX_QUOTES = 12
"""Sentences quoted in place of an answer about a whole document."""
NOTE_SENTENCE_CHARS = 150
"""Typical length of a sentence in a note."""

_ASKS = re.compile(r"[?？؟;]")

log = logging.getLogger(__name__)


class DocumentService:
    """Looks up what goes along with a question, and makes the retriever of its answer."""

    def __init__(
        self, storage: Storage, search: DocumentSearch, ingestor: Ingestor, embedder: Embedder | None, ask: AskModel
    ) -> None:
        self._storage = storage
        self._search = search
        self._ingestor = ingestor
        self._embedder = embedder
        self._ask = ask

    async def get_attachments(self, principal: Principal, files: Sequence[str]) -> tuple[Attachment, ...]:
        """Raises NotFound."""
        found = [(await self._storage.files.get_file(principal, id)).file for id in dict.fromkeys(files)]
        return tuple(Attachment(file.id, file.name, file.size, file.media) for file in found)

    async def wait_until_read(self, principal: Principal, files: Sequence[str]) -> AsyncGenerator[FileState, None]:
        """Until all of these are read and, for a while, embedded: how far the one is that is waited for, now and again.
        Raises NotFound, UnreadableFile for one that cannot be read, StoreError where nothing can be for now."""
        until: float | None = None
        while True:
            states = [await self._storage.files.get_file(principal, id) for id in files]
            for fault in (each.document.fault for each in states):
                if fault is not None:
                    raise UnreadableFile(fault.message)
            waiting = [each for each in states if not _ready(each)]
            if waiting and self._ingestor.read_error is not None:
                raise StoreError(self._ingestor.read_error)
            if not waiting:
                until = until or time.monotonic() + EMBED_TIMEOUT_S
                if time.monotonic() < until and self._ingestor.has_embedder and self._ingestor.embed_error is None:
                    waiting = [each for each in states if each.document.embedded < each.document.chunks]
            if not waiting:
                return
            yield waiting[0]
            await asyncio.sleep(POLL_INTERVAL_S)

    async def get_libraries(self, principal: Principal, names: Sequence[str]) -> tuple[LibraryName, ...]:
        """Those of these names or ids. Raises NotFound."""
        found: list[LibraryName] = []
        for name in dict.fromkeys(names):
            by_id = name.startswith("lib_")
            library = await (
                self._storage.libraries.get_library if by_id else self._storage.libraries.get_library_by_name
            )(principal, name)
            found.append(LibraryName(library.id, library.name))
        return tuple(found)

    def make_retriever(
        self, principal: Principal, history: Sequence[Message], numbers: PassageNumbers | None = None
    ) -> DocumentRetriever | None:
        """For an answer to the last question; None where no file or library goes along with the conversation."""
        files = dict.fromkeys(file.id for message in history for file in message.files)
        libraries = dict.fromkeys(library.id for message in history for library in message.libraries)
        if not files and not libraries:
            return None
        scope = SearchScope(principal, tuple(files), tuple(libraries))
        collaborators = (self._storage, self._search, self._ingestor, self._embedder, self._ask)
        return DocumentRetriever(*collaborators, scope, history, numbers or PassageNumbers(history))


class DocumentRetriever:
    """Implements `Retriever` for one answer. `history` ends with the question."""

    def __init__(
        self,
        storage: Storage,
        search: DocumentSearch,
        ingestor: Ingestor,
        embedder: Embedder | None,
        ask: AskModel,
        scope: SearchScope,
        history: Sequence[Message],
        numbers: PassageNumbers,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._storage = storage
        self._search = search
        self._ingestor = ingestor
        self._embedder = embedder
        self._ask = ask
        self._scope = scope
        self._history = history
        self._numbers = numbers
        self._clock = clock
        self._passages: list[Passage] = []
        self._hits: Sequence[FoundChunk] | None = None
        self._fits = True
        self._quotes: list[Quote] = []

    async def retrieve(self, engine: Engine, model: Model) -> AsyncGenerator[Finding, None]:
        """Wait until something is read, search, and give the passages, best first or a whole document in its order."""
        files = await self._files()
        waiting = {each.document.sha256: each.file.name for each in files if is_pending(each.document)}
        if waiting:
            began = self._clock()
            yield StepStarted("read", "read", f"Reading {_names(list(waiting.values()))}")
            await self._ingestor.wait_until_searchable(set(waiting), READ_TIMEOUT_S)
            yield StepFinished("read", self._since(began))
            files = await self._files()
        most = reading_budget(model)
        if wants_whole_document(_question(self._history)) and await self._whole_files(files, most) is None:
            read = await self._everything(files, MAX_SECTIONS * most.document_chars)
            async with aclosing(self._part_by_part(read, engine, model)) as findings:
                async for finding in findings:
                    yield finding
            files = read or files
        if not self._passages:
            began = self._clock()
            yield StepStarted("search", "search", f"Searching {self._what(files)}")
            found = filter_photo_locations(
                await self._found(files, most), _question(self._history), local=model.location == "machine"
            )
            self._passages = self._numbers.assign(found)
            self._fits = bool(self._passages) and await self._fitting(files, model)
            yield StepFinished("search", self._since(began))
        for passage in self._passages:
            yield SourceFound(passage)
        for remark in self._remarks(files):
            yield remark

    async def certain_passages(self, model: Model) -> list[Passage]:
        """Return the passages that will be shown whatever is asked: those of files that are given whole."""
        files = await self._files()
        whole = await self._whole_files(files, reading_budget(model)) or ()
        return self._numbers.assign(
            filter_photo_locations(whole, _question(self._history), local=model.location == "machine")
        )

    async def lead(self, model: Model) -> Lead:
        """Quote the sentences that answer best where the model is too small to be trusted, or say that none does.

        A small model would only repeat what is quoted from every part, guess where nothing answers, and babble in a
        language that it does not know: then it is not asked.
        """
        if self._quotes:
            return Lead(tuple(self._quotes), is_complete=True)
        if model.tier != "tiny":
            return NO_LEAD
        question = _question(self._history)
        language = identify_language(question)
        if not self._fits:
            return Lead((nothing_found_text(language),), is_complete=True)
        is_foreign = language is not None and bool(model.languages) and not lists_language(model.languages, language)
        found = await choose_quotes(question, self._passages, self._embedder, 2 if is_foreign else 1)
        return Lead(tuple(found), is_complete=is_foreign and bool(found))

    def checker(self, passages: Sequence[Passage]) -> CitationChecker:
        return CitationChecker(passages, self._embedder, _question(self._history))

    async def _files(self) -> list[FileState]:
        """The files that were attached, as far as they are still there."""
        files: list[FileState] = []
        for id in self._scope.files:
            try:
                files.append(await self._storage.files.get_file(self._scope.principal, id))
            except NotFound:
                continue
        return files

    def _what(self, files: Sequence[FileState]) -> str:
        known = {library.id: library.name for message in self._history for library in message.libraries}
        attached = [each.file.name for each in files if each.file.id in self._scope.files]
        return _names([*attached, *(known[id] for id in self._scope.libraries)])

    async def _found(self, files: Sequence[FileState], most: ReadingBudget) -> list[Passage]:
        """Passages without their numbers."""
        if (whole := await self._whole_files(files, most)) is not None:
            return whole
        found = self._hits = await self._search.find(self._scope, _query(self._history), most.passages)
        passages = [found_passage(each) for each in found]
        if not found:
            return []
        sheet = await self._sheet(found[0], most.document_chars // 2)
        places = {(passage.file, passage.start) for passage in sheet}
        return [*sheet, *(each for each in passages if (each.file, each.start) not in places)]

    async def _fitting(self, files: Sequence[FileState], model: Model) -> bool:
        """Whether anything that was found may answer. A larger model that is shown all there is sees that by itself;
        and what it is told to do, rather than asked, need have no word of what it rests on."""
        query, small = _query(self._history), model.tier == "tiny"
        if wants_whole_document(_question(self._history)) or (
            not small and (self._hits is None or not _ASKS.search(query))
        ):
            return True
        cosines = None
        if (
            self._embedder is not None
            and self._embedder.name.startswith(CALIBRATED_EMBEDDER)
            and await self._embedded(files)
        ):
            cosines = passage_cosines(
                self._hits or await self._search.find(self._scope, query, reading_budget(model).passages)
            )
        return await asyncio.to_thread(may_answer, query, self._passages, cosines or None)

    async def _embedded(self, files: Sequence[FileState]) -> bool:
        """Whether everything that is searched is found by its meaning too."""
        if any(not _ready(each) or each.document.embedded < each.document.chunks for each in files):
            return False
        libraries = await self._storage.libraries.list_libraries(self._scope.principal) if self._scope.libraries else []
        chosen = [each for each in libraries if each.library.id in self._scope.libraries]
        return all(each.waiting == 0 and each.embedded == each.chunks for each in chosen)

    async def _sheet(self, found: FoundChunk, most: int) -> list[Passage]:
        """The passages of the sheet on which a row was found, where it has no more than `most` characters: what is
        asked of a table may rest on all of its rows. Else that of the row alone."""
        chunk = found.chunk
        pages = await self._storage.documents.list_pages_at(chunk.document, chunk.start, chunk.end)
        if len(pages) == 1 and len(pages[0].page.text) <= most and any(b.kind == "row" for b in pages[0].page.blocks):
            start, end = pages[0].start, pages[0].start + len(pages[0].page.text)
            near = most // MIN_ROW_CHARS
            chunks = await self._storage.chunks.list_chunks(
                chunk.document, max(0, chunk.number - near), chunk.number + near
            )
            return [found_passage(replace(found, chunk=each)) for each in chunks if start <= each.start < end]
        return [found_passage(found)]

    async def _everything(self, files: Sequence[FileState], most: int) -> list[FileState]:
        """All files of the scope; none where libraries are among them and it is too much to be read for one answer."""
        found = list(files)
        for library in self._scope.libraries:
            listed = await self._storage.files.list_files(self._scope.principal, MAX_LIBRARY_FILES, library=library)
            found += sorted(listed.files, key=lambda each: each.file.name)
            if listed.next is not None or sum(each.document.characters for each in found) > most:
                return []
        return list({each.file.id: each for each in found}.values())

    async def _part_by_part(
        self, files: Sequence[FileState], engine: Engine, model: Model
    ) -> AsyncGenerator[Finding, None]:
        """Passages of every part in order; none where nothing could be found out, and the question is on a place."""
        question = _question(self._history)
        whole = [
            filter_photo_locations(
                await self._whole(each, MAX_CHUNKS // len(files)), question, local=model.location == "machine"
            )
            for each in files
        ]
        texts = [passages for passages in whole if passages]
        if not texts:
            return
        cut = sum(map(len, texts)) < sum(each.document.chunks for each in files)
        small = model.tier == "tiny"
        room = reading_budget(model).document_chars
        parts = await asyncio.to_thread(_few, texts) if small else await asyncio.to_thread(split_sections, texts, room)
        read = parts[: MAX_QUOTES if small else MAX_SECTIONS]
        findings = self._tell(read, room, self._what(files)) if small else self._note(read, room, engine, model)
        async with aclosing(findings):
            async for finding in findings:
                yield finding
        if cut or len(read) < len(parts):
            yield Notice(
                "partly_read",
                f"{self._what(files)} is too long for one answer, which rests on the first {len(read)} parts, up to "
                f"{read[-1].title}; ask about what follows by itself.",
            )

    async def _tell(self, parts: Sequence[Section], room: int, what: str) -> AsyncGenerator[Finding, None]:
        """Have what tells most in each part quoted."""
        began = self._clock()
        yield StepStarted("parts", "read", f"Looking through {what}")
        shown = fit_sentences(await asyncio.to_thread(choose_key_sentences, _question(self._history), parts), room)
        self._passages = self._numbers.assign(shown.passages)
        above = ""
        for part, stated in zip(parts, shown.stated, strict=True):
            for one in stated:
                passage = self._resting(one)
                title, above = part.title if part.title != above else "", part.title
                self._quotes.append(make_quote(passage, one.start - passage.start, one.end - passage.start, title))
        yield StepFinished("parts", self._since(began))

    async def _note(
        self, parts: Sequence[Section], room: int, engine: Engine, model: Model
    ) -> AsyncGenerator[Finding, None]:
        """Have the model take notes on each part."""
        notes = NoteTaker(self._ask, self._scope.principal, engine, model, _question(self._history), self._clock)
        try:
            async with aclosing(
                notes.take_notes(parts, room // (2 * NOTE_SENTENCE_CHARS + PASSAGE_OVERHEAD_CHARS))
            ) as steps:
                async for step in steps:
                    yield step
        except UpstreamError as error:
            log.warning("no notes could be taken: %s", error.message)
            return
        shown = fit_sentences(notes.stated, room)
        self._passages = self._numbers.assign(shown.passages)
        for title, stated in zip(notes.titles, shown.stated, strict=True):
            lines = [f"- {one.text} [{self._resting(one).number}]" for one in stated]
            if lines:
                yield Note("\n".join([title, *lines]))

    def _resting(self, stated: KeySentence) -> Passage:
        """The passage on which a sentence rests, under its number."""
        return next(
            passage
            for passage in self._passages
            if passage.file == stated.passage.file and passage.start <= stated.start and stated.end <= passage.end
        )

    async def _whole_files(self, files: Sequence[FileState], most: ReadingBudget) -> list[Passage] | None:
        """All that there is to know, where the model may be shown it; None where it has to be searched."""
        characters = sum(each.document.characters for each in files)
        if not files or self._scope.libraries or characters > most.document_chars or not all(map(_ready, files)):
            return None
        return [passage for each in files for passage in await self._whole(each)]

    async def _whole(self, file: FileState, most: int = MAX_CHUNKS) -> list[Passage]:
        """The file's passages in order, as many as `most` chunks."""
        sha256 = file.document.sha256
        chunks = await self._storage.chunks.list_chunks(sha256, 0, most - 1)
        pages = await self._storage.documents.list_pages(sha256, chunks[0].page) if chunks else []
        return file_passages(file.file, chunks, pages)

    def _remarks(self, files: Sequence[FileState]) -> list[Notice]:
        """What of the files the answer cannot rest on."""
        remarks: list[Notice] = []
        for each in files:
            state = each.document
            if state.fault is not None:
                remarks.append(Notice("unread", state.fault.message))
            elif not _ready(each):
                pages = f"{state.pages_read:,} of {state.pages:,}" if state.pages else f"{state.pages_read:,}"
                remarks.append(Notice("partly_read", f"Of {each.file.name} {pages} pages were read so far."))
        if not self._fits:
            remarks.append(Notice("nothing_found", "Nothing in the documents fits the question."))
        return remarks

    def _since(self, began: float) -> float:
        return round((self._clock() - began) * 1000, 1)


def _few(texts: Sequence[Sequence[Passage]]) -> list[Section]:
    """As many parts as are quoted, or fewer; more only where there are more files."""
    most = max(MIN_SECTION_CHARS, sum(len(passage.text) for text in texts for passage in text) // MAX_QUOTES)
    parts = split_sections(texts, most)
    while len(parts) > max(MAX_QUOTES, len(texts)):
        most += most // 4
        parts = split_sections(texts, most)
    return parts


def _query(history: Sequence[Message]) -> str:
    """What is searched for: the question, and where it is short what was asked before."""
    asked = [message.text for message in history if message.role == "user"]
    return "\n".join(asked[-2:]) if len(asked[-1].split()) < MIN_QUERY_WORDS else asked[-1]


def _question(history: Sequence[Message]) -> str:
    return next(message.text for message in reversed(history) if message.role == "user")


def _ready(file: FileState) -> bool:
    return file.document.state == "ready"


def _names(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more"
