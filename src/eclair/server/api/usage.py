"""`/api/usage`: what answers took, summed."""

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


class Sums(BaseModel):
    """Of `metered` answers the energy is known. `grams` of CO₂ are null unless the settings say what a kWh causes."""

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
    def of(cls, spent: UsageTotal, grid: float | None) -> Self:
        return cls(
            name=spent.name,
            answers=spent.answers,
            words=spent.words,
            prompt_tokens=spent.prompt_tokens,
            cached_tokens=spent.cached_tokens,
            completion_tokens=spent.completion_tokens,
            seconds=spent.seconds,
            metered=spent.metered,
            measured_joules=spent.measured_joules,
            estimated_joules=spent.estimated_joules,
            grams=co2_grams(spent.measured_joules + spent.estimated_joules, grid),
            costs=list(spent.costs),
        )


class UsageReport(BaseModel):
    """`today` is the day that it is where Éclair runs; `groups` are by name, empty without `by`."""

    today: date
    total: Sums
    groups: list[Sums]


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
            raise InvalidInput("`from` is after `to`; exchange them.", param="from")
        grid = app.settings.grid_g_per_kwh
        whole = await app.storage.usage.sum_usage(principal, first, last)
        groups = await app.storage.usage.sum_usage(principal, first, last, by) if by is not None else []
        return UsageReport(
            today=date.today(),
            total=Sums.of(whole[0] if whole else UsageTotal(), grid),
            groups=[Sums.of(group, grid) for group in groups],
        )

    return api
