"""What of a sentence can be compared to the letter: its words, numbers, dates, names and negations.

The same fact is the same value however it is written and in whatever language: `12,5 %` and `12.5 percent`, `3. Mai
2024` and `2024-05-03`. What follows from a difference is for others to say.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache

from eclair.text.lexicon.loader import load_lexicons, merge_words


@dataclass(frozen=True, slots=True)
class Term:
    """A word. `stem` is what its inflections share, `key` its letters without case and accents; `first` where a
    sentence begins."""

    text: str
    key: str
    stem: str
    start: int
    end: int
    first: bool

    @property
    def capital(self) -> bool:
        return self.text[0].isupper()


@dataclass(frozen=True, slots=True)
class Number:
    """A number that may mean any of `values`, since `1.000` is one thousand or one."""

    text: str
    values: frozenset[float]
    unit: str | None
    start: int
    end: int
    spelled: bool = False

    def same(self, other: Number) -> bool:
        return not self.values.isdisjoint(other.values) and (
            self.unit is None or other.unit is None or self.unit == other.unit
        )


@dataclass(frozen=True, slots=True)
class Date:
    """A day, a month of a year, or a day of a month: what is not said is None. `readings` are its (year, month, day),
    two where the order cannot be told."""

    text: str
    readings: tuple[tuple[int | None, int | None, int | None], ...]
    start: int
    end: int

    def same(self, other: Date) -> bool:
        """Nothing that both say differs, and they have something in common."""
        return any(
            all(left is None or right is None or left == right for left, right in zip(mine, theirs, strict=True))
            and any(left is not None and left == right for left, right in zip(mine, theirs, strict=True))
            for mine in self.readings
            for theirs in other.readings
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """What a stretch of text says. `cues` are the places in `terms` of the words that negate."""

    terms: tuple[Term, ...]
    numbers: tuple[Number, ...]
    dates: tuple[Date, ...]
    cues: tuple[int, ...]


def read(text: str, language: str | None = None) -> Facts:
    """What `text` says. With its language, only that language's negations count."""
    dates = _dates(text)
    terms = _terms(text)
    return Facts(terms, _numbers(text, dates), dates, _cues(text, terms, language))


def _any_of(words: Iterable[str]) -> str:
    """A regular expression for any of the words, the longest first."""
    return "|".join(map(re.escape, sorted(words, key=lambda word: (-len(word), word))))


# Words

