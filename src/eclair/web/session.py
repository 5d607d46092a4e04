"""One look at the web: searches, and reads what was found while more is found, within a budget of time.

What is late is left out. A page is text and nothing else: what it says leads to no further call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Protocol

from eclair.generation.fallback import cancel_and_wait
from eclair.llm.base import Engine
from eclair.network.gate import CallContext
from eclair.schema.events import StepFinished, StepStarted
from eclair.schema.messages import Outcome
from eclair.schema.models import Model
from eclair.schema.web import WebHit, WebPage, WebQuery
from eclair.text.intent.web import find_addresses
from eclair.web.bm25 import PageChunk, split_page
from eclair.web.pages.fetch import PageUnreadable
from eclair.web.question import WebQuestion
from eclair.web.search import MetaSearch, RankedHits

MAX_PAGES = 6
"""Pages that are read for one look; one that cannot be has another in its place."""
ENOUGH_PAGES = 4
"""Pages with something on them after which no further one is waited for but the best, and for those only a while."""
BEST_PAGES_GRACE_S = 1.5
"""Seconds of that while."""
EARLY_READS = (3, 5)
"""Of the first list of hits, and of those that come after it, pages that are read before all services have answered."""
PAGE_TIMEOUT_S = 4.0
"""Seconds that one page may take."""
RESERVED_S = 0.3
"""Seconds of the budget that are kept for choosing passages once everything else has ended."""
MAX_CHUNKS_PER_PAGE = 400
"""Passages of one page that are looked at: a book's worth is no news."""
QUERY_TIME_SHARE = 1 / 3
"""Share of the time within which queries must be made."""


class PageSource(Protocol):
    """Reads pages, as `fetch.Reader` does."""

    async def read(self, url: str, context: CallContext, *, timeout_s: float) -> WebPage: ...

    async def warm(self) -> None: ...


class QueryMaker(Protocol):
    """Writes the queries that a question is searched for with."""

    async def write(
        self, question: WebQuestion, engine: Engine, model: Model, today: date, timeout_s: float
    ) -> tuple[WebQuery, ...]: ...


@dataclass(frozen=True, slots=True)
class WebAccess:
    """The ways to the web."""

    search: MetaSearch
    reader: PageSource
    queries: QueryMaker
    today: Callable[[], date] = field(default=date.today)


@dataclass(frozen=True, slots=True)
class _Read:
    """A page has been read. `number` is its place among those that were found."""

    number: int
    page: WebPage
    pieces: tuple[PageChunk, ...]


