"""Retrieves web passages for an answer: search, read and rank.

Notices tell about pages that were too slow, sources older than the question needs, and sources that contradict each
other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import date, timedelta
from typing import Literal
from urllib.parse import urlsplit

from eclair.accounts.rights import OPEN_RULES, RightRules
from eclair.citations.checker import CitationChecker
from eclair.citations.drafts import asks_for_text
from eclair.documents.answerability import is_answered
from eclair.documents.closest_sentences import describe_closest, find_closest_sentences
from eclair.documents.document_relevance import CALIBRATED_EMBEDDER
from eclair.documents.embeddings import Embedder
from eclair.documents.quotes import (
    MAX_PASSAGES,
    MIN_WHOLE_WORDS,
    RankedSentence,
    choose_quotes,
    is_answered_by_quote,
    make_quote,
    not_stated_text,
    quote_answer,
    quote_closest,
)
from eclair.documents.reading_budget import reading_budget
from eclair.errors import InvalidInput, UpstreamError
from eclair.generation.sources import NO_LEAD, ClosestQuotes, Finding, Lead, Note, PassageNumbers
from eclair.llm.base import Engine
from eclair.schema.documents import Chunk
from eclair.schema.events import Notice, SourceFound
from eclair.schema.ids import derived_id
from eclair.schema.messages import Passage, Web
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.schema.web import WebPage
from eclair.storage.web import WebStore
from eclair.text.intent.web import (
    WebNeed,
    detect_time_need,
    detect_web_need,
    is_small_talk,
    is_task,
    strip_addresses,
)
from eclair.text.intent.whole_document import wants_whole_document
from eclair.text.language import identify_language, lists_language
from eclair.text.lexicon.loader import choose_phrase
from eclair.text.sentences import has_question_mark
from eclair.util.tasks import cancel_and_wait
from eclair.web.bm25 import PageChunk, first_chunks, rank_chunks
from eclair.web.contradictions import difference_notices, find_differences
from eclair.web.question import WebQuestion
from eclair.web.session import WebAccess, WebSession
from eclair.web.web_need import is_worth_asking
from eclair.web.web_relevance import RelevanceCheck

MAX_FRESHNESS_BONUS = 0.5
"""Added weight of the newest page's passages over the oldest one's, if the question asks for recent information."""

MAX_CLOSEST_QUOTES = 2
"""Sentences quoted where no passage states what is asked for."""

log = logging.getLogger(__name__)

UNREACHABLE_TEXT = "No search service and no page could be reached."

REASON_TEXTS = {
    "address": "there is an address in the question",
    "news": "the question asks for what is new",
    "current": "the question asks for what holds now",
    "price": "the question asks for a price or a rate",
    "office": "the question asks who holds an office",
    "recent": "the question names a recent year",
}


class WebService:
    """Makes web retrievers for answers. While it `is_shut`, no call may leave this machine, and they only say so."""

    def __init__(
        self,
        access: WebAccess,
        store: WebStore | None,
        embedder: Embedder | None,
        timeout_s: float,
        rights: RightRules = OPEN_RULES,
        *,
        is_shut: bool = False,
    ) -> None:
        self.access = access
        self._rights = rights
        self.embedder = embedder
        self.timeout_s = timeout_s
        self.store = store
        self.is_shut = is_shut
        self._warming: asyncio.Task[None] | None = None

    def prewarm(self) -> None:
        """Start the process that reads pages, while a question is still being written."""
        if not self.is_shut and (self._warming is None or self._warming.done()):
            self._warming = asyncio.create_task(self.access.reader.warm(), name="start the page reader")

    async def close(self) -> None:
        if self._warming is not None:
            await cancel_and_wait(self._warming)

    def make_retriever(
        self,
        question: WebQuestion,
        numbers: PassageNumbers,
        *,
        setting: Web,
        has_documents: bool = False,
        gives_way: bool = False,
    ) -> WebRetriever | None:
        """Make the retriever of one answer; None if it doesn't need the web.

        Questions about attached documents only use the web for URLs. If the web is off or shut but needed, the
        retriever only yields a notice; where the rule sees no need, it may ask a capable model first. One that
        `gives_way` leaves that to a model that can look up by itself.
        """
        setting = "off" if self.is_shut else setting
        found = detect_web_need(question.text, self.access.today())
        if has_documents and found is not None and found.reason != "address":
            found = None
        may_ask = setting == "auto" and not has_documents and is_worth_asking(question.text)
        is_wanted = found is not None or may_ask or (setting == "on" and not is_small_talk(question.text))
        if not is_wanted or not self._rights.may(question.principal, "web"):
            return None
        return WebRetriever(self, question, numbers, setting, found, has_documents=has_documents, gives_way=gives_way)

    def checker(self, question: str, passages: Sequence[Passage]) -> CitationChecker:
        """Make the checker of an answer to this question."""
        return CitationChecker(passages, self.embedder, question)

    def may_use(self, principal: Principal) -> bool:
        """Return whether calls may leave this machine, and the person may use the web."""
        return not self.is_shut and self._rights.may(principal, "web")

    def require_open(self, principal: Principal) -> None:
        """Raise RightMissing for somebody who may not use the web, InvalidInput if no call may leave this machine."""
        self._rights.require(principal, "web", "Your account may not search the web; ask an administrator.")
        if self.is_shut:
            raise InvalidInput(
                "Nothing may leave this machine (`egress` is offline), so that nothing can be looked up."
            )

    async def choose_passages(
        self, question: WebQuestion, session: WebSession, limit: int, relevance: RelevanceCheck | None = None
    ) -> list[Passage]:
        """Choose the passages that fit the question, unnumbered; none if `relevance` finds none that may answer it.

        Copies of their pages are stored, unless the conversation itself isn't.
        """
        chosen = await asyncio.to_thread(_choose_chunks, question.in_context, session, self.access.today(), limit)
        pages = {chunk.page: session.pages[chunk.page] for chunk in chosen}
        files = {
            number: derived_id("page", question.conversation or question.run, page.url, page.text)
            for number, page in pages.items()
        }
        passages = [_make_passage(chunk.chunk, pages[chunk.page], files[chunk.page]) for chunk in chosen]
        if relevance is not None and not session.named_urls and not await relevance.is_relevant(passages):
            return []
        if question.conversation is not None and self.store is not None:
            for number, page in pages.items():
                await self.store.add_page(question.principal, files[number], question.conversation, page)
        return passages


class WebRetriever:
    """Implements `Retriever` for one answer. `reason` is why the question needs the web, if it does.

    With documents, or sources in an earlier answer, the model may answer although the web has nothing.
    """

    def __init__(
        self,
        web: WebService,
        question: WebQuestion,
        numbers: PassageNumbers,
        setting: Web,
        reason: WebNeed | None,
        *,
        has_documents: bool = False,
        gives_way: bool = False,
    ) -> None:
        self._gives_way = gives_way
        self._web = web
        self._question = question
        self._numbers = numbers
        self._setting = setting
        self._reason = reason
        self._has_other_sources = has_documents or question.has_sources
        self._passages: list[Passage] = []
        self._failure: Literal["nothing_found", "unread"] | None = None
        self._closest_only: Sequence[RankedSentence] = ()
        """The sentences closest to a question that none of the passages answers."""
        self._is_disputed = False

    async def retrieve(self, engine: Engine, model: Model) -> AsyncGenerator[Finding, None]:
        """Search and read within the time budget; yield steps, then passages, best first, and notices."""
        web, question = self._web, self._question
        if web.is_shut:
            yield Notice("web_shut", "Nothing leaves this machine, so what the model knows may be out of date.")
            return
        if self._setting == "off":
            yield Notice("web_off", "Web search is off, so what the model knows may be out of date.")
            return
        leaves_search = self._gives_way and model.can_look_up
        if self._setting == "auto":
            if leaves_search:
                return
            if self._reason is None and not await self._is_needed(engine, model):
                return
            reason = REASON_TEXTS[self._reason.reason] if self._reason is not None else "the model asked for it"
            yield Notice("web_auto", f"Searched the web, because {reason}.")
        session = WebSession(web.access, question, engine, model, web.timeout_s)
        relevance = RelevanceCheck(question.text, web.embedder)
        try:
            async with aclosing(session.findings()) as findings:
                async for finding in findings:
                    yield finding
            passages = await web.choose_passages(question, session, reading_budget(model).passages, relevance)
        finally:
            await relevance.close()
        differences = await find_differences(strip_addresses(question.in_context), passages)
        if not model.can_plan:  # it would mix old and new
            passages = [each for each in passages if each.file not in differences.superseded_files]
        self._passages = self._numbers.assign(passages)
        self._is_disputed = differences.contradiction is not None
        if (closest := await self._find_closest(model)) is not None:
            yield closest
        for passage in self._passages:
            yield SourceFound(passage)
        notices = [each for each in self._notices(session, model) if each.code != "from_memory" or not leaves_search]
        for notice in (*notices, *difference_notices(differences, self._passages)):
            yield notice

    async def lead(self, model: Model) -> Lead:
        """Quote the sentence that answers best if the model is tiny; quotes replace an answer in a foreign language.

        Without a passage, a model that isn't trusted with facts says so in place of an answer. A small model isn't
        asked where no passage states what is asked for, nor what yes or no would answer (`documents/retriever.py`):
        what is closest, or tells, is quoted. Where pages contradict each other, no one sentence tells.
        """
        question = self._question.text
        language = identify_language(question)
        if self._failure is not None and self._needs_sources and not model.can_plan:
            return Lead((failure_reply(self._failure, language),), is_complete=True, refuses=True)
        if model.tier == "small" and self._passages:
            return await self._lead_of_small()
        if not model.only_quotes or not self._passages:
            return NO_LEAD
        is_foreign = language is not None and bool(model.languages) and not lists_language(model.languages, language)
        found = await choose_quotes(question, self._passages, self._web.embedder, 2 if is_foreign else 1)
        return Lead(tuple(found), is_complete=is_foreign and bool(found))

    async def _lead_of_small(self) -> Lead:
        question = strip_addresses(self._question.text)
        if self._closest_only:
            quotes = [make_quote(each.passage, each.start, each.end) for each in self._closest_only]
            above = f"{not_stated_text(question, self._passages)}\n\n"
            return Lead((above, *quotes), is_complete=True, refuses=True)
        if self._is_disputed or not is_answered_by_quote(question, self._passages):
            return NO_LEAD
        newest = sorted(self._passages[:MAX_PASSAGES], key=lambda passage: passage.published or "", reverse=True)
        return await quote_answer(question, newest, self._web.embedder)

    async def _find_closest(self, model: Model) -> Note | None:
        """Return the sentences closest to the question for a small model, None if there are none; see if they answer.

        Words and vectors alone tell that: a judgment by the model would delay its answer.
        """
        question, embedder = strip_addresses(self._question.text), self._web.embedder
        is_whole = len(question.split()) >= MIN_WHOLE_WORDS
        if model.tier != "small" or embedder is None or not self._passages or not is_whole or not _asks_fact(question):
            return None
        try:
            closest = await find_closest_sentences(question, self._passages, embedder)
        except UpstreamError as error:
            log.warning("the sentences closest to a question are not known: %s", error.message)
            return None
        if not closest:
            return None
        is_calibrated = embedder.name.startswith(CALIBRATED_EMBEDDER)
        if is_calibrated and not await is_answered(question, self._passages, closest, _leave_open):
            self._closest_only = closest[:MAX_CLOSEST_QUOTES]
        return Note(describe_closest(closest), "closest")

    async def closest_quotes(self, model: Model) -> ClosestQuotes:
        """Quote what is closest to a question that a small model answered."""
        if model.tier != "small":
            return ()
        return await quote_closest(self._question.text, self._passages, self._web.embedder)

    def checker(self, passages: Sequence[Passage]) -> CitationChecker:
        return CitationChecker(passages, self._web.embedder, self._question.text)

    async def _is_needed(self, engine: Engine, model: Model) -> bool:
        """Return whether the model finds that the question needs the web."""
        access = self._web.access
        return access.decider is not None and await access.decider.needs_web(
            self._question, engine, model, access.today()
        )

    @property
    def _needs_sources(self) -> bool:
        """Return whether an answer without sources would be a guess."""
        return not (self._has_other_sources or is_task(self._question.text))

    def _notices(self, session: WebSession, model: Model) -> list[Notice]:
        notices = late_notices(session)
        if not self._passages:
            notices.append(self._failure_notice(session))
            if self._needs_sources and model.can_plan:
                notices.append(Notice("from_memory", "From the model's memory, not checked."))
        elif (stale := self._staleness_notice()) is not None:
            notices.append(stale)
        return notices

    def _failure_notice(self, session: WebSession) -> Notice:
        """Say why there are no passages: nothing fits, no page could be read, or nobody answered."""
        self._failure = "unread"
        if not session.got_reply and not session.late:
            return Notice("web_unreachable", UNREACHABLE_TEXT)
        if session.has_unread_pages:
            return Notice("web_unread", "Pages were found, but none could be read.")
        if not session.got_reply:
            return Notice("web_unreachable", "No search service answered in time.")
        self._failure = "nothing_found"
        return Notice("nothing_found", "Nothing was found on the web that fits the question.")

    def _staleness_notice(self) -> Notice | None:
        """Return a notice if the sources are older than what the question asks for."""
        today = self._web.access.today()
        wanted = detect_time_need(self._question.text, today)
        if wanted is None or wanted.max_age_days is None:
            return None
        dates = [date.fromisoformat(each.published) for each in self._passages if each.published is not None]
        newest = max(dates, default=None)
        if newest is not None and newest >= today - timedelta(days=wanted.max_age_days):
            return None
        when = "has no date" if newest is None else f"is of {newest.isoformat()}"
        return Notice("stale", f"Nothing as new as the question asks for was found; the newest source {when}.")


def _asks_fact(question: str) -> bool:
    return has_question_mark(question) and not wants_whole_document(question) and not asks_for_text(question)


async def _leave_open() -> None:
    """Judge nothing: what words and vectors leave open counts as answered."""


def late_notices(session: WebSession) -> list[Notice]:
    """Return a notice if anything took too long."""
    return [Notice("web_late", f"Left out, because it took too long: {_hosts(session.late)}.")] if session.late else []


def failure_reply(failure: Literal["nothing_found", "unread"], language: str | None) -> str:
    """Return the reply in place of an answer, in a language or else in English."""
    return choose_phrase(
        language,
        lambda lexicon: lexicon.web_replies.unread if failure == "unread" else lexicon.web_replies.nothing_found,
    )


def _make_passage(chunk: Chunk, page: WebPage, file: str) -> Passage:
    return Passage(
        number=0,
        file=file,
        name=page.title or page.site,
        page=chunk.page,
        label=None,
        heading=chunk.heading,
        start=chunk.start,
        end=chunk.end,
        text=chunk.text,
        url=page.url,
        published=page.published.isoformat() if page.published is not None else None,
    )


def _choose_chunks(question: str, session: WebSession, today: date, limit: int) -> list[PageChunk]:
    """Rank the chunks by the question. Of pages that it names, the first chunks are added, or used alone.

    They are used alone if the question is about the whole page.
    """
    if session.named_urls:
        chosen = [] if wants_whole_document(question) else rank_chunks(strip_addresses(question), session.chunks, limit)
        return [*chosen, *(chunk for chunk in first_chunks(session.chunks, limit) if chunk not in chosen)][:limit]
    factors = _freshness_factors(session.pages) if detect_time_need(question, today) is not None else None
    return rank_chunks(question, session.chunks, limit, factors)


def _freshness_factors(pages: Mapping[int, WebPage]) -> dict[int, float]:
    """Return the factor for each page's passages by its age, for questions that ask for recent information."""
    days = {number: page.published for number, page in pages.items() if page.published is not None}
    oldest = min(days.values(), default=date.max)
    span = max(1, (max(days.values(), default=oldest) - oldest).days)
    return {number: 1 + MAX_FRESHNESS_BONUS * (day - oldest).days / span for number, day in days.items()}


def _hosts(titles: Sequence[str]) -> str:
    names = dict.fromkeys(urlsplit(title).hostname or title for title in titles)
    return ", ".join(names)
