"""Calculates expressions such as `1.2 * (3 + 4)`, `20 % of 35 EUR` or `55 mph to km/h`, exactly.

A parser of its own: nothing of an expression is run as a program, and its length, depth and digits are limited.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

from eclair.calculation.quantities import IRRATIONAL_DIGITS, Quantity, refuse, to_decimal
from eclair.calculation.units import Unit, coherent_unit, convert, find_unit

MAX_EXPRESSION_CHARS = 1000
MAX_DEPTH = 60
MAX_FACTORIAL = 500
MAX_EXACT_DIGITS = 40
"""Longer decimals are shown rounded."""
SHOWN_DIGITS = 15
MAX_SHOWN_DENOMINATOR = 1000

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3}(?![0-9A-Za-z]))?|\.[0-9]+)"
    r"|(?P<name>[^\W\d_²³]+[0-9]{0,2}(?=\s*\()|°[CF]?|[℃℉€$£‰]|[^\W\d_²³]+)"
    r"|(?P<operator>\*\*|[-+*/^()!%,·×÷−²³]))"
)
_SIGNS = {"−": "-", "×": "*", "·": "*", "÷": "/", "**": "^"}
_DECIMALS = Context(prec=IRRATIONAL_DIGITS, Emax=99_999, Emin=-99_999)
PI = Fraction("3.14159265358979323846264338327950288419716939937510")
EULER = Fraction("2.71828182845904523536028747135266249775724709369995")
_CONSTANTS = {"pi": PI, "π": PI, "e": EULER}


@dataclass(frozen=True, slots=True)
class Calculated:
    """A result in words: `text` with its unit; not `is_exact` if it was rounded. `fraction` is it exactly, if short."""

    text: str
    is_exact: bool
    fraction: str | None = None


def calculate(expression: str, to: str | None = None, decimals: int | None = None) -> Calculated:
    """Calculate an expression, in the unit `to` or in base units, rounded half up to `decimals` if that is given.

    Raises InvalidInput with a sentence about what is wrong.
    """
    asked, arrow, target = _split_target(expression)
    unit_text = (to or "").strip() or (target if arrow else "")
    found = evaluate(asked)
    if unit_text:
        unit = _read_unit(unit_text)
        return _describe(convert(found, unit), unit.name, decimals)
    if found.temperature == "absolute":
        return _describe(convert(found, _read_unit("°C")), "°C", decimals)
    return _describe(found, coherent_unit(found.dimensions), decimals)


def evaluate(expression: str) -> Quantity:
    """Return the value of an expression. Raises InvalidInput."""
    if len(expression) > MAX_EXPRESSION_CHARS:
        raise refuse(f"The expression is longer than {MAX_EXPRESSION_CHARS} characters; split it.")
    return _Parser(_tokens(expression)).parse()


def format_number(value: Fraction, decimals: int | None = None) -> tuple[str, bool]:
    """Return a number as a decimal, and if that is exact."""
    if decimals is not None:
        scaled = value * 10**decimals
        rounded = (abs(scaled) + Fraction(1, 2)) // 1
        digits = str(rounded).rjust(decimals + 1, "0")
        shown = f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits
        return f"{'-' if value < 0 and rounded else ''}{shown}", rounded == abs(scaled)
    if value.denominator == 1:
        digits = str(value.numerator)
        if len(digits.lstrip("-")) <= MAX_EXACT_DIGITS:
            return digits, True
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest == 1:
        exact = Context(prec=MAX_EXACT_DIGITS, Emax=99_999, Emin=-99_999)
        decimal = exact.divide(Decimal(value.numerator), Decimal(value.denominator))
        if Fraction(decimal) == value and abs(decimal.adjusted()) < MAX_EXACT_DIGITS:
            return _plain(decimal), True
    rounded = Context(prec=SHOWN_DIGITS, rounding=ROUND_HALF_UP, Emax=99_999, Emin=-99_999).plus(to_decimal(value))
    return _plain(rounded), False


def _describe(number: Quantity, unit: str, decimals: int | None) -> Calculated:
    shown, is_exact = format_number(number.value, decimals)
    is_exact = is_exact and number.is_exact
    short = not is_exact and number.is_exact and 1 < number.value.denominator <= MAX_SHOWN_DENOMINATOR
    fraction = f"{number.value.numerator}/{number.value.denominator}" if short else None
    return Calculated(f"{shown} {unit}".rstrip(), is_exact, fraction)


def _plain(decimal: Decimal) -> str:
    """Write a decimal without an exponent unless it is very large or small."""
    if not decimal:
        return "0" if decimal.as_tuple().exponent == 0 else f"{decimal:f}"
    return f"{decimal:f}" if -10 <= decimal.adjusted() < MAX_EXACT_DIGITS else f"{decimal.normalize():E}"


def _split_target(expression: str) -> tuple[str, str, str]:
    """Split off the unit that is asked for behind `to` or an arrow."""
    for arrow in ("->", "→", " to "):
        asked, found, target = expression.rpartition(arrow)
        if found:
            return asked, found, target.strip()
    return expression, "", ""


def _read_unit(text: str) -> Unit:
    """Return the unit of a name, or of an expression such as `l/(100 km)`. Raises InvalidInput."""
    named = find_unit(text) or find_unit(text.replace(" ", ""))
    if named is not None:
        return named
    found = evaluate(text)
    if not found.value or found.temperature != "none":
        raise refuse(f"{text!r} is no unit; write one such as km/h.")
    return Unit(text, found.value, found.dimensions, is_exact=found.is_exact)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def _tokens(expression: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    text = expression.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise refuse(f"{text[at:].strip()[:1]!r} can't be read here; write numbers, units, + - * / ^ and brackets.")
        kind = match.lastgroup or ""
        word = match[kind]
        tokens.append(_Token(kind, _SIGNS.get(word, word)))
        at = match.end()
    return tokens


class _Parser:
    """Reads tokens by recursive descent."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def parse(self) -> Quantity:
        if not self._tokens:
            raise refuse("The expression is empty; write what is to be calculated.")
        found = self._sum()
        if (token := self._peek()) is not None:
            if token.text == ",":
                raise refuse("Write decimals with a point, and nothing between thousands: 1234.5.")
            raise refuse(f"An operator is missing before {token.text!r}.")
        return found

    def _peek(self, ahead: int = 0) -> _Token | None:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else None

    def _takes(self, *signs: str) -> str | None:
        token = self._peek()
        if token is None or token.kind == "number" or token.text not in signs:
            return None
        self._at += 1
        return token.text

    def _sum(self) -> Quantity:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise refuse("The brackets are too deep; split the expression.")
        found = self._product()
        while (sign := self._takes("+", "-")) is not None:
            found = found.add(self._product(), 1 if sign == "+" else -1)
        self._depth -= 1
        return found

    def _product(self) -> Quantity:
        found = self._signed()
        while (sign := self._takes("*", "/", "of")) is not None:
            found = found.multiply(self._signed(), -1 if sign == "/" else 1)
        return found

    def _signed(self) -> Quantity:
        sign = 1
        while (taken := self._takes("+", "-")) is not None:
            sign *= -1 if taken == "-" else 1
        number, unit = self._peek(), self._scale(1)
        if number is not None and number.kind == "number" and unit is not None:
            self._at += 2
            return unit.measure(Quantity(sign * _number(number.text)))
        found = self._measured()
        return found if sign > 0 else found.negate()

    def _scale(self, ahead: int) -> Unit | None:
        """Return the unit of a temperature scale, if it is the token there."""
        token = self._peek(ahead)
        unit = find_unit(token.text) if token is not None and token.kind == "name" else None
        return unit if unit is not None and unit.zero else None

    def _measured(self) -> Quantity:
        """Read a number with the units behind it, which belong to it before anything divides by it."""
        found = self._power()
        while (token := self._peek()) is not None and token.kind == "name" and token.text != "of":
            found = found.multiply(self._power(is_unit=True))
        return found

    def _power(self, *, is_unit: bool = False) -> Quantity:
        found = self._atom(is_unit=is_unit)
        while (sign := self._takes("!", "%", "²", "³")) is not None:
            found = _apply_sign(found, sign)
        if self._takes("^") is None:
            return found
        sign = -1 if self._takes("-") else 1
        exponent = self._power()
        return found.raise_to(exponent if sign > 0 else exponent.negate())

    def _atom(self, *, is_unit: bool) -> Quantity:
        token = self._peek()
        if token is None:
            raise refuse("The expression breaks off; write what follows the last sign.")
        self._at += 1
        if token.kind == "number":
            return Quantity(_number(token.text))
        if token.text == "(":
            found = self._sum()
            if self._takes(")") is None:
                raise refuse("A closing bracket is missing.")
            return found
        if token.kind != "name":
            raise refuse(f"A number is missing before {token.text!r}.")
        following = self._peek()
        if not is_unit and following is not None and following.text == "(" and token.text in FUNCTIONS:
            return self._call(token.text)
        return _name(token.text)

    def _call(self, name: str) -> Quantity:
        self._at += 1
        given = [self._sum()]
        while self._takes(","):
            given.append(self._sum())
        if self._takes(")") is None:
            raise refuse("A closing bracket is missing.")
        return FUNCTIONS[name](given)


