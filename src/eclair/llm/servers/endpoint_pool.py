"""A pool of endpoints: servers with the same models that share one engine's work, by weight.

A conversation stays at one endpoint, whose cache has read its beginning, unless others have much less to do. Until
the first word, another endpoint takes over from one that fails or, with hedging, is slow. One that failed is asked
for its health in the background, after a pause that doubles; once that is well it gets one question, and others when
that is answered: a server that hangs may still list its models.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from eclair.errors import (
    EclairError,
    EngineBroken,
    EngineBusy,
    EngineRefused,
    EngineUnavailable,
    KeyRefused,
    UpstreamError,
)
from eclair.llm.base import (
    JSON,
    Delta,
    Embeddings,
    EngineState,
    Health,
    HeardSpeech,
    HearingEngine,
    PromptCountingEngine,
    PromptProgress,
    Request,
    SoundUpload,
    SpeakingEngine,
    best_state,
    detokenize,
)
from eclair.llm.remote.request_marks import find_session
from eclair.llm.remote.server_engine import ServerEngine
from eclair.llm.servers.jurisdiction import ServerLocation, farthest, locate
from eclair.network.policy import host_and_port
from eclair.schema.models import Model
from eclair.util.tasks import cancel_and_wait

FAILOVER_ERRORS = (EngineUnavailable, EngineBusy, EngineBroken, KeyRefused)
"""Errors after which another endpoint is asked. Not a refusal: another would refuse too."""

MAX_LOAD_RATIO = 1.25
"""A conversation leaves its endpoint for another once that has so many times its share of the answers."""

MIN_RECOVERY_S = 1.0
MAX_RECOVERY_S = 30.0

log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")


class PoolEndpoint:
    """One server of a pool: its weight, what it does now, and why it is down, if it is."""

    def __init__(self, engine: ServerEngine, weight: float) -> None:
        self.engine = engine
        self.weight = weight
        self.url = engine.url
        host, port = host_and_port(engine.url)
        self.name = f"{host}:{port}"
        self.fault: EclairError | None = None
        self.running = self.answers = self.failures = 0
        self.models: frozenset[str] | None = None
        """The models it last listed; None until then."""
        self._failures_in_a_row = 0
        self._is_on_trial = False

    @property
    def is_up(self) -> bool:
        """False while it is down, and while the first question after that isn't answered."""
        return self.fault is None and not (self._is_on_trial and self.running)

    @property
    def load(self) -> float:
        return self.running / self.weight

    @property
    def recovery_s(self) -> float:
        """The pause before it is asked again."""
        return min(MAX_RECOVERY_S, MIN_RECOVERY_S * 2 ** max(0, self._failures_in_a_row - 1))

    @contextmanager
    def working(self) -> Generator[None]:
        """Count it as at work in the block."""
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1

    def note_failure(self, error: UpstreamError) -> None:
        """Count a failure. One that is merely busy isn't down."""
        self.failures += 1
        if not isinstance(error, EngineBusy):
            self._failures_in_a_row += 1
            if self.fault is None:
                log.warning("the endpoint %s is left out for a while: %s", self.name, error.message)
            self.fault = error

    def note_answer(self) -> None:
        self.answers += 1
        if self.fault is not None or self._is_on_trial:
            log.info("the endpoint %s answers again", self.name)
        self._failures_in_a_row, self.fault, self._is_on_trial = 0, None, False

    def try_again(self) -> None:
        """Let one question through."""
        self.fault, self._is_on_trial = None, True

    def score(self, session: str) -> float:
        """Return how much of a claim it has to a conversation: the highest of all goes to each by its weight."""
        digest = hashlib.sha256(f"{self.name} {session}".encode()).digest()
        share = (int.from_bytes(digest[:8]) + 1) / (2**64 + 2)
        return -self.weight / math.log(share)


