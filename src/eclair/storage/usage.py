"""Port of usage: costs of answers, summed by day and model; anonymous."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol

from eclair.schema.messages import Cost, Usage
from eclair.schema.principal import Principal

UsageGrouping = Literal["day", "model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageTotal:
    """Usage of a group of answers. `name` is their day (ISO 8601) or model, empty without grouping.

    The energy is known of `metered` answers. `costs` has one entry for each currency.
    """

    name: str = ""
    answers: int = 0
    words: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0
    metered: int = 0
    measured_joules: float = 0
    estimated_joules: float = 0
    costs: tuple[Cost, ...] = ()


class UsageStore(Protocol):
    async def add_usage(self, principal: Principal, model: str, usage: Usage, *, answers: int = 1) -> None:
        """Add usage that is recorded nowhere else; `RunStore.finish_run` counts its answer itself."""
        ...

    async def sum_usage(
        self, principal: Principal, first: date | None = None, last: date | None = None, by: UsageGrouping | None = None
    ) -> list[UsageTotal]:
        """Sum usage from day `first` to day `last`, in groups ordered by name; empty where nothing was used."""
        ...

    async def get_model_speeds(self) -> dict[str, float]:
        """Return the mean words per second of each model over everyone's latest answers."""
        ...
