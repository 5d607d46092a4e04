"""Budgets: which apply to a principal, reservations before each call, and what is left.

Whoever calls a model or makes an image reserves what that may take first, and settles what it took in the end; both
are single writes, so that no two calls fit where there is room for one. Reservations that a dead process left are
settled by what its logs hold.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime

from eclair.accounts.budget_text import describe_refusal, describe_warning
from eclair.accounts.stated_budgets import stated_budgets
from eclair.errors import BudgetExceeded, Conflict, StoreError
from eclair.live_settings import LiveSettings
from eclair.schema.budgets import (
    IMAGES,
    Budget,
    BudgetPeriod,
    BudgetState,
    Demand,
    Measure,
    period_end,
    period_start,
)
from eclair.schema.ids import Clock, new_id
from eclair.schema.principal import Principal
from eclair.settings import Settings
from eclair.storage.budgets import BudgetClaim, BudgetReservation, BudgetStore, BudgetSum
from eclair.storage.processes import ProcessStore
from eclair.util.log_context import log_admin_act

RECHECK_AFTER_S = 2.0
"""The time for which the list of budgets is kept; a change in another process takes effect after it."""
REAP_INTERVAL_S = 60.0
KEEP_USES_DAYS = 400
BUSY_RETRY_S = 5.0
"""Wait that is advised where answers under way hold what is left."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BudgetHold:
    """A reservation of a call. Its answer may have `tokens`, None without a budget that counts them.

    `warnings` are sentences about budgets that are nearly used up; `states` are those that apply, before the call.
    """

    id: str | None = None
    tokens: int | None = None
    budgets: tuple[Budget, ...] = ()
    states: tuple[BudgetState, ...] = ()

    @property
    def warnings(self) -> list[str]:
        return [describe_warning(state) for state in self.states if state.is_low]


NO_HOLD = BudgetHold()

CURRENT_STATES: ContextVar[list[BudgetState] | None] = ContextVar("budget_states", default=None)
"""Takes the budgets that the current request was found to be within, for whoever tells its client."""


@dataclass(slots=True)
class _Listed:
    budgets: tuple[Budget, ...] = ()
    until: float = -1.0
    stated: tuple[Budget, ...] = field(default=())


