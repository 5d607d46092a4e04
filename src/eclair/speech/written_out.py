"""Writes numbers, units, signs and abbreviations out as they are said, for voices that read letters only."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import ClassVar

from pydantic import ConfigDict, Field, TypeAdapter

from eclair.speech.number_words import NUMBER_LANGUAGES, digit_words, number_words, year_words

MAX_FORMULA_CHARS = 60
"""Longer formulas are only mentioned."""

_NUMBER = re.compile(
    r"(?P<sign>(?<![\w.,])[-−+])?(?P<before>[€$£][ \u00a0]?)?(?<![\w.,])"
    r"(?P<number>\d{1,3}(?:[.,'’\u00a0\u202f]\d{3})++(?:[.,]\d++)?|\d++(?:[.,]\d++)?)(?!\d)"
    r"(?:[ \u00a0\u202f]?(?P<unit>%|€|\$|£|°C|°|(?:km|cm|mm|kg|mg|min|GB|MB|kB|Go|Mo|[mgh])(?!\w)))?"
)
_RANGE = re.compile(r"(?<=\d)[ ]?[–—][ ]?(?=\d)|(?<=\d)-(?=\d)")
_GROUPS = re.compile(r"(?<![\d.,])(?<!\d )\d{1,3}(?: \d{3})++(?!\d)")
_TIME = re.compile(
    r"(?<![\d:])(?P<hour>\d{1,2}):(?P<minutes>\d\d)(?![\d:])"
    r"(?P<named>[ \u00a0\u202f]?(?:Uhr|heures?|h|horas?)\b)?(?P<half>[ \u00a0]?[ap]\.?m\b)?"
)
_FIGURES = re.compile(r"\d++")
HOURS_OF_CLOCK = 12
MAX_READ_DIGITS = 4
"""Longer figures among letters are read one by one."""
_SPACE = re.compile(r"\s++")
_SIGN = re.compile(r"(?<=[\w)%°])[ ]?([=<>≤≥≈×&+])[ ]?(?=[\w(€$£-])|(?<=\s)([=<>≤≥≈×&+])(?=\s)")
_COMMAND = re.compile(r"\\(?:left|right|mathrm|text|mathbf|displaystyle|,|;|!|quad|qquad)\b|[{}]|\\[,;! ]")
_FORMULA_SIGNS = {
    r"\\cdot\b|\\times\b|\*|·": "×",
    r"\\leq?\b": "≤",
    r"\\geq?\b": "≥",
    r"\\approx\b": "≈",
    r"\\div\b|÷": "/",
    "−": "-",
}
_FORMULA_TOKEN = re.compile(r"\^2(?!\d)|²|[=+\-/<>≤≥≈×&]|[A-Za-zα-ωΑ-Ω]+|\d+(?:[.,]\d+)?|\s+")


@dataclass(frozen=True, slots=True)
class SpokenWords:
    """Words of a language for signs, units and abbreviations, and those with which a phrase begins."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="allow")

    formula: str
    point: str
    percent: str
    to: str
    squared: str
    units: Mapping[str, str]
    abbreviations: Mapping[str, str]
    signs: Mapping[str, str] = Field(default_factory=dict[str, str])
    phrase_beginnings: tuple[str, ...] = ()
    hour: str = ""
    """Between an hour and its minutes."""
    full_hour: str = ""
    """After an hour without minutes."""
    late_full_hour: str = ""
    """In place of `full_hour` after 0 and 13 to 23."""
    one_hour: str = ""
    """The hour 1 where its number is another word; also the word after it where that changes (`une heure`)."""


@cache
def spoken_words() -> dict[str, SpokenWords]:
    """Return the words by language."""
    data = tomllib.loads(resources.files("eclair.speech").joinpath("spoken_words.toml").read_text("utf-8"))
    return TypeAdapter(dict[str, SpokenWords]).validate_python(data)


