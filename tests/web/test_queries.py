"""What questions are searched for with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import date, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.errors import EngineUnavailable, InvalidInput
from eclair.llm.base import Delta, Engine, Request, Text
from eclair.llm.scripted import ScriptedEngine
from eclair.schema.models import Model
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.schema.web import WebQuery
from eclair.web.queries import (
    MAX_QUERIES,
    MAX_QUERY_WORDS,
    derive_queries,
    generate_queries,
    parse_queries,
    parse_search,
)
from tests.web.services import TODAY

ENGINE = ScriptedEngine()
LARGE = Model("large", "Large", "x", parameters=8.0)


def rule(question: str, *before: str, language: str | None = None) -> list[tuple[str, str | None, int | None]]:
    return [(query.text, query.language, query.days) for query in derive_queries(question, before, language, TODAY)]


@pytest.mark.parametrize(
    ("question", "text", "language", "days"),
    [
        ("Wer hat gestern die Wahl in Hessen gewonnen?", "Wahl Hessen gewonnen 24. November 2026", "de", 2),
        ("Wie wird das Wetter morgen in Köln?", "Wetter Köln 26. November 2026", "de", 7),
        ("What did the European Central Bank decide today?", "European Central Bank decide 25 November 2026", "en", 1),
        ("What's the latest version of Python 3.14?", "version Python 3.14", "en", 366),
        ("Qu'est-ce qui s'est passé lundi dernier à Lyon ?", "passé Lyon 23 novembre 2026", "fr", 3),
        ("¿Quién ganó ayer el partido del Real Madrid?", "ganó partido Real Madrid 24 de noviembre de 2026", "es", 2),
        ("Chi è il presidente del Consiglio oggi?", "presidente Consiglio 25 novembre 2026", "it", 1),
        ("Wat gebeurde er gisteren in Den Haag?", "gebeurde Den Haag 24 november 2026", "nl", 2),
        ("Kto wygrał wczoraj wybory w Warszawie?", "wygrał wybory Warszawie 24 listopada 2026", "pl", 2),
        ("Quem é o primeiro-ministro de Portugal este mês?", "primeiro-ministro Portugal novembro 2026", "pt", 31),
        ("Aká je inflácia na Slovensku?", "inflácia Slovensku", "sk", None),
        ("What happened last Monday at Siemens?", "happened Siemens 23 November 2026", "en", 3),
        ("Wie hoch war die Inflation letztes Jahr?", "hoch Inflation 2025", "de", None),
        ("noticias de hoy", "noticias 25 de noviembre de 2026", "es", 1),
        ("latest news", "news", "en", 7),
        ("Was kostet „Die Zeit“ im Abo?", '"Die Zeit" kostet Abo', "de", None),
    ],
)
def test_a_question_becomes_its_telling_words(question: str, text: str, language: str, days: int | None) -> None:
    assert rule(question)[0] == (text, language, days)


def test_names_are_tried_in_english_too() -> None:
    assert rule("Was hat Angela Merkel gesagt?")[1:] == [("Angela Merkel", "en", None)]
    assert rule("¿Quién ganó ayer el partido del Real Madrid?")[1:] == [("Real Madrid 2026", "en", 2)]
    assert rule("Wer hat die Wahl in Hessen gewonnen?")[1:] == []
    assert rule("What did Angela Merkel say?")[1:] == []


def test_a_question_that_goes_on_takes_up_the_one_before() -> None:
    before = "Wer hat gestern die Wahl in Hessen gewonnen?"
    assert rule("Und in Bayern?", "Hallo", before) == [("Wahl Hessen gewonnen Bayern 24. November 2026", "de", 2)]
    assert rule("When was he born?", "Who is the CEO of ASML?")[0][0] == "CEO ASML born"
    assert rule("Wie hoch ist der Eiffelturm in Paris heute genau?", before)[0][0].startswith("hoch Eiffelturm Paris")


def test_what_is_pasted_is_cut_to_its_names() -> None:
    text = "Please look at ```\ncode = 1\n``` and https://example.org/x and tell me about " + "filler words " * 300
    (query,) = rule(f"{text[:1500]} by Umberto Eco", language="en")
    assert "code" not in query[0]
    assert "example" not in query[0]
    many = rule(" ".join(f"word{n} Name{n}" for n in range(40)), language="en")[0][0].split()
    assert len(many) == MAX_QUERY_WORDS
    assert all(word.startswith("Name") for word in many)


def test_nothing_is_searched_for_nothing() -> None:
    assert rule("") == rule("?!") == rule("Und?", language="de") == []


def test_who_searches_may_say_more() -> None:
    assert parse_search("Hessen", "de", 3, TODAY) == (WebQuery("Hessen", "de", 3),)
    for text, language, days in (("?", None, None), ("x y", "deu", None), ("x y", None, -1)):
        with pytest.raises(InvalidInput):
            parse_search(text, language, days, TODAY)


DAYS = st.dates(date(2000, 1, 1), date(2100, 1, 1))
WORDS_OF_TIME = st.sampled_from(
    [
        "gestern",
        "last Monday",
        "lundi dernier",
        "letzten Monat",
        "yesterday",
        "mañana",
        "W zeszłym tygodniu",
        "„x“",
        "und",
    ]
)


@given(
    st.lists(st.text(max_size=30) | WORDS_OF_TIME, max_size=12).map(" ".join),
    st.lists(st.text(max_size=40), max_size=2),
    st.none() | st.sampled_from(["de", "en", "fr", "es", "it", "nl", "pl", "pt", "sk", "xx"]),
    DAYS,
)
def test_any_text_becomes_queries(question: str, before: Sequence[str], language: str | None, today: date) -> None:
    for query in derive_queries(question, before, language, today):
        assert query.text.strip() == query.text != ""
        assert query.days is None or 0 <= query.days <= 366


@given(DAYS, st.sampled_from(["Monday", "Sunday"]))
def test_last_monday_is_in_the_last_seven_days(today: date, name: str) -> None:
    (query, *_) = derive_queries(f"What happened last {name} in the city of Bonn?", (), "en", today)
    day = today - timedelta(days=(query.days or 0) - 1)
    assert today - timedelta(days=7) <= day < today
    assert day.strftime("%A") == name
    assert query.text.endswith(f"{day.day} {day:%B %Y}")


# By an engine


def says(
    *pieces: str, fault: Exception | None = None, silent: bool = False
) -> Callable[..., AsyncGenerator[Delta, None]]:
    async def ask(principal: Principal, engine: Engine, model: Model, request: Request) -> AsyncGenerator[Delta, None]:
        assert (engine, model.id, request.purpose) == (ENGINE, "large", "queries")
        assert "2026-11-25" in str(request.messages[0].content)
        if silent:
            await asyncio.Event().wait()
        for piece in pieces:
            yield Text(piece)
        if fault is not None:
            raise fault

    return ask


async def made(ask: Callable[..., AsyncGenerator[Delta, None]], within: float = 5.0) -> tuple[WebQuery, ...]:
    question = "Wer hat gestern die Wahl in Hessen gewonnen?"
    return await generate_queries(
        ask, LOCAL_PRINCIPAL, ENGINE, LARGE, question, ("Hallo",), None, TODAY, timeout_s=within
    )


async def test_a_large_model_makes_queries_itself() -> None:
    said = {
        "queries": [
            {"text": " Landtagswahl  Hessen ", "language": "de", "days": 2},
            {"text": "Hesse election"},
            {"x": 1},
        ]
    }
    text = f"Here you are:\n```json\n{orjson.dumps(said).decode()}\n```"
    assert await made(says(text[:40], text[40:])) == (
        WebQuery("Landtagswahl Hessen", "de", 2),
        WebQuery("Hesse election", "de"),
    )


async def test_where_it_makes_none_the_rule_does() -> None:
    by_the_rule = derive_queries("Wer hat gestern die Wahl in Hessen gewonnen?", (), None, TODAY)
    assert await made(says("I cannot search.")) == by_the_rule
    assert await made(says('{"queries": []}')) == by_the_rule
    assert await made(says(silent=True), within=0.05) == by_the_rule
    assert await made(says("{", fault=EngineUnavailable("It is down."))) == by_the_rule


@given(
    st.text()
    | st.builds(
        '{{"queries": [{{"text": "{}", "language": {}, "days": {}}}]}}'.format,
        st.text(),
        st.sampled_from(["null", '"de"', "7", '"german"']),
        st.integers() | st.just("null"),
    )
)
def test_whatever_a_model_says(said: str) -> None:
    queries = parse_queries(said, "de")
    assert len(queries) <= MAX_QUERIES
    assert all(query.text and len(query.language or "de") == 2 and (query.days or 0) >= 0 for query in queries)