@dataclass(slots=True, eq=False)
class _Attempt:
    """One endpoint that was asked, and its next delta."""

    endpoint: PoolEndpoint
    deltas: AsyncGenerator[Delta, None]
    next: asyncio.Future[Delta]
    work: ExitStack

    @classmethod
    def begin(cls, endpoint: PoolEndpoint, request: Request) -> _Attempt:
        deltas, work = endpoint.engine.stream(request), ExitStack()
        work.enter_context(endpoint.working())
        return cls(endpoint, deltas, asyncio.ensure_future(anext(deltas)), work)

    def ask_on(self) -> None:
        self.next = asyncio.ensure_future(anext(self.deltas))

    async def close(self) -> None:
        """End the work of the endpoint. What it still says counts for nothing, since another answers."""
        with self.work:
            await cancel_and_wait(self.next)
            if not self.next.cancelled():
                self.next.exception()
            await self.deltas.aclose()


class EndpointPool:
    """Implements `Engine` over servers that have one name. With `hedge_after_s`, a second is asked after that time.

    `location` is that of the farthest endpoint, unless it is known better than by addresses. A model is asked only of
    endpoints that list it.
    """

    def __init__(
        self,
        name: str,
        endpoints: Sequence[tuple[ServerEngine, float]],
        location: ServerLocation | None = None,
        *,
        hedge_after_s: float | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self.endpoints = [PoolEndpoint(engine, weight) for engine, weight in endpoints]
        self.url = self.endpoints[0].engine.url
        self.hedges = 0
        self.hedge_after_s = hedge_after_s
        self._recoveries: dict[PoolEndpoint, asyncio.Task[None]] = {}
        self._sleep = sleep
        self._location = (location or farthest([locate(each.url) for each in self.endpoints])).code
        first = self.endpoints[0].engine
        self.parallel = None if first.parallel is None else first.parallel * len(self.endpoints)
        self.max_waiting = first.max_waiting

    @property
    def is_busy(self) -> bool:
        """True while an answer is being made."""
        return any(each.engine.is_busy for each in self.endpoints)

    def know_vision(self, models: frozenset[str]) -> None:
        """Take over which models were probed to see."""
        for endpoint in self.endpoints:
            endpoint.engine.know_vision(models)

    @property
    def list_error(self) -> EclairError | None:
        """The reason why no endpoint can be reached; None if one can."""
        faults = [each.fault or each.engine.list_error for each in self.endpoints]
        return None if None in faults else faults[0]

    async def models(self) -> list[Model]:
        """List the models that any endpoint has. Raises UpstreamError if none answers."""
        found = await asyncio.gather(*(each.engine.models() for each in self.endpoints), return_exceptions=True)
        models: dict[str, Model] = {}
        faults: list[UpstreamError] = []
        for endpoint, listed in zip(self.endpoints, found, strict=True):
            if isinstance(listed, UpstreamError):
                faults.append(listed)
                self.note_failure(endpoint, listed)
            elif isinstance(listed, BaseException):
                raise listed
            else:
                endpoint.models = frozenset(model.id for model in listed)
                models |= {each.id: replace(each, location=self._location) for each in listed if each.id not in models}
        if len(faults) == len(self.endpoints):
            raise faults[0]
        return list(models.values())

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Ask endpoints until one answers; see `Engine.stream`."""
        racing = _Race(self, request)
        try:
            async with aclosing(racing.first_deltas()) as firsts:
                async for delta in firsts:
                    yield delta
            assert racing.winner is not None
            try:
                async for delta in racing.winner.deltas:
                    yield delta
            except FAILOVER_ERRORS as error:
                self.note_failure(racing.winner.endpoint, error)
                raise
        finally:
            await racing.close()

    def order(self, model: str, session: str | None) -> list[PoolEndpoint]:
        """Return the endpoints in the order in which to ask them: those that aren't up come last."""
        able = [each for each in self.endpoints if each.models is None or model in each.models] or self.endpoints
        up = [each for each in able if each.is_up]
        key = session or secrets.token_hex(8)
        ranked = sorted(up, key=lambda each: each.score(key), reverse=True)
        share = (sum(each.running for each in up) + 1) / (sum(each.weight for each in up) or 1)
        full = [each for each in ranked if each.running >= math.ceil(MAX_LOAD_RATIO * share * each.weight)]
        down = sorted((each for each in able if not each.is_up), key=lambda each: each.fault is not None)
        return [*(each for each in ranked if each not in full), *sorted(full, key=lambda each: each.load), *down]

    async def count(self, model: str, text: str) -> int:
        return await self.order(model, None)[0].engine.count(model, text)

    async def count_prompt(self, request: Request) -> int | None:
        """See `PromptCountingEngine`."""
        engine = self.order(request.model, find_session(request))[0].engine
        return await engine.count_prompt(request) if isinstance(engine, PromptCountingEngine) else None

    async def detokenize(self, model: str, tokens: Sequence[int]) -> str:
        """See `TokenEngine`."""

        async def ask(engine: ServerEngine) -> str:
            return await detokenize(engine, Model(model, model, self.name), tokens)

        return await self._try_each(model, ask)

    async def embed(self, model: str, texts: Sequence[str], dimensions: int | None) -> Embeddings:
        """See `Engine.embed`."""
        return await self._try_each(model, lambda engine: engine.embed(model, texts, dimensions))

    async def rerank(self, model: str, query: str, texts: Sequence[str]) -> list[float]:
        """See `Engine.rerank`."""
        return await self._try_each(model, lambda engine: engine.rerank(model, query, texts))

    async def transcribe(self, model: str, sound: SoundUpload) -> HeardSpeech:
        """See `HearingEngine`."""

        async def ask(engine: ServerEngine) -> HeardSpeech:
            if not isinstance(engine, HearingEngine):
                raise EngineRefused(
                    f"The engine {self.name} does not transcribe; {model} cannot either.", param="model"
                )
            return await engine.transcribe(model, sound)

        return await self._try_each(model, ask)

    async def speak(self, model: str, wanted: JSON) -> AsyncGenerator[bytes, None]:
        """See `SpeakingEngine`. Another endpoint takes over from one that fails before its first sound."""
        endpoints = self.order(model, None)
        while endpoints:
            endpoint, has_spoken = endpoints.pop(0), False
            if not isinstance(endpoint.engine, SpeakingEngine):
                raise EngineRefused(f"The engine {self.name} does not speak; {model} cannot either.", param="model")
            try:
                with endpoint.working():
                    async with aclosing(endpoint.engine.speak(model, wanted)) as sounds:
                        async for sound in sounds:
                            if not has_spoken:
                                endpoint.note_answer()
                            has_spoken = True
                            yield sound
                return
            except FAILOVER_ERRORS as error:
                self.note_failure(endpoint, error)
                if has_spoken or not endpoints:
                    raise

    async def health(self, model: str | None = None) -> Health:
        """Return the best endpoint's health, and which ones are down."""
        found = await asyncio.gather(*(each.engine.health(model) for each in self.endpoints))
        for endpoint, health in zip(self.endpoints, found, strict=True):
            if health.state == "down":
                self.note_failure(endpoint, EngineUnavailable(health.detail))
        states: list[EngineState] = [health.state for health in found]
        down = [health.detail for health in found if health.state != "ready"]
        sentence = f"{states.count('ready')} of {len(states)} endpoints answer."
        return Health(best_state(states), " ".join([sentence, *down]))

    async def prefill(self, request: Request) -> None:
        await self.order(request.model, find_session(request))[0].engine.prefill(request)

    async def close(self) -> None:
        for recovery in self._recoveries.values():
            await cancel_and_wait(recovery)
        await asyncio.gather(*(each.engine.close() for each in self.endpoints))

    async def _try_each(self, model: str, ask: Callable[[ServerEngine], Awaitable[ResultT]]) -> ResultT:
        """Ask endpoints until one replies. Raises the last one's error."""
        endpoints = self.order(model, None)
        while True:
            endpoint = endpoints.pop(0)
            try:
                with endpoint.working():
                    reply = await ask(endpoint.engine)
            except FAILOVER_ERRORS as error:
                self.note_failure(endpoint, error)
                if not endpoints:
                    raise
                continue
            endpoint.note_answer()
            return reply

    def note_failure(self, endpoint: PoolEndpoint, error: UpstreamError) -> None:
        """Count a failure, and see to it that an endpoint that is down is asked again."""
        endpoint.note_failure(error)
        running = self._recoveries.get(endpoint)
        if endpoint.fault is not None and (running is None or running.done()):
            self._recoveries[endpoint] = asyncio.create_task(
                self._recover(endpoint), name=f"recover the endpoint {endpoint.name}"
            )

    async def _recover(self, endpoint: PoolEndpoint) -> None:
        """Ask an endpoint that is down for its health until that is well."""
        while endpoint.fault is not None:
            await self._ask_health(endpoint)

    async def _ask_health(self, endpoint: PoolEndpoint) -> None:
        await self._sleep(endpoint.recovery_s)
        health = await endpoint.engine.health()
        if endpoint.fault is None:  # it answered a question meanwhile
            return
        if health.state == "ready":
            endpoint.try_again()
        elif health.state == "down":
            endpoint.note_failure(EngineUnavailable(health.detail))


class _Race:
    """The endpoints that are asked one question until one of them answers: the `winner`."""

    def __init__(self, pool: EndpointPool, request: Request) -> None:
        self.winner: _Attempt | None = None
        self._pool = pool
        self._request = request
        self._waiting = pool.order(request.model, find_session(request))
        self._attempts: list[_Attempt] = []
        self._can_hedge = pool.hedge_after_s is not None
        self._error: UpstreamError | None = None

    async def first_deltas(self) -> AsyncGenerator[Delta, None]:
        """Yield what comes up to the first word, after which the winner is certain."""
        self._begin_next()
        while self.winner is None:
            if not self._attempts and not self._begin_next():
                assert self._error is not None
                raise self._error
            limit_s = self._pool.hedge_after_s if self._can_hedge and len(self._attempts) == 1 else None
            done, _ = await asyncio.wait(
                [each.next for each in self._attempts], timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                self._hedge()
            for attempt in [each for each in self._attempts if each.next in done]:
                if self.winner is None and (delta := await self._take(attempt)) is not None:
                    if self.winner is not None:
                        await self._close_others()
                    yield delta

    async def _close_others(self) -> None:
        """End the work of those that were slower."""
        for attempt in [each for each in self._attempts if each is not self.winner]:
            self._attempts.remove(attempt)
            await attempt.close()

    async def close(self) -> None:
        for attempt in self._attempts:
            await attempt.close()

    def _begin_next(self) -> bool:
        """Ask the next endpoint; return False if none is left."""
        if not self._waiting:
            return False
        self._attempts.append(_Attempt.begin(self._waiting.pop(0), self._request))
        return True

    def _hedge(self) -> None:
        """Ask a second endpoint that is up."""
        self._can_hedge = False
        if self._waiting and self._waiting[0].is_up and self._begin_next():
            self._pool.hedges += 1

    async def _take(self, attempt: _Attempt) -> Delta | None:
        """Take what came from an endpoint: its first word makes it the winner."""
        try:
            delta = attempt.next.result()
        except StopAsyncIteration:
            self._win(attempt)
            return None
        except FAILOVER_ERRORS as error:
            self._error = error
            self._pool.note_failure(attempt.endpoint, error)
            self._attempts.remove(attempt)
            await attempt.close()
            return None
        if isinstance(delta, PromptProgress):
            self._can_hedge = False
            attempt.ask_on()
            return delta if len(self._attempts) == 1 else None
        self._win(attempt)
        return delta

    def _win(self, attempt: _Attempt) -> None:
        self.winner = attempt
        attempt.endpoint.note_answer()
