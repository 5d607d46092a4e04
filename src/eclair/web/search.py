"""Metasearch: asks all providers at once and fuses their hits.

A slow provider holds nobody up, and one that keeps failing rests for a while. `queries` writes the queries,
`rank_fusion` orders the hits.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import date

from eclair.network.client import CallContext, WebClient
from eclair.schema.events import StepFinished, StepStarted
from eclair.schema.ids import new_id
from eclair.schema.messages import Step, StepOutcome
from eclair.schema.web import WebHit, WebQuery
from eclair.settings import Settings
from eclair.web.providers import available_providers, select_providers
from eclair.web.providers.base import ProviderError, SearchProvider, Today, is_web_url
from eclair.web.rank_fusion import RankedList, fuse, strip_tracking

SEARCH_TIMEOUT_S = 6.0
HITS_PER_QUERY = 10
FEW_HITS = 3
"""With fewer hits, a provider is asked the queries in other languages too."""
MAX_FAILURES = 3
COOLDOWN_S = 300.0
"""The time that a provider rests after MAX_FAILURES failures in a row."""
TEST_QUERY = WebQuery("Europe", "en")
"""Finds something everywhere, and tells nobody anything."""
HEDGE_DELAY_S = 1.5
"""Silence after which a free provider is asked a second time; the first reply counts."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RankedHits:
    """The hits so far, best first."""

    hits: tuple[WebHit, ...]


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """A provider, whether it is used, and whether it would be once it is ready.

    `error` is its last one, unless it has answered since.
    """

    provider: SearchProvider
    is_used: bool
    is_selected: bool
    error: str | None

    def as_dict(self) -> dict[str, str | bool | None]:
        """Return the API's form."""
        provider = self.provider
        return {
            "name": provider.name,
            "title": provider.title,
            "jurisdiction": provider.jurisdiction,
            "asked": self.is_used,
            "ready": provider.is_ready,
            "needs_key": provider.needs_key,
            "terms": provider.terms,
            "fault": self.error,
        }


@dataclass(frozen=True, slots=True)
class ProviderTest:
    """Result of asking a provider for TEST_QUERY; `error` is a sentence where it gave no hits."""

    outcome: StepOutcome
    hits: int
    milliseconds: float
    error: str | None


@dataclass(slots=True)
class _Health:
    """The health of a provider: failures since its last reply, and until when it rests."""

    failures: int = 0
    rests_until: float = 0.0
    error: str | None = None


@dataclass(slots=True)
class _Job:
    """A provider at work: its step, and its hits for each query so far."""

    provider: SearchProvider
    step: str
    started: float
    lists: list[RankedList] = field(default_factory=list[RankedList])
    ended: float | None = None
    outcome: StepOutcome = "late"

    @property
    def hit_count(self) -> int:
        return sum(len(ranked.hits) for ranked in self.lists)


