"""Find numbers with units and times of day in any language: `12,5 %`, `two million`, `11.10 pm`.

A time of day is the number that its digits make on the 24-hour clock: `23:10`, `23h10`, `11.10 pm` and `23.10` are
the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache

from eclair.text.lexicon.loader import load_lexicons, merge_literals, merge_words

MAX_DIGITS = 300
"""Longer ones overflow a float."""

_SYMBOLS = {
    sign: sign for sign in ("%", "€", "$", "£", "km", "m", "cm", "mm", "mi", "ft", "kg", "g", "mg", "t", "h", "min")
} | {"eur": "€", "usd": "$", "gbp": "£", "°c": "°C", "°f": "°F"}
"""Units that are written so in any language."""

_MONEY_PREFIXES = {"t": 1e3, "k": 1e3, "m": 1e6, "md": 1e9}
"""May stand before a currency's sign, as in `11,3 M€`, and how many it stands for."""

CURRENCY_SIGNS = "€$£"

_MULTIPLES = {
    "mm": ("m", 0.001),
    "cm": ("m", 0.01),
    "m": ("m", 1.0),
    "km": ("m", 1000.0),
    "ft": ("m", 0.3048),
    "mi": ("m", 1609.344),
    "mg": ("g", 0.001),
    "g": ("g", 1.0),
    "kg": ("g", 1000.0),
    "t": ("g", 1_000_000.0),
    "s": ("s", 1.0),
    "min": ("s", 60.0),
    "h": ("s", 3600.0),
    "d": ("s", 86_400.0),
    "wk": ("s", 604_800.0),
    "mo": ("mo", 1.0),
    "yr": ("mo", 12.0),
    "%": ("share", 0.01),
    "share": ("share", 1.0),
}
"""The base of each unit that is a multiple of another, and how many of the base it is."""

ORDINAL = "th"
"""Stands as the unit of `third` and `3rd`."""
SHARE_TOLERANCE = 0.007
"""Two thirds are 67 or 66 %."""

_IMPERIAL = ("ft", "mi")
_EXACT, _ROUGH = 1e-9, 0.03
"""Relative tolerances: of units in steps of ten, and of a conversion between systems, which people round."""

_CENTURIES = (1800, 1900, 2000)
"""A decade such as `the 20s` may belong to any of these."""

MAX_NUMBER_CHARS = 64
"""A longer word is no number."""

_MULTIPLIERS = (100, 1000)
"""Their words multiply a number before them: `two hundred`, `dos mil`."""

