"""Budgets and fair turns: the time that budgets add to a request, and the shares of many people at a full engine.

Everybody asks the embedded engine again and again, one question at a time; one of them has a batch's worth of requests
open at all times. The share of each is the words that they got.

    python bench/fair.py [--people 100] [--parallel 16] [--seconds 120] [--model ID] [--quick]
"""

from __future__ import annotations

import asyncio
import math
import statistics
import tempfile
import time
from collections import Counter
from contextlib import aclosing
from pathlib import Path

from harness import Goals, link_models, options, run, table

from eclair.accounts.budgets import Budgets
from eclair.accounts.person_limits import PersonLimits
from eclair.generation.usage import UsageLedger
from eclair.live_settings import LiveSettings
from eclair.llm.base import PromptMessage, Request, TokenUsage
from eclair.llm.local.local_engine import LocalEngine
from eclair.schema.budgets import ENERGY, RATE_SCALE, TOKENS, Budget, Demand, NeedRate
from eclair.schema.messages import Sampling
from eclair.schema.models import Model
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.open import open_storage

MAX_ADDED_MS = 1.0
MIN_SHARE = 0.5
ANSWER_TOKENS = 16
EAGER_REQUESTS = 40
"""Requests that one person has open at all times."""


async def measure_added_ms(storage: Storage, settings: Settings, rounds: int) -> list[float]:
    """Return what reserving and settling took together for each of many requests, in milliseconds, in order."""
    budgets = Budgets(storage.budgets, storage.processes, LiveSettings(settings))
    for unit in ("tokens", "energy"):
        budget = Budget(id="", kind="everyone", unit=unit, period="day", amount=10**12)
        await budgets.set_budget(LOCAL_PRINCIPAL, budget)
    demand = Demand({TOKENS: NeedRate(100, RATE_SCALE), ENERGY: NeedRate(100, RATE_SCALE)}, 64, 500)
    taken: list[float] = []
    for number in range(rounds):
        person = Principal(f"person {number % 1000}")
        began = time.perf_counter()
        hold = await budgets.reserve(person, demand)
        await budgets.settle(hold, {TOKENS: 300, ENERGY: 300})
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)


async def measure_shares(
    storage: Storage, settings: Settings, people: int, seconds: float, model: str | None = None, eager: int = 0
) -> Counter[str]:
    """Return the tokens that each person got of the embedded engine, of a `model` or its first.

    The first person has `eager` requests more open at all times.
    """
    live = LiveSettings(settings)
    budgets = Budgets(storage.budgets, storage.processes, live)
    ledger = UsageLedger(settings, storage.usage, budgets, PersonLimits(live))
    engine = LocalEngine.start(settings)
    got = Counter[str]()
    try:
        found = await engine.models()
        chosen = next(each for each in found if model in (None, each.id))
        await _ask(ledger, engine, chosen, Principal("warm-up"), Counter[str](), math.inf)
        until = time.monotonic() + seconds

        async def keep_asking(person: Principal) -> None:
            while time.monotonic() < until:
                await _ask(ledger, engine, chosen, person, got, until)

        askers = [Principal(f"person {number}") for number in range(people)]
        await asyncio.gather(*map(keep_asking, [*askers, *(askers[0] for _ in range(eager))]))
    finally:
        await engine.close()
    return got


async def _ask(
    ledger: UsageLedger, engine: LocalEngine, model: Model, person: Principal, got: Counter[str], until: float
) -> None:
    """Ask once, and count the tokens that come in time."""
    request = Request(
        model.id,
        (PromptMessage("user", f"Count from 1 to 100, {person.id}."),),
        sampling=Sampling(max_tokens=ANSWER_TOKENS),
    )
    async with aclosing(ledger.stream(person, engine, model, request)) as deltas:
        async for delta in deltas:
            if isinstance(delta, TokenUsage) and time.monotonic() < until:
                got[person.id] += delta.completion_tokens


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--parallel", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--model")
    arguments = parser.parse_args()
    goals = Goals()
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        data = Path(folder)
        link_models(data)
        settings = Settings(data_dir=data, catalog=data / "none.toml", embedded_parallel=arguments.parallel, tune=False)
        storage = await asyncio.to_thread(open_storage, data)
        try:
            taken = await measure_added_ms(storage, settings, 200 if arguments.quick else 5000)
            got = await measure_shares(
                storage, settings, arguments.people, arguments.seconds, arguments.model, EAGER_REQUESTS
            )
        finally:
            await storage.close()
    added, late = statistics.median(taken), taken[len(taken) * 95 // 100]
    table(("added time of budgets", "ms"), [("p50", f"{added:.2f}"), ("p95", f"{late:.2f}")])
    others = [got[f"person {number}"] for number in range(1, arguments.people)]
    mean = statistics.mean(others)
    shares = [("mean", mean), ("least", min(others)), ("most", max(others)), ("who sends a batch", got["person 0"])]
    table(("tokens", "each"), [(name, f"{tokens:,.0f}") for name, tokens in shares])
    goals.at_most("time that budgets add, p50", added, MAX_ADDED_MS, " ms")
    goals.at_least("least share, of the mean", min(others) / mean, MIN_SHARE)
    goals.print()


if __name__ == "__main__":
    run(main())
