"""Read the facts of a text with the figures that it puts in words: `a third of`, `one in four`, `third`, `a year`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

from eclair.text.facts import Facts, extract_facts
from eclair.text.lexicon.loader import Lexicon, Words, load_lexicons, merge_literals
from eclair.text.terms import match_key
from eclair.text.written_numbers import ORDINAL, Number, extract_figures, extract_numbers

MAX_PART = 12
MAX_WHOLE = 100
"""Larger numbers are no part of a share, and no whole."""

_DOTTED = re.compile(r"\.[ \u00a0](?=[^\W\d_])")
"""The signs after an ordinal as German writes it: `2. Quartal`."""


@dataclass(frozen=True, slots=True)
class _Patterns:
    """Patterns of shares, with their parts and wholes by word, of ordinals, and of `a year` and the like."""

    shares: tuple[re.Pattern[str], ...]
    halves: re.Pattern[str]
    parts: dict[str, int]
    wholes: dict[str, int]
    ordinals: re.Pattern[str]
    ordinal_values: dict[str, int]
    suffix: re.Pattern[str]
    noon: re.Pattern[str]
    past_noon: re.Pattern[str]
    until: re.Pattern[str]
    ones: re.Pattern[str]
    units: dict[str, str]


def read_facts(text: str, language: str | None = None) -> Facts:
    """Return the facts of a text, as `extract_facts`, whose numbers may be shares and ordinals, too.

    A share has the unit `share`, an ordinal `ORDINAL`; each replaces what numbers were read in its place.
    """
    facts = extract_facts(text, language)
    dates = [(date.start, date.end) for date in facts.dates]
    shares = [number for number in _shares(text) if not _overlaps(number, dates)]
    taken = [(number.start, number.end) for number in shares]
    numbers = [_as_ordinal(number, text) for number in facts.numbers if not _overlaps(number, taken)]
    numbers = _with_range_units([_past_noon(number, text) for number in numbers], text)
    taken += [*dates, *((number.start, number.end) for number in numbers)]
    worded = [number for number in _other_words(text) if not _overlaps(number, taken)]
    return replace(facts, numbers=(*numbers, *shares, *worded))


def _overlaps(number: Number, spans: list[tuple[int, int]]) -> bool:
    return any(start < number.end and number.start < end for start, end in spans)


def _as_ordinal(number: Number, text: str) -> Number:
    is_ordinal = _patterns().suffix.search(number.text) or (
        number.text.isdecimal() and number.end - number.start <= 2 and _DOTTED.match(text, number.end)
    )
    return replace(number, unit=ORDINAL) if number.unit is None and is_ordinal else number


def _past_noon(number: Number, text: str) -> Number:
    """Return the hour of the day of `2 in the afternoon`; any other number as it is."""
    found = _patterns().past_noon.match(text, number.end)
    if found is None or number.unit not in (None, "h") or not all(0 < value < 12 for value in number.values):
        return number
    values = frozenset(value + 12 for value in number.values)
    return replace(number, text=text[number.start : found.end()], values=values, unit=None, end=found.end())


def _with_range_units(numbers: Sequence[Number], text: str) -> list[Number]:
    """Give the first of two numbers, as in `from 3.2 to 2.7 million`, what the second counts, too."""
    ordered = sorted(numbers, key=lambda number: number.start)
    for at, (one, other) in enumerate(pairwise(ordered)):
        if one.unit is None and _patterns().until.fullmatch(text, one.end, other.start):
            digits = extract_figures(other.text)[:1]
            plain = extract_numbers(digits[0])[:1] if digits else ()
            factor = max(other.values) / max(plain[0].values) if plain and max(plain[0].values) else 1.0
            if factor > 1:
                ordered[at] = replace(one, values=one.values | {value * factor for value in one.values})
    return ordered


def _shares(text: str) -> Iterator[Number]:
    rules = _patterns()
    for match in rules.halves.finditer(text):
        yield Number(match[0], frozenset((0.5,)), "share", match.start(), match.end(), is_spelled_out=True)
    end = 0
    for match in sorted((found for share in rules.shares for found in share.finditer(text)), key=re.Match[str].start):
        groups = {name: match_key(word) for name, word in match.groupdict().items()}
        part = rules.parts[groups.pop("part")] if "part" in groups else 1
        (whole,) = groups.values()
        value = rules.wholes[whole] if whole in rules.wholes else int(whole)
        if match.start() >= end and part < value:
            end = match.end()
            yield Number(match[0], frozenset((part / value,)), "share", match.start(), end, is_spelled_out=True)


def _other_words(text: str) -> Iterator[Number]:
    rules = _patterns()
    for match in rules.ordinals.finditer(text):
        value = float(rules.ordinal_values[match_key(match[0])])
        yield Number(match[0], frozenset((value,)), ORDINAL, match.start(), match.end(), is_spelled_out=True)
    for match in rules.noon.finditer(text):
        yield Number(match[0], frozenset((12.0,)), None, match.start(), match.end(), is_spelled_out=True)
    for match in rules.ones.finditer(text):
        unit = rules.units[match_key(match[0])]
        yield Number(match[0], frozenset((1.0,)), unit, match.start(), match.end(), is_spelled_out=True)


def _one_words(lexicon: Lexicon) -> Iterator[str]:
    return (phrase.split()[0] for phrases in lexicon.numbers.ones.values() for phrase in phrases)


def _parts_of(lexicon: Lexicon) -> dict[str, int]:
    """Return the numbers, by word, that may be the part of a share."""
    words = _by_value(lexicon.numbers.words)
    return dict.fromkeys(_one_words(lexicon), 1) | {word: value for word, value in words.items() if value <= MAX_PART}


def _by_value(lists: Mapping[str, Words]) -> dict[str, int]:
    return {word: int(value) for value, words in lists.items() for word in words}


def _any_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(set(words), key=lambda word: (-len(word), word)))


def _by_key(values: Mapping[str, int]) -> dict[str, int]:
    return {match_key(word): value for word, value in values.items()}


def _share_pattern(pattern: str, lexicon: Lexicon) -> re.Pattern[str]:
    numbers = lexicon.numbers
    wholes = (word for word, value in _by_value(numbers.words).items() if 1 < value <= MAX_WHOLE)
    groups = {
        "{part}": f"(?P<part>{_any_of(_parts_of(lexicon))})",
        "{denominator}": f"(?P<denominator>{_any_of(_by_value(numbers.denominators))})",
        "{ordinal}": f"(?P<ordinal>{_any_of(_by_value(numbers.ordinals))})",
        "{whole}": rf"(?P<whole>{_any_of(wholes)}|\d{{1,3}}(?![\d.,]))",
    }
    for name, group in groups.items():
        pattern = pattern.replace(name, group)
    return re.compile(rf"\b{pattern}\b", re.IGNORECASE)


@cache
def _patterns() -> _Patterns:
    lexicons = [lexicon for lexicon in load_lexicons() if lexicon.numbers.shares]
    wholes = dict[str, int]()
    for lexicon in lexicons:
        numbers = lexicon.numbers
        wholes |= _by_value(numbers.words) | _by_value(numbers.ordinals) | _by_value(numbers.denominators)
    ordinals = {word: value for lexicon in lexicons for word, value in _by_value(lexicon.numbers.ordinals).items()}
    units = {phrase: unit for lexicon in lexicons for unit, listed in lexicon.numbers.ones.items() for phrase in listed}
    suffixes = merge_literals(lambda lexicon: lexicon.numbers.ordinal_suffixes)
    return _Patterns(
        shares=tuple(_share_pattern(pattern, lexicon) for lexicon in lexicons for pattern in lexicon.numbers.shares),
        halves=_whole_words(word for lexicon in lexicons for word in lexicon.numbers.halves),
        parts=_by_key({word: value for lexicon in lexicons for word, value in _parts_of(lexicon).items()}),
        wholes=_by_key(wholes),
        ordinals=_whole_words(ordinals),
        ordinal_values=_by_key(ordinals),
        suffix=re.compile(rf"\d\.?(?:{suffixes})\Z"),
        noon=re.compile(rf"(?<![\w-])(?:{merge_literals(lambda lexicon: lexicon.numbers.noon)})\b", re.IGNORECASE),
        past_noon=re.compile(rf"[ \u00a0](?:{merge_literals(lambda lexicon: lexicon.numbers.past_noon)})\b"),
        until=re.compile(rf"[ \u00a0]?(?:[-–—]|(?:{merge_literals(lambda lexicon: lexicon.dates.until)})\b)[ \u00a0]?"),
        ones=_whole_words(units),
        units={match_key(phrase): unit for phrase, unit in units.items()},
    )


def _whole_words(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{_any_of(words)})\b", re.IGNORECASE)