def _number(text: str) -> Fraction:
    return Fraction(text.replace("_", ""))


def _name(text: str) -> Quantity:
    if (constant := _CONSTANTS.get(text)) is not None:
        return Quantity(constant, is_exact=False)
    unit = find_unit(text)
    if unit is None:
        known = ", ".join(sorted(FUNCTIONS))
        raise refuse(f"{text!r} is neither a unit nor a function; the functions are {known}.")
    return unit.measure(Quantity(Fraction(1)))


def _apply_sign(found: Quantity, sign: str) -> Quantity:
    match sign:
        case "%":
            return found.multiply(Quantity(Fraction(1, 100)))
        case "!":
            number = found.plain("A factorial")
            if number.denominator != 1 or not 0 <= number <= MAX_FACTORIAL:
                raise refuse(f"A factorial is of a whole number from 0 to {MAX_FACTORIAL}.")
            return Quantity(Fraction(math.factorial(int(number))), (), found.is_exact)
        case _:
            return found.raise_to(Quantity(Fraction(2 if sign == "²" else 3)))


def _single(name: str, given: Sequence[Quantity]) -> Quantity:
    if len(given) != 1:
        raise refuse(f"{name} takes one number, not {len(given)}.")
    return given[0]


def _root(name: str, root: int) -> Callable[[Sequence[Quantity]], Quantity]:
    return lambda given: _single(name, given).raise_to(Quantity(Fraction(1, root)))