_WORD = re.compile(r"[^\W\d_]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
_OPENS = re.compile(r"(?:\A|[.!?:…])[\W_]*\Z")


def fold(text: str) -> str:
    """Letters without case and accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in plain if not unicodedata.combining(sign))


@lru_cache(maxsize=50_000)
def _keys(word: str) -> tuple[str, str]:
    key = fold(word)
    stem = key
    if len(key) > 4:
        bare = _endings().sub("", key)
        stem = bare[:7] if len(bare) >= 4 else key[:4]
    return key, stem


def _terms(text: str) -> tuple[Term, ...]:
    found: list[Term] = []
    for match in _WORD.finditer(text):
        word, start = match[0], match.start()
        if _CJK.search(word):
            pairs = [word[at : at + 2] for at in range(max(1, len(word) - 1))]
            found += [
                Term(pair, pair, pair, start + at, start + at + len(pair), False) for at, pair in enumerate(pairs)
            ]
            continue
        key, stem = _keys(word)
        found.append(
            Term(word, key, stem, start, match.end(), _OPENS.search(text, max(0, start - 6), start) is not None)
        )
    return tuple(found)


def stems(text: str) -> list[str]:
    """What the words that say something have in common with their inflections, in order, and the figures."""
    figures = [match["digits"] for match in _number_rules().figure.finditer(text)]
    return [term.stem for term in _terms(text) if tells(term)] + figures


def tells(term: Term) -> bool:
    """Whether the word says something by itself."""
    return (len(term.key) > 1 or term.capital) and term.key not in _stops()


@cache
def _stops() -> frozenset[str]:
    listed = merge_words(lambda lexicon: lexicon.grammar.stop_words)
    return frozenset(fold(word) for word in listed | _negations().unambiguous)


@cache
def _endings() -> re.Pattern[str]:
    return re.compile(rf"(?:{_any_of(merge_words(lambda lexicon: lexicon.grammar.endings))})\Z")


# Numbers

_SYMBOLS = {
    sign: sign for sign in ("%", "€", "$", "£", "km", "m", "cm", "mm", "mi", "ft", "kg", "g", "mg", "h", "min")
} | {"eur": "€", "usd": "$", "gbp": "£", "°c": "°C", "°f": "°F"}
"""Units that are written so in any language."""


@dataclass(frozen=True, slots=True)
class _NumberRules:
    """How numbers are written, in any language: a figure, what stands after one, and words by what they mean."""

    figure: re.Pattern[str]
    after: re.Pattern[str]
    decade_suffixes: frozenset[str]
    percent_starts: frozenset[str]
    scales: dict[str, frozenset[float]]
    units: dict[str, str]
    words: dict[str, int]
    ambiguous: frozenset[str]


@cache
def _number_rules() -> _NumberRules:
    scales: dict[str, set[float]] = {}
    units, words = dict(_SYMBOLS), dict[str, int]()
    for lexicon in load_lexicons():
        for factor, names in lexicon.numbers.scales.items():
            for name in names:
                scales.setdefault(name.casefold(), set()).add(float(factor))
        units |= {name.casefold(): symbol for symbol, names in lexicon.numbers.units.items() for name in names}
        words |= {name.casefold(): int(value) for value, names in lexicon.numbers.words.items() for name in names}
    decades = merge_words(lambda lexicon: lexicon.numbers.decade_suffixes)
    ordinals = merge_words(lambda lexicon: lexicon.numbers.ordinal_suffixes)
    prepositions = merge_words(lambda lexicon: lexicon.numbers.unit_prepositions)
    percent = [phrase.split() for phrase in merge_words(lambda lexicon: lexicon.numbers.percent_phrases)]
    return _NumberRules(
        re.compile(
            r"(?<![\w.,])(?P<sign>[−-](?=\d))?(?P<money>[€$£]\s?)?"
            r"(?P<digits>\d{1,3}(?:[ \u00a0\u202f'’]\d{3})+(?:[.,]\d+)?(?![\d\w])|\d+(?:[.,]\d+)*)"
            rf"(?P<ending>(?:{_any_of(ordinals | decades)})\b)?"
        ),
        re.compile(
            rf"[ \u00a0\u202f-]{{0,2}}(?:(?:{_any_of(prepositions)}) )?(%|°[CF]|[€$£]|[^\W\d_]+)"
            rf"(?:[ \u00a0]({_any_of({second for _, second in percent})}))?"
        ),
        decades,
        frozenset(first for first, _ in percent),
        {name: frozenset(factors) for name, factors in scales.items()},
        units,
        words,
        merge_words(lambda lexicon: lexicon.numbers.ambiguous),
    )


_ROMAN = re.compile(r"\b(?=[IVXL]{2,6}\b)(XL|L?X{0,3})(IX|IV|V?I{0,3})\b")
_MARKS = re.compile(r"[\[【]\^?\d{1,3}(?:[,;–-] ?\d{1,3})*[\]】]")


def _numbers(text: str, dates: tuple[Date, ...]) -> tuple[Number, ...]:
    taken = bytearray(len(text))
    for start, end in [*((date.start, date.end) for date in dates), *(match.span() for match in _MARKS.finditer(text))]:
        taken[start:end] = b"1" * (end - start)
    rules = _number_rules()
    found: list[Number] = []
    for match in rules.figure.finditer(text):
        if taken[match.start()]:
            continue
        values = _values(match["digits"])
        if match["sign"] and (match.start() == 0 or text[match.start() - 1] in " (\u00a0"):
            values = frozenset(-value for value in values)
        if match["ending"] in rules.decade_suffixes and len(match["digits"]) == 2:
            values |= {value + century for value in values for century in (1800, 1900, 2000)}
        unit = _SYMBOLS.get(match["money"].strip()) if match["money"] else None
        end = match.end()
        after = None if match["ending"] else rules.after.match(text, end)
        if after and (factors := rules.scales.get(after[1].casefold())):
            values = frozenset(value * factor for value in values for factor in factors)
            end = after.end(1)
            after = rules.after.match(text, end)
        if after and (unit is None) and (known := _unit(after)):
            unit, end = known, after.end()
        found.append(Number(text[match.start() : end], values, unit, match.start(), end))
        taken[match.start() : end] = b"1" * (end - match.start())
    for match in _WORD.finditer(text):
        value = rules.words.get(match[0].casefold())
        if value is not None and not taken[match.start()]:
            after = rules.after.match(text, match.end())
            factors = rules.scales.get(after[1].casefold()) if after else None
            end = after.end(1) if after and factors else match.end()
            values = frozenset(value * factor for factor in factors or (1.0,))
            found.append(Number(text[match.start() : end], values, None, match.start(), end, spelled=True))
            taken[match.start() : end] = b"1" * (end - match.start())
    return tuple(found)


def sure(number: Number) -> bool:
    """Whether the sentence claims this number, rather than having a word that could be one."""
    return not number.spelled or (number.text.casefold() not in _number_rules().ambiguous and 1.0 not in number.values)


def roman(text: str) -> tuple[Number, ...]:
    """The Roman numbers from II to LXXXIX: they bear a claim out, for `XIX` is a name as well."""
    found: list[Number] = []
    for match in _ROMAN.finditer(text):
        if not match[0]:
            continue
        signs = [{"I": 1, "V": 5, "X": 10, "L": 50}[sign] for sign in match[0]]
        value = sum(-sign if sign < after else sign for sign, after in zip(signs, [*signs[1:], 0], strict=True))
        found.append(Number(match[0], frozenset((float(value),)), None, match.start(), match.end()))
    return tuple(found)


def _unit(after: re.Match[str]) -> str | None:
    rules, word = _number_rules(), after[1].casefold()
    if after[2] and word in rules.percent_starts:
        return "%"
    return rules.units.get(after[1]) or rules.units.get(word)


@lru_cache(maxsize=10_000)
def _values(digits: str) -> frozenset[float]:
    """What the digits may mean, with points and commas read in every way that makes a number."""
    plain = re.sub(r"[ \u00a0\u202f'’]", "", digits)
    parts = re.split(r"([.,])", plain)
    marks = parts[1::2]
    groups = parts[0::2]
    thousands = len(groups) > 1 and 1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])
    found: set[float] = set()
    if not marks:
        found.add(float(plain[:300]))
    elif len(set(marks)) == 1 and len(marks) > 1:
        found.add(float("".join(groups)[:300]))
    elif len(marks) == 1:
        found.add(float(f"{groups[0][:300]}.{groups[1]}"))
        if thousands and groups[0] != "0":
            found.add(float("".join(groups)))
    else:
        found.add(float(f"{''.join(groups[:-1])[:300]}.{groups[-1]}"))
    return frozenset(found)


# Dates

_ISO = re.compile(r"(?<!\d)(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})(?!\d)")
_POINTED = re.compile(
    r"(?<![\d.])(?P<day>\d{1,2})(?P<mark>[./])[ ]?(?P<month>\d{1,2})(?P=mark)[ ]?(?P<year>\d{4})(?!\d)"
)


@dataclass(frozen=True, slots=True)
class _DateRules:
    """How days are written with the month's name, in any language, and the months by their folded names."""

    months: dict[str, int]
    day_first: re.Pattern[str]
    month_first: re.Pattern[str]


@cache
def _date_rules() -> _DateRules:
    months = {
        fold(name): month
        for lexicon in load_lexicons()
        for month, names in enumerate(lexicon.dates.months, 1)
        for name in names
    }
    suffix = rf"(?:{_any_of(merge_words(lambda lexicon: lexicon.dates.day_suffixes))})?"
    before_month = rf"(?:{_any_of(merge_words(lambda lexicon: lexicon.dates.month_prefixes))})?"
    before_year = rf"(?:{_any_of(merge_words(lambda lexicon: lexicon.dates.year_prefixes))})?"
    month = r"(?P<month>[^\W\d_]{3,10})\.?"
    return _DateRules(
        months,
        re.compile(
            rf"(?<![\w.,])(?P<day>\d{{1,2}}){suffix}\.?[ \u00a0]{before_month}{month}"
            rf"(?:,?[ \u00a0]{before_year}(?P<year>\d{{4}})\b)?"
        ),
        re.compile(
            rf"\b{month}[ \u00a0](?:(?P<day>\d{{1,2}}){suffix}(?!\d)(?:,?[ \u00a0](?P<year>\d{{4}})\b)?"
            rf"|{before_year}(?P<only>\d{{4}})\b)"
        ),
    )


def _dates(text: str) -> tuple[Date, ...]:
    found: list[Date] = []
    taken = bytearray(len(text))

    def give(match: re.Match[str], *readings: tuple[int | None, int | None, int | None]) -> None:
        if not any(taken[match.start() : match.end()]):
            found.append(Date(match[0].rstrip(". "), readings, match.start(), match.end()))
            taken[match.start() : match.end()] = b"1" * (match.end() - match.start())

    for match in _ISO.finditer(text):
        if int(match["month"]) <= 12 and int(match["day"]) <= 31:
            give(match, (int(match["year"]), int(match["month"]), int(match["day"])))
    for match in _POINTED.finditer(text):
        year, left, right = int(match["year"]), int(match["day"]), int(match["month"])
        readings = [(year, right, left)] if right <= 12 and left <= 31 else []
        if match["mark"] == "/" and left <= 12 and right <= 31 and left != right:
            readings.append((year, left, right))
        if readings:
            give(match, *readings)
    rules = _date_rules()
    for match in rules.day_first.finditer(text):
        month = rules.months.get(fold(match["month"]))
        if month and 1 <= int(match["day"]) <= 31:
            give(match, (int(match["year"]) if match["year"] else None, month, int(match["day"])))
    for match in rules.month_first.finditer(text):
        month = rules.months.get(fold(match["month"]))
        if month:
            year = match["year"] or match["only"]
            give(match, (int(year) if year else None, month, int(match["day"]) if match["day"] else None))
    return tuple(sorted(found, key=lambda date: date.start))


# Negation


@dataclass(frozen=True, slots=True)
class _Negations:
    """Words that negate, by language; those that do in whatever language; and those after which they don't (`not
    only`)."""

    by_language: dict[str, frozenset[str]]
    unambiguous: frozenset[str]
    limiters: frozenset[str]


@cache
def _negations() -> _Negations:
    return _Negations(
        {lexicon.code: frozenset(lexicon.negation.words) for lexicon in load_lexicons() if lexicon.negation.words},
        merge_words(lambda lexicon: lexicon.negation.words) - merge_words(lambda lexicon: lexicon.negation.ambiguous),
        frozenset(map(str.casefold, merge_words(lambda lexicon: lexicon.negation.limiters))),
    )


def _cues(text: str, terms: tuple[Term, ...], language: str | None) -> tuple[int, ...]:
    negations = _negations()
    cues = negations.by_language.get(language or "", negations.unambiguous)
    found: list[int] = []
    for place, term in enumerate(terms):
        word = term.text.casefold()
        contracted = (
            word == "t" and text[term.start - 1 : term.start] in ("'", "’") and terms[place - 1].key.endswith("n")
        )
        if word not in cues and not (contracted and "n't" in cues):
            continue
        after = terms[place + 1].text.casefold() if place + 1 < len(terms) else ""
        if after in negations.limiters or re.match(r"\.?[ \u00a0]?\d", text[term.end : term.end + 3]):
            continue
        found.append(place)
    return tuple(found)


def scope(facts: Facts, cue: int, reach: int) -> set[str]:
    """The stems of what a negation may deny: the telling words up to `reach` places on either side of it."""
    near = facts.terms[max(0, cue - reach) : cue + reach + 1]
    return {term.stem for term in near if tells(term)}
