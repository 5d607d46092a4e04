"""Budgets: nothing is reserved beyond them, however many ask at once, and what is reserved is settled once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eclair.errors import NotFound
from eclair.schema.budgets import RATE_SCALE, Budget, NeedRate
from eclair.schema.events import PartDelta, PartStarted, encode
from eclair.schema.ids import Clock
from eclair.storage.base import Storage
from eclair.storage.budgets import BudgetClaim, BudgetReservation, BudgetSum, BudgetUse
from eclair.storage.runs import EventChunk
from tests.storage.helpers import ME
from tests.support import Ids, conversation, new_turn

DAY = "2026-11-28"
BUDGET = Budget(id="budget_a", kind="everyone", unit="tokens", period="day", amount=1000)


def reservation(
    number: int, base: int, *, tokens: int = 0, limit: int | None = 1000, process: str = "p", run: str | None = None
) -> BudgetReservation:
    claim = BudgetClaim("budget_a", "me", DAY, limit, NeedRate(base, RATE_SCALE))
    return BudgetReservation(f"r_{number}", "me", process, run, (claim,), min(tokens, 10), tokens)


async def use(storage: Storage, budget: str = "budget_a") -> BudgetUse:
    return await storage.budgets.get_use(budget, "me", DAY)


async def test_a_budget_takes_the_place_of_the_one_for_the_same(storage: Storage, other: Storage) -> None:
    assert await storage.budgets.set_budget(ME, BUDGET) == BUDGET
    again = await storage.budgets.set_budget(ME, replace(BUDGET, id="budget_b", amount=5, soft=None, hard=False))
    assert again == replace(BUDGET, amount=5, soft=None, hard=False)
    shared = replace(BUDGET, id="budget_c", each=False)
    await storage.budgets.set_budget(ME, shared)
    assert await other.budgets.list_budgets() == [again, shared]
    await storage.budgets.reserve(reservation(1, 5))
    await storage.budgets.remove_budget(ME, "budget_a")
    assert await other.budgets.list_budgets() == [shared]
    assert await use(storage) == BudgetUse()
    with pytest.raises(NotFound, match="eclair budget list"):
        await storage.budgets.remove_budget(ME, "budget_a")


async def test_what_is_reserved_is_settled_once(storage: Storage) -> None:
    grant = await storage.budgets.reserve(reservation(1, 100, tokens=200))
    assert (grant.tokens, grant.uses) == (200, (BudgetUse(),))
    assert await use(storage) == BudgetUse(0, 300)
    await storage.budgets.settle("r_1", {"budget_a": 120})
    await storage.budgets.settle("r_1", {"budget_a": 120})
    assert await use(storage) == BudgetUse(120, 0)


async def test_an_answer_gets_the_tokens_that_are_left(storage: Storage) -> None:
    assert (await storage.budgets.reserve(reservation(1, 900, tokens=500))).tokens == 100
    refused = await storage.budgets.reserve(reservation(2, 1, tokens=500))
    assert (refused.tokens, refused.uses) == (None, (BudgetUse(0, 1000),))
    assert (await storage.budgets.reserve(reservation(3, 1, tokens=500, limit=None))).tokens == 500


async def test_an_answer_without_a_limit_leaves_room_for_others(storage: Storage) -> None:
    def asked(number: int) -> BudgetReservation:
        return replace(reservation(number, 0, tokens=30_000, limit=10_000), is_open=True)

    assert [(await storage.budgets.reserve(asked(number))).tokens for number in range(3)] == [2500, 1875, 1406]


async def test_all_budgets_must_fit_or_none_is_touched(storage: Storage) -> None:
    wide, narrow = reservation(1, 500).claims[0], BudgetClaim("budget_b", "", DAY, 400, NeedRate(500))
    refused = await storage.budgets.reserve(replace(reservation(1, 500), claims=(wide, narrow)))
    assert refused.tokens is None
    assert await use(storage) == BudgetUse()
    assert await storage.budgets.list_processes() == []


async def test_a_hundred_and_twenty_at_once_stay_within_a_thousand(storage: Storage, other: Storage) -> None:
    async def ask(number: int) -> int:
        need = 10 + number * 7 % 51
        store = (storage if number % 2 else other).budgets
        if (await store.reserve(reservation(number, need))).tokens is None:
            return 0
        await asyncio.sleep(0)
        found = await use(storage)
        assert found.used + found.reserved <= 1000
        await store.settle(f"r_{number}", {"budget_a": need})
        return need

    spent = await asyncio.gather(*map(ask, range(120)))
    assert await use(storage) == BudgetUse(sum(spent), 0)
    assert 900 < sum(spent) <= 1000


async def test_sums_name_no_holder(storage: Storage) -> None:
    for number, holder in enumerate(("anna", "ben", "carl")):
        claim = replace(reservation(number, 0).claims[0], holder=holder, need=NeedRate(1000 if number else 10))
        await storage.budgets.reserve(replace(reservation(number, 0), claims=(claim,)))
        await storage.budgets.settle(f"r_{number}", {"budget_a": claim.need.base})
    assert await storage.budgets.sum_uses(BUDGET, DAY) == BudgetSum(3, 2010, 0, 2)
    assert await storage.budgets.sum_uses(BUDGET, "2026-11-29") == BudgetSum()
    await storage.budgets.forget_uses("2026-11-29")
    assert await storage.budgets.sum_uses(BUDGET, DAY) == BudgetSum()


async def test_a_dead_process_is_settled_by_its_logs(storage: Storage) -> None:
    await conversation(storage)
    turn, started = new_turn(storage, Ids())
    run = await storage.runs.open_turn(replace(turn, first=EventChunk(started.run, 1, encode(started))))
    events = [PartStarted(0, "text", "part_a", seq=2), PartDelta(0, "x" * 30, seq=3)]
    await storage.runs.append_events([EventChunk(run.id, 3, b"\n".join(map(encode, events)))])
    await storage.budgets.reserve(reservation(1, 50, tokens=400, process="dead", run=run.id))
    await storage.budgets.reserve(reservation(2, 7, process="dead"))
    await storage.budgets.reserve(reservation(3, 9, process="alive"))
    assert sorted(await storage.budgets.list_processes()) == ["alive", "dead"]
    assert await storage.budgets.settle_dead("dead") == 2
    assert await use(storage) == BudgetUse(50 + 10 + 7, 9)
    assert await storage.budgets.settle_dead("dead") == 0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.integers(0, 400), st.integers(0, 400)),
        st.tuples(st.just("settle"), st.integers(0, 9), st.integers(0, 800)),
        st.tuples(st.just("die"), st.just(0), st.just(0)),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_sums_are_what_was_settled_and_what_is_held(
    open_fresh: Callable[[Clock], Storage], steps: list[tuple[str, int, int]]
) -> None:
    storage, used, held = open_fresh(lambda: 1.0), 0, dict[str, int]()
    try:
        for number, (step, first, second) in enumerate(steps):
            if step == "reserve":
                grant = await storage.budgets.reserve(reservation(number, first, tokens=second))
                fits = used + sum(held.values()) + first + min(second, 10) <= 1000
                assert (grant.tokens is not None) == fits
                if grant.tokens is not None:
                    held[f"r_{number}"] = first + grant.tokens
            elif step == "settle" and held:
                id = [*held][first % len(held)]
                spent = min(second, held.pop(id))
                await storage.budgets.settle(id, {"budget_a": spent})
                used += spent
            elif step == "die":
                assert await storage.budgets.settle_dead("p") == len(held)
                used, held = used + sum(held.values()), {}
            assert await use(storage) == BudgetUse(used, sum(held.values()))
            assert used + sum(held.values()) <= 1000
    finally:
        await storage.close()
