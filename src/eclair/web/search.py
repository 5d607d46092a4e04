"""The web searched: every service is asked at once, and what they find is one list that grows better as they answer.

A slow service holds up nobody, and one that failed three times is left alone for a while. What is asked is the affair
of `queries`, how the answers become one order that of `fusing`.
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
from eclair.schema.messages import Outcome, Step
from eclair.schema.web import Hit, Query
from eclair.settings import Settings
from eclair.web.providers import chosen, known
from eclair.web.providers.base import Conditional, SearchService, ServiceFailed, Today, on_web
from eclair.web.rank_fusion import Listed, fuse, untracked

WITHIN = 6.0
"""Seconds that a search may take."""
EACH = 10
"""Hits that a service is asked for."""
THIN = 3
"""Hits below which a service is asked in the next language too."""
PATIENT = 3
RESTING = 300.0
"""Seconds for which a service is not asked that failed PATIENT times in a row."""
AGAIN = 1.5
"""Seconds of silence after which a service that costs nothing is asked a second time; the first answer counts."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ranked:
    """What was found so far, the best first."""

    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Offered:
    """A service that there is. `asked` says whether it is, `ready` whether it has what it needs, such as its key;
    `fault` is what it said when it last failed, if it has not answered since."""

    service: SearchService
    asked: bool
    ready: bool
    fault: str | None

    def told(self) -> dict[str, str | bool | None]:
        """As programs are told of it."""
        service = self.service
        return {
            "name": service.name,
            "title": service.title,
            "jurisdiction": service.jurisdiction,
            "asked": self.asked,
            "ready": self.ready,
            "needs_key": service.needs_key,
            "terms": service.terms,
            "fault": self.fault,
        }


@dataclass(slots=True)
class _Record:
    """How a service has done: how often it failed since it last answered, until when it rests, and what it said."""

    failures: int = 0
    until: float = 0.0
    fault: str | None = None


@dataclass(slots=True)
class _Asked:
    """A service at work: its step, and what it has answered to each query so far."""

    service: SearchService
    step: str
    began: float
    lists: list[Listed] = field(default_factory=list[Listed])
    ended: float | None = None
    outcome: Outcome = "late"

    @property
    def count(self) -> int:
        return sum(len(listed.hits) for listed in self.lists)


