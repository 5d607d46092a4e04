"""Units by symbol or name: those of the SI, of daily life in Europe, and others that people meet, with exact factors.

A currency is a unit of its own kind: prices are calculated with, and nothing is exchanged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

from eclair.calculation.quantities import (
    Quantity,
    UnitDimensions,
    base_units,
    combine_dimensions,
    name_dimensions,
    refuse,
)

_FORCE: UnitDimensions = (("kg", 1), ("m", 1), ("s", -2))
_ENERGY: UnitDimensions = (("kg", 1), ("m", 2), ("s", -2))
_POWER: UnitDimensions = (("kg", 1), ("m", 2), ("s", -3))
_PRESSURE: UnitDimensions = (("kg", 1), ("m", -1), ("s", -2))
_VOLTAGE: UnitDimensions = (("A", -1), ("kg", 1), ("m", 2), ("s", -3))
_RESISTANCE: UnitDimensions = (("A", -2), ("kg", 1), ("m", 2), ("s", -3))
_CHARGE: UnitDimensions = (("A", 1), ("s", 1))
_CAPACITY: UnitDimensions = (("A", 2), ("kg", -1), ("m", -2), ("s", 4))
_LENGTH: UnitDimensions = (("m", 1),)
_AREA: UnitDimensions = (("m", 2),)
_VOLUME: UnitDimensions = (("m", 3),)
_MASS: UnitDimensions = (("kg", 1),)
_TIME: UnitDimensions = (("s", 1),)
_SPEED: UnitDimensions = (("m", 1), ("s", -1))
_RATE: UnitDimensions = (("s", -1),)
_DATA: UnitDimensions = (("bit", 1),)
_HEAT: UnitDimensions = (("K", 1),)
_DOSE: UnitDimensions = (("m", 2), ("s", -2))

COHERENT: Mapping[UnitDimensions, str] = {
    _FORCE: "N",
    _ENERGY: "J",
    _POWER: "W",
    _PRESSURE: "Pa",
    _VOLTAGE: "V",
    _RESISTANCE: "Ω",
    _CAPACITY: "F",
}
"""Units in which results of these dimensions are shown unless another is asked for."""

_PREFIXES = dict(zip("pnµμumcdhkMGTPE", (-12, -9, -6, -6, -6, -3, -2, -1, 2, 3, 6, 9, 12, 15, 18), strict=True))
_PREFIX_NAMES = dict(
    zip(
        ("pico", "nano", "micro", "milli", "centi", "deci", "hecto", "kilo", "mega", "giga", "tera", "peta", "exa"),
        (-12, -9, -6, -3, -2, -1, 2, 3, 6, 9, 12, 15, 18),
        strict=True,
    )
)
_BINARY_PREFIXES = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50}

_LB = Fraction("0.45359237")
_INCH = Fraction("0.0254")
_GALLON = 231 * _INCH**3
_CALORIE = Fraction("4.184")
_POUND_FORCE = _LB * Fraction("9.80665")

_PREFIXED: Iterable[tuple[str, str, Fraction | int, UnitDimensions]] = (
    ("m", "metre meter metres meters", 1, _LENGTH),
    ("g", "gram grams gramme grammes", Fraction(1, 1000), _MASS),
    ("s", "second seconds sec", 1, _TIME),
    ("A", "ampere amperes amp amps", 1, (("A", 1),)),
    ("K", "kelvin kelvins", 1, _HEAT),
    ("mol", "mole moles", 1, (("mol", 1),)),
    ("cd", "candela candelas", 1, (("cd", 1),)),
    ("Hz", "hertz", 1, _RATE),
    ("Bq", "becquerel becquerels", 1, _RATE),
    ("N", "newton newtons", 1, _FORCE),
    ("J", "joule joules", 1, _ENERGY),
    ("W", "watt watts", 1, _POWER),
    ("Pa", "pascal pascals", 1, _PRESSURE),
    ("V", "volt volts", 1, _VOLTAGE),
    ("Ω", "ohm ohms", 1, _RESISTANCE),
    ("C", "coulomb coulombs", 1, _CHARGE),
    ("F", "farad farads", 1, _CAPACITY),
    ("Sv", "sievert sieverts", 1, _DOSE),
    ("Gy", "gray grays", 1, _DOSE),
    ("l", "L litre liter litres liters", Fraction(1, 1000), _VOLUME),
    ("t", "tonne tonnes", 1000, _MASS),
    ("bar", "bars", 100_000, _PRESSURE),
    ("Wh", "watthour watthours", 3600, _ENERGY),
    ("Wp", "wattpeak", 1, _POWER),
    ("VA", "voltampere", 1, _POWER),
    ("Ah", "amperehour amperehours", 3600, _CHARGE),
    ("cal", "calorie calories", _CALORIE, _ENERGY),
    ("eV", "electronvolt electronvolts", Fraction("1.602176634e-19"), _ENERGY),
    ("bit", "bits", 1, _DATA),
    ("B", "byte bytes", 8, _DATA),
)
"""Symbol, further names, factor and dimensions of units that take SI prefixes."""

_SINGLE: Iterable[tuple[str, Fraction | int, UnitDimensions]] = (
    ("min minute minutes", 60, _TIME),
    ("h hour hours hr hrs", 3600, _TIME),
    ("d day days", 86_400, _TIME),
    ("wk week weeks", 604_800, _TIME),
    ("month months", 2_629_800, _TIME),
    ("a yr year years", 31_557_600, _TIME),
    ("au astronomicalunit", 149_597_870_700, _LENGTH),
    ("ly lightyear lightyears", 9_460_730_472_580_800, _LENGTH),
    ("Å angstrom", Fraction(1, 10**10), _LENGTH),
    ("in inch inches", _INCH, _LENGTH),
    ("ft foot feet", 12 * _INCH, _LENGTH),
    ("yd yard yards", 36 * _INCH, _LENGTH),
    ("mi mile miles", 63_360 * _INCH, _LENGTH),
    ("nmi nauticalmile nauticalmiles", 1852, _LENGTH),
    ("are ares", 100, _AREA),
    ("ha hectare hectares", 10_000, _AREA),
    ("acre acres", 4840 * (36 * _INCH) ** 2, _AREA),
    ("sqft", (12 * _INCH) ** 2, _AREA),
    ("ccm cc", Fraction(1, 10**6), _VOLUME),
    ("gal gallon gallons", _GALLON, _VOLUME),
    ("qt quart quarts", _GALLON / 4, _VOLUME),
    ("pt pint pints", _GALLON / 8, _VOLUME),
    ("cup cups", _GALLON / 16, _VOLUME),
    ("floz fluidounce fluidounces", _GALLON / 128, _VOLUME),
    ("tbsp tablespoon tablespoons", _GALLON / 256, _VOLUME),
    ("tsp teaspoon teaspoons", _GALLON / 768, _VOLUME),
    ("impgal imperialgallon imperialgallons", Fraction("0.00454609"), _VOLUME),
    ("imppt imperialpint imperialpints", Fraction("0.00454609") / 8, _VOLUME),
    ("bbl barrel barrels", 42 * _GALLON, _VOLUME),
    ("lb lbs pound pounds", _LB, _MASS),
    ("oz ounce ounces", _LB / 16, _MASS),
    ("st stone stones", 14 * _LB, _MASS),
    ("ct carat carats", Fraction("0.0002"), _MASS),
    ("dt dz quintal quintals", 100, _MASS),
    ("kph kmh", Fraction(5, 18), _SPEED),
    ("mph", 63_360 * _INCH / 3600, _SPEED),
    ("kn knot knots", Fraction(1852, 3600), _SPEED),
    ("rpm", Fraction(1, 60), _RATE),
    ("PS metrichorsepower", Fraction("735.49875"), _POWER),
    ("hp horsepower", 550 * 12 * _INCH * _POUND_FORCE, _POWER),
    ("kgf kp", Fraction("9.80665"), _FORCE),
    ("lbf", _POUND_FORCE, _FORCE),
    ("atm atmosphere atmospheres", 101_325, _PRESSURE),
    ("mmHg", Fraction("133.322387415"), _PRESSURE),
    ("torr Torr", Fraction(101_325, 760), _PRESSURE),
    ("psi", _POUND_FORCE / _INCH**2, _PRESSURE),
    ("BTU Btu", Fraction("1055.05585262"), _ENERGY),
    ("mpg", 63_360 * _INCH / _GALLON, (("m", -2),)),
    ("percent", Fraction(1, 100), ()),
    ("‰ permille", Fraction(1, 1000), ()),
    ("ppm", Fraction(1, 10**6), ()),
    ("dozen dozens", 12, ()),
)
"""Names, factor and dimensions of units without prefixes."""

_CURRENCY_NAMES = {"€": "EUR", "euro": "EUR", "euros": "EUR", "cent": "EUR", "cents": "EUR", "$": "USD", "£": "GBP"}
_CURRENCY_CODES = (
    *("EUR", "USD", "GBP", "CHF", "SEK", "NOK", "DKK", "ISK", "PLN", "CZK", "HUF", "RON", "BGN", "RSD", "UAH", "TRY"),
    *("JPY", "CNY", "CAD", "AUD", "INR"),
)


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit by its `name`: a number of it is `factor` times as much plus `zero` in base units."""

    name: str
    factor: Fraction
    dimensions: UnitDimensions
    zero: Fraction = Fraction()
    is_exact: bool = True

    def measure(self, number: Quantity) -> Quantity:
        """Return that number of the unit."""
        if not self.zero:
            return number.multiply(Quantity(self.factor, self.dimensions, self.is_exact))
        value = number.plain(self.name) * self.factor + self.zero
        return Quantity(value, self.dimensions, number.is_exact, "absolute")


