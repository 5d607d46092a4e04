"""`/api/usage`: sums of words, tokens, energy and cost."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel

from eclair.app import App
from eclair.errors import InvalidInput
from eclair.generation.cost import co2_grams
from eclair.schema.messages import Cost
from eclair.server.principal import Caller
from eclair.storage.usage import UsageGrouping, UsageTotal


class UsageSums(BaseModel):
    """Sums over answers; energy is known for `metered` of them.

    `grams` of CO₂ are null unless the settings give the carbon intensity of the grid.
    """

    name: str
    answers: int
    words: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    seconds: float
    metered: int
    measured_joules: float
    estimated_joules: float
    grams: float | None
    costs: list[Cost]

    @classmethod
    def from_total(cls, total: UsageTotal, grid_g_per_kwh: float | None) -> Self:
        return cls(
            name=total.name,
            answers=total.answers,
            words=total.words,
            prompt_tokens=total.prompt_tokens,
            cached_tokens=total.cached_tokens,
            completion_tokens=total.completion_tokens,
            seconds=total.seconds,
            metered=total.metered,
            measured_joules=total.measured_joules,
            estimated_joules=total.estimated_joules,
            grams=co2_grams(total.measured_joules + total.estimated_joules, grid_g_per_kwh),
            costs=list(total.costs),
        )


class UsageReport(BaseModel):
    """Totals, and groups by name if `by` is given. `today` is the server's date."""

    today: date
    total: UsageSums
    groups: list[UsageSums]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/usage", tags=["usage"])

    @api.get("")
    async def read_usage(
        principal: Caller,
        first: Annotated[date | None, Query(alias="from")] = None,
        last: Annotated[date | None, Query(alias="to")] = None,
        by: UsageGrouping | None = None,
    ) -> UsageReport:
        if first is not None and last is not None and first > last:
            raise InvalidInput("`from` is after `to`; swap them.", param="from")
        grid = app.settings.grid_g_per_kwh
        totals = await app.storage.usage.sum_usage(principal, first, last)
        groups = await app.storage.usage.sum_usage(principal, first, last, by) if by is not None else []
        return UsageReport(
            today=date.today(),
            total=UsageSums.from_total(totals[0] if totals else UsageTotal(), grid),
            groups=[UsageSums.from_total(group, grid) for group in groups],
        )

    return api
