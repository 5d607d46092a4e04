"""Budgets: how much of something may be used in a day or a month, and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

BudgetSubject = Literal["everyone", "role", "group", "person", "key"]
"""The kind of whom a budget is for."""
BudgetUnit = Literal["tokens", "money", "energy", "images"]
"""Money is counted in millionths of a currency, energy in millijoules."""
BudgetPeriod = Literal["day", "month"]

BUDGET_SUBJECTS: tuple[BudgetSubject, ...] = get_args(BudgetSubject)
BUDGET_UNITS: tuple[BudgetUnit, ...] = get_args(BudgetUnit)
BUDGET_PERIODS: tuple[BudgetPeriod, ...] = get_args(BudgetPeriod)

RATE_SCALE = 1_000_000
"""Rates of a token are in millionths of a unit, so that sums stay whole numbers."""

Measure = tuple[BudgetUnit, str]
"""Something that is counted: a unit, and the currency of money (ISO 4217)."""

TOKENS: Measure = ("tokens", "")
ENERGY: Measure = ("energy", "")
IMAGES: Measure = ("images", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A budget for the people, groups or keys that `subject` names by its id; empty for everyone.

    With `each`, everyone of a role or group, or everyone, has it alone; without, they share it. From `soft` percent on
    a notice warns. A `hard` budget ends there, another one warns only. One of the settings has the `origin` settings.
    """

    id: str
    kind: BudgetSubject
    subject: str = ""
    unit: BudgetUnit
    currency: str = ""
    period: BudgetPeriod
    amount: int
    each: bool = True
    soft: int | None = 80
    hard: bool = True
    origin: Literal["stored", "settings"] = "stored"

    @property
    def measure(self) -> Measure:
        return self.unit, self.currency

    @property
    def is_shared(self) -> bool:
        """True if several people use it together."""
        return not self.each and self.kind in ("everyone", "role", "group")


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget as one holder has used it. Times are in milliseconds; `reserved` is held by what is being made."""

    budget: Budget
    used: int
    reserved: int
    refills: int

    @property
    def left(self) -> int:
        """The amount that may still be used."""
        return max(0, self.budget.amount - self.used - self.reserved)

    @property
    def is_low(self) -> bool:
        """True once a warning is due."""
        soft = 100 if self.budget.soft is None else self.budget.soft
        warns = self.budget.soft is not None or not self.budget.hard
        return warns and self.used * 100 >= soft * self.budget.amount


@dataclass(frozen=True, slots=True)
class NeedRate:
    """The need of a call in one measure: `base`, and `rate` millionths for each token of its answer."""

    base: int
    rate: int = 0

    def amount_for(self, tokens: int) -> int:
        """The whole need, rounded up."""
        return self.base - -self.rate * tokens // RATE_SCALE


@dataclass(frozen=True, slots=True)
class Demand:
    """The need of a call before it is made. Its answer has at most `most` tokens, and `least` if less is left.

    One that `is_open` was given no limit, and leaves room for others.
    """

    needs: Mapping[Measure, NeedRate]
    least: int = 0
    most: int = 0
    is_open: bool = False


def period_start(period: BudgetPeriod, now_ms: int) -> datetime:
    """Return the local midnight at which the period began that `now_ms` is in."""
    today = datetime.fromtimestamp(now_ms / 1000).replace(hour=0, minute=0, second=0, microsecond=0)
    return today if period == "day" else today.replace(day=1)


def period_end(period: BudgetPeriod, now_ms: int) -> datetime:
    """Return the local midnight at which the next period begins."""
    start = period_start(period, now_ms)
    if period == "day":
        return datetime.fromordinal(start.toordinal() + 1)
    return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
