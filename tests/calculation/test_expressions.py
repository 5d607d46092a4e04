"""Expressions, as people and models write them: exact, with units, and refused by a clear sentence."""

from __future__ import annotations

import contextlib
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.calculation.expressions import calculate, evaluate, format_number
from eclair.calculation.units import convert, find_unit
from eclair.errors import InvalidInput


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("0.1 + 0.2", "0.3"),
        ("2 + 3 * 4", "14"),
        ("-2^2", "-4"),
        ("2^-2", "0.25"),
        ("2^3^2", "512"),
        ("(1 + 2) * (3 − 4)", "-3"),
        ("7 ÷ 2 × 4", "14"),
        ("1_000_000 * 1.19", "1190000"),
        ("20% of 35", "7"),
        ("240 EUR * 1.19", "285.6 EUR"),
        ("200 € + 5 cents", "200.05 EUR"),
        ("30!", "265252859812191058636308480000000"),
        ("2^200", "1.60693804425899E+60"),
        ("sqrt(16) + cbrt(27)", "7"),
        ("sqrt(1/4)", "0.5"),
        ("mean(1, 2, 4.5) + median(1, 9, 3, 4)", "6"),
        ("max(3 km, 2 mi) - min(3 km, 2 mi)", "218.688 m"),
        ("mod(-7, 3) + gcd(12, 18) + lcm(4, 6)", "20"),
        ("round(2.675, 2)", "2.68"),
        ("round(-2.5)", "-3"),
        ("floor(-1.5) + ceil(1.2)", "0"),
        ("log10(1000)", "3"),
        ("10 km / 2 h to km/h", "5 km/h"),
        ("55 mph to km/h", "88.51392 km/h"),
        ("5 ft + 11 in to cm", "180.34 cm"),
        ("6 l/100km to l/(100 km)", "6 l/(100 km)"),
        ("100 °C to °F", "212 °F"),
        ("-40 °F to °C", "-40 °C"),
        ("0 K to °C", "-273.15 °C"),
        ("20 °C + 5 K", "25 °C"),
        ("30 °C - 20 °C", "10 K"),
        ("30 °C - 20 °C to °F", "18 °F"),
        ("3 m² * 2 m", "6 m^3"),
        ("2 ha to m^2", "20000 m^2"),
        ("12 kWh * 0.3 EUR/kWh", "3.6 EUR"),
        ("1 kWh to MJ", "3.6 MJ"),
        ("1 GiB to MB", "1073.741824 MB"),
        ("70 kg * 9.81 m/s^2", "686.7 N"),
        ("230 V * 10 A to kW", "2.3 kW"),
        ("1 bar to Pa", "100000 Pa"),
        ("100 km/h to m/s", None),
    ],
)
def test_results_are_exact_and_have_units(expression: str, shown: str | None) -> None:
    found = calculate(expression)
    if shown is None:
        assert (found.text, found.is_exact, found.fraction) == ("27.7777777777778 m/s", False, "250/9")
    else:
        assert (found.text, found.is_exact) == (shown, "E" not in shown or shown.endswith("EUR"))