def _whole(name: str, change: Callable[[Fraction], int]) -> Callable[[Sequence[Quantity]], Quantity]:
    def call(given: Sequence[Quantity]) -> Quantity:
        found = _single(name, given)
        return Quantity(Fraction(change(found.plain(name))), (), found.is_exact)

    return call


def _decimal(
    name: str, change: Callable[[Decimal], Decimal], *, is_positive: bool = False
) -> Callable[[Sequence[Quantity]], Quantity]:
    def call(given: Sequence[Quantity]) -> Quantity:
        value = _single(name, given).plain(name)
        if is_positive and value <= 0:
            raise refuse(f"{name} needs a number above zero.")
        if name == "exp" and abs(value) > MAX_EXPRESSION_CHARS:
            raise refuse("The result would have too many digits; use smaller numbers.")
        found = Fraction(change(to_decimal(value)))
        return Quantity(found, (), found == int(found) and name in ("log10",) and is_positive)

    return call


def _angle(name: str, change: Callable[[float], float]) -> Callable[[Sequence[Quantity]], Quantity]:
    def call(given: Sequence[Quantity]) -> Quantity:
        found = change(float(_single(name, given).plain(name) % (2 * PI)))
        return Quantity(Fraction(round(found, 14)).limit_denominator(10**14), (), is_exact=False)

    return call


