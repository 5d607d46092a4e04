"""Energy and cost of an answer: measured by the engine, or from the settings.

Nothing is made up: without either, energy or cost is None.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal

from eclair.llm.base import EnergyUse
from eclair.schema.messages import Cost, Energy, Usage
from eclair.schema.models import Model
from eclair.settings import EngineSettings, Price, Settings

ANY_MODEL = "*"
"""Stands for every model of an engine without a price of its own."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The stated price and power consumption of a model."""

    price: Price | None = None
    joules_per_token: float | None = None
    watts: float | None = None


UNSTATED = Rates()


def find_rates(settings: Settings, model: Model) -> Rates:
    engine: EngineSettings | None = settings.engines.get(model.engine)
    if engine is None:
        return UNSTATED
    price = engine.prices.get(model.id, engine.prices.get(ANY_MODEL))
    return Rates(price, engine.joules_per_token, engine.watts)


def add_costs(usage: Usage, rates: Rates, energy: EnergyUse) -> Usage:
    """Add energy and cost to the usage."""
    return replace(usage, energy=_energy(usage, rates, energy), cost=_cost(usage, rates.price))


def _energy(usage: Usage, rates: Rates, measured: EnergyUse) -> Energy | None:
    """As measured by the engine; else by tokens (uncached prompt and answer); else by time."""
    if measured.measured_joules or measured.estimated_joules:
        return Energy(
            round(measured.measured_joules + measured.estimated_joules, 3),
            "estimated" if measured.estimated_joules else "measured",
        )
    if rates.joules_per_token is not None and usage.prompt_tokens is not None:
        tokens = _uncached_tokens(usage) + (usage.completion_tokens or 0)
        return Energy(round(tokens * rates.joules_per_token, 3), "estimated")
    if rates.watts is not None and usage.seconds is not None:
        return Energy(round(usage.seconds * rates.watts, 3), "estimated")
    return None


def _cost(usage: Usage, price: Price | None) -> Cost | None:
    """Compute the cost in millionths: a price per million tokens. None without token counts."""
    if price is None or usage.prompt_tokens is None:
        return None
    cached = min(usage.cached_tokens or 0, usage.prompt_tokens)
    micros = (
        _uncached_tokens(usage) * price.input
        + cached * (price.input if price.cached is None else price.cached)
        + (usage.completion_tokens or 0) * price.output
    )
    return Cost(int(micros.quantize(Decimal(1), ROUND_HALF_EVEN)), price.currency)


def _uncached_tokens(usage: Usage) -> int:
    """Tokens of the prompt that were not in the engine's cache."""
    return max(0, (usage.prompt_tokens or 0) - (usage.cached_tokens or 0))


def co2_grams(joules: float, per_kwh: float | None) -> float | None:
    """CO₂ emitted for so much energy; None if the emissions per kWh aren't known."""
    return None if per_kwh is None else round(joules / 3.6e6 * per_kwh, 3)
