"""The simulator agrees with queueing theory where that has an answer, and with published throughput."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclair.capacity.arrivals import Lengths, SimulatedQuestion, draw_questions
from eclair.capacity.capacity_facts import PublishedThroughput, load_facts
from eclair.capacity.hardware_speed import ModelSize, derive_speed
from eclair.capacity.replica import ReplicaSpeed
from eclair.capacity.simulation import simulate
from eclair.models.catalog import load_entries

TOKEN_S = 0.001

STEPS_ONLY = ReplicaSpeed(
    fixed_s=TOKEN_S,
    weights_s=0,
    answer_s=0,
    kv_token_s=0,
    prompt_tokens_per_s=1e15,
    slots=1,
    kv_tokens=1e15,
    chunk_tokens=2048,
)
"""Each answer takes a time of its own, whatever else is under way."""

BUSY = replace(STEPS_ONLY, answer_s=1e-4, kv_token_s=1e-8, prompt_tokens_per_s=10_000, slots=16, kv_tokens=60_000)


def mean_wait(slots: int, load: float, length: Callable[[random.Random], int], mean: float, seed: int = 7) -> float:
    """Mean seconds in the queue of 25,000 questions that come at random."""
    count, source = 25_000, random.Random(seed)
    at, questions = 0.0, list[SimulatedQuestion]()
    for _ in range(count):
        at += source.expovariate(load * slots / (mean * TOKEN_S))
        questions.append(SimulatedQuestion(at, 1, 1, length(source)))
    served = simulate(replace(STEPS_ONLY, slots=slots), questions).served
    return sum(each.wait_s - TOKEN_S for each in served) / count


@pytest.mark.parametrize(("load", "tolerance"), [(0.5, 0.08), (0.8, 0.15)])
@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_one_server_waits_as_pollaczek_and_khinchine_say(load: float, tolerance: float, spread: float) -> None:
    mean = 200.0

    def length(source: random.Random) -> int:
        return max(1, round(source.expovariate(1 / mean))) if spread else round(mean)

    waited = mean_wait(1, load, length, mean)
    expected = load / (1 - load) * (1 + spread**2) / 2 * mean * TOKEN_S
    assert waited == pytest.approx(expected, rel=tolerance)


def test_twenty_servers_wait_as_erlang_says() -> None:
    slots, load, mean = 20, 0.85, 1000.0
    offered = slots * load
    below = sum(offered**each / math.factorial(each) for each in range(slots))
    above = offered**slots / math.factorial(slots) / (1 - load)
    expected = above / (below + above) * mean * TOKEN_S / (slots * (1 - load))

    def length(source: random.Random) -> int:
        return max(1, round(source.expovariate(1 / mean)))

    waited = statistics.fmean(mean_wait(slots, load, length, mean, seed) for seed in range(5))
    assert waited == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("published", load_facts().published, ids=lambda each: f"{each.model}-{each.gpus}")
def test_published_throughput_is_within_a_third(published: PublishedThroughput) -> None:
    facts = load_facts()
    accelerator = facts.find_accelerator(published.accelerator)
    assert accelerator is not None
    model = ModelSize.from_entry(load_entries()[published.model], facts)
    speed = derive_speed(model, accelerator, published.gpus, published.precision).slowed(accelerator.correction.likely)
    lengths = Lengths(published.prompt_tokens, published.answer_tokens, 0)
    drawn = [replace(each, at=0.0) for each in draw_questions(10, 150, lengths, 0, 1)]
    run = simulate(replace(speed, slots=published.at_once), drawn)
    counted = sum(each.answer_tokens + (each.prompt_tokens if published.counted == "total" else 0) for each in drawn)
    assert counted / run.ended_at == pytest.approx(published.tokens_per_s.likely, rel=0.34)


def test_answers_at_once_share_a_step() -> None:
    together = [SimulatedQuestion(0.0, 1, 1, 101) for _ in range(4)]
    run = simulate(replace(BUSY, kv_token_s=0.0), together)
    assert [round(each.done_at - each.first_at, 6) for each in run.served] == [round(100 * (TOKEN_S + 4e-4), 6)] * 4


def test_a_long_prompt_is_read_in_chunks_while_others_go_on() -> None:
    short, long = SimulatedQuestion(0.0, 1, 1, 400), SimulatedQuestion(0.05, 20_000, 20_000, 2)
    first, second = simulate(BUSY, [short, long]).served
    assert second.question == short or first.question == long
    by_question = {each.question: each for each in (first, second)}
    assert by_question[long].wait_s > 2.0
    assert by_question[short].done_at < by_question[long].first_at + 1.0


def test_what_is_cached_is_not_read() -> None:
    (cold,) = simulate(BUSY, [SimulatedQuestion(0.0, 10_000, 10_000, 2)]).served
    (warm,) = simulate(BUSY, [SimulatedQuestion(0.0, 10_000, 100, 2)]).served
    assert warm.wait_s < cold.wait_s / 10


def test_drafts_that_are_right_make_answers_faster() -> None:
    (plain,) = simulate(BUSY, [SimulatedQuestion(0.0, 10, 10, 1000)]).served
    (drafted,) = simulate(BUSY.with_speculation(2.0), [SimulatedQuestion(0.0, 10, 10, 1000)]).served
    assert 1.5 < (drafted.tokens_per_s or 0) / (plain.tokens_per_s or 1) < 2.0


def test_questions_wait_for_room_for_keys_and_values() -> None:
    run = simulate(replace(BUSY, kv_tokens=1500), [SimulatedQuestion(0.0, 500, 500, 500) for _ in range(3)])
    assert run.bottleneck == "kv"
    run = simulate(replace(BUSY, slots=1), [SimulatedQuestion(0.0, 500, 500, 500) for _ in range(3)])
    assert run.bottleneck == "slots"


QUESTIONS = st.lists(
    st.tuples(st.floats(0, 30), st.integers(1, 4000), st.floats(0, 1), st.integers(1, 500)), min_size=1, max_size=30
)


def question(at: float, prompt: int, read: float, answer: int) -> SimulatedQuestion:
    return SimulatedQuestion(at, prompt, max(1, round(prompt * read)), answer)


@settings(deadline=None, max_examples=60)
@given(QUESTIONS, st.integers(1, 16), st.floats(1.0, 4.0))
def test_every_question_is_served_once_and_in_order_of_time(
    drawn: list[tuple[float, int, float, int]], slots: int, tokens_per_step: float
) -> None:
    questions = [
        SimulatedQuestion(at, prompt, max(1, round(prompt * read)), answer)
        for at, prompt, read, answer in sorted(drawn)
    ]
    run = simulate(replace(BUSY, slots=slots).with_speculation(tokens_per_step), questions)
    assert sorted(map(repr, questions)) == sorted(repr(each.question) for each in run.served)
    for each in run.served:
        assert each.question.at < each.first_at <= each.done_at <= run.ended_at
    assert min(run.waited.values()) >= 0


@settings(deadline=None, max_examples=30)
@given(QUESTIONS, st.floats(1.0, 3.0))
def test_a_faster_replica_is_done_no_later(drawn: list[tuple[float, int, float, int]], faster: float) -> None:
    questions = [
        SimulatedQuestion(0.0, prompt, max(1, round(prompt * read)), answer) for _, prompt, read, answer in drawn
    ]
    assert simulate(BUSY.slowed(faster), questions).ended_at <= simulate(BUSY, questions).ended_at * (1 + 1e-9)