class Budgets:
    """The budgets of an installation: those stored, and those of the settings. `start` reaps; call `close` then."""

    def __init__(
        self, store: BudgetStore, processes: ProcessStore, settings: LiveSettings, clock: Clock = time.time
    ) -> None:
        self._store = store
        self._processes = processes
        self._clock = clock
        self._listed = _Listed()
        self._reaping: asyncio.Task[None] | None = None
        settings.follow(self._apply)

    def _apply(self, settings: Settings) -> None:
        self._hides_others = settings.works_council
        self._listed.stated = stated_budgets(settings)
        self._listed.until = -1.0

    async def start(self) -> None:
        """Settle what dead processes left, now and from time to time."""
        await self.reap()
        self._reaping = asyncio.create_task(self._reap_periodically(), name="settle reservations of dead processes")

    async def close(self) -> None:
        if self._reaping is not None:
            self._reaping.cancel()
            await asyncio.wait([self._reaping])

    async def reap(self) -> int:
        """Settle the reservations of dead processes; return how many."""
        dead = await self._processes.list_dead(await self._store.list_processes())
        return sum([await self._store.settle_dead(process) for process in dead])

    async def _reap_periodically(self) -> None:
        while True:
            await asyncio.sleep(REAP_INTERVAL_S)
            with contextlib.suppress(StoreError):  # the next look may succeed
                await self.reap()
                oldest = datetime.fromtimestamp(self._clock() - KEEP_USES_DAYS * 86_400)
                await self._store.forget_uses(oldest.date().isoformat())

    async def list_budgets(self) -> tuple[Budget, ...]:
        """List the budgets: those of the settings, then those stored."""
        now = time.monotonic()
        if now >= self._listed.until:
            stored = await self._store.list_budgets()
            self._listed.budgets = (*self._listed.stated, *stored)
            self._listed.until = now + RECHECK_AFTER_S
        return self._listed.budgets

    def reload(self) -> None:
        """Take up the budgets as they are stored now."""
        self._listed.until = -1.0

    async def sum_uses(self, budget: Budget) -> BudgetSum:
        """Sum what all holders have used of a budget in this period."""
        return await self._store.sum_uses(budget, self._start(budget.period))

    async def set_budget(self, principal: Principal, budget: Budget) -> Budget:
        """Store a budget in place of the one of the same subject, measure and period."""
        stored = await self._store.set_budget(principal, replace(budget, id=new_id("budget", self._clock)))
        self.reload()
        log_admin_act("budget.set", f"The budget {stored.id} was set.", budget=stored.id, amount=stored.amount)
        return stored

    async def remove_budget(self, principal: Principal, id: str) -> None:
        """Remove a stored budget. Raises NotFound, and Conflict for one of the settings."""
        if any(budget.id == id for budget in self._listed.stated):
            raise Conflict(f"The budget {id!r} stands in the settings; remove it there.")
        await self._store.remove_budget(principal, id)
        self.reload()
        log_admin_act("budget.removed", f"The budget {id} was removed.", budget=id)

    async def states(self, principal: Principal) -> list[BudgetState]:
        """Return the budgets that apply to a principal, as they are used."""
        return [await self._state(budget, principal) for budget in await self._applying(principal)]

    async def check(self, principal: Principal, *, images: int = 0) -> None:
        """Raise BudgetExceeded where no answer, or not so many images, can be made any more. Reserves nothing."""
        budgets = [each for each in await self._applying(principal) if (each.measure == IMAGES) == (images > 0)]
        states = [await self._state(budget, principal) for budget in budgets]
        self._note(states)
        for state in states:
            if state.budget.hard and (state.left < images or state.used >= state.budget.amount):
                raise self._refusal(state)

    async def reserve(self, principal: Principal, demand: Demand, run: str | None = None) -> BudgetHold:
        """Reserve what a call may take. Raises BudgetExceeded; then nothing is reserved.

        The log of `run` tells how far the call came, should this process die.
        """
        budgets = tuple(each for each in await self._applying(principal) if each.measure in demand.needs)
        if not budgets:
            return NO_HOLD
        claims = [self._claim(budget, principal, demand) for budget in budgets]
        reservation = BudgetReservation(
            new_id("reservation", self._clock),
            principal.id,
            self._processes.current,
            run,
            tuple(claims),
            demand.least,
            demand.most,
            demand.is_open,
        )
        grant = await self._store.reserve(reservation)
        refills = [self._refills(budget.period) for budget in budgets]
        states = tuple(
            BudgetState(budget, use.used, use.reserved, at)
            for budget, use, at in zip(budgets, grant.uses, refills, strict=True)
        )
        self._note(states)
        if grant.tokens is None:
            raise self._refusal(_tightest(states, demand))
        return BudgetHold(reservation.id, grant.tokens if demand.most else None, budgets, states)

    async def settle(self, hold: BudgetHold, spent: Mapping[Measure, int]) -> None:
        """End a reservation with what was spent in each measure; even if the caller is cancelled meanwhile."""
        if hold.id is not None:
            await asyncio.shield(self._settle(hold.id, {each.id: spent.get(each.measure, 0) for each in hold.budgets}))

    async def _settle(self, id: str, spent: Mapping[str, int]) -> None:
        try:
            await self._store.settle(id, spent)
        except StoreError as error:
            log.error("a reservation cannot be settled: %s", error.message)

    @contextlib.asynccontextmanager
    async def spending(self, principal: Principal, needs: Demand, spent: dict[Measure, int]) -> AsyncGenerator[None]:
        """Reserve before the block, which fills `spent`, and settle after it. Raises BudgetExceeded."""
        hold = await self.reserve(principal, needs)
        try:
            yield
        finally:
            await self.settle(hold, spent)

    def _note(self, states: Sequence[BudgetState]) -> None:
        """Keep the states of budgets for whoever tells the client of the current request."""
        if (noted := CURRENT_STATES.get()) is not None:
            noted[:] = [state for state in states if not (self._hides_others and state.budget.is_shared)]

    async def _applying(self, principal: Principal) -> list[Budget]:
        return [budget for budget in await self.list_budgets() if _applies(budget, principal)]

    async def _state(self, budget: Budget, principal: Principal) -> BudgetState:
        use = await self._store.get_use(budget.id, _holder(budget, principal), self._start(budget.period))
        return BudgetState(budget, use.used, use.reserved, self._refills(budget.period))

    def _claim(self, budget: Budget, principal: Principal, demand: Demand) -> BudgetClaim:
        limit = budget.amount if budget.hard else None
        start, need = self._start(budget.period), demand.needs[budget.measure]
        return BudgetClaim(budget.id, _holder(budget, principal), start, limit, need)

    def _refusal(self, state: BudgetState) -> BudgetExceeded:
        is_held = state.used < state.budget.amount and state.reserved > 0
        wait_s = BUSY_RETRY_S if is_held else max(1.0, state.refills / 1000 - self._clock())
        return BudgetExceeded(describe_refusal(state), retry_after=wait_s)

    def _start(self, period: BudgetPeriod) -> str:
        return period_start(period, self._now()).date().isoformat()

    def _refills(self, period: BudgetPeriod) -> int:
        return int(period_end(period, self._now()).timestamp() * 1000)

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _applies(budget: Budget, principal: Principal) -> bool:
    match budget.kind:
        case "everyone":
            return True
        case "role":
            return principal.role == budget.subject
        case "group":
            return budget.subject in principal.groups
        case "person":
            return principal.id == budget.subject
        case "key":
            return principal.key == budget.subject


def _holder(budget: Budget, principal: Principal) -> str:
    """Return who holds a budget: a person where each has it alone; empty where it is shared."""
    return "" if budget.is_shared or budget.kind in ("person", "key") else principal.id


def _tightest(states: Sequence[BudgetState], demand: Demand) -> BudgetState:
    """Return the hard budget that least fits: the one that refills last of those that are too small."""
    hard = [state for state in states if state.budget.hard]
    missing = [state for state in hard if state.left < demand.needs[state.budget.measure].amount_for(demand.least)]
    return max(missing or hard, key=lambda state: (state.used >= state.budget.amount, state.refills))
