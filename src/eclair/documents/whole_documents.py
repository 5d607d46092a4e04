"""Reads whole documents for one answer: key sentences of each section for a tiny model, notes by any other.

Whatever a program can find in all of the text, it finds itself: dates and amounts to list, and how two documents
differ.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing

from eclair.documents.document_finder import DocumentFinder, count_pages, source_passage
from eclair.documents.document_relevance import reply_language
from eclair.documents.document_search import DocumentSearch
from eclair.documents.listings import item_list
from eclair.documents.notes import NoteTaker
from eclair.documents.passages import MAX_CHUNKS, found_passage, load_passages
from eclair.documents.quotes import make_quote
from eclair.documents.reading_budget import reading_budget
from eclair.documents.reading_plan import ReadingPlan, plan_reading
from eclair.documents.readings import ReadingOptions, Readings
from eclair.documents.sections import (
    PASSAGE_OVERHEAD_CHARS,
    Section,
    choose_key_sentences,
    digest_sections,
    fit_sentences,
    merge_sections,
    narrow_section,
    split_sections,
)
from eclair.errors import UpstreamError
from eclair.generation.sources import NO_LEAD, Finding, Lead, Note, PassageNumbers, Quote
from eclair.generation.usage import AskModel
from eclair.llm.base import Engine
from eclair.schema.events import Notice, SectionRead, StepFinished, StepStarted, decode
from eclair.schema.messages import Passage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.chunks import SearchScope
from eclair.storage.files import FileState
from eclair.text.intent.location import filter_photo_locations
from eclair.text.intent.whole_document import compares_documents, listed_kind, subject_stems

MAX_LIBRARY_FILES = 300
"""A larger library is never read as a whole."""

MANY_FILES = 3
"""From here on notes are taken and listed by file."""

PASSAGES_PER_FILE = 2
MIN_FILE_CHARS = 240
"""The least share of a file: a sentence or two."""

SURVEY_FACTOR = 2
"""So many times the usual budget is read at once before notes are taken, which cost more and lose more."""

MAX_LISTED_CHARS = 400_000
MIN_SECTION_CHARS = 800
"""Each quote stands for at least this much text."""
MAX_NAMED_ENDS = 3
"""Files that are said to be cut."""
MAX_QUOTES = 12
"""Sentences quoted in place of an answer about a whole document."""

log = logging.getLogger(__name__)


class WholeDocumentReader:
    """Reads whole documents for one question. `passages` are what it found, numbered; `lead` begins the answer."""

    def __init__(
        self,
        storage: Storage,
        ask: AskModel,
        scope: SearchScope,
        question: str,
        numbers: PassageNumbers,
        readings: Readings,
        options: ReadingOptions,
        clock: Callable[[], float],
    ) -> None:
        self.passages: list[Passage] = []
        self.lead = NO_LEAD
        self._storage = storage
        self._ask = ask
        self._scope = scope
        self._question = question
        self._numbers = numbers
        self._readings = readings
        self._options = options
        self._clock = clock

    async def list_files(self, files: Sequence[FileState]) -> list[FileState] | None:
        """List all files of the scope; None if its libraries have too many to be read for one answer."""
        found = list(files)
        for library in self._scope.libraries:
            listed = await self._storage.files.list_files(self._scope.principal, MAX_LIBRARY_FILES, library=library)
            found += sorted(listed.files, key=lambda each: each.file.name)
            if listed.next is not None or sum(each.document.chunks for each in found) > MAX_CHUNKS:
                return None
        return list({each.file.id: each for each in found}.values())

    async def read(
        self, files: Sequence[FileState], scope_name: str, engine: Engine, model: Model, *, fits: bool
    ) -> AsyncGenerator[Finding, None]:
        """Yield what the whole documents say; nothing if only the location of a photo was asked for.

        If all of their text `fits` into the prompt, only what the program finds itself is yielded.
        """
        shares = _share_out([each.document.chunks for each in files], MAX_CHUNKS)
        loaded = [
            await load_passages(self._storage, each, share) for each, share in zip(files, shares, strict=True) if share
        ]
        whole = [
            filter_photo_locations(passages, self._question, local=model.location == "machine") for passages in loaded
        ]
        texts = [passages for passages in whole if passages]
        if not texts:
            return
        counts = {each.file.id: each.document.chunks for each in files}
        ends = [passages[-1] for passages in loaded if passages and len(passages) < counts[passages[0].file]]
        async with aclosing(self._find_by_program(texts, scope_name, model, fits=fits)) as found:
            async for finding in found:
                yield finding
        if self.lead is NO_LEAD and not self.passages and not fits:
            findings = (
                self._quote_sections(texts, reading_budget(model).document_chars, scope_name)
                if model.only_quotes
                else self._take_notes(texts, scope_name, engine, model)
            )
            async with aclosing(findings):
                async for finding in findings:
                    yield finding
        if ends:
            until = " and ".join(f"page {last.page:,} of {last.name}" for last in ends[:MAX_NAMED_ENDS])
            yield Notice(
                "partly_read",
                f"{scope_name} is too long for one answer, which rests on the first {sum(map(len, texts)):,} "
                f"passages, up to {until}; ask about the rest separately.",
            )

    async def _find_by_program(
        self, texts: Sequence[Sequence[Passage]], scope_name: str, model: Model, *, fits: bool
    ) -> AsyncGenerator[Finding, None]:
        """Yield how two documents differ, or all sentences with what is to be listed, if that is asked for."""
        kind = listed_kind(self._question)
        finder = DocumentFinder(texts, self._numbers, model, reply_language(self._question, texts[0]), self._clock)
        if len(texts) == 2 and compares_documents(self._question):
            findings = finder.compare()
        elif kind is not None and not (fits and model.can_plan):
            findings = finder.list_items(kind, scope_name, subject_stems(self._question))
        else:
            return
        async with aclosing(findings):
            async for finding in findings:
                yield finding
        self.passages, self.lead = finder.passages, finder.lead

    async def _quote_sections(
        self, texts: Sequence[Sequence[Passage]], max_chars: int, scope_name: str
    ) -> AsyncGenerator[Finding, None]:
        """Quote the key sentence of each section."""
        began = self._clock()
        yield StepStarted("parts", "read", f"Looking through {scope_name}")
        sections = await asyncio.to_thread(_split_for_quotes, texts)
        quoted = sections[: max(MAX_QUOTES, len(texts))]
        excerpts = fit_sentences(await asyncio.to_thread(choose_key_sentences, self._question, quoted), max_chars)
        self.passages = self._numbers.assign(excerpts.passages)
        above, quotes = "", list[Quote]()
        for section, stated in zip(quoted, excerpts.stated, strict=True):
            for sentence in stated:
                passage = source_passage(self.passages, sentence)
                title, above = section.title if section.title != above else "", section.title
                quotes.append(make_quote(passage, sentence.start - passage.start, sentence.end - passage.start, title))
        self.lead = Lead(tuple(quotes), is_complete=True) if quotes else NO_LEAD
        yield StepFinished("parts", self._elapsed_ms(began))
        if len(quoted) < len(sections):
            yield Notice(
                "partly_read",
                f"{scope_name} is too long for one answer, which rests on the first {len(quoted)} "
                f"parts, up to {quoted[-1].title}; ask about the rest separately.",
            )

    async def _take_notes(
        self, texts: Sequence[Sequence[Passage]], scope_name: str, engine: Engine, model: Model
    ) -> AsyncGenerator[Finding, None]:
        """Have the model take notes on each section, or on its key sentences where all would take too long."""
        characters = sum(len(passage.text) for text in texts for passage in text)
        known = await self._known_sections()
        plan = plan_reading(model, characters, thorough=self._options.thorough, known=known.values())
        sections = await asyncio.to_thread(split_sections, texts, plan.section_chars)
        by_file = len(texts) >= MANY_FILES
        if by_file and not self._options.thorough:
            sections = await asyncio.to_thread(_file_sections, self._question, texts, plan)
        elif plan.digest_chars is not None:
            sections = await asyncio.to_thread(
                digest_sections, self._question, sections, plan.digest_chars, plan.section_chars
            )
        asked = (self._ask, self._scope.principal, engine, model, self._question)
        async with aclosing(self._note(asked, sections, plan, known, scope_name, by_file=by_file)) as findings:
            async for finding in findings:
                yield finding
        if self.passages and plan.digest_chars is not None and plan.full_seconds is not None:
            yield Notice("skimmed", _describe_digest(scope_name, texts, plan, characters))

    async def _note(
        self,
        asked: tuple[AskModel, Principal, Engine, Model, str],
        sections: Sequence[Section],
        plan: ReadingPlan,
        known: Mapping[str, SectionRead],
        scope_name: str,
        *,
        by_file: bool,
    ) -> AsyncGenerator[Finding, None]:
        """Have the model take notes; where they are `by_file`, none is condensed with another's."""
        began, model = self._clock(), asked[3]
        yield StepStarted("parts", "read", f"Reading {scope_name}")
        with self._readings.under_way(self._options.run) as enough:
            notes = NoteTaker(*asked, plan, known, enough, self._clock)
            try:
                async with aclosing(notes.take_notes(sections, "parts", condenses=not by_file)) as events:
                    async for event in events:
                        yield event
            except UpstreamError as error:
                log.warning("no notes could be taken: %s", error.message)
                yield StepFinished("parts", self._elapsed_ms(began))
                return
        yield StepFinished("parts", self._elapsed_ms(began), count=len(sections))
        shows_list = by_file and not model.can_plan
        excerpts = fit_sentences(notes.stated, MAX_LISTED_CHARS if shows_list else plan.section_chars)
        self.passages = self._numbers.assign(excerpts.passages)
        if shows_list:
            items = [(each, source_passage(self.passages, each)) for stated in excerpts.stated for each in stated]
            self.lead = Lead(tuple(item_list(items, by_heading=False)), is_complete=True) if items else NO_LEAD
        else:
            for title, stated in zip(notes.titles, excerpts.stated, strict=True):
                lines = [f"- {each.text} [{source_passage(self.passages, each).number}]" for each in stated]
                if lines:
                    yield Note("\n".join([title, *lines]))
        if notes.unread:
            read = len(sections) - notes.unread
            until = f", up to {sections[read - 1].title}" if read else ""
            yield Notice("partly_read", f"{read} of {len(sections)} parts of {scope_name} were read{until}.")

    async def ask_each_file(
        self, files: Sequence[FileState], search: DocumentSearch, query: str, engine: Engine, model: Model
    ) -> AsyncGenerator[Finding, None]:
        """Yield what each file says on the question: the passages that fit it best, in a fair share of the budget.

        If they are too many to be shown, the model takes notes on them.
        """
        began = self._clock()
        yield StepStarted("each", "search", f"Searching each of {len(files):,} files")
        sections: list[Section] = []
        for file in files:
            scope = SearchScope(self._scope.principal, (file.file.id,))
            found = [found_passage(each) for each in await search.find(scope, query, PASSAGES_PER_FILE)]
            if found:
                sections.append(Section(file.file.name, tuple(sorted(found, key=lambda each: each.start))))
        yield StepFinished("each", self._elapsed_ms(began), count=len(sections))
        if not sections:
            return
        plan = plan_reading(model, sum(len(each.text) for each in sections), thorough=True)
        share = max(MIN_FILE_CHARS, plan.section_chars // len(sections))
        narrowed = await asyncio.to_thread(lambda: [narrow_section(query, each, share) for each in sections])
        chars = sum(len(each.text) + PASSAGE_OVERHEAD_CHARS for each in narrowed)
        if model.only_quotes or chars <= SURVEY_FACTOR * plan.section_chars:
            self.passages = self._numbers.assign([passage for each in narrowed for passage in each.passages])
            return
        asked = (self._ask, self._scope.principal, engine, model, self._question)
        jobs = merge_sections(narrowed, plan.section_chars)
        async with aclosing(self._note(asked, jobs, plan, {}, f"{len(files):,} files", by_file=False)) as findings:
            async for finding in findings:
                yield finding

    async def _known_sections(self) -> dict[str, SectionRead]:
        """Return the sections that the run to resume has read, by key."""
        if self._options.resumes is None:
            return {}
        chunks = await self._storage.runs.list_events(self._options.resumes, 0)
        events = [decode(line) for chunk in chunks for line in chunk.lines.split(b"\n")]
        return {event.key: event for event in events if isinstance(event, SectionRead)}

    def _elapsed_ms(self, began: float) -> float:
        return round((self._clock() - began) * 1000, 1)


def _share_out(needs: Sequence[int], most: int) -> list[int]:
    """Share out at most so many: each gets what it needs, or what is left for each of those that need more."""
    shares, left = [0] * len(needs), most
    for done, at in enumerate(sorted(range(len(needs)), key=needs.__getitem__)):
        shares[at] = min(needs[at], left // (len(needs) - done))
        left -= shares[at]
    return shares


def _file_sections(question: str, texts: Sequence[Sequence[Passage]], plan: ReadingPlan) -> list[Section]:
    """Return a section for each file; of a long one its digest, in a fair share of what can be read."""
    share = plan.section_chars if plan.digest_chars is None else max(MIN_FILE_CHARS, plan.digest_chars // len(texts))
    made: list[Section] = []
    for text in texts:
        whole = Section(text[0].name, tuple(text))
        if len(whole.text) > share:
            parts = split_sections([text], max(MIN_SECTION_CHARS, plan.section_chars // 8))
            (whole,) = digest_sections(question, parts, share, 2 * len(whole.text))
            whole = Section(text[0].name, whole.passages, whole.digest)
        made.append(whole)
    return made


def _split_for_quotes(texts: Sequence[Sequence[Passage]]) -> list[Section]:
    """Split into at most `MAX_QUOTES` sections, or one per file if there are more files."""
    most = max(MIN_SECTION_CHARS, sum(len(passage.text) for text in texts for passage in text) // MAX_QUOTES)
    parts = split_sections(texts, most)
    while len(parts) > max(MAX_QUOTES, len(texts)):
        most += most // 4
        parts = split_sections(texts, most)
    return parts


def _describe_digest(scope_name: str, texts: Sequence[Sequence[Passage]], plan: ReadingPlan, characters: int) -> str:
    pages = count_pages(texts)
    where = f"all {pages:,} pages" if pages > len(texts) else "all parts"
    share = round(100 * (plan.digest_chars or 0) / characters)
    return (
        f"The most telling sentences from {where} of {scope_name} were read, {max(1, share)}\u00a0% of the text. "
        f"Reading all of it takes this model about {_describe_minutes(plan.full_seconds or 0)}."
    )


def _describe_minutes(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes} minutes" if minutes < 120 else f"{round(minutes / 60)} hours"