class WebSession:
    """One look at the web: what it asks, and what it has read when it ends.

    `given` are the addresses in the question, beside which nothing is searched. `model` makes the queries. `name` goes
    before the names of steps where one run has several sessions.
    """

    def __init__(
        self, access: WebAccess, question: WebQuestion, engine: Engine, model: Model, timeout_s: float, name: str = ""
    ) -> None:
        self._access = access
        self._question = question
        self._engine = engine
        self._model = model
        self._seconds = timeout_s
        self._name = name
        self._began = time.monotonic()
        self._queue: asyncio.Queue[StepStarted | StepFinished | _Read | None] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._open: dict[str, str] = {}
        self._reading: dict[str, int] = {}
        self._awaited: set[str] = set()
        self._hits: Sequence[WebHit] = ()
        self._unread = 0
        self._enough_since: float | None = None
        self.named_urls = find_addresses(question.text)
        self.pages: dict[int, WebPage] = {}
        self.chunks: list[PageChunk] = []
        self.late: list[str] = []
        self.got_reply = False

    async def findings(self) -> AsyncGenerator[StepStarted | StepFinished, None]:
        """The steps, as they begin and end; what could be read is in `pages` and `pieces` then."""
        for url in self.named_urls:
            self._read_too(WebHit(url, ""))
        if not self.named_urls:
            self._spawn(self._access.reader.warm())
            self._spawn(self._find())
        try:
            while (left := self._left()) > 0:
                try:
                    what = await asyncio.wait_for(self._queue.get(), left)
                except TimeoutError:
                    break
                if isinstance(what, StepStarted | StepFinished):
                    yield self._noted(what)
                elif what is not None:
                    self._take(what)
                else:
                    for task in self._tasks:
                        if task.done():
                            task.result()  # raises what ended it, which is a fault of ours
                    if self._queue.empty() and all(task.done() for task in self._tasks):
                        break
        finally:
            for task in self._tasks:
                await cancel_and_wait(task)
        late = not self._enough()
        while not self._queue.empty():
            what = self._queue.get_nowait()
            if isinstance(what, StepStarted | StepFinished):
                yield self._noted(what)
            elif what is not None:
                self._take(what)
        for step, title in self._open.items():
            self.late += [title] if late else []
            yield StepFinished(step, self._since(self._began), "late" if late else None)

    def _left(self) -> float:
        """Seconds that are left: of the budget, or of what is spent on the best pages once there are enough."""
        now = time.monotonic()
        left = self._seconds - RESERVED_S - (now - self._began)
        if not self._enough():
            return left
        self._enough_since = self._enough_since or now
        return min(left, BEST_PAGES_GRACE_S - (now - self._enough_since)) if self._awaited else 0.0

    def _enough(self) -> bool:
        """Whether no further page is worth the wait: several have what fits, and what the person named is there."""
        named = all(self._reading[url] in self.pages for url in self.named_urls)
        return named and len({piece.page for piece in self.chunks}) >= (len(self.named_urls) or ENOUGH_PAGES)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        task.add_done_callback(lambda _: self._queue.put_nowait(None))
        self._tasks.append(task)

    def _noted(self, step: StepStarted | StepFinished) -> StepStarted | StepFinished:
        """The step under its name, whose end will be told even if it is not waited for."""
        step = replace(step, step=f"{self._name}{step.step}")
        if isinstance(step, StepStarted):
            self._open[step.step] = step.title
        else:
            self._open.pop(step.step, None)
            self.got_reply = self.got_reply or step.outcome in ("done", "nothing", "wall")
        return step

    def _take(self, read: _Read) -> None:
        self.pages[read.number] = read.page
        self.chunks += read.pieces

    async def _find(self) -> None:
        """Search, and read what is found: the first ones at once, others when no better ones can come."""
        question, timeout_s = self._question, self._left() * QUERY_TIME_SHARE
        queries = await self._access.queries.write(question, self._engine, self._model, self._access.today(), timeout_s)
        context = CallContext(question.principal, "search", question.run)
        answered = 0
        async with aclosing(self._access.search.search(queries, context, timeout_s=self._left())) as looked:
            async for what in looked:
                if isinstance(what, RankedHits):
                    self._hits = what.hits
                    best, answered = EARLY_READS[min(answered, 1)], answered + 1
                    for number, hit in enumerate(self._hits[:best]):
                        self._read_too(hit, awaited=number < EARLY_READS[0])
                else:
                    self._queue.put_nowait(what)
        for hit in self._hits:
            self._read_too(hit)

    def _read_too(self, hit: WebHit, *, awaited: bool = False) -> None:
        if hit.url not in self._reading and len(self._reading) - self._unread < MAX_PAGES:
            self._reading[hit.url] = len(self._reading)
            self._awaited |= {hit.url} if awaited else set()
            self._spawn(self._read(hit, self._reading[hit.url]))

    async def _read(self, hit: WebHit, number: int) -> None:
        """Read a page. Where it does not say of what day it is, the day is that by which it was found."""
        step, began = f"page{number}", time.monotonic()
        self._queue.put_nowait(StepStarted(step, "fetch", hit.url))
        context = CallContext(self._question.principal, "page", self._question.run)
        outcome: Outcome
        try:
            page = await self._access.reader.read(hit.url, context, timeout_s=min(PAGE_TIMEOUT_S, self._left()))
            page = page if page.published is not None else replace(page, published=hit.published)
            found = await asyncio.to_thread(split_page, number, page)
            self._queue.put_nowait(_Read(number, page, tuple(found[:MAX_CHUNKS_PER_PAGE])))
            outcome = "wall" if page.wall is not None else "done" if found else "nothing"
        except PageUnreadable as unread:
            outcome = unread.outcome
            self._unread += 1
            if instead := next((each for each in self._hits if each.url not in self._reading), None):
                self._read_too(instead, awaited=hit.url in self._awaited)
        self._awaited.discard(hit.url)
        self._queue.put_nowait(StepFinished(step, self._since(began), outcome))

    def _since(self, began: float) -> float:
        return round((time.monotonic() - began) * 1000, 1)
