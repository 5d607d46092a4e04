"""Reads whole documents for one answer: key sentences of each section for a tiny model, notes by any other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from eclair.documents.notes import NoteTaker
from eclair.documents.passages import MAX_CHUNKS, load_passages
from eclair.documents.quotes import make_quote
from eclair.documents.reading_budget import reading_budget
from eclair.documents.sections import (
    PASSAGE_OVERHEAD_CHARS,
    KeySentence,
    Section,
    choose_key_sentences,
    fit_sentences,
    split_sections,
)
from eclair.errors import UpstreamError
from eclair.generation.sources import Finding, Note, PassageNumbers, Quote
from eclair.generation.usage import AskModel
from eclair.llm.base import Engine
from eclair.schema.events import Notice, StepFinished, StepStarted
from eclair.schema.messages import Passage
from eclair.schema.models import Model
from eclair.storage.base import Storage
from eclair.storage.chunks import SearchScope
from eclair.storage.files import FileState
from eclair.text.intent.location import filter_photo_locations

MAX_SECTIONS = 64
MAX_LIBRARY_FILES = 20
"""A larger library is never read as a whole."""
MIN_SECTION_CHARS = 800
"""Each quote stands for at least this much text."""
MAX_QUOTES = 12
"""Sentences quoted in place of an answer about a whole document."""
NOTE_SENTENCE_CHARS = 150
"""Typical length of a sentence in a note."""

log = logging.getLogger(__name__)


class WholeDocumentReader:
    """Reads whole documents for one question. `passages` and `quotes` are what it found, the former numbered."""

    def __init__(
        self,
        storage: Storage,
        ask: AskModel,
        scope: SearchScope,
        question: str,
        numbers: PassageNumbers,
        clock: Callable[[], float],
    ) -> None:
        self.passages: list[Passage] = []
        self.quotes: list[Quote] = []
        self._storage = storage
        self._ask = ask
        self._scope = scope
        self._question = question
        self._numbers = numbers
        self._clock = clock

    async def list_files(self, files: Sequence[FileState], document_chars: int) -> list[FileState]:
        """List all files of the scope; none if its libraries are too large to be read for one answer."""
        found = list(files)
        for library in self._scope.libraries:
            listed = await self._storage.files.list_files(self._scope.principal, MAX_LIBRARY_FILES, library=library)
            found += sorted(listed.files, key=lambda each: each.file.name)
            if (
                listed.next is not None
                or sum(each.document.characters for each in found) > MAX_SECTIONS * document_chars
            ):
                return []
        return list({each.file.id: each for each in found}.values())

    async def read(
        self, files: Sequence[FileState], scope_name: str, engine: Engine, model: Model
    ) -> AsyncGenerator[Finding, None]:
        """Yield quotes or notes of every section in order; nothing if only the location of a photo was asked for."""
        whole = [
            filter_photo_locations(
                await load_passages(self._storage, each, MAX_CHUNKS // len(files)),
                self._question,
                local=model.location == "machine",
            )
            for each in files
        ]
        texts = [passages for passages in whole if passages]
        if not texts:
            return
        cut = sum(map(len, texts)) < sum(each.document.chunks for each in files)
        small = model.only_quotes
        room = reading_budget(model).document_chars
        parts = (
            await asyncio.to_thread(_split_for_quotes, texts)
            if small
            else await asyncio.to_thread(split_sections, texts, room)
        )
        read = parts[: MAX_QUOTES if small else MAX_SECTIONS]
        findings = (
            self._quote_sections(read, room, scope_name) if small else self._take_notes(read, room, engine, model)
        )
        async with aclosing(findings):
            async for finding in findings:
                yield finding
        if cut or len(read) < len(parts):
            yield Notice(
                "partly_read",
                f"{scope_name} is too long for one answer, which rests on the first {len(read)} "
                f"parts, up to {read[-1].title}; ask about the rest separately.",
            )

    async def _quote_sections(
        self, sections: Sequence[Section], max_chars: int, scope_name: str
    ) -> AsyncGenerator[Finding, None]:
        """Quote the key sentence of each section."""
        began = self._clock()
        yield StepStarted("parts", "read", f"Looking through {scope_name}")
        excerpts = fit_sentences(await asyncio.to_thread(choose_key_sentences, self._question, sections), max_chars)
        self.passages = self._numbers.assign(excerpts.passages)
        above = ""
        for section, stated in zip(sections, excerpts.stated, strict=True):
            for sentence in stated:
                passage = self._source_passage(sentence)
                title, above = section.title if section.title != above else "", section.title
                self.quotes.append(
                    make_quote(passage, sentence.start - passage.start, sentence.end - passage.start, title)
                )
        yield StepFinished("parts", round((self._clock() - began) * 1000, 1))

    async def _take_notes(
        self, sections: Sequence[Section], max_chars: int, engine: Engine, model: Model
    ) -> AsyncGenerator[Finding, None]:
        """Have the model take notes on each section."""
        notes = NoteTaker(self._ask, self._scope.principal, engine, model, self._question, self._clock)
        try:
            async with aclosing(
                notes.take_notes(sections, max_chars // (2 * NOTE_SENTENCE_CHARS + PASSAGE_OVERHEAD_CHARS))
            ) as steps:
                async for step in steps:
                    yield step
        except UpstreamError as error:
            log.warning("no notes could be taken: %s", error.message)
            return
        excerpts = fit_sentences(notes.stated, max_chars)
        self.passages = self._numbers.assign(excerpts.passages)
        for title, stated in zip(notes.titles, excerpts.stated, strict=True):
            lines = [f"- {sentence.text} [{self._source_passage(sentence).number}]" for sentence in stated]
            if lines:
                yield Note("\n".join([title, *lines]))

    def _source_passage(self, stated: KeySentence) -> Passage:
        """Return the numbered passage that a sentence is from."""
        return next(
            passage
            for passage in self.passages
            if passage.file == stated.passage.file and passage.start <= stated.start and stated.end <= passage.end
        )


def _split_for_quotes(texts: Sequence[Sequence[Passage]]) -> list[Section]:
    """Split into at most `MAX_QUOTES` sections, or one per file if there are more files."""
    most = max(MIN_SECTION_CHARS, sum(len(passage.text) for text in texts for passage in text) // MAX_QUOTES)
    parts = split_sections(texts, most)
    while len(parts) > max(MAX_QUOTES, len(texts)):
        most += most // 4
        parts = split_sections(texts, most)
    return parts