_WORD = re.compile(r"[^\W\d_]+")
_ROMAN = re.compile(r"\b(?=[IVXL]{2,6}e?\b)(XL|L?X{0,3})(IX|IV|V?I{0,3})e?\b")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50}
_FOOTNOTE_MARK = re.compile(r"[\[【]\^?\d{1,3}(?:[,;–-] ?\d{1,3})*[\]】]")
_GROUP_SPACE = re.compile(r"[ \u00a0\u202f'’]")
_DECIMAL_MARK = re.compile(r"([.,])")
_CLOCK = re.compile(
    r"(?<![\w.,:])(?:"
    r"(?P<hour12>1[0-2]|0?[1-9])(?:[:.](?P<minute12>[0-5]\d))?\s?(?P<half>[ap])(?:\.\s?m\b\.?|m\b)"
    r"|(?P<hour>[01]?\d|2[0-4])(?:\s?h\s?|:|\s?Uhr\s)(?P<minute>[0-5]\d)(?!\d)(?::[0-5]\d)?(?:\s?(?:Uhr|[ap]m)\b)?"
    r"|(?P<hour_uhr>[01]?\d|2[0-4])(?:\.(?P<minute_uhr>[0-5]\d))?\s?Uhr\b"
    r")",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number at characters `start` to `end`; any of `values` may be meant, since `1.000` is one thousand or one."""

    text: str
    values: frozenset[float]
    unit: str | None
    start: int
    end: int
    is_spelled_out: bool = False

    def matches(self, other: Number) -> bool:
        """Tell whether both may mean the same; a unit that only one states makes no difference."""
        if self.unit is None or other.unit is None or self.unit == other.unit:
            return not self.values.isdisjoint(other.values)
        (base, factor), (other_base, other_factor) = self._multiple, other._multiple
        if base != other_base:
            return False
        if base == "share":
            return any(
                abs(mine * factor - theirs * other_factor) <= SHARE_TOLERANCE
                for mine in self.values
                for theirs in other.values
            )
        is_converted = (self.unit in _IMPERIAL) != (other.unit in _IMPERIAL)
        return any(
            math.isclose(mine * factor, theirs * other_factor, rel_tol=_ROUGH if is_converted else _EXACT)
            for mine in self.values
            for theirs in other.values
        )

    def has_kind_of(self, other: Number) -> bool:
        """Tell whether both measure the same, such as a length; not where one has no unit."""
        return self.unit is not None and other.unit is not None and self._multiple[0] == other._multiple[0]

    @property
    def base_values(self) -> frozenset[float]:
        """The values in the base unit, such as metres for kilometres."""
        factor = self._multiple[1]
        return frozenset(value * factor for value in self.values)

    @property
    def _multiple(self) -> tuple[str | None, float]:
        return _MULTIPLES.get(self.unit or "", (self.unit, 1.0))


def extract_numbers(text: str, excluded: Iterable[tuple[int, int]] = ()) -> tuple[Number, ...]:
    """Return the numbers in a text, figures first, outside the `excluded` spans and outside footnote marks."""
    taken = bytearray(len(text))
    for start, end in [*excluded, *(match.span() for match in _FOOTNOTE_MARK.finditer(text))]:
        taken[start:end] = b"1" * (end - start)
    numbers: list[Number] = []
    for match in _CLOCK.finditer(text):
        if not taken[match.start()]:
            numbers.append(Number(match[0], frozenset((_read_clock(match),)), None, match.start(), match.end()))
            taken[match.start() : match.end()] = b"1" * (match.end() - match.start())
    rules = _number_rules()
    for match in rules.figure.finditer(text):
        if not taken[match.start("digits")]:
            number = _read_figure(text, match, has_money=bool(match["money"]) and not taken[match.start("money")])
            numbers.append(number)
            taken[number.start : number.end] = b"1" * (number.end - number.start)
    for match in _WORD.finditer(text):
        if not taken[match.start()] and (read := _read_words(text, match)) is not None:
            meant, end = read
            after = rules.after.match(text, end)
            factors = rules.scales.get(after[1].casefold()) if after else None
            end = after.end(1) if after and factors else end
            after = rules.after.match(text, end)
            unit = _unit_of(after) if after else None
            end = after.end() if after and unit else end
            counted = meant[:1] if factors or unit else meant  # `six cents euros` is no count of cents
            values = frozenset(value * factor for value in counted for factor in factors or (1.0,))
            numbers.append(Number(text[match.start() : end], values, unit, match.start(), end, is_spelled_out=True))
            taken[match.start() : end] = b"1" * (end - match.start())
    return tuple(numbers)


def extract_figures(text: str) -> list[str]:
    """Return the digits of each figure in a text, as written."""
    return [match["digits"] for match in _number_rules().figure.finditer(text)]


def is_certain(number: Number) -> bool:
    """Tell whether a text claims the number, rather than having a word that could be one."""
    if not number.is_spelled_out:
        return True
    is_one = 1.0 in number.values and number.unit != ORDINAL
    return number.text.casefold() not in _number_rules().ambiguous and not is_one


def roman_numerals(text: str) -> tuple[Number, ...]:
    """Return the Roman numerals from II to LXXXIX. They only bear a claim out, since `XIX` may be a name."""
    numbers: list[Number] = []
    for match in _ROMAN.finditer(text):
        if not match[0]:
            continue
        values = [_ROMAN_VALUES[sign] for sign in match[0].removesuffix("e")]
        value = sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True))
        numbers.append(Number(match[0], frozenset((float(value),)), None, match.start(), match.end()))
    return tuple(numbers)


def _read_clock(match: re.Match[str]) -> float:
    """Return a time of day as hours, with the minutes as hundredths."""
    if match["hour"] is not None:
        hours, minutes = int(match["hour"]), match["minute"]
    elif match["half"] is None:
        hours, minutes = int(match["hour_uhr"]), match["minute_uhr"] or "0"
    else:
        hours, minutes = int(match["hour12"]) % 12 + (12 if match["half"] in "pP" else 0), match["minute12"] or "0"
    return float(f"{hours}.{minutes}")


def _read_figure(text: str, match: re.Match[str], *, has_money: bool) -> Number:
    """Read a figure; without `has_money` a sign of money before it belongs to the figure before that."""
    rules = _number_rules()
    start = match.start() if has_money or not match["money"] else match.start("digits")
    values = _read_digits(match["digits"])
    if match["sign"] and (match.start() == 0 or text[match.start() - 1] in " (\u00a0"):
        values = frozenset(-value for value in values)
    if match["ending"] in rules.decade_suffixes and len(match["digits"]) == 2:
        values |= {value + century for value in values for century in _CENTURIES}
    unit = _SYMBOLS.get(match["money"].strip().casefold()) if has_money else None
    end = match.end()
    after = None if match["ending"] else rules.after.match(text, end)
    if after and (factors := rules.scales.get(after[1].casefold())):
        values = frozenset(value * factor for value in values for factor in factors)
        end = after.end(1)
        after = rules.after.match(text, end)
    elif after and (factor := _MONEY_PREFIXES.get(after[1][:-1].casefold())) and after[1][-1] in CURRENCY_SIGNS:
        values, unit, end = frozenset(value * factor for value in values), after[1][-1], after.end(1)
    if after and unit is None and (unit := _unit_of(after)):
        end = after.end()
    return Number(text[start:end], values, unit, start, end)


def _read_words(text: str, first: re.Match[str]) -> tuple[list[int], int] | None:
    """Return what a number in words may mean and where it ends: `treinta y cinco`, `two hundred and six`.

    `six cents` is 600 in French and 6 in English; the larger one comes first.
    """
    rules = _number_rules()
    word, end = first[0].casefold(), first.end()
    value = _word_value(word)
    if value is None:
        return None
    thousands, rest = value - value % 1000, value % 1000
    otherwise: int | None = None
    while (next_word := rules.next_word.match(text, end)) is not None:
        before, word = word, next_word["word"].casefold()
        is_joined = next_word["joiner"] is not None or next_word["and"] is not None
        multiple = None if is_joined else _multiple_of(before, word)
        added = 1 if next_word["joiner"] is not None and word in rules.joined_ones else _word_value(word)
        shared: int | None = None
        if multiple == 20 and rest % 100 == 4 and (added is None or text[end] == "-"):
            rest += 4 * 20 - 4  # quatre-vingts
        elif multiple == 100 and 0 < rest < 100:
            shared = thousands + rest if _is_shared(before, word) else None
            rest *= 100
        elif multiple == 1000 and thousands == 0 < rest < 1000:
            thousands, rest = rest * 1000, 0
        elif added is not None and added < _room_after(thousands, rest, next_word):
            if next_word["and"] is not None and _is_followed_by_hundreds(text, next_word):
                break
            rest += added
        else:
            break
        otherwise = shared
        end = next_word.end()
    return [each for each in (thousands + rest, otherwise) if each is not None], end


def _room_after(thousands: int, rest: int, next_word: re.Match[str]) -> int:
    """Return what a number word that adds to `thousands` and `rest` must be less than; 0 where none may follow."""
    tens = rest % 100
    if next_word["and"] is not None:
        return 100 if tens == 0 and thousands + rest else 0
    if rest == 0:
        return 1000 if thousands and next_word["joiner"] is None else 0
    if tens == 0:
        return 100
    if tens == 10:
        return 10 if next_word[0].startswith("-") else 0  # dix-sept
    return {60: 20, 80: 20}.get(tens, 10) if tens >= 20 and tens % 10 == 0 else 0


def _is_followed_by_hundreds(text: str, number: re.Match[str]) -> bool:
    """Tell whether a number word counts hundreds, as the last of `between one hundred and two hundred`."""
    after = _number_rules().next_word.match(text, number.end())
    return after is not None and _multiple_of(number["word"].casefold(), after["word"].casefold()) == 100


def _multiple_of(before: str, word: str) -> int | None:
    """Return how many a word is that multiplies one before it of its language, such as `cents` after `deux`."""
    rules = _number_rules()
    languages = rules.languages.get(before)
    value = rules.multiples.get(word)
    return value if languages is None or languages & rules.languages.get(word, frozenset()) else None


def _is_shared(before: str, multiple: str) -> bool:
    """Tell whether two words are a number and what it counts in another language, as `six cents` are."""
    rules = _number_rules()
    return multiple in rules.ambiguous and rules.languages.get(before, frozenset()) > rules.languages[multiple]


@lru_cache(maxsize=10_000)
def _word_value(word: str) -> int | None:
    """Return the value of a number word; of a compound such as `fünfunddreißig` or `zweihundertfünfzig`, too."""
    rules = _number_rules()
    if (value := rules.words.get(word)) is not None:
        return value
    if len(word) > MAX_NUMBER_CHARS:
        return None
    for joiner in rules.inner_joiners:
        for place in re.finditer(re.escape(joiner), word):
            ones, tens = word[: place.start()], rules.words.get(word[place.end() :], 0)
            value = 1 if ones in rules.joined_ones else rules.words.get(ones, 0)
            if 0 < value < 10 < tens < 100:
                return value + tens
    for name in rules.compounded:
        before, found, after = word.partition(name)
        multiple = _multiple_of(before, name)
        if not found or multiple is None:
            continue
        times = 1 if not before or before in rules.joined_ones else _word_value(before)
        rest = _rest_value(after)
        if times is not None and 0 < times < multiple and times < 1000 and rest is not None and rest < multiple:
            return times * multiple + rest
    return None


def _rest_value(word: str) -> int | None:
    """Return the value of the last part of a compound, which may be empty."""
    if not word:
        return 0
    value = _word_value(word)
    if value is not None:
        return value
    joiner = next((each for each in _number_rules().inner_joiners if word.startswith(each)), None)
    return _word_value(word.removeprefix(joiner)) if joiner and word != joiner else None


def _unit_of(after: re.Match[str]) -> str | None:
    rules, word = _number_rules(), after[1].casefold()
    if after[2] and word in rules.percent_starts:
        return "%"
    return rules.units.get(after[1]) or rules.units.get(word)


@lru_cache(maxsize=10_000)
def _read_digits(digits: str) -> frozenset[float]:
    """The numbers that digits may mean, with points and commas read in every way that makes one."""
    parts = _DECIMAL_MARK.split(_GROUP_SPACE.sub("", digits))
    groups, marks = parts[0::2], parts[1::2]
    if not marks or (len(marks) > 1 and len(set(marks)) == 1):
        return frozenset((float("".join(groups)[:MAX_DIGITS]),))
    values = {float(f"{''.join(groups[:-1])[:MAX_DIGITS]}.{groups[-1]}")}
    if len(marks) == 1 and len(groups[0]) <= 3 and len(groups[1]) == 3 and groups[0] != "0":
        values.add(float("".join(groups)))
    return frozenset(values)


@dataclass(frozen=True, slots=True)
class _NumberRules:
    """Patterns of a figure and of what stands after one, and number words by meaning, in any language.

    `multiples` multiply what stands before them, in compounds those that are `compounded`; `languages` are those of
    each word.
    """

    figure: re.Pattern[str]
    after: re.Pattern[str]
    decade_suffixes: frozenset[str]
    percent_starts: frozenset[str]
    scales: dict[str, frozenset[float]]
    units: dict[str, str]
    words: dict[str, int]
    multiples: dict[str, int]
    compounded: tuple[str, ...]
    joined_ones: frozenset[str]
    languages: dict[str, frozenset[str]]
    inner_joiners: tuple[str, ...]
    next_word: re.Pattern[str]
    ambiguous: frozenset[str]


@cache
def _number_rules() -> _NumberRules:
    scales: dict[str, set[float]] = {}
    units, words, multiples = dict(_SYMBOLS), dict[str, int](), dict[str, int]()
    languages: dict[str, set[str]] = {}
    for lexicon in load_lexicons():
        for factor, names in lexicon.numbers.scales.items():
            for name in names:
                scales.setdefault(name.casefold(), set()).add(float(factor))
        units |= {name.casefold(): symbol for symbol, names in lexicon.numbers.units.items() for name in names}
        own = {name.casefold(): int(value) for value, names in lexicon.numbers.words.items() for name in names}
        plurals = {name.casefold(): int(value) for value, names in lexicon.numbers.multiples.items() for name in names}
        words |= own
        multiples |= plurals | {name: value for name, value in own.items() if value in _MULTIPLIERS}
        for name in (*own, *plurals):
            languages.setdefault(name, set()).add(lexicon.code)
    endings = merge_literals(lambda lexicon: (*lexicon.numbers.ordinal_suffixes, *lexicon.numbers.decade_suffixes))
    prepositions = merge_literals(lambda lexicon: lexicon.numbers.unit_prepositions)
    joiners = merge_literals(lambda lexicon: lexicon.numbers.joiners)
    ands = merge_literals(lambda lexicon: lexicon.numbers.hundred_joiners)
    percent_ends = merge_literals(lambda lexicon: [phrase.split()[1] for phrase in lexicon.numbers.percent_phrases])
    return _NumberRules(
        figure=re.compile(
            r"(?<![\w.,])(?P<sign>[−-](?=\d))?(?P<money>(?:[€$£]|EUR|USD|GBP)\s?)?"
            r"(?P<digits>\d{1,3}(?:[ \u00a0\u202f'’]\d{3})+(?:[.,]\d+)?(?![\d\w])|\d+(?:[.,]\d+)*)"
            rf"(?P<ending>\.?(?:{endings})\b)?"
        ),
        after=re.compile(
            rf"[ \u00a0\u202f-]{{0,2}}(?:(?:{prepositions}) )?"
            rf"(%|°[CF]|(?:Md|[kKTM])?[€$£]|[^\W\d_]+)(?:[ \u00a0]({percent_ends}))?"
        ),
        decade_suffixes=merge_words(lambda lexicon: lexicon.numbers.decade_suffixes),
        percent_starts=merge_words(lambda lexicon: [phrase.split()[0] for phrase in lexicon.numbers.percent_phrases]),
        scales={name: frozenset(factors) for name, factors in scales.items()},
        units=units,
        words=words,
        multiples=multiples,
        compounded=tuple(sorted((name for name in words if words[name] in _MULTIPLIERS), key=words.__getitem__))[::-1],
        joined_ones=merge_words(lambda lexicon: lexicon.numbers.joined_ones),
        languages={name: frozenset(codes) for name, codes in languages.items()},
        inner_joiners=tuple(sorted(merge_words(lambda lexicon: lexicon.numbers.joiners))),
        next_word=re.compile(
            rf"[ \u00a0-](?:(?:(?P<joiner>{joiners})|(?P<and>{ands}))[ -])?(?P<word>[^\W\d_]+)", re.IGNORECASE
        ),
        ambiguous=merge_words(lambda lexicon: lexicon.numbers.ambiguous),
    )
