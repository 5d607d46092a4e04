"""The one place through which models are asked: within budgets and limits, in turn, and counted.

Each call reserves what it may take of the budgets, waits for its turn where the engine is full, and settles what it
took. The sums get the usage that no stored message carries: temporary chats, foreign APIs, titles and notes. Stored
answers are added by the storage as they end. Only sums are stored.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace

from eclair.accounts.budgets import NO_HOLD, BudgetHold, Budgets
from eclair.accounts.key_rights import check_model
from eclair.accounts.person_limits import PersonLimits
from eclair.errors import StoreError
from eclair.generation.cost import find_rates
from eclair.generation.demand import CallCount, CallDemand, reading_needs
from eclair.generation.meter import Meter
from eclair.llm.base import Delta, Engine, LimitedEngine, Request, Text, TokenUsage, estimate_tokens, queue_full
from eclair.network.gate import CURRENT_RUN, PRINCIPAL
from eclair.schema.budgets import Demand, Measure
from eclair.schema.messages import Usage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.settings import Settings
from eclair.storage.usage import UsageStore
from eclair.util.background import IN_BACKGROUND
from eclair.util.fair_queue import FairQueue, QueueFull, QueuePlace

AskModel = Callable[[Principal, Engine, Model, Request], AsyncGenerator[Delta, None]]
"""Asks a model something for a principal, to whom the usage counts."""

ReadTexts = Callable[[Model, Sequence[str]], AbstractAsyncContextManager[Callable[[int], None]]]
"""Counts texts that a model reads in a block to whoever asks; see `UsageLedger.reading_for_caller`."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class CallState:
    """The state of a call for whoever waits for it: its place in the queue, and warnings about budgets."""

    place: QueuePlace | None = None
    warnings: list[str] = field(default_factory=list[str])

    def ahead(self) -> int | None:
        """Return how many go first; None where nobody counts them here."""
        return None if self.place is None else self.place.ahead


def ask_uncounted(principal: Principal, engine: Engine, model: Model, request: Request) -> AsyncGenerator[Delta, None]:
    """An `AskModel` that counts no usage."""
    return engine.stream(request)


@asynccontextmanager
async def read_uncounted(model: Model, texts: Sequence[str]) -> AsyncGenerator[Callable[[int], None]]:
    """A `ReadTexts` that counts nothing."""
    yield lambda tokens: None


