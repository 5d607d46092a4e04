"""Port of budgets: their limits, how much is used of them, and reservations of calls that are under way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from eclair.schema.budgets import Budget, NeedRate
from eclair.schema.principal import Principal


@dataclass(frozen=True, slots=True)
class BudgetClaim:
    """A claim of a call on a budget: who holds the budget in the period from `start` on, and what the call needs.

    Without a `limit` it is granted in any case.
    """

    budget: str
    holder: str
    start: str
    limit: int | None
    need: NeedRate


@dataclass(frozen=True, slots=True)
class BudgetReservation:
    """A call that is about to be made in `process`; its answer has `least` to `most` tokens.

    One that `is_open` takes no more than a share of what is left. The log of `run`, if it has one, tells how far it
    came where the process dies.
    """

    id: str
    owner: str
    process: str
    run: str | None
    claims: tuple[BudgetClaim, ...]
    least: int = 0
    most: int = 0
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """The amounts used and reserved of a budget by one holder in one period."""

    used: int = 0
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class BudgetGrant:
    """The reply to a reservation: the tokens that the answer may have, None if it was refused.

    `uses` are those of its claims, in their order, before this call.
    """

    tokens: int | None
    uses: tuple[BudgetUse, ...]


@dataclass(frozen=True, slots=True)
class BudgetSum:
    """The use of a budget by all its holders in one period."""

    holders: int = 0
    used: int = 0
    reserved: int = 0
    exhausted: int = 0
    """Holders who have used all of it."""


class BudgetStore(Protocol):
    """Budgets are the installation's; what is used of them is the holders'."""

    async def list_budgets(self) -> list[Budget]:
        """List the stored budgets, oldest first."""
        ...

    async def set_budget(self, principal: Principal, budget: Budget) -> Budget:
        """Store a budget in place of the one of the same subject, measure, period and `each`, whose id it gets."""
        ...

    async def remove_budget(self, principal: Principal, id: str) -> None:
        """Remove a budget with what was used of it. Raises NotFound."""
        ...

    async def get_use(self, budget: str, holder: str, start: str) -> BudgetUse:
        """Return what a holder has used of a budget in the period from `start` on."""
        ...

    async def sum_uses(self, budget: Budget, start: str) -> BudgetSum:
        """Sum what all holders have used of a budget in the period from `start` on."""
        ...

    async def reserve(self, reservation: BudgetReservation) -> BudgetGrant:
        """Reserve what a call needs of all its budgets at once, or nothing.

        The answer gets as many tokens as fit, up to `most`; with less than `least` it is refused.
        """
        ...

    async def settle(self, id: str, spent: Mapping[str, int]) -> None:
        """End a reservation: count what was spent, by budget. One that was settled before stays so."""
        ...

    async def list_processes(self) -> list[str]:
        """List the processes that have reservations."""
        ...

    async def settle_dead(self, process: str) -> int:
        """Settle the reservations of a dead process by what the logs of their runs hold; return how many.

        One without a log counts as a whole.
        """
        ...

    async def forget_uses(self, before: str) -> None:
        """Erase what was used in periods that began before a day (ISO 8601)."""
        ...