def write_out(text: str, language: str) -> str:
    """Return a text as it is said in a language; figures stay where the language's voice reads them itself."""
    words = spoken_words().get(language)
    if words is None:
        return text
    for short, long in words.abbreviations.items():
        if short in text:
            text = re.sub(rf"(?<!\w){re.escape(short)}(?!\w)", long, text)
    if language != "en":
        text = _GROUPS.sub(lambda found: found[0].replace(" ", "\u00a0"), text)
    text = _TIME.sub(lambda found: _say_time(found, words), _RANGE.sub(f" {words.to} ", text))
    text = _NUMBER.sub(lambda found: _say_number(found, words, language), text)
    text = _SIGN.sub(lambda found: f" {words.signs.get(found[1] or found[2], ' ')} ", text)
    if language in NUMBER_LANGUAGES:
        text = _FIGURES.sub(lambda found: f" {_say_figures(found[0], language)} ", text)
    return _SPACE.sub(" ", text).strip()


def speak_formula(formula: str, language: str | None) -> str:
    """Return a short formula in words; the word for a formula where it has more than letters, figures and signs."""
    words = spoken_words().get(language or "")
    if words is None:
        return ""
    plain = _COMMAND.sub("", formula)
    for pattern, sign in _FORMULA_SIGNS.items():
        plain = re.sub(pattern, sign, plain)
    if len(plain) > MAX_FORMULA_CHARS:
        return words.formula
    said: list[str] = []
    at = 0
    while at < len(plain):
        if (token := _FORMULA_TOKEN.match(plain, at)) is None:
            return words.formula
        sign = token[0].strip()
        said.append(words.squared if sign in ("^2", "²") else words.signs.get(sign, sign))
        at = token.end()
    return _SPACE.sub(" ", " ".join(said)).strip()


def _say_time(found: re.Match[str], words: SpokenWords) -> str:
    """Say a time of day such as 9:05, and the word for its hour once."""
    hour, minutes, half = found["hour"], found["minutes"], found["half"] or ""
    is_full = minutes == "00"
    following = words.full_hour if is_full else words.hour
    if is_full and words.late_full_hour and not 1 <= int(hour) <= HOURS_OF_CLOCK:
        following = words.late_full_hour
    if hour == "1" and words.one_hour:
        hour = words.one_hour
        following = "" if " " in hour else following
    said = [hour, "" if half and is_full else following, "" if is_full else minutes]
    rest = "" if words.full_hour and words.hour else found["named"] or ""
    return f"{' '.join(part for part in said if part)}{half}{rest}"


def _say_number(found: re.Match[str], words: SpokenWords, language: str) -> str:
    sign = f"{words.signs['-']} " if found["sign"] in ("-", "−") else ""
    unit = found["unit"] or (found["before"] or "").strip()
    number = found["number"]
    if unit:
        unit = f" {words.percent if unit == '%' else words.units.get(unit, unit)}"
    if language not in NUMBER_LANGUAGES:
        return f"{sign}{number}{unit}"
    return f"{sign}{_figures(number, words, language, is_bare=not unit and not sign)}{unit}"


def _say_figures(digits: str, language: str) -> str:
    """Say figures that stand among letters or stops, as in a name or a version."""
    whole = len(digits) <= MAX_READ_DIGITS and digits[0] != "0"
    return number_words(int(digits), language) if whole else digit_words(digits, language)


def _figures(number: str, words: SpokenWords, language: str, *, is_bare: bool) -> str:
    """Return figures in words; `is_bare` says that nothing stands with them, so that they may be a year."""
    decimal, group = (".", ",") if language == "en" else (",", ".")
    plain = re.sub(r"['’\u00a0\u202f]", "", number)
    if plain.count(group) == 1 and len(plain.partition(group)[2]) != 3:
        decimal, group = group, decimal
    plain = plain.replace(group, "")
    whole, point, part = plain.partition(decimal)
    if len(whole) > 1 and whole[0] == "0":
        said = digit_words(whole, language)
    elif is_bare and not point and whole == number and len(whole) == 4:
        said = year_words(int(whole), language)
    else:
        said = number_words(int(whole), language) if len(whole) <= 13 else digit_words(whole, language)
    if not point:
        return said
    by_digit = language == "en" or part[0] == "0" or len(part) > 2
    return f"{said} {words.point} {digit_words(part, language) if by_digit else number_words(int(part), language)}"