class WebSearch:
    """`services` are those that may be asked, in the order in which they are shown; `others` are only offered."""

    def __init__(
        self,
        services: Sequence[SearchService],
        others: Sequence[SearchService] = (),
        *,
        today: Today = date.today,
        clock: Callable[[], float] = time.monotonic,
        again: float = AGAIN,
    ) -> None:
        self._services = tuple(services)
        self._others = tuple(others)
        self._today = today
        self._clock = clock
        self._again = again
        self._records = {service.name: _Record() for service in services}

    @classmethod
    def configured(cls, settings: Settings, browser: WebClient, given: Sequence[SearchService] = ()) -> WebSearch:
        """With the services that the settings name, and what else is `given`. Raises SettingsError."""
        services = known(settings, browser, given)
        asked = chosen(settings, services)
        return cls(asked, [service for service in services if service not in asked])

    async def offered(self) -> list[Offered]:
        """All that there is, what is asked first."""
        return [
            Offered(service, ready and service in self._services, ready, self.fault(service.name))
            for service in (*self._services, *self._others)
            for ready in [await is_ready(service)]
        ]

    async def services(self) -> list[SearchService]:
        """Those that are asked now, in order: all that are ready but those that rest, or all where all rest."""
        ready = [service for service in self._services if await is_ready(service)]
        awake = [service for service in ready if self._records[service.name].until <= self._clock()]
        return awake or ready

    def fault(self, name: str) -> str | None:
        """What a service said when it last failed, if it has not answered since."""
        record = self._records.get(name)
        return record.fault if record is not None else None

    async def find(
        self, queries: Sequence[Query], context: CallContext, *, within: float
    ) -> AsyncGenerator[StepStarted | StepFinished | Ranked, None]:
        """Ask every service: the start and the end of each, and what was found whenever that has changed.

        It ends when all have answered, or after so many seconds. Queries in other languages than the first are put to
        a service that found little. A service's fault is told by its outcome, and by `fault`.
        """
        until = self._clock() + within
        if not queries:
            return
        asked = [_Asked(service, new_id("step"), self._clock()) for service in await self.services()]
        tasks = {asyncio.create_task(self._ask(one, queries, context, until)): one for one in asked}
        days = min((query.days for query in queries if query.days is not None), default=None)
        shown: tuple[Hit, ...] = ()
        try:
            for one in asked:
                yield StepStarted(one.step, "ask", one.service.title)
            pending = set(tasks)
            while pending:
                left = max(0.0, until - self._clock())
                done, pending = await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                late = not done
                for one in [tasks[task] for task in tasks if task in done or (late and task in pending)]:
                    if late:
                        self._failed(one.service, f"{one.service.title} did not answer in time.")
                    yield self._finished(one)
                hits = fuse([listed for one in asked for listed in one.lists], self._today(), days)
                if hits != shown:
                    shown = hits
                    yield Ranked(hits)
                if late:
                    return
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _finished(self, one: _Asked) -> StepFinished:
        took = ((one.ended or self._clock()) - one.began) * 1000
        return StepFinished(one.step, round(took, 1), one.outcome, one.count)

    async def _ask(self, one: _Asked, queries: Sequence[Query], context: CallContext, until: float) -> None:
        """Put the queries of the first one's language to it, and the others if it finds little."""
        first = [query for query in queries if query.language == queries[0].language]
        others = [query for query in queries if query.language != queries[0].language]
        try:
            await self._put(one, first, context, until)
            if one.count < THIN and others:
                await self._put(one, others, context, until)
        except ServiceFailed as error:
            if not one.lists:
                one.outcome = error.outcome
                self._failed(one.service, error.message, resting=error.outcome != "refused")
                return
        except Exception:
            log.exception("%s was asked in vain", one.service.title)
            one.outcome = "failed"
            self._failed(one.service, f"{one.service.title} could not be asked, by a mistake of our own.")
            return
        finally:
            one.ended = self._clock()
        one.outcome = "done" if one.count else "nothing"
        self._records[one.service.name] = _Record()

    async def _put(self, one: _Asked, queries: Sequence[Query], context: CallContext, until: float) -> None:
        """Raises ServiceFailed where no query was answered."""
        faults: list[ServiceFailed] = []

        async def put(query: Query) -> None:
            try:
                hits = await self._hedged(one.service, query, context, until)
            except ServiceFailed as error:
                faults.append(error)
                return
            found = tuple(replace(hit, url=untracked(hit.url)) for hit in hits if on_web(hit.url))
            one.lists.append(Listed(one.service.name, found))

        await asyncio.gather(*map(put, queries))
        if len(faults) == len(queries):
            raise faults[0]

    async def _hedged(self, service: SearchService, query: Query, context: CallContext, until: float) -> list[Hit]:
        """What it answers; a connection that stalls is not waited for where asking twice costs nothing."""

        def find() -> Awaitable[list[Hit]]:
            return service.find(query, EACH, context, max(0.05, until - self._clock()))

        first = asyncio.ensure_future(find())
        tries = {first}
        try:
            if not service.needs_key:
                done, _ = await asyncio.wait(tries, timeout=self._again)
                if not done:
                    tries.add(asyncio.ensure_future(find()))
            while True:
                done, tries = await asyncio.wait(tries, return_when=asyncio.FIRST_COMPLETED)
                answered = next((task for task in done if task.exception() is None), None)
                if answered is not None or not tries:
                    return (answered or done.pop()).result()
        finally:
            for task in {first, *tries}:
                task.cancel()
            await asyncio.gather(first, *tries, return_exceptions=True)

    def _failed(self, service: SearchService, message: str, *, resting: bool = True) -> None:
        log.info("%s", message)
        record = self._records[service.name]
        record.fault = message
        if resting:
            record.failures += 1
            if record.failures >= PATIENT:
                record.until = self._clock() + RESTING
                log.info("%s is left alone for %d seconds", service.title, RESTING)


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to: how each service did, and what was found, the best first."""

    steps: tuple[Step, ...]
    hits: tuple[Hit, ...]


async def search(web: WebSearch, queries: Sequence[Query], context: CallContext, *, within: float) -> Found:
    """A whole search, for who has no use for what comes meanwhile."""
    steps: dict[str, Step] = {}
    hits: tuple[Hit, ...] = ()
    async with aclosing(web.find(queries, context, within=within)) as events:
        async for event in events:
            match event:
                case StepStarted():
                    steps[event.step] = Step(event.step, event.kind, event.title)
                case StepFinished():
                    took, outcome, count = event.milliseconds, event.outcome, event.count
                    steps[event.step] = replace(steps[event.step], milliseconds=took, outcome=outcome, count=count)
                case Ranked():
                    hits = event.hits
    return Found(tuple(steps.values()), hits)


async def is_ready(service: SearchService) -> bool:
    """Whether it can be asked at all: some need a key, or feeds."""
    return await service.ready() if isinstance(service, Conditional) else True
