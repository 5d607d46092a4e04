"""What answers took, summed: once, whatever becomes of them, and kept when they are deleted."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import date
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eclair.schema.events import RunFinished, encode
from eclair.schema.messages import Cost, Energy, Part, Usage
from eclair.storage.store import SQLStore
from eclair.storage.types import Chunk, Spent
from tests.support import Ids, conversation, new_turn

USAGE = Usage(100, 40, 10, 5.0, 8, 20.0, 1.5, Energy(2.5, "measured"), Cost(300, "EUR"))
DAY = 86_400
NEWER = """
ALTER TABLE conversation DROP COLUMN model; ALTER TABLE conversation DROP COLUMN mode;
ALTER TABLE conversation DROP COLUMN web; DROP TABLE web_page;
DROP TABLE entry_word; DROP TABLE entry_text; DROP TABLE entry; DROP TABLE feed;
DROP TABLE egress; DROP TRIGGER egress_forgets;
DROP TABLE server; DROP TABLE probe;
DROP TABLE attached; DROP TABLE file; DROP TABLE library; DROP TABLE document; DROP TABLE page; DROP TABLE vector;
DROP TABLE piece_word; DROP TABLE piece_text; DROP TABLE piece;
DROP TABLE picture_text; DROP TABLE picture; DROP TABLE picture_gone;
"""
"""Undoes what came after the sums."""


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
async def kept(tmp_path: Path, calendar: Calendar) -> AsyncGenerator[SQLStore]:
    store = SQLStore.open(tmp_path / "store", calendar)
    yield store
    await store.close()


async def answered(store: SQLStore, usage: Usage | None, parts: tuple[Part, ...] = (Part("text", "Hi"),)) -> None:
    await conversation(store)
    added, started = new_turn(store, Ids())
    run = await store.open_turn(replace(added, first=Chunk(started.run, 1, encode(replace(started, seq=1)))))
    answer = replace(added.answer, status="finished", parts=parts, usage=usage, model="muse")
    rest = Chunk(run.id, 2, encode(RunFinished("stop", seq=2)))
    await store.close_run(run, answer, rest)
    await store.close_run(run, answer, rest)


async def test_an_answer_is_counted_once_as_it_ends(kept: SQLStore) -> None:
    await answered(kept, USAGE)
    assert await kept.spent("local", by="model") == [
        Spent(
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
    assert await kept.spent("someone") == []


async def test_of_an_answer_whose_process_died_it_is_counted_that_it_was_given(kept: SQLStore) -> None:
    await answered(kept, None)
    assert await kept.spent("local") == [Spent(answers=1)]


async def test_an_answer_of_which_nothing_came_is_none(kept: SQLStore) -> None:
    await answered(kept, None, parts=())
    assert await kept.spent("local") == []


async def test_the_sums_stay_when_what_they_are_of_is_deleted_and_lead_nowhere(kept: SQLStore, tmp_path: Path) -> None:
    await answered(kept, USAGE)
    before = await kept.spent("local", by="day")
    await kept.delete_conversation("local", "conv_a", forever=True)
    await kept.erase_deleted(1)
    assert await kept.spent("local", by="day") == before
    database = apsw.Connection(str(tmp_path / "store" / "eclair.db"))
    text = repr(list(database.execute("SELECT * FROM spent")))
    database.close()
    assert "conv_" not in text
    assert "msg_" not in text


async def test_days_bound_the_sums_and_currencies_stay_apart(kept: SQLStore, calendar: Calendar) -> None:
    for day, currency in (("2026-03-01", "EUR"), ("2026-03-02", "USD"), ("2026-03-02", "EUR"), ("2026-03-05", "EUR")):
        calendar.day = day
        await kept.add_spent("local", "muse", replace(USAGE, cost=Cost(7, currency)))
    days = await kept.spent("local", by="day")
    assert [(spent.name, spent.answers) for spent in days] == [("2026-03-01", 1), ("2026-03-02", 2), ("2026-03-05", 1)]
    assert days[1].costs == (Cost(7, "EUR"), Cost(7, "USD"))
    (bounded,) = await kept.spent("local", date(2026, 3, 2), date(2026, 3, 4))
    assert bounded.answers == 2
    assert await kept.spent("local", date(2026, 3, 6)) == []


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
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[str, int, Usage]]
) -> None:
    calendar = Calendar()
    store = SQLStore.open(tmp_path_factory.mktemp("sums"), calendar)
    try:
        for model, day, usage in parts:
            calendar.day = f"2026-03-0{day}"
            await store.add_spent("local", model, usage)
        whole = await store.spent("local")
        for groups in (await store.spent("local", by="day"), await store.spent("local", by="model")):
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
        await store.close()


def _costs(groups: list[Spent]) -> dict[str, int]:
    total: dict[str, int] = {}
    for group in groups:
        for cost in group.costs:
            total[cost.currency] = total.get(cost.currency, 0) + cost.micros
    return total


async def test_a_hundred_thousand_answers_are_a_few_rows_and_days_are_found_by_an_index(tmp_path: Path) -> None:
    calendar = Calendar()
    store = SQLStore.open(tmp_path / "many", calendar)
    database = apsw.Connection(str(tmp_path / "many" / "eclair.db"))
    try:
        await store.add_spent("local", "muse", USAGE)
        columns = "prompt_tokens, cached_tokens, completion_tokens, milliseconds, metered, measured_mj, estimated_mj"
        database.execute(
            f"INSERT INTO spent (owner, day, model, currency, answers, words, {columns}, micros)"
            " WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 99999)"
            " SELECT 'local', date('1900-01-01', i || ' days'), 'muse', 'EUR', 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 FROM n"
            " WHERE true ON CONFLICT DO UPDATE SET answers = answers + 1"
        )
        (whole,) = await store.spent("local")
        assert whole.answers == 100_001
        (week,) = await store.spent("local", date(1950, 1, 1), date(1950, 1, 7))
        assert week.answers == 7
        plan = repr(
            list(
                database.execute(
                    "EXPLAIN QUERY PLAN SELECT sum(words) FROM spent WHERE owner = 'x' AND day BETWEEN 'a' AND 'b'"
                )
            )
        )
        assert "SEARCH spent USING PRIMARY KEY (owner=? AND day>? AND day<?)" in plan
    finally:
        database.close()
        await store.close()


async def test_what_was_answered_before_there_were_sums_is_in_them(tmp_path: Path) -> None:
    store = SQLStore.open(tmp_path / "old")
    await answered(store, replace(USAGE, energy=None, cost=None))
    await store.close()
    database = apsw.Connection(str(tmp_path / "old" / "eclair.db"))
    database.execute(f"{NEWER} DROP TABLE spent; PRAGMA user_version = 2")
    database.close()
    store = SQLStore.open(tmp_path / "old")
    (whole,) = await store.spent("local", by="model")
    await store.close()
    assert whole == Spent(name="muse", answers=1, words=8, prompt_tokens=100, cached_tokens=40, completion_tokens=10)
