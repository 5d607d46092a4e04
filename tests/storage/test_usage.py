"""What answers took, summed: once, whatever becomes of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eclair.schema.events import RunFinished, encode
from eclair.schema.ids import Clock
from eclair.schema.messages import Conversation, Cost, Energy, Message, Part, Usage
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.runs import EventChunk
from eclair.storage.usage import UsageTotal
from tests.storage.conftest import Opener
from tests.storage.helpers import SOMEONE
from tests.support import Ids, conversation, new_turn


async def test_how_fast_models_write_is_the_mean_of_their_last_answers(storage: Storage) -> None:
    def answer(number: int, model: str, speed: float | None, words: int = 50) -> Message:
        usage = Usage(None, None, None, 1.0, words, speed)
        return Message(f"msg_{number}", "conv_s", None, "assistant", (), number, model=model, usage=usage)

    assert await storage.usage.get_model_speeds() == {}
    messages = [
        answer(1, "old", 999.0),
        *(answer(number, "idle", None) for number in range(2, 199)),
        answer(199, "a", 10.0),
        answer(200, "a", 20.0),
        answer(201, "b", 5.0, words=3),
        Message("msg_202", "conv_s", None, "user", (), 202),
    ]
    await storage.conversations.add_tree(LOCAL_PRINCIPAL, Conversation("conv_s", "local", "", 1, 1), messages)
    assert await storage.usage.get_model_speeds() == {"a": 15.0}


USAGE = Usage(100, 40, 10, 5.0, 8, 20.0, 1.5, Energy(2.5, "measured"), Cost(300, "EUR"))


DAY = 86_400


class Calendar:
    """A clock that stands at noon of a day."""

    def __init__(self, day: str = "2026-03-01") -> None:
        self.day = day

    def __call__(self) -> float:
        return float(date.fromisoformat(self.day).toordinal() - date(1970, 1, 1).toordinal()) * DAY + DAY / 2


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
async def kept(opener: Opener, calendar: Calendar) -> AsyncGenerator[Storage]:
    storage = opener(clock=calendar)
    yield storage
    await storage.close()


async def answered(storage: Storage, usage: Usage | None, parts: tuple[Part, ...] = (Part("text", "Hi"),)) -> None:
    await conversation(storage)
    added, started = new_turn(storage, Ids())
    run = await storage.runs.open_turn(
        replace(added, first=EventChunk(started.run, 1, encode(replace(started, seq=1))))
    )
    answer = replace(added.answer, status="finished", parts=parts, usage=usage, model="muse")
    rest = EventChunk(run.id, 2, encode(RunFinished("stop", seq=2)))
    await storage.runs.finish_run(run, answer, rest)
    await storage.runs.finish_run(run, answer, rest)


async def test_an_answer_is_counted_once_as_it_ends(kept: Storage) -> None:
    await answered(kept, USAGE)
    assert await kept.usage.sum_usage(LOCAL_PRINCIPAL, by="model") == [
        UsageTotal(
            name="muse",
            answers=1,
            words=8,
            prompt_tokens=100,
            cached_tokens=40,
            completion_tokens=10,
            seconds=1.5,
            metered=1,
            measured_joules=2.5,
            costs=(Cost(300, "EUR"),),
        )
    ]
    assert await kept.usage.sum_usage(SOMEONE) == []


async def test_of_an_answer_whose_process_died_it_is_counted_that_it_was_given(kept: Storage) -> None:
    await answered(kept, None)
    assert await kept.usage.sum_usage(LOCAL_PRINCIPAL) == [UsageTotal(answers=1)]


async def test_an_answer_of_which_nothing_came_is_none(kept: Storage) -> None:
    await answered(kept, None, parts=())
    assert await kept.usage.sum_usage(LOCAL_PRINCIPAL) == []


async def test_days_bound_the_sums_and_currencies_stay_apart(kept: Storage, calendar: Calendar) -> None:
    for day, currency in (("2026-03-01", "EUR"), ("2026-03-02", "USD"), ("2026-03-02", "EUR"), ("2026-03-05", "EUR")):
        calendar.day = day
        await kept.usage.add_usage(LOCAL_PRINCIPAL, "muse", replace(USAGE, cost=Cost(7, currency)))
    days = await kept.usage.sum_usage(LOCAL_PRINCIPAL, by="day")
    assert [(spent.name, spent.answers) for spent in days] == [("2026-03-01", 1), ("2026-03-02", 2), ("2026-03-05", 1)]
    assert days[1].costs == (Cost(7, "EUR"), Cost(7, "USD"))
    (bounded,) = await kept.usage.sum_usage(LOCAL_PRINCIPAL, date(2026, 3, 2), date(2026, 3, 4))
    assert bounded.answers == 2
    assert await kept.usage.sum_usage(LOCAL_PRINCIPAL, date(2026, 3, 6)) == []


counts = st.integers(0, 10**6)


usages = st.builds(
    Usage,
    prompt_tokens=st.none() | counts,
    cached_tokens=st.none() | counts,
    completion_tokens=st.none() | counts,
    first_word_ms=st.none(),
    words=counts,
    words_per_second=st.none(),
    seconds=st.none() | st.integers(0, 10**6).map(lambda whole: whole / 1000),
    energy=st.none()
    | st.builds(Energy, joules=counts.map(lambda whole: whole / 1000), kind=st.sampled_from(["measured", "estimated"])),
    cost=st.none() | st.builds(Cost, micros=counts, currency=st.sampled_from(["EUR", "USD", "CHF"])),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(parts=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4), usages), max_size=15))
async def test_the_parts_are_the_whole(
    open_fresh: Callable[[Clock], Storage], parts: list[tuple[str, int, Usage]]
) -> None:
    calendar = Calendar()
    storage = open_fresh(calendar)
    try:
        for model, day, usage in parts:
            calendar.day = f"2026-03-0{day}"
            await storage.usage.add_usage(LOCAL_PRINCIPAL, model, usage)
        whole = await storage.usage.sum_usage(LOCAL_PRINCIPAL)
        for groups in (
            await storage.usage.sum_usage(LOCAL_PRINCIPAL, by="day"),
            await storage.usage.sum_usage(LOCAL_PRINCIPAL, by="model"),
        ):
            for field in ("answers", "words", "prompt_tokens", "cached_tokens", "completion_tokens", "metered"):
                assert sum(getattr(group, field) for group in groups) == sum(getattr(one, field) for one in whole)
            for field in ("seconds", "measured_joules", "estimated_joules"):
                total = sum(round(getattr(group, field) * 1000) for group in groups)
                assert total == sum(round(getattr(one, field) * 1000) for one in whole)
            assert _costs(groups) == _costs(whole)
        assert _costs(whole) == {
            currency: sum(usage.cost.micros for _, _, usage in parts if usage.cost and usage.cost.currency == currency)
            for currency in {usage.cost.currency for _, _, usage in parts if usage.cost}
        }
        assert sum(one.words for one in whole) == sum(usage.words for _, _, usage in parts)
    finally:
        await storage.close()


def _costs(groups: list[UsageTotal]) -> dict[str, int]:
    total: dict[str, int] = {}
    for group in groups:
        for cost in group.costs:
            total[cost.currency] = total.get(cost.currency, 0) + cost.micros
    return total
