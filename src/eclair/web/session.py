"""One web search: finds and reads pages within a time budget.

Whatever is late is left out. Pages are only text: nothing in them leads to a further call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Protocol

from eclair.llm.base import Engine
from eclair.network.gate import CallContext
from eclair.schema.events import StepFinished, StepStarted
from eclair.schema.messages import StepOutcome
from eclair.schema.models import Model
from eclair.schema.web import WebHit, WebPage, WebQuery
from eclair.text.intent.web import find_addresses
from eclair.util.tasks import cancel_and_wait
from eclair.web.bm25 import PageChunk, split_page
from eclair.web.pages.fetch import PageUnreadable
from eclair.web.question import WebQuestion
from eclair.web.search import MetaSearch, RankedHits

MAX_PAGES = 6
"""Pages read per session; another replaces one that can't be read."""
ENOUGH_PAGES = 4
"""Once this many pages have text, only the best hits are waited for, for `BEST_PAGES_GRACE_S`."""
BEST_PAGES_GRACE_S = 1.5
EARLY_READS = (3, 5)
"""Pages of the first list of hits, and of each later one, that are read before all providers have answered."""
PAGE_TIMEOUT_S = 4.0
"""For a page that was searched for, so that another can still be read."""
RESERVED_S = 0.3
"""Part of the budget that is reserved for choosing passages."""
MAX_CHUNKS_PER_PAGE = 400
QUERY_TIME_SHARE = 1 / 3
"""Share of the time budget for writing queries."""


class PageSource(Protocol):
    """Reads web pages, as `PageReader` does."""

    async def read(self, url: str, context: CallContext, *, timeout_s: float) -> WebPage: ...

    async def warm(self) -> None: ...


class QueryMaker(Protocol):
    """Writes the queries that a question is searched for with."""

    async def write(
        self, question: WebQuestion, engine: Engine, model: Model, today: date, timeout_s: float
    ) -> tuple[WebQuery, ...]: ...


class WebNeedDecider(Protocol):
    """Decides whether a question needs the web, where the rule doesn't see it."""

    async def needs_web(self, question: WebQuestion, engine: Engine, model: Model, today: date) -> bool: ...


@dataclass(frozen=True, slots=True)
class WebAccess:
    """Ways to search and read the web, shared by all sessions. Without `decider` the rule alone decides."""

    search: MetaSearch
    reader: PageSource
    queries: QueryMaker
    today: Callable[[], date] = field(default=date.today)
    decider: WebNeedDecider | None = None


@dataclass(frozen=True, slots=True)
class _PageRead:
    """A page that has been read. `number` is its position among the pages found."""

    number: int
    page: WebPage
    chunks: tuple[PageChunk, ...]


