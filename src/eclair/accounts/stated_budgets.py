"""Budgets that the settings state, as values."""

from __future__ import annotations

from eclair.accounts.budget_text import MICROS, MILLIJOULES_PER_WH
from eclair.schema.budgets import BUDGET_SUBJECTS, Budget, BudgetUnit
from eclair.settings import Settings

STATED_PREFIX = "settings:"
"""Begins the ids of such budgets; their names in the settings follow."""


def stated_budgets(settings: Settings) -> tuple[Budget, ...]:
    """Return the budgets of the settings; one that limits several things is several budgets."""
    found: list[Budget] = []
    for name, stated in settings.budgets.items():
        kind, _, subject = stated.subject.partition(":")
        amounts: tuple[tuple[BudgetUnit, str, int | None], ...] = (
            ("tokens", "", stated.tokens),
            ("images", "", stated.images),
            ("energy", "", None if stated.watt_hours is None else round(stated.watt_hours * MILLIJOULES_PER_WH)),
            ("money", stated.currency or "", None if stated.money is None else round(stated.money * MICROS)),
        )
        for unit, currency, amount in amounts:
            if amount is not None:
                found.append(
                    Budget(
                        id=f"{STATED_PREFIX}{name}:{unit}",
                        kind=next(each for each in BUDGET_SUBJECTS if each == kind),
                        subject=subject,
                        unit=unit,
                        currency=currency,
                        period=stated.period,
                        amount=amount,
                        each=stated.each,
                        soft=stated.soft,
                        hard=stated.hard,
                        origin="settings",
                    )
                )
    return tuple(found)
