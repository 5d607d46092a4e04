"""Every language has one file with every section, and languages don't contradict each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from importlib import resources
from operator import attrgetter

import orjson
import pytest
from pydantic import TypeAdapter

from eclair.text.facts import extract_facts
from eclair.text.language import language_names
from eclair.text.lexicon.loader import Lexicon, lexicon_codes, load_lexicon, load_lexicons
from eclair.text.terms import fold_text

Section = str | bool | None | list["Section"] | dict[str, "Section"]

EU = (
    *("bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "ga", "hr"),
    *("hu", "it", "lt", "lv", "mt", "nl", "pl", "pt", "ro", "sk", "sl", "sv"),
)
EIGHT = ("de", "en", "es", "fr", "it", "nl", "pl", "pt")


def table(code: str) -> dict[str, Section]:
    rules: dict[str, Section] = orjson.loads(
        resources.files("eclair.text.lexicon").joinpath(f"{code}.json").read_bytes()
    )
    return rules


def lexicon_of(code: str) -> Lexicon:
    lexicon = load_lexicon(code)
    assert lexicon is not None
    return lexicon


def lists_in(section: Section) -> Iterator[list[str]]:
    """The lists of words and patterns anywhere in a section."""
    match section:
        case dict():
            for value in section.values():
                yield from lists_in(value)
        case list():
            yield [value for value in section if isinstance(value, str)]
            for value in section:
                yield from lists_in(value)
        case _:
            pass


@pytest.mark.parametrize("code", sorted(lexicon_codes()))
def test_each_file_has_every_section(code: str) -> None:
    assert set(table(code)) == {field.name for field in fields(Lexicon)} - {"code"}
    TypeAdapter(Lexicon).validate_python(lexicon_of(code))
    for field in fields(Lexicon):
        section = getattr(lexicon_of(code), field.name)
        if is_dataclass(section):
            TypeAdapter(type(section)).validate_python(table(code)[field.name], extra="forbid")


@pytest.mark.parametrize("code", sorted(lexicon_codes()))
def test_nothing_is_listed_twice_or_empty(code: str) -> None:
    for words in lists_in(table(code)):
        assert len(set(words)) == len(words), words
        assert all(words), words


@pytest.mark.parametrize("code", sorted(lexicon_codes()))
def test_each_pattern_compiles_by_itself(code: str) -> None:
    rules = table(code)
    for section in ("web_intent", "whole_document", "computation", "asked_facts", "location", "claims", "web_pages"):
        for patterns in lists_in(rules[section]):
            for pattern in patterns:
                assert re.compile(pattern.replace("{these}", "")).match("") is None, pattern


@pytest.mark.parametrize("code", sorted(lexicon_codes()))
def test_patterns_for_folded_text_have_no_accents(code: str) -> None:
    rules = table(code)
    for patterns in (
        *lists_in(rules["web_intent"]),
        *lists_in(rules["computation"]),
        *lists_in(without_words(rules["asked_facts"])),
        *lists_in(without_words(rules["whole_document"])),
    ):
        assert [unaccented(pattern) for pattern in patterns] == patterns


def without_words(section: Section) -> Section:
    assert isinstance(section, dict)
    return {name: rule for name, rule in section.items() if not name.endswith("words")}


def unaccented(pattern: str) -> str:
    """A pattern with its letters folded, but for classes such as `\\W`."""
    return re.sub(r"(?<!\\)[^\W\d_]+", lambda match: fold_text(match[0]), pattern)


@pytest.mark.parametrize(
    ("rule", "codes"),
    [
        ("name", EU),
        ("identification.words", sorted({*EU} - {"el"})),
        ("identification.script", ["el"]),
        ("location", EU),
        ("news", EU),
        ("web_pages.dateline", EU),
        ("nothing_found", EU),
        ("no_difference", EU),
        ("report", EU),
        ("queries", EIGHT),
        ("web_intent.news", EIGHT),
        ("whole_document.patterns", EIGHT),
        ("computation.count", EIGHT),
        ("asked_facts.money", EIGHT),
        ("asked_facts.year", EIGHT),
        ("asked_facts.clock", EIGHT),
        ("dates.months", (*EIGHT, "ro")),
        ("negation.words", (*EIGHT, "ro")),
    ],
)
def test_a_rule_is_there_for_each_language_it_was_written_for(rule: str, codes: Sequence[str]) -> None:
    assert [code for code in codes if not attrgetter(rule)(lexicon_of(code))] == []


def test_months_and_weekdays_are_whole() -> None:
    for lexicon in load_lexicons():
        assert len(lexicon.dates.months) in (0, 12), lexicon.code
        if lexicon.queries is not None:
            assert len(lexicon.queries.weekdays) == 7, lexicon.code
            assert len(lexicon.dates.months) == 12, lexicon.code


def numbers(lexicon: Lexicon) -> Iterable[tuple[str, object]]:
    return ((name, value) for value, names in lexicon.numbers.words.items() for name in names)


def units(lexicon: Lexicon) -> Iterable[tuple[str, object]]:
    return ((name, symbol) for symbol, names in lexicon.numbers.units.items() for name in names)


def months(lexicon: Lexicon) -> Iterable[tuple[str, object]]:
    return ((fold_text(name), month) for month, names in enumerate(lexicon.dates.months) for name in names)


@pytest.mark.parametrize("meanings", [numbers, units, months])
def test_no_word_means_one_thing_here_and_another_there(
    meanings: Callable[[Lexicon], Iterable[tuple[str, object]]],
) -> None:
    found: dict[str, set[object]] = {}
    for lexicon in load_lexicons():
        for name, meaning in meanings(lexicon):
            found.setdefault(name, set()).add(meaning)
    assert {name: several for name, several in found.items() if len(several) > 1} == {}


def test_what_has_no_file_has_no_rules() -> None:
    for code in ("", "xx", "../lexicon/de", "loader"):
        assert load_lexicon(code) is None
    assert {"mk", "sr"} == lexicon_codes() - language_names().keys()


@pytest.mark.parametrize("text", ["3 maja 2024", "3. Mai 2024", "3 mai 2024", "3 de mayo de 2024", "May 3rd, 2024"])
def test_a_day_is_the_same_in_each_language(text: str) -> None:
    (date,) = extract_facts(text).dates
    assert date.readings == ((2024, 5, 3),)


def test_words_with_a_sharp_s_are_found() -> None:
    (number,) = extract_facts("Es waren dreißig.").numbers
    assert number.values == {30.0}
    (height,) = extract_facts("Der Turm ist 90 Fuß hoch.").numbers
    assert height.unit == "ft"
    assert extract_facts("Er war nicht bloß da.", "de").negations == ()
