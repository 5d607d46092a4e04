"""What an answer took, from the engine's tab and from what the settings say."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.generation.cost import UNSTATED, Rates, add_costs, find_rates
from eclair.llm.base import EnergyUse
from eclair.schema.messages import Cost, Energy, Usage
from eclair.schema.models import Model
from eclair.settings import EngineSettings, Price, Settings

PRICE = Price("EUR", Decimal("2"), Decimal("6"), Decimal("0.2"))
tokens = st.integers(0, 10**7)
amounts = st.decimals(0, 1000, places=4)


def usage(
    prompt: int | None = 100, cached: int | None = 40, made: int | None = 10, seconds: float | None = 2.0
) -> Usage:
    return Usage(prompt, cached, made, 1.0, 9, 5.0, seconds)


def test_a_cost_is_made_of_what_was_read_remembered_and_written() -> None:
    found = add_costs(usage(), Rates(PRICE), EnergyUse())
    assert found.cost == Cost(60 * 2 + 8 + 10 * 6, "EUR")


def test_what_was_remembered_costs_as_what_is_read_unless_a_price_says_otherwise() -> None:
    found = add_costs(usage(), Rates(Price("EUR", Decimal("2"), Decimal("6"))), EnergyUse())
    assert found.cost == Cost(100 * 2 + 10 * 6, "EUR")


def test_where_nothing_was_counted_nothing_is_invented() -> None:
    unknown = usage(None, None, None)
    assert add_costs(unknown, Rates(PRICE, joules_per_token=3), EnergyUse()) == unknown
    assert add_costs(usage(seconds=None), Rates(watts=5), EnergyUse()) == usage(seconds=None)
    assert add_costs(usage(), UNSTATED, EnergyUse()) == usage()


@pytest.mark.parametrize(
    ("tab", "energy"),
    [
        (EnergyUse(measured_joules=1.25), Energy(1.25, "measured")),
        (EnergyUse(estimated_joules=2.5), Energy(2.5, "estimated")),
        (EnergyUse(measured_joules=1, estimated_joules=0.5), Energy(1.5, "estimated")),
    ],
)
def test_what_the_engine_noted_goes_before_what_the_settings_say(tab: EnergyUse, energy: Energy) -> None:
    assert add_costs(usage(), Rates(joules_per_token=99, watts=99), tab).energy == energy


def test_joules_of_a_token_go_before_watts() -> None:
    assert add_costs(usage(), Rates(joules_per_token=0.5, watts=7), EnergyUse()).energy == Energy(35.0, "estimated")
    assert add_costs(usage(), Rates(watts=7), EnergyUse()).energy == Energy(14.0, "estimated")


def test_a_model_has_its_own_price_or_that_of_every_other() -> None:
    any = Price("USD", Decimal(1), Decimal(1))
    engine = EngineSettings("http://x/v1", prices={"large": PRICE, "*": any}, watts=300)
    settings = Settings(engines={"rack": engine, "free": EngineSettings("http://y/v1")})
    assert find_rates(settings, Model("large", "L", "rack")) == Rates(PRICE, None, 300)
    assert find_rates(settings, Model("small", "S", "rack")) == Rates(any, None, 300)
    assert find_rates(settings, Model("large", "L", "free")) == UNSTATED
    assert find_rates(settings, Model("large", "L", "embedded")) == UNSTATED


@given(prompt=tokens, cached=tokens, made=tokens, input=amounts, output=amounts, cheaper=amounts)
def test_a_cost_is_exact_to_half_a_millionth(
    prompt: int, cached: int, made: int, input: Decimal, output: Decimal, cheaper: Decimal
) -> None:
    found = add_costs(usage(prompt, cached, made), Rates(Price("EUR", input, output, cheaper)), EnergyUse()).cost
    assert found is not None
    held = min(cached, prompt)
    exact = (prompt - held) * input + held * cheaper + made * output
    assert abs(found.micros - exact) <= Decimal("0.5")