def _sum_of(given: Sequence[Quantity]) -> Quantity:
    found = given[0]
    for each in given[1:]:
        found = found.add(each)
    return found


def _mean(given: Sequence[Quantity]) -> Quantity:
    return _sum_of(given).multiply(Quantity(Fraction(len(given))), -1)


def _ordered(given: Sequence[Quantity]) -> list[Quantity]:
    _ = [given[0].add(each, -1) for each in given]  # raises for those of another kind
    return sorted(given, key=lambda each: each.value)


def _median(given: Sequence[Quantity]) -> Quantity:
    ordered, middle = _ordered(given), len(given) // 2
    return ordered[middle] if len(given) % 2 else _mean(ordered[middle - 1 : middle + 1])


def _round(given: Sequence[Quantity]) -> Quantity:
    if len(given) > 2:
        raise refuse("round takes a number, and how many decimals it keeps.")
    value, places = given[0].plain("round"), given[1].plain("round") if len(given) == 2 else Fraction()
    if places.denominator != 1 or abs(places) > MAX_EXACT_DIGITS:
        raise refuse(f"round keeps a whole number of decimals, {MAX_EXACT_DIGITS} at most.")
    scale = Fraction(10) ** int(places)
    rounded = (abs(value) * scale + Fraction(1, 2)) // 1 / scale
    return Quantity(-rounded if value < 0 else rounded, (), given[0].is_exact)


def _pair(name: str, change: Callable[[Fraction, Fraction], Fraction]) -> Callable[[Sequence[Quantity]], Quantity]:
    def call(given: Sequence[Quantity]) -> Quantity:
        if len(given) != 2:
            raise refuse(f"{name} takes two numbers, not {len(given)}.")
        left, right = (each.plain(name) for each in given)
        if name == "mod" and not right:
            raise refuse("This divides by zero; change the divisor.")
        if name != "mod" and (left.denominator, right.denominator) != (1, 1):
            raise refuse(f"{name} takes whole numbers.")
        return Quantity(change(left, right), (), given[0].is_exact and given[1].is_exact)

    return call


def _absolute(given: Sequence[Quantity]) -> Quantity:
    found = _single("abs", given)
    return found.negate() if found.value < 0 else found


FUNCTIONS: Mapping[str, Callable[[Sequence[Quantity]], Quantity]] = {
    "sqrt": _root("sqrt", 2),
    "cbrt": _root("cbrt", 3),
    "abs": _absolute,
    "round": _round,
    "floor": _whole("floor", math.floor),
    "ceil": _whole("ceil", math.ceil),
    "min": lambda given: _ordered(given)[0],
    "max": lambda given: _ordered(given)[-1],
    "sum": _sum_of,
    "mean": _mean,
    "median": _median,
    "mod": _pair("mod", lambda left, right: left % right),
    "gcd": _pair("gcd", lambda left, right: Fraction(math.gcd(int(left), int(right)))),
    "lcm": _pair("lcm", lambda left, right: Fraction(math.lcm(int(left), int(right)))),
    "ln": _decimal("ln", lambda value: value.ln(_DECIMALS), is_positive=True),
    "log10": _decimal("log10", lambda value: value.log10(_DECIMALS), is_positive=True),
    "exp": _decimal("exp", lambda value: value.exp(_DECIMALS)),
    "sin": _angle("sin", math.sin),
    "cos": _angle("cos", math.cos),
    "tan": _angle("tan", math.tan),
}
