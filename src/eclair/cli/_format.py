"""Formats energy, carbon and cost for people."""

from __future__ import annotations

from decimal import Decimal

from eclair.schema.messages import Cost


def format_energy(joules: float, *, estimated: bool) -> str:
    """Format energy, as in `3.2 J`, `≈ 1.25 Wh` or `2.1 kWh`."""
    hours = joules / 3600
    if joules < 1000:
        text = f"{_three_digits(joules)} J"
    elif hours < 1000:
        text = f"{_three_digits(hours)} Wh"
    else:
        text = f"{_three_digits(hours / 1000)} kWh"
    return f"≈ {text}" if estimated else text


def format_carbon(grams: float) -> str:
    return f"{_three_digits(grams)} g" if grams < 1000 else f"{_three_digits(grams / 1000)} kg"


def format_cost(cost: Cost) -> str:
    """Format a cost to the cent, and below that to two digits: `12.40 EUR`, `0.000128 EUR`."""
    amount = Decimal(cost.micros) / 1_000_000
    digits = 2 if amount >= 1 or not amount else max(2, 1 - amount.adjusted())
    return f"{amount:,.{digits}f} {cost.currency}"


def _three_digits(value: float) -> str:
    """Format a number to about three significant digits."""
    if value < 1:
        return f"{value:.2g}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