@pytest.mark.parametrize(
    ("expression", "to", "decimals", "shown"),
    [
        ("2/3", None, 2, "0.67"),
        ("-2/3", None, 0, "-1"),
        ("1/3", None, None, "0.333333333333333"),
        ("0.005", None, 2, "0.01"),
        ("-0.001", None, 2, "0.00"),
        ("pi * (2 m)^2", "m^2", 4, "12.5664 m^2"),
        ("30 mpg", "l/(100 km)", 2, "7.84 l/(100 km)"),
        ("sqrt(2)", None, None, "1.41421356237310"),
        ("sin(30°)", None, 6, "0.500000"),
        ("e", None, 5, "2.71828"),
        ("ln(exp(2))", None, 6, "2.000000"),
        ("68 °F", "C", None, None),
        ("5 lb", "KG", 3, "2.268 KG"),
    ],
)
def test_results_are_rounded_half_up(expression: str, to: str | None, decimals: int | None, shown: str | None) -> None:
    if shown is None:
        with pytest.raises(InvalidInput, match="C measures"):
            calculate(expression, to, decimals)
    else:
        assert calculate(expression, to, decimals).text == shown.replace("KG", "kg")


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("1,5 + 2", "Write decimals with a point"),
        ("1 / 0", "divides by zero"),
        ("0^-1", "divides by zero"),
        ("mod(1, 0)", "divides by zero"),
        ("2 +", "breaks off"),
        ("2 ) 3", "operator is missing"),
        ("2 3", "operator is missing"),
        ("(2", "closing bracket"),
        ("* 2", "number is missing"),
        ("2 km + 3 kg", "lengths and masses can't be added"),
        ("3 EUR + 2 USD", "can't be added"),
        ("3 km to kg", "kg measures masses, and the result is one of lengths"),
        ("20 °C + 20 °C", "difference and no sum"),
        ("20 °C * 2", "can't be multiplied"),
        ("sqrt(-1)", "no such power"),
        ("sqrt(3 m)", "no such root"),
        ("ln(0)", "above zero"),
        ("2^(1 m)", "exponent has no unit"),
        ("9^9^9", "too many digits"),
        ("9!!!", "factorial"),
        ("1e999 * 1e999 * 1e999 * 1e999 * 1e999", "too many digits"),
        ("exp(1e9)", "too many digits"),
        ("2.5!", "whole number"),
        ("gcd(1.5, 2)", "whole numbers"),
        ("sqrt(1, 2)", "takes one number"),
        ("frobs(2)", "neither a unit nor a function"),
        ("__import__('os')", "can't be read"),
        ("1 zorkmid", "neither a unit nor a function"),
        ("(" * 100 + "1" + ")" * 100, "too deep"),
        ("1+" * 600 + "1", "longer than"),
        ("3 km to 0", "no unit"),
    ],
)
def test_faults_are_said_in_a_sentence(expression: str, fault: str) -> None:
    with pytest.raises(InvalidInput, match=fault):
        calculate(expression)


_numbers = st.fractions(min_value=-1000, max_value=1000, max_denominator=50)


@given(_numbers, _numbers, _numbers)
def test_arithmetic_is_that_of_fractions(a: Fraction, b: Fraction, c: Fraction) -> None:
    written = [f"({each.numerator}/{each.denominator})" for each in (a, b, c)]
    assert evaluate(f"{written[0]} + {written[1]} * {written[2]}").value == a + b * c
    assert evaluate(f"({written[0]} - {written[1]})^2 / 4").value == (a - b) ** 2 / 4


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9))
def test_decimals_stay_as_they_are(number: object) -> None:
    shown, is_exact = format_number(Fraction(str(number)))
    assert is_exact
    assert Fraction(shown) == Fraction(str(number))


@given(
    _numbers, st.sampled_from([("km", "mi"), ("°C", "°F"), ("kWh", "BTU"), ("l", "gal"), ("PS", "W"), ("GiB", "Mbit")])
)
def test_units_convert_there_and_back(number: Fraction, units: tuple[str, str]) -> None:
    here, there = (find_unit(name) for name in units)
    assert here is not None
    assert there is not None
    quantity = convert(here.measure(evaluate(f"{number.numerator}/{number.denominator}")), there)
    assert convert(there.measure(quantity), here).value == number


@given(st.text(alphabet="0123456789.+-*/^()!%, °CFkmhE€etosqrmin", max_size=60))
def test_any_text_has_a_result_or_a_sentence(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        assert calculate(text).text


def test_whole_roots_are_exact() -> None:
    assert evaluate("(10^60 + 2 * 10^30 + 1)^0.5").value == 10**30 + 1
    assert math.isclose(float(evaluate("2^0.5").value), 2**0.5)
