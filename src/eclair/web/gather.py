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

from eclair.citations import Checker
from eclair.documents.asking import wants_whole
from eclair.documents.embedding import Embedder
from eclair.documents.gather import budget, is_small
from eclair.documents.quoting import quotes
from eclair.documents.values import Chunk
from eclair.engines.base import Engine, Model
from eclair.errors import InvalidInput
from eclair.events import Remarked, SourceFound
from eclair.grounds import Finding, Numbering, Quoted
from eclair.ids import derived_id
from eclair.languages import language_of, lists
from eclair.messages import Message, Passage, Web
from eclair.store.web import WebStore
from eclair.web.contradictions import contradiction
from eclair.web.deciding import Wish, addresses, chats, timely, wish, without_addresses
from eclair.web.look import Look, Outside, Sought
from eclair.web.ranking import FITS, Piece, best, opening
from eclair.web.values import WebPage

SHORT = 5
"""Words below which passages are chosen by the question before too."""

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

    owner: str
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

    async def passages(self, turning: Turning, chosen: Sequence[Piece], pages: Mapping[int, WebPage]) -> list[Passage]:
        """The passages without their numbers. Copies of their pages are kept from now on."""
        files = {number: await self._keep(turning, pages[number]) for number in {piece.page for piece in chosen}}
        return [_passage(piece.chunk, pages[piece.page], files[piece.page]) for piece in chosen]

    async def _keep(self, turning: Turning, page: WebPage) -> str:
        """The id of the page's copy, which is kept unless nothing of the conversation is."""
        id = derived_id("page", turning.conversation or turning.run, page.url, page.text)
        if turning.conversation is not None and self._kept is not None:
            await self._kept.add_page(turning.owner, id, turning.conversation, page)
        return id


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
            turning.owner, turning.run, turning.question, engine, model, self._searching.seconds, turning.before
        )
        look = Look(self._searching.outside, sought)
        async with aclosing(look.findings()) as findings:
            async for finding in findings:
                yield finding
        chosen = await asyncio.to_thread(
            _chosen, turning, look, self._searching.outside.today(), budget(model).passages
        )
        passages = await self._searching.passages(turning, chosen, look.pages)
        self._passages = self._numbering.numbered(passages)
        for passage in self._passages:
            yield SourceFound(passage)
        async for remark in self._remarks(look):
            yield remark

    def notes(self) -> Sequence[str]:
        return ()

    async def lead(self, model: Model) -> Sequence[Quoted]:
        """The sentence that answers best, where the model is too small to be trusted with that."""
        if not is_small(model) or not self._passages:
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
        if (found := await contradiction(_asked(self._turning), self._passages)) is not None:
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


def _chosen(turning: Turning, look: Look, today: date, most: int) -> list[Piece]:
    """What fits the question; of pages that it names, what they begin with too, or alone where they are meant whole."""
    question, found = turning.question, look.pieces
    if addresses(question):
        chosen = [] if wants_whole(question) else best(_asked(turning), found, most)
        return [*chosen, *(piece for piece in opening(found, most) if piece not in chosen)][:most]
    language = language_of(question)
    plain = timely(question, today) is None and all(page.language == language for page in look.pages.values())
    return best(_asked(turning), found, most, FITS if plain else 0.0)


def _asked(turning: Turning) -> str:
    """What passages are chosen by: the question, and where it is short the one before it too."""
    question = without_addresses(turning.question)
    return "\n".join([*turning.before[-1:], question]) if len(question.split()) < SHORT else question


def _listed(titles: Sequence[str]) -> str:
    names = dict.fromkeys(urlsplit(title).hostname or title for title in titles)
    return ", ".join(names)