class WebSession:
    """One web search for a question, and the pages that it has read.

    `named_urls` are the URLs in the question, or the given `urls`; with any, nothing is searched. `model` writes the
    queries. `name` prefixes the steps, as one run may have several sessions. `late` are titles of steps that took too
    long; `got_reply` is true once a provider or page has answered; a local provider only counts where no other is
    asked. A page that the question names may take all of the time.
    """

    def __init__(
        self,
        access: WebAccess,
        question: WebQuestion,
        engine: Engine,
        model: Model,
        timeout_s: float,
        name: str = "",
        urls: Sequence[str] | None = None,
    ) -> None:
        self._access = access
        self._question = question
        self._engine = engine
        self._model = model
        self._seconds = timeout_s
        self._name = name
        self._began = time.monotonic()
        self._queue: asyncio.Queue[StepStarted | StepFinished | _PageRead | None] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._open: dict[str, str] = {}
        self._reading: dict[str, int] = {}
        self._awaited: set[str] = set()
        self._hits: Sequence[WebHit] = ()
        self._failed_reads = 0
        self._enough_since: float | None = None
        self.named_urls = find_addresses(question.text) if urls is None else list(urls)
        self.pages: dict[int, WebPage] = {}
        self.chunks: list[PageChunk] = []
        self.late: list[str] = []
        self._local_titles = access.search.local_titles
        self._asked_here = False
        self._asked_elsewhere = False
        self._replied_here = False
        self._replied_elsewhere = False

    @property
    def got_reply(self) -> bool:
        return self._replied_elsewhere or not (self._asked_elsewhere or (self._asked_here and not self._replied_here))

    @property
    def unread_hits(self) -> list[WebHit]:
        """Return the hits, best first, of pages that were not read."""
        read = {url for url, number in self._reading.items() if number in self.pages}
        return [hit for hit in self._hits if hit.url not in read]

    @property
    def has_unread_pages(self) -> bool:
        """Return whether pages were found or named, and none of them could be read."""
        return bool(self.named_urls or self._hits) and not self.chunks

    async def findings(self) -> AsyncGenerator[StepStarted | StepFinished, None]:
        """Yield steps as they start and finish; afterwards `pages` and `chunks` hold what was read."""
        for url in self.named_urls:
            self._start_reading(WebHit(url, ""))
        if not self.named_urls:
            self._spawn(self._access.reader.warm())
            self._spawn(self._search())
        try:
            while (left := self._time_left()) > 0:
                try:
                    event = await asyncio.wait_for(self._queue.get(), left)
                except TimeoutError:
                    break
                if isinstance(event, StepStarted | StepFinished):
                    yield self._track(event)
                elif event is not None:
                    self._store_page(event)
                else:
                    for task in self._tasks:
                        if task.done():
                            task.result()  # raises its exception, a bug of ours
                    if self._queue.empty() and all(task.done() for task in self._tasks):
                        break
        finally:
            for task in self._tasks:
                await cancel_and_wait(task)
        late = not self._has_enough()
        while not self._queue.empty():
            event = self._queue.get_nowait()
            if isinstance(event, StepStarted | StepFinished):
                yield self._track(event)
            elif event is not None:
                self._store_page(event)
        for step, title in self._open.items():
            self.late += [title] if late else []
            yield StepFinished(step, self._elapsed_ms(self._began), "late" if late else None)

    def _time_left(self) -> float:
        """Return the seconds left of the budget or, with enough pages, of the grace period for the best ones."""
        now = time.monotonic()
        left = self._seconds - RESERVED_S - (now - self._began)
        if not self._has_enough():
            return left
        self._enough_since = self._enough_since or now
        return min(left, BEST_PAGES_GRACE_S - (now - self._enough_since)) if self._awaited else 0.0

    def _has_enough(self) -> bool:
        """Return whether enough pages have text, with all that the question names."""
        named = all(self._reading[url] in self.pages for url in self.named_urls)
        return named and len({piece.page for piece in self.chunks}) >= (len(self.named_urls) or ENOUGH_PAGES)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        task.add_done_callback(lambda _: self._queue.put_nowait(None))
        self._tasks.append(task)

    def _track(self, step: StepStarted | StepFinished) -> StepStarted | StepFinished:
        """Prefix the step with the session's name, and remember it while it is open."""
        step = replace(step, step=f"{self._name}{step.step}")
        if isinstance(step, StepStarted):
            self._open[step.step] = step.title
            self._asked_here |= step.title in self._local_titles
            self._asked_elsewhere |= step.title not in self._local_titles
        else:
            title = self._open.pop(step.step, None)
            self.late += [title] if step.outcome == "late" and title is not None else []
            if step.outcome in ("done", "nothing", "wall"):
                self._replied_here |= title in self._local_titles
                self._replied_elsewhere |= title not in self._local_titles
        return step

    def _store_page(self, read: _PageRead) -> None:
        self.pages[read.number] = read.page
        self.chunks += read.chunks

    async def _search(self) -> None:
        """Search and read the hits: the first ones at once, others when no better ones can come."""
        question, timeout_s = self._question, self._time_left() * QUERY_TIME_SHARE
        queries = await self._access.queries.write(question, self._engine, self._model, self._access.today(), timeout_s)
        context = CallContext(question.principal, "search", question.run)
        answered = 0
        async with aclosing(self._access.search.search(queries, context, timeout_s=self._time_left())) as updates:
            async for update in updates:
                if isinstance(update, RankedHits):
                    self._hits = update.hits
                    best, answered = EARLY_READS[min(answered, 1)], answered + 1
                    for number, hit in enumerate(self._hits[:best]):
                        self._start_reading(hit, awaited=number < EARLY_READS[0])
                else:
                    self._queue.put_nowait(update)
        for hit in self._hits:
            self._start_reading(hit)

    def _start_reading(self, hit: WebHit, *, awaited: bool = False) -> None:
        if hit.url not in self._reading and len(self._reading) - self._failed_reads < MAX_PAGES:
            self._reading[hit.url] = len(self._reading)
            self._awaited |= {hit.url} if awaited else set()
            self._spawn(self._read(hit, self._reading[hit.url]))

    async def _read(self, hit: WebHit, number: int) -> None:
        """Read a page, and take its hit's date if it has none itself."""
        step, began = f"page{number}", time.monotonic()
        self._queue.put_nowait(StepStarted(step, "fetch", hit.url))
        context = CallContext(self._question.principal, "page", self._question.run)
        outcome: StepOutcome
        try:
            left = self._time_left()
            timeout_s = left if hit.url in self.named_urls else min(PAGE_TIMEOUT_S, left)
            page = await self._access.reader.read(hit.url, context, timeout_s=timeout_s)
            page = page if page.published is not None else replace(page, published=hit.published)
            found = await asyncio.to_thread(split_page, number, page)
            self._queue.put_nowait(_PageRead(number, page, tuple(found[:MAX_CHUNKS_PER_PAGE])))
            outcome = "wall" if page.wall is not None else "done" if found else "nothing"
        except PageUnreadable as error:
            outcome = error.outcome
            self._failed_reads += 1
            if instead := next((each for each in self._hits if each.url not in self._reading), None):
                self._start_reading(instead, awaited=hit.url in self._awaited)
        self._awaited.discard(hit.url)
        self._queue.put_nowait(StepFinished(step, self._elapsed_ms(began), outcome))

    def _elapsed_ms(self, began: float) -> float:
        return round((time.monotonic() - began) * 1000, 1)
