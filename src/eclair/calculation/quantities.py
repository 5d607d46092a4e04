"""Quantities: exact numbers with a unit, and their arithmetic. Nothing is rounded before it is shown.

Values are fractions in SI base units. A temperature on a scale with its own zero is absolute: two of them have a
difference, and no sum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from fractions import Fraction
from typing import Literal

from eclair.errors import InvalidInput

MAX_BITS = 14_000
"""Of a numerator or denominator: about 4,200 digits, which Python still writes out."""
MAX_EXPONENT = 10_000
IRRATIONAL_DIGITS = 50

UnitDimensions = tuple[tuple[str, int], ...]
"""Exponents of base units, sorted by name; empty for a plain number."""
TemperatureKind = Literal["none", "absolute", "difference"]

_CONTEXT = Context(prec=IRRATIONAL_DIGITS, Emax=99_999, Emin=-99_999)


def refuse(sentence: str) -> InvalidInput:
    """Return the error of an expression that can't be calculated."""
    return InvalidInput(sentence, param="expression")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of base units; not `is_exact` once an irrational number was cut to 50 digits."""

    value: Fraction
    dimensions: UnitDimensions = ()
    is_exact: bool = True
    temperature: TemperatureKind = "none"

    def add(self, other: Quantity, sign: int = 1) -> Quantity:
        """Return the sum, or with `sign` -1 the difference. Raises InvalidInput for quantities of different kinds."""
        if self.dimensions != other.dimensions:
            raise refuse(
                f"{name_dimensions(self.dimensions)} and {name_dimensions(other.dimensions)} can't be added or "
                "subtracted; give both the same kind of unit."
            )
        kind = _sum_kind(self.temperature, other.temperature, sign)
        return self._made(self.value + sign * other.value, self.dimensions, other, kind)

    def multiply(self, other: Quantity, power: int = 1) -> Quantity:
        """Return the product, or with `power` -1 the quotient. Raises InvalidInput where that has no meaning."""
        if "absolute" in (self.temperature, other.temperature):
            raise refuse("Degrees Celsius and Fahrenheit can't be multiplied or divided; use kelvins (K).")
        if power < 0 and other.value == 0:
            raise refuse("This divides by zero; change the divisor.")
        value = self.value * other.value if power > 0 else self.value / other.value
        return self._made(value, combine_dimensions(self.dimensions, other.dimensions, power), other)

    def negate(self) -> Quantity:
        return replace(self, value=-self.value)

    def raise_to(self, exponent: Quantity) -> Quantity:
        """Return the power. Raises InvalidInput for one that is no number or too large."""
        if exponent.dimensions:
            raise refuse("An exponent has no unit; leave it out.")
        if self.temperature == "absolute":
            raise refuse("Degrees Celsius and Fahrenheit have no powers; use kelvins (K).")
        power = exponent.value
        if power.denominator != 1:
            return self._root(power, exponent)
        if abs(power) > MAX_EXPONENT or abs(power) * _bits(self.value) > MAX_BITS:
            raise refuse("The result would have too many digits; use smaller numbers.")
        if power < 0 and self.value == 0:
            raise refuse("This divides by zero; zero has no negative powers.")
        dimensions = tuple((base, count * int(power)) for base, count in self.dimensions if power)
        return self._made(self.value ** int(power), dimensions, exponent)

    def plain(self, name: str) -> Fraction:
        """Return the value of a number without a unit, as function `name` needs it. Raises InvalidInput."""
        if self.dimensions:
            raise refuse(f"{name} takes plain numbers; divide by a unit first.")
        return self.value

    def _root(self, power: Fraction, exponent: Quantity) -> Quantity:
        if self.value < 0:
            raise refuse("A negative number has no such power; only whole exponents are possible.")
        if any(count * power.numerator % power.denominator for _, count in self.dimensions):
            raise refuse("The unit has no such root.")
        dimensions = tuple((base, int(count * power)) for base, count in self.dimensions)
        exact = _exact_power(self.value, power)
        if exact is not None:
            return self._made(exact, dimensions, exponent)
        if abs(power) > MAX_EXPONENT:
            raise refuse("The result would have too many digits; use smaller numbers.")
        found = _CONTEXT.power(to_decimal(self.value), to_decimal(power))
        return replace(self._made(Fraction(found), dimensions, exponent), is_exact=False)

    def _made(
        self, value: Fraction, dimensions: UnitDimensions, other: Quantity, temperature: TemperatureKind = "none"
    ) -> Quantity:
        if _bits(value) > MAX_BITS:
            raise refuse("The result would have too many digits; use smaller numbers.")
        return Quantity(value, dimensions, self.is_exact and other.is_exact, temperature)


def combine_dimensions(left: UnitDimensions, right: UnitDimensions, power: int = 1) -> UnitDimensions:
    """Return the dimensions of a product, or with `power` -1 of a quotient."""
    counts: dict[str, int] = dict(left)
    for base, count in right:
        counts[base] = counts.get(base, 0) + power * count
    return tuple(sorted((base, count) for base, count in counts.items() if count))


def to_decimal(value: Fraction) -> Decimal:
    """Return a fraction to 50 digits."""
    return _CONTEXT.divide(Decimal(value.numerator), Decimal(value.denominator))


KINDS: Mapping[UnitDimensions, str] = {
    (): "plain numbers",
    (("m", 1),): "lengths",
    (("m", 2),): "areas",
    (("m", 3),): "volumes",
    (("kg", 1),): "masses",
    (("s", 1),): "times",
    (("K", 1),): "temperatures",
    (("bit", 1),): "amounts of data",
    (("m", 1), ("s", -1)): "speeds",
    (("kg", 1), ("m", 2), ("s", -2)): "energies",
    (("kg", 1), ("m", 2), ("s", -3)): "powers",
    (("kg", 1), ("m", -1), ("s", -2)): "pressures",
}


def name_dimensions(dimensions: UnitDimensions) -> str:
    """Return what quantities of these dimensions are called, or else their base units."""
    return KINDS.get(dimensions) or f"quantities in {base_units(dimensions)}"


def base_units(dimensions: UnitDimensions) -> str:
    """Write dimensions as a product of base units."""
    above = [_powered(base, count) for base, count in dimensions if count > 0]
    below = [_powered(base, -count) for base, count in dimensions if count < 0]
    under = below[0] if len(below) == 1 else f"({'·'.join(below)})"
    return "·".join(above) + f"/{under}" if above and below else "·".join(above) or f"1/{under}"


def _powered(base: str, count: int) -> str:
    return base if count == 1 else f"{base}^{count}"


def _sum_kind(left: TemperatureKind, right: TemperatureKind, sign: int) -> TemperatureKind:
    if left == right == "absolute":
        if sign > 0:
            raise refuse("Two temperatures have a difference and no sum; add kelvins (K) to a temperature.")
        return "difference"
    if right == "absolute" and sign < 0:
        raise refuse("A temperature can't be taken from a difference; change their order.")
    return "absolute" if "absolute" in (left, right) else left


def _exact_power(value: Fraction, power: Fraction) -> Fraction | None:
    """Return the power of a fraction if it is one too and small."""
    root = power.denominator
    if root > 12 or abs(power.numerator) * _bits(value) > MAX_BITS:
        return None
    above, below = _whole_root(value.numerator, root), _whole_root(value.denominator, root)
    if above is None or below is None or (above == 0 and power < 0):
        return None
    return Fraction(above, below) ** power.numerator


def _whole_root(number: int, root: int) -> int | None:
    """Return the whole root of a number, by bisection; None if it has none."""
    if root == 2:
        found = math.isqrt(number)
        return found if found * found == number else None
    low, high = 0, 1 << (number.bit_length() // root + 1)
    while low < high:
        middle = (low + high) // 2
        if middle**root < number:
            low = middle + 1
        else:
            high = middle
    return low if low**root == number else None


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())
