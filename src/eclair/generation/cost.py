"""What an answer took, in joules and in money: the engine's own tab, or what the settings say of a server.

Nothing is made up: where neither tells, energy or cost is None.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal

from eclair.llm.base import EnergyUse
from eclair.schema.messages import Cost, Energy, Usage
from eclair.schema.models import Model
from eclair.settings import EngineSettings, Price, Settings

ANY = "*"
"""Stands for every model of an engine that has no price of its own."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What the owner says of a model: its price, and what it takes of electricity."""

    price: Price | None = None
    joules_per_token: float | None = None
    watts: float | None = None


UNSTATED = Rates()


def rates(settings: Settings, model: Model) -> Rates:
    engine: EngineSettings | None = settings.engines.get(model.engine)
    if engine is None:
        return UNSTATED
    price = engine.prices.get(model.id, engine.prices.get(ANY))
    return Rates(price, engine.joules_per_token, engine.watts)


def settle(usage: Usage, rates: Rates, tab: EnergyUse) -> Usage:
    """The usage with what the answer took."""
    return replace(usage, energy=_energy(usage, rates, tab), cost=_cost(usage, rates.price))


def _energy(usage: Usage, rates: Rates, tab: EnergyUse) -> Energy | None:
    """As the engine noted it; else by tokens, prompt that had to be read and answer alike; else by time."""
    if tab.measured_joules or tab.estimated_joules:
        return Energy(
            round(tab.measured_joules + tab.estimated_joules, 3), "estimated" if tab.estimated_joules else "measured"
        )
    if rates.joules_per_token is not None and usage.prompt_tokens is not None:
        tokens = _fresh(usage) + (usage.completion_tokens or 0)
        return Energy(round(tokens * rates.joules_per_token, 3), "estimated")
    if rates.watts is not None and usage.seconds is not None:
        return Energy(round(usage.seconds * rates.watts, 3), "estimated")
    return None


def _cost(usage: Usage, price: Price | None) -> Cost | None:
    """So much a million tokens is so many millionths a token. Without the engine's own count nobody knows."""
    if price is None or usage.prompt_tokens is None:
        return None
    cached = min(usage.cached_tokens or 0, usage.prompt_tokens)
    micros = (
        _fresh(usage) * price.input
        + cached * (price.input if price.cached is None else price.cached)
        + (usage.completion_tokens or 0) * price.output
    )
    return Cost(int(micros.quantize(Decimal(1), ROUND_HALF_EVEN)), price.currency)


def _fresh(usage: Usage) -> int:
    """Tokens of the prompt that were not in the engine's cache."""
    return max(0, (usage.prompt_tokens or 0) - (usage.cached_tokens or 0))


def grams(joules: float, per_kwh: float | None) -> float | None:
    """CO₂ of so much energy; None where nobody has said what a kWh causes."""
    return None if per_kwh is None else round(joules / 3.6e6 * per_kwh, 3)
