"""The rule by which a mode chooses, and by which auto tells a short question from one to think over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.chat.routing_rules import (
    DISTANCES,
    LONG_QUESTION_WORDS,
    Candidate,
    able_to_read,
    classify_question,
    no_further_than,
    pick,
    resolve_mode,
)
from eclair.llm.openai import model_names
from eclair.llm.servers.jurisdiction import LocationKind
from eclair.schema.models import Model, ReasoningSupport

THINKS: list[ReasoningSupport | None] = [
    "enable_thinking",
    "thinking",
    "effort",
    "levels",
    "prompt",
    "always",
    "never",
    None,
]


def model(id: str, parameters: float | None = None, **more: object) -> Model:
    return Model(id, id, "rack", parameters=parameters, **more)  # pyright: ignore[reportArgumentType]


def one(id: str, parameters: float | None = None, speed: float | None = None, **more: object) -> Candidate:
    return Candidate(model(id, parameters, **more), "machine", speed)


models = st.builds(
    Model,
    st.uuids().map(str),
    st.just("m"),
    st.just("rack"),
    context=st.none() | st.integers(1, 200_000),
    can_title=st.booleans(),
    parameters=st.none() | st.floats(0.1, 2000),
    active=st.none() | st.floats(0.1, 200),
    reasoning=st.sampled_from(THINKS),
)
candidates = st.lists(
    st.builds(Candidate, models, st.sampled_from(sorted(DISTANCES)), st.none() | st.floats(0.1, 5000)), min_size=1
)


@given(candidates, st.sampled_from(sorted(DISTANCES)), st.integers(0, 10_000))
def test_nobody_further_away_is_asked_and_somebody_is_found(
    found: list[Candidate], where: LocationKind, tokens: int
) -> None:
    nearby = no_further_than(found, where)
    assert all(DISTANCES[candidate.location] <= DISTANCES[where] for candidate in nearby)
    assert len(no_further_than(found, "unknown")) == len(found)
    if nearby:
        can = able_to_read(nearby, tokens)
        assert can
        assert pick("flash", can) in can
        assert pick("think", can) in can


@given(candidates, st.data())
def test_flash_is_no_slower_than_any_other_that_was_measured(found: list[Candidate], data: st.DataObject) -> None:
    free = [candidate for candidate in found if candidate.model.reasoning != "always"]
    measured = [candidate for candidate in free if candidate.words_per_second is not None]
    if not measured:
        return
    other = data.draw(st.sampled_from(measured))
    chosen = pick("flash", measured)
    assert chosen.words_per_second is not None
    assert other.words_per_second is not None
    assert chosen.words_per_second >= other.words_per_second


@given(st.none() | st.floats(0.1, 2000), st.none() | st.floats(0.1, 5000))
def test_of_equals_the_first_is_chosen(parameters: float | None, speed: float | None) -> None:
    twins = [one("a", parameters, speed), one("b", parameters, speed)]
    for pair in (twins, twins[::-1]):
        assert pick("flash", pair) is pair[0]
        assert pick("think", pair) is pair[0]


def test_measured_speed_goes_before_size() -> None:
    big, small = one("big", 70, 90.0), one("small", 3, 20.0)
    assert pick("flash", [small, big]) is big
    assert pick("flash", [one("small", 3), one("big", 70)]).model.id == "small"
    assert pick("flash", [one("dense", 8, 50.0), one("experts", 30, active=3.0)]).model.id == "experts"
    assert pick("flash", [one("a", 8, 50.0), one("b", 24)]).model.id == "a"


def test_a_model_that_always_thinks_is_slow() -> None:
    assert pick("flash", [one("r1", 1.5, 60.0, reasoning="always"), one("plain", 8, 20.0)]).model.id == "plain"


def test_the_strongest_is_large_and_thinks() -> None:
    assert pick("think", [one("small", 3), one("big", 70)]).model.id == "big"
    assert (
        pick("think", [one("plain", 9, reasoning="never"), one("thinker", 8, reasoning="prompt")]).model.id == "thinker"
    )
    assert (
        pick("think", [one("plain", 70, reasoning="never"), one("thinker", 8, reasoning="prompt")]).model.id == "plain"
    )
    assert pick("think", [one("dense", 24), one("experts", 30, active=3.0)]).model.id == "dense"


def test_what_cannot_do_the_task_is_left_out() -> None:
    toy, real, narrow = one("toy", 0.1, can_title=False), one("real", 8), one("narrow", 1, context=1000)
    assert able_to_read([toy, real, narrow], 10) == [real, narrow]
    assert able_to_read([toy, real, narrow], 600) == [real]
    assert able_to_read([toy], 10) == [toy]
    assert able_to_read([narrow], 5000) == [narrow]
    seer = one("seer", 12, vision_pixels=1024, can_title=False)
    assert able_to_read([real, seer], 10, needs_vision=True) == [seer]
    assert able_to_read([real, narrow], 10, needs_vision=True) == [real, narrow]


def test_a_model_that_lists_the_language_is_preferred() -> None:
    english, european, silent = one("en", 2, languages=("en",)), one("eu", 3, languages=("de", "fr")), one("any", 8)
    assert able_to_read([english, european, silent], 10, language="de") == [european, silent]
    assert able_to_read([english, european], 10, language="en") == [english]
    assert able_to_read([english], 10, language="de") == [english]
    assert able_to_read([english, european], 10, language=None) == [english, european]


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("", "routed_short"),
        ("Why is the sky blue?", "routed_short"),
        ("What happened in 1789 and in 1815?", "routed_short"),
        ("What is 2+2?", "routed_short"),
        ("17 + 25 = ?", "routed_short"),
        ("Was ist 7 · 8?", "routed_short"),
        ("What is 17 * 23?", "routed_numbers"),
        ("What is 2+2*3?", "routed_numbers"),
        ("What is 2.5+2?", "routed_numbers"),
        ("What is x + 2 = 7?", "routed_numbers"),
        ("Plan a three day trip step by step, and prove which way is cheaper", "routed_hard"),
        ("Beweise, dass es unendlich viele Primzahlen gibt.", "routed_hard"),
        ("Démontre que la racine de deux est irrationnelle", "routed_hard"),
        ("Udowodnij, że liczb pierwszych jest nieskończenie wiele", "routed_hard"),
        ("Απόδειξε ότι υπάρχουν άπειροι πρώτοι αριθμοί", "routed_hard"),
        ("Which improvements did it bring?", "routed_short"),
        ("Write an invitation to a party", "routed_short"),
        ("Simplify $\\frac{a}{b}$", "routed_numbers"),
        ("A train leaves at 9.15, rides 240 km and arrives at 11.45; how fast was it?", "routed_numbers"),
        ("What is wrong?\n\n```python\nprint(1\n```", "routed_code"),
        ("notes.txt:\n```text\nhello\n```", "routed_code"),
        ("for (;;) {\n  f();\n}", "routed_code"),
        ("Compare them. " * 50, "routed_long"),
    ],
)
def test_what_a_question_looks_like(question: str, why: str) -> None:
    assert classify_question(question) == why
    assert resolve_mode("auto", question) == ("flash" if why == "routed_short" else "think", why)


@given(st.text())
def test_every_question_looks_like_something_and_only_auto_says_so(question: str) -> None:
    assert classify_question(question).startswith("routed_")
    assert resolve_mode("flash", question) == ("flash", None)
    assert resolve_mode("think", question) == ("think", None)
    assert resolve_mode("think", question, spoken=True) == ("think", None)
    assert resolve_mode("auto", question, spoken=True) == ("flash", None)
    if len(question.split()) >= LONG_QUESTION_WORDS:
        assert resolve_mode("auto", question)[0] == "think"


@pytest.mark.parametrize(
    ("id", "entry", "thinks"),
    [
        ("qwen3-8b", "qwen3-8b", "enable_thinking"),
        ("Qwen/Qwen3-8B", "qwen3-8b", "enable_thinking"),
        ("qwen3:8b", "qwen3-8b", "enable_thinking"),
        ("Qwen3-8B-Q4_K_M.gguf", "qwen3-8b", "enable_thinking"),
        ("deepseek-ai/DeepSeek-V3.1", "deepseek-v3.1", "thinking"),
        ("openai/gpt-oss-20b", "gpt-oss-20b", "levels"),
        ("mistralai/Magistral-Small-2509", "magistral-small", "prompt"),
        ("ministral-3-3b", "ministral-3-3b", "never"),
    ],
)
def test_a_model_of_the_catalog_is_known_by_its_names(id: str, entry: str, thinks: str) -> None:
    found = model_names.find_entry(id)
    assert found is not None
    assert (found.id, found.reasoning_support) == (entry, thinks)


def test_what_a_name_tells() -> None:
    assert model_names.find_entry("someone/Else-7B") is None
    assert model_names.sizes_from_name("someone/Else-7B-Instruct") == (7.0, None)
    assert model_names.sizes_from_name("Else-30B-A3B") == (30.0, 3.0)
    assert model_names.sizes_from_name("mistral-small-latest") == (None, None)
    assert [id for id in ("bge-m3", "nomic-embed-text", "whisper-1", "else-7b") if model_names.is_chat_model(id)] == [
        "else-7b"
    ]