class UsageLedger:
    """Asks models and adds to the stored sums. Without `budgets` and `limits` there are none."""

    def __init__(
        self,
        settings: Settings,
        usage: UsageStore,
        budgets: Budgets | None = None,
        limits: PersonLimits | None = None,
    ) -> None:
        self._settings = settings
        self._usage = usage
        self._budgets = budgets
        self._limits = limits
        self._queues: dict[tuple[str, str], FairQueue] = {}
        self._joules_per_token: dict[str, float] = {}

    async def stream(
        self, principal: Principal, engine: Engine, model: Model, request: Request, state: CallState | None = None
    ) -> AsyncGenerator[Delta, None]:
        """Ask a model within budgets and limits, in turn; the sums get nothing.

        Raises BudgetExceeded, TooBusy, and Forbidden where the principal's key may not ask it.
        """
        check_model(principal, model.id)
        state = state or CallState()
        demand = CallDemand(model, request, find_rates(self._settings, model), self._joules_per_token.get(model.id))
        hold = await self._reserve(principal, engine, demand)
        state.warnings = hold.warnings
        count = CallCount(demand)
        try:
            with self._answering(principal, request), self._queued(principal, engine, model, state):
                if state.place is not None:
                    await state.place.wait_for_turn()
                count.begin()
                async with aclosing(engine.stream(demand.limited(hold.tokens))) as deltas:
                    async for delta in deltas:
                        count.add(delta)
                        yield delta
        finally:
            if hold is not NO_HOLD and self._budgets is not None:
                await self._budgets.settle(hold, count.spent())
            if (joules := count.joules_per_token()) is not None:
                self._joules_per_token[model.id] = joules

    async def ask(
        self, principal: Principal, engine: Engine, model: Model, request: Request
    ) -> AsyncGenerator[Delta, None]:
        """An `AskModel` that counts the usage, however the request ends.

        Only requests with the purpose `answer` count as answers. Raises what `stream` raises.
        """
        answer = request.purpose == "answer"
        meter = Meter(time.perf_counter(), find_rates(self._settings, model))
        try:
            asked = self.stream(principal, engine, model, replace(request, energy=meter.energy))
            async with aclosing(asked) as deltas:
                async for delta in deltas:
                    if isinstance(delta, TokenUsage):
                        meter.add_token_usage(delta)
                    elif isinstance(delta, Text) and answer:
                        meter.count_text(delta.text)
                    yield delta
        finally:
            await self.add(principal, model.id, meter.usage(), answers=int(answer))

    def reading(
        self, principal: Principal, model: Model, texts: Sequence[str]
    ) -> AbstractAsyncContextManager[Callable[[int], None]]:
        """Let a model read texts in the block, to embed or to rank them; call what it yields with the tokens.

        Without a call they count by an estimate. Raises BudgetExceeded, and Forbidden as `stream` does.
        """
        check_model(principal, model.id)
        return self._reading(principal, model, texts)

    def reading_for_caller(
        self, model: Model, texts: Sequence[str]
    ) -> AbstractAsyncContextManager[Callable[[int], None]]:
        """Do as `reading` for the person on whose behalf engines are called now.

        The model is the house's choice, so a key need not name it. Raises BudgetExceeded.
        """
        return self._reading(PRINCIPAL.get(), model, texts)

    @asynccontextmanager
    async def _reading(
        self, principal: Principal, model: Model, texts: Sequence[str]
    ) -> AsyncGenerator[Callable[[int], None]]:
        if self._budgets is None:
            yield lambda tokens: None
            return
        rates = find_rates(self._settings, model)
        estimated = sum(map(estimate_tokens, texts))
        spent: dict[Measure, int] = {}

        def count(tokens: int) -> None:
            spent.update({measure: need.base for measure, need in reading_needs(rates, tokens).items()})

        async with self._budgets.spending(principal, Demand(reading_needs(rates, estimated)), spent):
            yield count
            if not spent:
                count(estimated)

    async def add(self, principal: Principal, model: str, usage: Usage | None, *, answers: int = 1) -> None:
        """Add an answer's usage, even if the caller is cancelled meanwhile.

        If the storage is unavailable, nothing is added, and the log says so.
        """
        if usage is not None:
            await asyncio.shield(self._add(principal, model, usage, answers))

    async def _add(self, principal: Principal, model: str, usage: Usage, answers: int) -> None:
        try:
            await self._usage.add_usage(principal, model, usage, answers=answers)
        except StoreError as error:
            log.error("the usage of %s cannot be stored: %s", model, error.message)

    async def _reserve(self, principal: Principal, engine: Engine, demand: CallDemand) -> BudgetHold:
        if self._budgets is None or not await self._budgets.list_budgets():
            return NO_HOLD
        await demand.count_prompt(engine)
        run = CURRENT_RUN.get() if demand.request.purpose == "answer" else None
        return await self._budgets.reserve(principal, demand.demand(), run)

    def waiting(self) -> dict[tuple[str, str], int]:
        """Count the questions that wait for their turn, by engine and model."""
        return {place: queue.waiting for place, queue in self._queues.items()}

    def _answering(self, principal: Principal, request: Request) -> ExitStack:
        """Count an answer among those that its principal has under way."""
        stack = ExitStack()
        if self._limits is not None and request.purpose == "answer":
            stack.enter_context(self._limits.answering(principal))
        return stack

    @contextmanager
    def _queued(self, principal: Principal, engine: Engine, model: Model, state: CallState) -> Generator[None]:
        """Hold a place before an engine that answers only so many at a time."""
        if not isinstance(engine, LimitedEngine) or engine.parallel is None:
            yield
            return
        usual = FairQueue(engine.parallel, engine.max_waiting)
        queue = self._queues.setdefault((engine.name, model.id), usual)
        try:
            state.place = queue.enter(principal.id, in_background=IN_BACKGROUND.get())
        except QueueFull:
            raise queue_full(engine.name, queue.waiting) from None
        try:
            yield
        finally:
            state.place.leave()
