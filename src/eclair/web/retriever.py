"""Gathers what an answer can rest on from the web: the passages that fit the question, of pages that were read for it.

What was late, what is older than the question needs, and where sources contradict each other is said with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlsplit

from eclair.citations.checker import Checker
from eclair.documents.embeddings import Embedder
from eclair.documents.quotes import quotes
from eclair.documents.retriever import budget
from eclair.errors import InvalidInput
from eclair.generation.fallback import stopped
from eclair.generation.sources import Finding, Numbering, Quoted
from eclair.llm.base import Engine
from eclair.schema.documents import Chunk
from eclair.schema.events import Remarked, SourceFound
from eclair.schema.ids import derived_id
from eclair.schema.messages import Message, Passage, Web
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.schema.web import WebPage
from eclair.storage.web import WebStore
from eclair.text.intent.web import Wish, chats, timely, wish, without_addresses
from eclair.text.intent.whole_document import wants_whole
from eclair.text.language import language_of, lists
from eclair.web.bm25 import Piece, best, opening
from eclair.web.contradictions import contradiction
from eclair.web.relevance import Fitting
from eclair.web.session import Look, Outside, Sought

SHORT = 5
"""Words below which passages are chosen by the question before too."""
FRESH = 0.5
"""By how much the newest page's passages count more than the oldest one's, where what is newest is asked for."""

WHY = {
    "address": "there is an address in the question",
    "news": "the question asks for what is new",
    "current": "the question asks for what holds now",
    "price": "the question asks for a price or a rate",
    "office": "the question asks who holds an office",
    "recent": "the question names a recent year",
}


@dataclass(frozen=True, slots=True)
class Turning:
    """Of which answer these are the grounds. Without a conversation nothing is kept. `setting` is the person's;
    `beside` says that documents go along, which answer what nobody wants looked up elsewhere."""

    principal: Principal
    run: str
    conversation: str | None
    history: Sequence[Message]
    setting: Web
    beside: bool = False

    @property
    def question(self) -> str:
        return next(message.text for message in reversed(self.history) if message.role == "user")

    @property
    def before(self) -> list[str]:
        """The questions before, from which a short one goes on."""
        return [message.text for message in self.history if message.role == "user"][:-1]

    @property
    def asked(self) -> str:
        """What passages are chosen by: the question, and where it is short the one before it too."""
        question = self.question
        return "\n".join([*self.before[-1:], question]) if len(question.split()) < SHORT else question


class Searching:
    """What turns ask of the web: the grounds of an answer, where it is to be looked at. `shut` says that no call may
    leave at all, so that nothing is offered."""

    def __init__(
        self, outside: Outside, kept: WebStore | None, embedder: Embedder | None, seconds: float, *, shut: bool = False
    ) -> None:
        self.outside = outside
        self.embedder = embedder
        self.seconds = seconds
        self._kept = kept
        self._shut = shut
        self._warming: asyncio.Task[None] | None = None

    def expect(self) -> None:
        """A question to the web is being written: get ready, so that its first page need not wait for a process."""
        if not self._shut and (self._warming is None or self._warming.done()):
            self._warming = asyncio.create_task(self.outside.reader.warm(), name="get ready to read pages")

    async def close(self) -> None:
        if self._warming is not None:
            await stopped(self._warming)

    def grounds(self, turning: Turning, numbering: Numbering) -> WebGrounds | None:
        """None where the web is not wanted. Where the person has it off and the question needs it, grounds that say
        that and look nowhere."""
        found = wish(turning.question, self.outside.today())
        if turning.beside and found is not None and found.why != "address":
            found = None
        if self._shut or (found is None and (turning.setting != "on" or chats(turning.question))):
            return None
        return WebGrounds(self, turning, numbering, found)

    def opened(self) -> Searching:
        """This, where calls may leave. Raises InvalidInput."""
        if self._shut:
            raise InvalidInput(
                "Nothing may leave this machine (`egress` is offline), so that nothing can be looked up."
            )
        return self

    async def passages(
        self, turning: Turning, question: str, look: Look, most: int, fitting: Fitting | None = None
    ) -> list[Passage]:
        """What of a look fits a question, without numbers; nothing where `fitting` says that all of it does not.
        Copies of the pages are kept from now on, unless nothing of the conversation is."""
        chosen = await asyncio.to_thread(_chosen, question, look, self.outside.today(), most)
        pages = {piece.page: look.pages[piece.page] for piece in chosen}
        files = {
            number: derived_id("page", turning.conversation or turning.run, page.url, page.text)
            for number, page in pages.items()
        }
        passages = [_passage(piece.chunk, pages[piece.page], files[piece.page]) for piece in chosen]
        if fitting is not None and not look.given and not await fitting.fits(passages):
            return []
        if turning.conversation is not None and self._kept is not None:
            for number, page in pages.items():
                await self._kept.add_page(turning.principal, files[number], turning.conversation, page)
        return passages


class WebGrounds:
    """The grounds of one answer, as `grounds.Grounds` has it."""

    def __init__(self, searching: Searching, turning: Turning, numbering: Numbering, wish: Wish | None) -> None:
        self._searching = searching
        self._turning = turning
        self._numbering = numbering
        self._wish = wish
        self._passages: list[Passage] = []
        self._speechless = False

    async def gather(self, engine: Engine, model: Model) -> AsyncGenerator[Finding, None]:
        """Search and read within the budget; give the passages, best first, and what is to be known of them."""
        turning, wanted = self._turning, self._wish
        if turning.setting == "off":
            yield Remarked("web_off", "The web is off; what the model knows may be out of date.")
            return
        if turning.setting == "auto" and wanted is not None:
            yield Remarked("web_auto", f"Looked at the web, because {WHY[wanted.why]}.")
        sought = Sought(
            turning.principal, turning.run, turning.question, engine, model, self._searching.seconds, turning.before
        )
        look = Look(self._searching.outside, sought)
        fitting = Fitting(turning.question, self._searching.embedder)
        try:
            async with aclosing(look.findings()) as findings:
                async for finding in findings:
                    yield finding
            passages = await self._searching.passages(turning, turning.asked, look, budget(model).passages, fitting)
        finally:
            await fitting.close()
        self._passages = self._numbering.numbered(passages)
        for passage in self._passages:
            yield SourceFound(passage)
        async for remark in self._remarks(look):
            yield remark

    def notes(self) -> Sequence[str]:
        return ()

    async def lead(self, model: Model) -> Sequence[Quoted]:
        """The sentence that answers best, where the model is too small to be trusted with that."""
        if model.tier != "tiny" or not self._passages:
            return ()
        question = self._turning.question
        language = language_of(question)
        foreign = language is not None and bool(model.languages) and not lists(model.languages, language)
        found = await quotes(question, self._passages, self._searching.embedder, 2 if foreign else 1)
        self._speechless = foreign and bool(found)
        return found

    def suffice(self) -> bool:
        return self._speechless

    def checker(self, passages: Sequence[Passage]) -> Checker:
        return Checker(passages, self._searching.embedder, self._turning.question)

    async def _remarks(self, look: Look) -> AsyncGenerator[Remarked, None]:
        if look.late:
            yield Remarked("web_late", f"Left out, because it took too long: {_listed(look.late)}.")
        if not look.answered:
            yield Remarked("web_unreachable", "No search service and no page could be reached.")
        elif not self._passages:
            yield Remarked("nothing_found", "Nothing was found on the web that fits the question.")
        elif (stale := self._stale()) is not None:
            yield stale
        if (found := await contradiction(without_addresses(self._turning.asked), self._passages)) is not None:
            yield found

    def _stale(self) -> Remarked | None:
        """What is asked for is newer than what was found."""
        today = self._searching.outside.today()
        wanted = timely(self._turning.question, today)
        if wanted is None or wanted.days is None:
            return None
        dates = [date.fromisoformat(each.published) for each in self._passages if each.published is not None]
        newest = max(dates, default=None)
        if newest is not None and newest >= today - timedelta(days=wanted.days):
            return None
        when = "has no date" if newest is None else f"is of {newest.isoformat()}"
        return Remarked("stale", f"Nothing as new as the question asks for was found; the newest source {when}.")


def _passage(chunk: Chunk, page: WebPage, file: str) -> Passage:
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


def _chosen(question: str, look: Look, today: date, most: int) -> list[Piece]:
    """What fits the question; of pages that it names, what they begin with too, or alone where they are meant whole."""
    if look.given:
        chosen = [] if wants_whole(question) else best(without_addresses(question), look.pieces, most)
        return [*chosen, *(piece for piece in opening(look.pieces, most) if piece not in chosen)][:most]
    fresh = _fresh(look.pages) if timely(question, today) is not None else None
    return best(question, look.pieces, most, fresh)


def _fresh(pages: Mapping[int, WebPage]) -> dict[int, float]:
    """By how much the passages of each page count more, where what is newest is asked for."""
    days = {number: page.published for number, page in pages.items() if page.published is not None}
    oldest = min(days.values(), default=date.max)
    span = max(1, (max(days.values(), default=oldest) - oldest).days)
    return {number: 1 + FRESH * (day - oldest).days / span for number, day in days.items()}


def _listed(titles: Sequence[str]) -> str:
    names = dict.fromkeys(urlsplit(title).hostname or title for title in titles)
    return ", ".join(names)
