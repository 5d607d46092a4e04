"""Retrieves passages from the files and libraries of a conversation for an answer.

Documents that fit into the model's budget are shown in full, as far as the model reads them in time or has read them
ahead. Of others, the passages that fit the question are shown, or notes on each section if the question is about a
whole document. Passages keep their numbers throughout a conversation.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from eclair.citations.checker import CitationChecker
from eclair.documents.answerability import is_answered
from eclair.documents.background_embedding import embedding_text
from eclair.documents.closest_sentences import (
    MAX_CLOSEST,
    MAX_PASSAGES,
    answer_probability,
    describe_closest,
    find_closest_sentences,
)
from eclair.documents.document_relevance import (
    CALIBRATED_EMBEDDER,
    may_answer,
    nothing_found_text,
    passage_cosines,
    reply_language,
)
from eclair.documents.document_search import DocumentSearch, FoundChunk, merge_rankings
from eclair.documents.embeddings import Embedder
from eclair.documents.ingest import Ingestor, is_pending
from eclair.documents.listings import computed_table
from eclair.documents.neighbors import with_neighbors
from eclair.documents.passages import found_passage, load_passages, read_openings
from eclair.documents.query_rewriting import rewrite_question
from eclair.documents.quotes import (
    MIN_WHOLE_WORDS,
    RankedSentence,
    choose_quotes,
    is_answered_by_quote,
    quote_answer,
    quote_closest,
)
from eclair.documents.read_ahead import AheadReading, PassagePlace, Plan, PlannedPassage, QuestionKey, ReadAhead
from eclair.documents.reading_budget import ReadingBudget, chars_read_in, reading_budget, reads_slowly
from eclair.documents.readings import ReadingOptions, Readings
from eclair.documents.table_answers import TableCalculator
from eclair.documents.whole_documents import MANY_FILES, WholeDocumentReader
from eclair.errors import NotFound, UpstreamError
from eclair.generation.sources import (
    NO_LEAD,
    ClosestQuotes,
    Finding,
    KnownFindings,
    Lead,
    Note,
    PassageNumbers,
    passages_read,
)
from eclair.generation.usage import AskModel
from eclair.llm.base import Engine
from eclair.schema.events import Notice, SourceFound, StepFinished, StepStarted
from eclair.schema.messages import Message, Passage
from eclair.schema.models import Model
from eclair.storage.base import Storage
from eclair.storage.chunks import ChunkHit, SearchScope
from eclair.storage.files import FileState
from eclair.text.intent.location import filter_photo_locations
from eclair.text.intent.whole_document import asks_each_file, wants_whole_document
from eclair.text.language import identify_language, lists_language
from eclair.text.sentences import has_question_mark

READ_TIMEOUT_S = 20.0
"""The time that an answer waits for the first pages of a document."""
MIN_QUERY_WORDS = 5
"""A shorter question is searched for together with the one before."""
MAX_DEPENDENT_WORDS = 8
"""A question of so many words that is not the first may rest on the ones before."""
MIN_CLEAR_MARGIN = 0.015
"""The best cosine's lead over the next. In 83 % of questions in another language whose best passage was a wrong one it
was smaller, and in a quarter of all (bench/LOG.md)."""
MAX_EMBEDDED_AT_ONCE = 24
"""Passages whose vectors a question waits for: about two seconds on two cores."""
MIN_ROW_CHARS = 100
"""Passages of a table are rarely shorter."""

log = logging.getLogger(__name__)


class DocumentRetriever:
    """Implements `Retriever` for one answer. `history` ends with the question.

    If it `gives_way`, a model that can look up by itself searches with other words.
    """

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
        readings: Readings,
        options: ReadingOptions,
        read_ahead: ReadAhead,
        clock: Callable[[], float] = time.perf_counter,
        *,
        gives_way: bool = False,
    ) -> None:
        self._storage = storage
        self._search = search
        self._ingestor = ingestor
        self._embedder = embedder
        self._ask = ask
        self._scope = scope
        self._history = history
        self._numbers = numbers
        self._readings = readings
        self._options = options
        self._read_ahead = read_ahead
        self._clock = clock
        self._gives_way = gives_way
        self._query = _query(history)
        self._shown_before = {_place(each) for message in history for each in passages_read(message)}
        self._passages: list[Passage] = []
        self._found_chunks: Sequence[FoundChunk] | None = None
        self._hits: dict[PassagePlace, ChunkHit] = {}
        self._plan = Plan()
        self._asked = ""
        self._is_answerable = True
        self._lead = NO_LEAD
        self._files_read: Sequence[FileState] = ()

    async def retrieve(self, engine: Engine, model: Model) -> AsyncGenerator[Finding, None]:
        """Wait for files to be read, search, and yield passages, best first or a document in order, and notices."""
        self._claim_reading(model)
        self._ingestor.embedding.prefer(self._scope)
        files = await self._list_files()
        waiting = {each.document.sha256: each.file.name for each in files if is_pending(each.document)}
        if waiting:
            began = self._clock()
            yield StepStarted("read", "read", f"Reading {_join_names(list(waiting.values()))}")
            await self._ingestor.wait_until_searchable(set(waiting), READ_TIMEOUT_S)
            yield StepFinished("read", self._elapsed_ms(began))
            files = await self._list_files()
        budget = reading_budget(model)
        async with aclosing(self._calculate(files, engine, model)) as steps:
            async for step in steps:
                yield step
        code_after = self._options.code_after if model.calls_on_demand else "nothing"
        if not self._passages and code_after == "rules":
            return
        question = _question(self._history)
        if not self._passages and self._asks_about_all():
            async with aclosing(self._read_whole(question, files, engine, model)) as findings:
                async for finding in findings:
                    yield finding
            files = self._files_read or files
        if not self._passages and self._lead is NO_LEAD:
            async with aclosing(self._search_passages(files, budget, engine, model)) as findings:
                async for finding in findings:
                    yield finding
        if code_after == "passages" and not self._is_answerable:
            self._is_answerable = True
            return
        for passage in self._passages:
            yield SourceFound(passage)
        for notice in self._file_notices(files):
            if notice.code != "nothing_found" or not self._leaves_search_to(model):
                yield notice

    async def _read_whole(
        self, question: str, files: Sequence[FileState], engine: Engine, model: Model
    ) -> AsyncGenerator[Finding, None]:
        """Read whole documents, or ask each of many files, if the question is about that."""
        reader = WholeDocumentReader(
            self._storage,
            self._ask,
            self._scope,
            question,
            self._numbers,
            self._readings,
            self._options,
            self._clock,
        )
        fits = await self._full_passages(files, reading_budget(model)) is not None
        read = await reader.list_files(files)
        if read is None:
            yield Notice(
                "partly_read",
                f"{self._describe_scope(files)} is too large to be read for one answer, which rests on the passages "
                "that fit the question best; ask about fewer files.",
            )
            return
        if wants_whole_document(question):
            findings = reader.read(read, self._describe_scope(files), engine, model, fits=fits)
        elif len(read) >= MANY_FILES and not fits:
            findings = reader.ask_each_file(read, self._search, _query(self._history), engine, model)
        else:
            return
        async with aclosing(findings):
            async for finding in findings:
                yield finding
        self._passages, self._lead, self._files_read = reader.passages, reader.lead, read

    async def _calculate(
        self, files: Sequence[FileState], engine: Engine, model: Model
    ) -> AsyncGenerator[Finding, None]:
        """Compute the answer from a table, if it is computed from one."""
        calculator = TableCalculator(self._storage, self._ask, self._scope.principal, self._clock)
        question = _question(self._history)
        async with aclosing(calculator.calculate(question, files, self._scope.libraries, engine, model)) as steps:
            async for step in steps:
                yield step
        if calculator.passage is not None:
            self._passages = self._numbers.assign([calculator.passage])
            if not model.can_plan and (table := computed_table(self._passages[0])) is not None:
                self._lead = Lead((table,), is_complete=True)

    async def wait_until_searchable(self) -> None:
        """Wait for the first pages of files that are being read, for a while."""
        if waiting := {each.document.sha256 for each in await self._list_files() if is_pending(each.document)}:
            await self._ingestor.wait_until_searchable(waiting, READ_TIMEOUT_S)

    async def known_findings(self, model: Model, *, has_draft: bool) -> KnownFindings:
        """Return what is shown whatever the question: the passages of files that are shown in full.

        If the question `has_draft`, a slow model reads what fits that.
        """
        files = await self._list_files()
        budget = reading_budget(model)
        follows_draft = has_draft and reads_slowly(model) and not self._asks_about_all()
        if follows_draft and await self._is_fully_embedded(files):
            return await self._findings_for_draft(files, budget, model)
        whole = await self._full_passages(files, budget)
        if whole is None:
            return KnownFindings(open_block="passages")
        self._show(await self._after_read(whole, whole, budget, model), model)
        self._plan = Plan(self._planned_passages())
        shows_closest = model.tier == "small" and self._embedder is not None
        return KnownFindings(tuple(self._passages), open_block="closest" if whole and shows_closest else None)

    async def _findings_for_draft(
        self, files: Sequence[FileState], budget: ReadingBudget, model: Model
    ) -> KnownFindings:
        """Return what would be shown if the draft were the question, and it were one that the passages answer."""
        self._show(await self._find_passages(files, budget, model, for_draft=True), model)
        if not self._passages:
            return KnownFindings(open_block="passages")
        closest = (await self._closest_sentences())[:MAX_CLOSEST] if model.tier == "small" else []
        self._plan = Plan(self._planned_passages(), tuple(map(_sentence_place, closest)), follows_draft=True)
        notes = (Note(describe_closest(closest), "closest"),) if closest else ()
        return KnownFindings(tuple(self._passages), notes)

    def _planned_passages(self) -> tuple[PlannedPassage, ...]:
        return tuple(
            PlannedPassage(each.file, each.start, len(each.text), self._hits.get(_place(each)))
            for each in self._passages
            if self._unread_chars(each)
        )

    def note_read_ahead(self, model: Model, seconds: float) -> None:
        """Note that a model has read the known passages for so long; infinity if it has read them all."""
        self._read_ahead.add(self._question_key(model), self._plan, chars_read_in(model, seconds))

    async def lead(self, model: Model) -> Lead:
        """Quote the sentences that answer best if the model is tiny, or say that nothing answers.

        A tiny model isn't asked at all if sections are quoted, if nothing answers, or if it doesn't know the language:
        it would only repeat, guess or babble. Neither is a small one if nothing answers: it would guess; or if yes or
        no would answer: it says yes to nearly all (bench/LOG.md), so the sentence that tells is quoted.
        """
        if self._lead is not NO_LEAD:
            return self._lead
        question = _question(self._history)
        if not self._is_answerable and model.tier in ("tiny", "small"):
            text = nothing_found_text(reply_language(question, self._passages))
            return Lead((text,), is_complete=True, refuses=True)
        if model.tier == "small" and is_answered_by_quote(question, self._passages):
            return await quote_answer(question, await self._rank_passages(), self._embedder)
        if not model.only_quotes:
            return NO_LEAD
        language = identify_language(question)
        is_foreign = language is not None and bool(model.languages) and not lists_language(model.languages, language)
        found = await choose_quotes(question, self._passages, self._embedder, 2 if is_foreign else 1)
        return Lead(tuple(found), is_complete=is_foreign and bool(found))

    async def closest_quotes(self, model: Model) -> ClosestQuotes:
        """Quote what is closest to a question that a small model answered from text, not from a table's computation."""
        if model.tier != "small" or any(each.computation is not None for each in self._passages):
            return ()
        return await quote_closest(_question(self._history), await self._rank_passages(), self._embedder)

    def checker(self, passages: Sequence[Passage]) -> CitationChecker:
        openings = partial(read_openings, self._storage, self._scope.principal, passages)
        return CitationChecker(passages, self._embedder, _question(self._history), openings)

    async def _list_files(self) -> list[FileState]:
        """Return the attached files that still exist."""
        files: list[FileState] = []
        for id in self._scope.files:
            try:
                files.append(await self._storage.files.get_file(self._scope.principal, id))
            except NotFound:
                continue
        return files

    def _describe_scope(self, files: Sequence[FileState]) -> str:
        known = {library.id: library.name for message in self._history for library in message.libraries}
        attached = [each.file.name for each in files if each.file.id in self._scope.files]
        return _join_names([*attached, *(known[id] for id in self._scope.libraries)])

    async def _search_passages(
        self, files: Sequence[FileState], budget: ReadingBudget, engine: Engine, model: Model
    ) -> AsyncGenerator[Finding, None]:
        """Find the passages, in a second search with other words if the first ones don't answer."""
        began, closest = self._clock(), None
        yield StepStarted("search", "search", f"Searching {self._describe_scope(files)}")
        rewrites = model.can_plan and not self._leaves_search_to(model)
        if rewrites and self._may_depend_on_history() and await self._full_passages(files, budget) is None:
            rewritten = await self._rewrite(engine, model)
            self._query = rewritten[0] if rewritten else self._query
        self._show(await self._find_passages(files, budget, model), model)
        fits = self._is_answerable = bool(self._passages) and await self._may_answer(files, model)
        if self._is_answerable and model.tier == "small":
            closest = await self._find_closest(engine, model)
        queries = await self._rewrite(engine, model) if self._needs_other_words(model) else ()
        yield StepFinished("search", self._elapsed_ms(began))
        if queries:
            began = self._clock()
            yield StepStarted("search_again", "search", f"Searching again for {'; '.join(queries)}")
            found = await self._search_again(queries, budget, model)
            self._is_answerable = fits or await self._may_answer_again(files, found)
            if self._is_answerable and model.tier == "small":
                closest = await self._find_closest(engine, model)
            yield StepFinished("search_again", self._elapsed_ms(began))
        if closest is not None:
            yield closest

    async def _search_again(
        self, queries: Sequence[str], budget: ReadingBudget, model: Model
    ) -> dict[str, list[FoundChunk]]:
        """Search for other queries as well; return what each of them found."""
        found = {query: await self._search.find(self._scope, query, budget.passages) for query in queries}
        self._found_chunks = merge_rankings([self._found_chunks or [], *found.values()])[: budget.passages]
        passages = self._passages_of(await self._expand_found(self._found_chunks, budget))
        self._show(await self._after_read(passages, None, budget, model), model)
        return found

    async def _rewrite(self, engine: Engine, model: Model) -> tuple[str, ...]:
        asked = [message.text for message in self._history if message.role == "user"]
        language = identify_language("\n".join(passage.text for passage in self._passages))
        return await rewrite_question(self._ask, self._scope.principal, engine, model, asked, language)

    def _show(self, found: Sequence[Passage], model: Model) -> None:
        question = _question(self._history)
        self._passages = self._numbers.assign(
            filter_photo_locations(found, question, local=model.location == "machine")
        )

    def _needs_other_words(self, model: Model) -> bool:
        """Return whether a second search may help. A small model is slow to ask, so only where all else fails."""
        if self._found_chunks is None or model.only_quotes or self._leaves_search_to(model):
            return False
        if model.can_plan:
            return not self._is_answerable or (self._is_unclear() and self._is_foreign())
        return not self._is_answerable and (self._is_foreign() or self._may_depend_on_history())

    def _leaves_search_to(self, model: Model) -> bool:
        """Return whether the model is left to search with other words, by calls of tools."""
        return self._gives_way and model.can_look_up

    def _may_depend_on_history(self) -> bool:
        asked = [message.text for message in self._history if message.role == "user"]
        return len(asked) > 1 and len(asked[-1].split()) <= MAX_DEPENDENT_WORDS

    def _is_unclear(self) -> bool:
        """Return whether no passage is clearly the best."""
        scores = sorted((each.score for each in self._found_chunks or () if each.match != "words"), reverse=True)
        return len(scores) > 1 and scores[0] - scores[1] < MIN_CLEAR_MARGIN

    def _is_foreign(self) -> bool:
        """Return whether the question is in another language than the passages, or there are none."""
        if not self._passages:
            return True
        language, other = identify_language(self._query), identify_language(self._passages[0].text)
        return None not in (language, other) and language != other

    async def _find_passages(
        self, files: Sequence[FileState], budget: ReadingBudget, model: Model, *, for_draft: bool = False
    ) -> list[Passage]:
        """Find the passages to show, unnumbered. For a draft the best are read first."""
        whole = await self._full_passages(files, budget)
        if whole is not None and self._asks_about_all():
            return whole
        if whole is not None and self._may_wait_for_all(whole, budget, model, for_draft=for_draft):
            return await self._after_read(whole, whole, budget, model)
        if whole is not None and not await self._is_fully_embedded(files):
            passages = await self._nearest_passages(whole, budget.passages)
        else:
            found = await self._search.find(self._scope, self._query, budget.passages)
            passages = self._passages_of(await self._expand_found(found, budget))
            if whole is None:
                self._found_chunks = found
                return await self._after_read(passages, None, budget, model)
        ranks = {_place(each): rank for rank, each in enumerate(passages or whole)}
        shown = [each for each in whole if self._unread_chars(each) == 0 or _place(each) in ranks]
        if for_draft:
            shown.sort(key=lambda each: ranks.get(_place(each), -1))
        return await self._after_read(shown, whole, budget, model)

    def _may_wait_for_all(
        self, whole: Sequence[Passage], budget: ReadingBudget, model: Model, *, for_draft: bool
    ) -> bool:
        """Return whether so little of files is unread that a question may wait for it.

        It doesn't if what fits was read for a draft, unless the files are hardly longer than that.
        """
        reading = self._reading(model)
        read = {each.place for each in reading.passages_read}
        follows_draft = for_draft or reading.plan.follows_draft
        is_short = sum(map(self._unread_chars, whole)) <= budget.unread_chars
        unread = sum(self._unread_chars(each) for each in whole if _place(each) not in read)
        return unread <= (budget.unread_chars if is_short or not follows_draft else 0)

    async def _after_read(
        self, found: Sequence[Passage], whole: Sequence[Passage] | None, budget: ReadingBudget, model: Model
    ) -> list[Passage]:
        """Put what the model has read for this question before what was found, and that in the order it was planned.

        What precedes a passage must stay the same, or the passage is read again. Of a long document, what was read and
        is not found is kept up to a limit.
        """
        reading = self._reading(model)
        read = await self._load_read(reading, whole)
        planned = {each.place: rank for rank, each in enumerate(reading.plan.passages)}
        wanted, kept, others = {_place(each) for each in found}, list[Passage](), 0
        for each in read:
            others += 0 if _place(each) in wanted else len(each.text)
            if whole is None and others > budget.unread_chars:
                break
            kept.append(each)
        have = {_place(each) for each in kept}
        rest = [each for each in found if _place(each) not in have]
        return [*kept, *sorted(rest, key=lambda each: planned.get(_place(each), len(planned)))]

    async def _load_read(self, reading: AheadReading, whole: Sequence[Passage] | None) -> list[Passage]:
        """Return the passages that a model has read, as far as they may still be shown."""
        if whole is not None:
            passages = {_place(each): each for each in whole}
            return [passages[each.place] for each in reading.passages_read if each.place in passages]
        hits = [each.hit for each in reading.passages_read if each.hit is not None]
        return self._passages_of(await self._search.locate(self._scope, hits)) if hits else []

    def _passages_of(self, found: Sequence[FoundChunk]) -> list[Passage]:
        """Return the passages of found chunks; what is read of them ahead is found again by their hits."""
        self._hits.update(
            ((each.file, each.chunk.start), ChunkHit(each.key, each.chunk.number, each.score)) for each in found
        )
        return [found_passage(each) for each in found]

    async def _nearest_passages(self, whole: Sequence[Passage], limit: int) -> Sequence[Passage]:
        """Return the passages nearest to the question, of a document whose vectors are not all stored yet.

        They are made for the question, which takes less time than a slow model needs to read all. Of a longer document,
        or without an embedder, all passages are returned: words alone find too little.
        """
        import numpy as np  # takes 0.1 s, which most starts don't need

        if self._embedder is None or len(whole) > MAX_EMBEDDED_AT_ONCE:
            return whole
        try:
            (asked,), vectors = await asyncio.gather(
                self._embedder.embed([self._query], "query"),
                self._embedder.embed([embedding_text(each) for each in whole], "passage"),
            )
        except UpstreamError as error:
            log.warning("the passages nearest to a question are not known: %s", error.message)
            return whole
        cosines = np.asarray(vectors) @ np.asarray(asked)
        order: list[int] = np.argsort(-cosines, kind="stable").tolist()
        return [whole[at] for at in order[:limit]]

    def _asks_about_all(self) -> bool:
        question = _question(self._history)
        return wants_whole_document(question) or asks_each_file(question)

    async def _expand_found(self, found: Sequence[FoundChunk], budget: ReadingBudget) -> list[FoundChunk]:
        """Add the neighbors of what was found, and all of the best one's table."""
        if not found:
            return []
        near = await with_neighbors(self._search, self._scope, found)
        sheet = await self._table_chunks(found[0], budget.document_chars // 2)
        places = {(each.file, each.chunk.start) for each in sheet}
        return [*sheet, *(each for each in near if (each.file, each.chunk.start) not in places)]

    async def _may_answer(self, files: Sequence[FileState], model: Model) -> bool:
        """Return whether anything found may answer the question.

        A larger model judges by itself what it is shown in full. Instructions needn't share words with their sources.
        """
        query, small = self._query, model.only_quotes
        if wants_whole_document(_question(self._history)) or (
            not small and (self._found_chunks is None or not has_question_mark(_query(self._history)))
        ):
            return True
        cosines = None
        if await self._has_calibrated_cosines(files):
            cosines = passage_cosines(
                self._found_chunks or await self._search.find(self._scope, query, reading_budget(model).passages)
            )
        return await asyncio.to_thread(may_answer, query, self._passages, cosines or None)

    async def _may_answer_again(self, files: Sequence[FileState], others: Mapping[str, Sequence[FoundChunk]]) -> bool:
        """Return whether what was found with other words may answer.

        Other words in the question's own language prove nothing: a model may turn any question into one that fits.
        """
        question = _question(self._history)
        language, is_dependent = identify_language(question), self._may_depend_on_history()
        has_cosines = await self._has_calibrated_cosines(files)
        for query, found in others.items():
            if is_dependent or (language is not None and identify_language(query) not in (None, language)):
                passages = [found_passage(each) for each in found]
                cosines = passage_cosines(found) if has_cosines else None
                if passages and await asyncio.to_thread(may_answer, query, passages, cosines or None):
                    return True
        return False

    async def _has_calibrated_cosines(self, files: Sequence[FileState]) -> bool:
        return (
            self._embedder is not None
            and self._embedder.name.startswith(CALIBRATED_EMBEDDER)
            and await self._is_fully_embedded(files)
        )

    async def _find_closest(self, engine: Engine, model: Model) -> Note | None:
        """Return the sentences closest to the question, or None if it isn't one; see if they answer it."""
        question = _question(self._history)
        if self._embedder is None or not has_question_mark(question):
            return None
        try:
            closest = await self._closest_sentences()
            if not closest:
                return None
            if len(question.split()) >= MIN_WHOLE_WORDS and self._embedder.name.startswith(CALIBRATED_EMBEDDER):
                judge = partial(answer_probability, question, closest, self._ask, self._scope.principal, engine, model)
                self._is_answerable = await is_answered(question, self._passages, closest, judge)
        except UpstreamError as error:
            log.warning("the sentences closest to a question are not known: %s", error.message)
            return None
        read = {place: rank for rank, place in enumerate(self._reading(model).plan.closest)}
        shown = sorted(closest[:MAX_CLOSEST], key=lambda each: read.get(_sentence_place(each), len(read)))
        return Note(describe_closest(shown), "closest")

    async def _closest_sentences(self) -> list[RankedSentence]:
        """Return the sentences closest to the question; none if it concerns a whole document. Raises UpstreamError."""
        question = _question(self._history)
        if self._embedder is None or wants_whole_document(question):
            return []
        asked = question if len(question.split()) >= MIN_WHOLE_WORDS else self._query
        return await find_closest_sentences(asked, await self._rank_passages(), self._embedder)

    async def _rank_passages(self) -> list[Passage]:
        """Return the passages best first; those of a document shown in full come in its order."""
        found = self._found_chunks
        if found is None:
            found = await self._search.find(self._scope, self._query, MAX_PASSAGES)

        def rank(passage: Passage) -> int:
            starts = enumerate(each.chunk.start if each.file == passage.file else -1 for each in found)
            return next((at for at, start in starts if passage.start <= start < passage.end), len(found))

        return sorted(self._passages, key=rank)

    async def _is_fully_embedded(self, files: Sequence[FileState]) -> bool:
        """Return whether all documents of the scope are embedded."""
        if any(not _is_ready(each) or each.document.embedded < each.document.chunks for each in files):
            return False
        libraries = await self._storage.libraries.list_libraries(self._scope.principal) if self._scope.libraries else []
        chosen = [each for each in libraries if each.library.id in self._scope.libraries]
        return all(each.waiting == 0 and each.embedded == each.chunks for each in chosen)

    async def _table_chunks(self, found: FoundChunk, max_chars: int) -> list[FoundChunk]:
        """Return the chunks of the table that a found row is in, if it has at most `max_chars`; else the row's.

        A question about a table may rest on all of its rows.
        """
        chunk = found.chunk
        pages = await self._storage.documents.list_pages_at(chunk.document, chunk.start, chunk.end)
        if (
            len(pages) == 1
            and len(pages[0].page.text) <= max_chars
            and any(b.kind == "row" for b in pages[0].page.blocks)
        ):
            start, end = pages[0].start, pages[0].start + len(pages[0].page.text)
            near = max_chars // MIN_ROW_CHARS
            chunks = await self._storage.chunks.list_chunks(
                chunk.document, max(0, chunk.number - near), chunk.number + near
            )
            return [replace(found, chunk=each) for each in chunks if start <= each.start < end]
        return [found]

    async def _full_passages(self, files: Sequence[FileState], budget: ReadingBudget) -> list[Passage] | None:
        """Return all passages of the files if the model may be shown them in full, otherwise None."""
        characters = sum(each.document.characters for each in files)
        if not files or self._scope.libraries or characters > budget.document_chars or not all(map(_is_ready, files)):
            return None
        return [passage for each in files for passage in await load_passages(self._storage, each)]

    def _unread_chars(self, passage: Passage) -> int:
        """Return a passage's length; 0 if an earlier question of the conversation was answered with it."""
        return 0 if _place(passage) in self._shown_before else len(passage.text)

    def _reading(self, model: Model) -> AheadReading:
        """Return what the model has read for this question."""
        return self._read_ahead.find(self._question_key(model))

    def _claim_reading(self, model: Model) -> None:
        """Keep what the model has read for a first question for that question alone, which is asked now."""
        drafted = self._question_key(model)
        if not drafted.after:
            self._asked = self._history[-1].id
            self._read_ahead.move(drafted, self._question_key(model))

    def _question_key(self, model: Model) -> QuestionKey:
        before = self._history[-2].id if len(self._history) > 1 else ""
        scope = self._scope
        return QuestionKey(scope.principal.id, model.id, scope.files, scope.libraries, before, self._asked)

    def _file_notices(self, files: Sequence[FileState]) -> list[Notice]:
        """Return notices about files that are unreadable or only partly read."""
        notices: list[Notice] = []
        for each in files:
            state = each.document
            if state.fault is not None:
                notices.append(Notice("unread", state.fault.message))
            elif not _is_ready(each):
                pages = f"{state.pages_read:,} of {state.pages:,}" if state.pages else f"{state.pages_read:,}"
                notices.append(Notice("partly_read", f"{pages} pages of {each.file.name} have been read so far."))
        if not self._is_answerable:
            notices.append(Notice("nothing_found", "Nothing in the documents fits the question."))
        return notices

    def _elapsed_ms(self, began: float) -> float:
        return round((self._clock() - began) * 1000, 1)


def _query(history: Sequence[Message]) -> str:
    """Return the text to search for: the question, after the previous one if it is short."""
    asked = [message.text for message in history if message.role == "user"]
    return "\n".join(asked[-2:]) if len(asked[-1].split()) < MIN_QUERY_WORDS else asked[-1]


def _question(history: Sequence[Message]) -> str:
    return next(message.text for message in reversed(history) if message.role == "user")


def _place(passage: Passage) -> PassagePlace:
    return passage.file, passage.start


def _sentence_place(sentence: RankedSentence) -> PassagePlace:
    return sentence.passage.file, sentence.passage.start + sentence.start


def _is_ready(file: FileState) -> bool:
    return file.document.state == "ready"


def _join_names(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more"
