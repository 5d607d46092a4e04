"""Energy, carbon and money as people read them."""

from __future__ import annotations

from decimal import Decimal

from eclair.schema.messages import Cost


def energy(joules: float, *, estimated: bool) -> str:
    """Such as `3.2 J`, `≈ 1.25 Wh`, `2.1 kWh`; a watt-hour is 3,600 joules."""
    hours = joules / 3600
    if joules < 1000:
        text = f"{_three(joules)} J"
    elif hours < 1000:
        text = f"{_three(hours)} Wh"
    else:
        text = f"{_three(hours / 1000)} kWh"
    return f"≈ {text}" if estimated else text


def co2(grams: float) -> str:
    return f"{_three(grams)} g" if grams < 1000 else f"{_three(grams / 1000)} kg"


def money(cost: Cost) -> str:
    """Such as `0.000128 EUR` or `12.40 EUR`: to the cent, and below a hundredth to two digits."""
    amount = Decimal(cost.micros) / 1_000_000
    digits = 2 if amount >= 1 or not amount else max(2, 1 - amount.adjusted())
    return f"{amount:,.{digits}f} {cost.currency}"


def _three(value: float) -> str:
    """About three digits that count."""
    if value < 1:
        return f"{value:.2g}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