CELSIUS = Unit("°C", Fraction(1), _HEAT, Fraction("273.15"))
FAHRENHEIT = Unit("°F", Fraction(5, 9), _HEAT, Fraction("459.67") * Fraction(5, 9))
DEGREE = Unit("°", Fraction(math.pi) / 180, (), is_exact=False)


def find_unit(name: str) -> Unit | None:
    """Return the unit of a symbol, as it is written, or of an English name in any case."""
    units = _units()
    return units.get(name) or units.get(name.casefold())


def convert(quantity: Quantity, unit: Unit) -> Quantity:
    """Return how many of the unit a quantity is, as a plain number. Raises InvalidInput if it is of another kind.

    A quantity of the inverse kind, such as fuel by distance, is turned over.
    """
    inverse = combine_dimensions((), quantity.dimensions, -1)
    if quantity.dimensions and inverse == unit.dimensions and quantity.dimensions != inverse:
        quantity = Quantity(Fraction(1), (), quantity.is_exact).multiply(replace(quantity, temperature="none"), -1)
    if quantity.dimensions != unit.dimensions:
        raise refuse(
            f"{unit.name} measures {name_dimensions(unit.dimensions)}, and the result is one of "
            f"{name_dimensions(quantity.dimensions)}; choose another unit."
        )
    zero = Fraction() if quantity.temperature == "difference" else unit.zero
    return Quantity((quantity.value - zero) / unit.factor, (), quantity.is_exact and unit.is_exact)