class MetaSearch:
    """Searches with `providers`, in the order in which they are shown; `others` are only listed."""

    def __init__(
        self,
        providers: Sequence[SearchProvider],
        others: Sequence[SearchProvider] = (),
        *,
        today: Today = date.today,
        clock: Callable[[], float] = time.monotonic,
        hedge_delay_s: float = HEDGE_DELAY_S,
    ) -> None:
        self._health: dict[str, _Health] = {}
        self.use(providers, others)
        self._today = today
        self._clock = clock
        self._hedge_delay_s = hedge_delay_s

    def use(self, providers: Sequence[SearchProvider], others: Sequence[SearchProvider] = ()) -> None:
        """Search with these providers from now on; searches under way go on with those before."""
        self._providers = tuple(providers)
        self._others = tuple(others)
        for provider in providers:
            self._health.setdefault(provider.name, _Health())

    @classmethod
    def from_settings(cls, settings: Settings, client: WebClient, local: Sequence[SearchProvider] = ()) -> MetaSearch:
        """Use the providers that the settings select, with `local` ones to choose from. Raises SettingsError."""
        providers = available_providers(settings, client, local)
        used = select_providers(settings, providers)
        return cls(used, [provider for provider in providers if provider not in used])

    def list_providers(self) -> list[ProviderStatus]:
        """List all providers, those in use first."""
        return [
            ProviderStatus(provider, provider.is_ready and is_selected, is_selected, self.last_error(provider.name))
            for is_selected, providers in ((True, self._providers), (False, self._others))
            for provider in providers
        ]

    async def test_provider(self, name: str, context: CallContext) -> ProviderTest:
        """Ask a provider for TEST_QUERY, whether it is used or not. Raises KeyError for an unknown one."""
        provider = {each.name: each for each in (*self._others, *self._providers)}[name]
        began = self._clock()
        outcome: StepOutcome
        found, error = 0, None
        try:
            if not provider.is_ready:
                remedy = "its key" if provider.needs_key else "its address"
                raise ProviderError("failed", f"{provider.title} isn't set up; enter {remedy} first.")
            if not await provider.serves(context.principal):
                raise ProviderError("nothing", f"{provider.title}: there is nothing to search yet.")
            found = len(await provider.search(TEST_QUERY, HITS_PER_QUERY, context, SEARCH_TIMEOUT_S))
            outcome = "done" if found else "nothing"
            self._health[name] = _Health()
        except ProviderError as failure:
            outcome, error = failure.outcome, failure.message
        return ProviderTest(outcome, found, round((self._clock() - began) * 1000, 1), error)

    def active_providers(self) -> list[SearchProvider]:
        """List the providers to ask now: all that are ready, without those that rest unless all do."""
        ready = [provider for provider in self._providers if provider.is_ready]
        awake = [provider for provider in ready if self._health[provider.name].rests_until <= self._clock()]
        return awake or ready

    @property
    def local_titles(self) -> frozenset[str]:
        """The titles of the providers that search what this machine has."""
        return frozenset(provider.title for provider in self._providers if provider.is_local)

    def last_error(self, name: str) -> str | None:
        """Return a provider's last error, unless it has answered since."""
        health = self._health.get(name)
        return health.error if health is not None else None

    async def search(
        self, queries: Sequence[WebQuery], context: CallContext, *, timeout_s: float
    ) -> AsyncGenerator[StepStarted | StepFinished | RankedHits, None]:
        """Ask every provider; yield their steps, and the hits whenever they have changed.

        Queries in other languages than the first go to a provider that found few hits. A provider's failure shows in
        the outcome of its step, and in `last_error`.
        """
        deadline = self._clock() + timeout_s
        if not queries:
            return
        providers = [each for each in self.active_providers() if await each.serves(context.principal)]
        jobs = [_Job(provider, new_id("step"), self._clock()) for provider in providers]
        tasks = {asyncio.create_task(self._run(job, queries, context, deadline)): job for job in jobs}
        days = min((query.days for query in queries if query.days is not None), default=None)
        shown: tuple[WebHit, ...] = ()
        try:
            for job in jobs:
                yield StepStarted(job.step, "ask", job.provider.title)
            pending = set(tasks)
            while pending:
                left = max(0.0, deadline - self._clock())
                done, pending = await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                is_over = not done
                for job in [tasks[task] for task in tasks if task in done or (is_over and task in pending)]:
                    if is_over:
                        self._record_failure(job.provider, f"{job.provider.title} did not answer in time.")
                    yield self._finish_step(job)
                hits = fuse([ranked for job in jobs for ranked in job.lists], self._today(), days)
                if hits != shown:
                    shown = hits
                    yield RankedHits(hits)
                if is_over:
                    return
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _finish_step(self, job: _Job) -> StepFinished:
        took = ((job.ended or self._clock()) - job.started) * 1000
        return StepFinished(job.step, round(took, 1), job.outcome, job.hit_count)

    async def _run(self, job: _Job, queries: Sequence[WebQuery], context: CallContext, deadline: float) -> None:
        """Ask a provider the queries in the first one's language, and the others if it finds few hits."""
        first = [query for query in queries if query.language == queries[0].language]
        others = [query for query in queries if query.language != queries[0].language]
        try:
            await self._ask(job, first, context, deadline)
            if job.hit_count < FEW_HITS and others:
                await self._ask(job, others, context, deadline)
        except ProviderError as error:
            if not job.lists:
                job.outcome = error.outcome
                self._record_failure(job.provider, error.message, rests=error.outcome != "refused")
                return
        except Exception:
            log.exception("searching with %s failed", job.provider.title)
            job.outcome = "failed"
            self._record_failure(job.provider, f"Searching with {job.provider.title} failed; the log has the details.")
            return
        finally:
            job.ended = self._clock()
        job.outcome = "done" if job.hit_count else "nothing"
        self._health[job.provider.name] = _Health()

    async def _ask(self, job: _Job, queries: Sequence[WebQuery], context: CallContext, deadline: float) -> None:
        """Ask a provider several queries at once. Raises ProviderError if none was answered."""
        errors: list[ProviderError] = []

        async def ask(query: WebQuery) -> None:
            try:
                hits = await self._ask_hedged(job.provider, query, context, deadline)
            except ProviderError as error:
                errors.append(error)
                return
            found = tuple(replace(hit, url=strip_tracking(hit.url)) for hit in hits if is_web_url(hit.url))
            job.lists.append(RankedList(job.provider.name, found))

        await asyncio.gather(*map(ask, queries))
        if len(errors) == len(queries):
            raise errors[0]

    async def _ask_hedged(
        self, provider: SearchProvider, query: WebQuery, context: CallContext, deadline: float
    ) -> list[WebHit]:
        """Ask a provider, and a free one twice if its connection stalls. Raises ProviderError."""

        def ask() -> Awaitable[list[WebHit]]:
            return provider.search(query, HITS_PER_QUERY, context, max(0.05, deadline - self._clock()))

        first = asyncio.ensure_future(ask())
        tries = {first}
        try:
            if not provider.needs_key:
                done, _ = await asyncio.wait(tries, timeout=self._hedge_delay_s)
                if not done:
                    tries.add(asyncio.ensure_future(ask()))
            while True:
                done, tries = await asyncio.wait(tries, return_when=asyncio.FIRST_COMPLETED)
                answered = next((task for task in done if task.exception() is None), None)
                if answered is not None or not tries:
                    return (answered or done.pop()).result()
        finally:
            for task in {first, *tries}:
                task.cancel()
            await asyncio.gather(first, *tries, return_exceptions=True)

    def _record_failure(self, provider: SearchProvider, message: str, *, rests: bool = True) -> None:
        log.info("%s", message)
        health = self._health[provider.name]
        health.error = message
        if rests:
            health.failures += 1
            if health.failures >= MAX_FAILURES:
                health.rests_until = self._clock() + COOLDOWN_S
                log.info("%s rests for %d seconds", provider.title, COOLDOWN_S)


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """A finished search: the step of each provider, and the hits, best first."""

    steps: tuple[Step, ...]
    hits: tuple[WebHit, ...]


async def run_search(
    search: MetaSearch, queries: Sequence[WebQuery], context: CallContext, *, timeout_s: float
) -> SearchOutcome:
    """Search to the end, for callers that don't need intermediate results."""
    steps: dict[str, Step] = {}
    hits: tuple[WebHit, ...] = ()
    async with aclosing(search.search(queries, context, timeout_s=timeout_s)) as events:
        async for event in events:
            match event:
                case StepStarted():
                    steps[event.step] = Step(event.step, event.kind, event.title)
                case StepFinished():
                    took, outcome, count = event.milliseconds, event.outcome, event.count
                    steps[event.step] = replace(steps[event.step], milliseconds=took, outcome=outcome, count=count)
                case RankedHits():
                    hits = event.hits
    return SearchOutcome(tuple(steps.values()), hits)