def coherent_unit(dimensions: UnitDimensions) -> str:
    """Return the unit in which a result is shown if none is asked for."""
    return COHERENT.get(dimensions) or (base_units(dimensions) if dimensions else "")


@cache
def _units() -> dict[str, Unit]:
    """Build the table: symbols as they are written, and names in small letters. The first of a name has it."""
    found: dict[str, Unit] = {}

    def add(names: Iterable[str], unit: Unit) -> None:
        for name in names:
            found.setdefault(name, unit)

    for names, factor, dimensions in _SINGLE:
        each = names.split()
        add(each, Unit(each[0], Fraction(factor), dimensions))
    for symbol, names, factor, dimensions in _PREFIXED:
        add([symbol, *names.split()], Unit(symbol, Fraction(factor), dimensions))
    for symbol, names, factor, dimensions in _PREFIXED:
        symbols, words = [symbol, *(n for n in names.split() if len(n) == 1)], [n for n in names.split() if len(n) > 1]
        for prefix, power in _PREFIXES.items():
            unit = Unit(prefix + symbol, factor * Fraction(10) ** power, dimensions)
            add([prefix + each for each in symbols], unit)
        for prefix, power in _PREFIX_NAMES.items():
            unit = Unit(prefix + words[0], factor * Fraction(10) ** power, dimensions)
            add([prefix + each for each in words], unit)
        for prefix, power in _BINARY_PREFIXES.items() if symbol in ("bit", "B") else ():
            add([prefix + symbol], Unit(prefix + symbol, Fraction(factor) * 2**power, dimensions))
    for name, code in (*_CURRENCY_NAMES.items(), *zip(_CURRENCY_CODES, _CURRENCY_CODES, strict=True)):
        add([name, name.lower()], Unit(code, Fraction(1, 100 if name.startswith("cent") else 1), ((code, 1),)))
    add(["°C", "℃", "degc", "degC", "celsius"], CELSIUS)
    add(["°F", "℉", "degf", "degF", "fahrenheit"], FAHRENHEIT)
    add(["°", "deg", "degree", "degrees"], DEGREE)
    add(["rad", "radian", "radians"], Unit("rad", Fraction(1), ()))
    return found
