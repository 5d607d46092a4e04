"""The planner's simulator beside the embedded engine under `many.py`'s load: tokens a second and first words.

The engine is measured with one answer alone, one after a page, and 16 at once; the simulator then has to foretell
rounds of other sizes, in which each person asks again once answered, and every fourth gives a page to read.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from client import Reply
from harness import Goals, Others, eclair, link_models, median, options, quantile, run, shown, table
from many import Ask, direct, question
from prefix import ready, text

from eclair.capacity.arrivals import SimulatedQuestion
from eclair.capacity.calibration import MeasuredAnswer, fit_speed
from eclair.capacity.replica import ReplicaSpeed
from eclair.capacity.simulation import SimulatedRun, simulate
from eclair.models import catalog
from eclair.settings import Settings

PROMPT = re.compile(rb'"prompt_tokens":(\d+)')
CACHED = re.compile(rb'"cached_tokens":(\d+)')
MAX_ERROR = 0.15
CHUNK_TOKENS = 128
"""Tokens of prompts that the embedded engine reads at a time."""
WINDOW_TOKENS = 16_384


@dataclass(frozen=True, slots=True)
class Asked:
    """One measured answer, from the start of its round."""

    began: float
    first: float
    ended: float
    read: int
    prompt: int
    tokens: int

    @classmethod
    def of(cls, reply: Reply, tokens: int, began: float) -> Asked:
        prompt = int(PROMPT.findall(reply.body)[-1])
        cached = int((CACHED.findall(reply.body) or [b"0"])[-1])
        first = (reply.first or reply.ended) - began
        return cls(reply.began - began, first, reply.ended - began, max(1, prompt - cached), prompt, max(2, tokens))

    def measured(self, at_once: int) -> MeasuredAnswer:
        token_s = (self.ended - self.first) / (self.tokens - 1)
        return MeasuredAnswer(at_once, self.read, self.prompt + self.tokens // 2, self.first - self.began, token_s)

    def simulated(self, at: float) -> SimulatedQuestion:
        return SimulatedQuestion(at, self.prompt, self.read, self.tokens)


async def at_once(ask: Ask, questions: Sequence[str], count: int) -> list[Asked]:
    began = time.perf_counter()
    found = await asyncio.gather(*(ask(each, count) for each in questions))
    return [Asked.of(reply, tokens, began) for reply, tokens in found]


async def closed_round(ask: Ask, people: int, turn: int, count: int) -> list[list[Asked]]:
    """The answers of each person, who asks twice."""
    began = time.perf_counter()

    async def person(number: int) -> list[Asked]:
        found: list[Asked] = []
        for asked in range(2):
            reply, tokens = await ask(question(turn, number, asked), count)
            found.append(Asked.of(reply, tokens, began))
        return found

    return list(await asyncio.gather(*(person(number) for number in range(people))))


def foretell(speed: ReplicaSpeed, people: Sequence[Sequence[Asked]]) -> tuple[float, list[float]]:
    """Tokens a second of the whole round, and the seconds to each first word, as the simulator has them.

    When a person asks again depends on the simulation itself, so that it is repeated until that stays.
    """
    seconds = [each[0].ended for each in people]
    run = SimulatedRun()
    for _ in range(12):
        asked = [(each[0].simulated(0.0), each[1].simulated(at)) for each, at in zip(people, seconds, strict=True)]
        run = simulate(speed, sorted((one for pair in asked for one in pair), key=lambda one: one.at))
        ends = {id(served.question): served.done_at for served in run.served}
        seconds = [ends[id(first)] for first, _ in asked]
    total = sum(one.tokens for each in people for one in each)
    return total / run.ended_at, [each.wait_s for each in run.served]


async def calibrate(ask: Ask, count: int) -> ReplicaSpeed:
    """The speed of the engine: the least of three answers alone, and all of 16 at once, twice."""
    answers: list[MeasuredAnswer] = []
    for number in range(3):
        for words in (20, 300):
            said = f"{text(words, 7000 + number * 10 + words)} Tell a story of the number {number}."
            answers += [each.measured(1) for each in await at_once(ask, [said], count)]
    alone = sorted((each for each in answers if each.read_tokens < 300), key=lambda each: each.token_s)
    pages = sorted((each for each in answers if each.read_tokens >= 300), key=lambda each: each.first_s)
    together: list[MeasuredAnswer] = []
    for turn in range(2):
        for size in (4, 16):
            said = [f"Tell me of {text(12, 8000 + turn * 100 + size * 20 + at)}." for at in range(size)]
            together += [each.measured(size) for each in await at_once(ask, said, count)]
    slots = Settings(data_dir=Path()).embedded_parallel
    return fit_speed([alone[1], pages[1], *together], slots, WINDOW_TOKENS, CHUNK_TOKENS)


async def main() -> None:
    quick: bool = options(__doc__ or "").parse_args().quick
    rounds = {1: 1, 4: 1} if quick else {1: 2, 2: 2, 4: 2, 8: 2, 16: 1}
    rows: list[list[str]] = []
    goals = Goals()
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        data = Path(folder)
        link_models(data)
        model = catalog.STARTER_MODEL
        async with eclair(data, ECLAIR_EMBEDDED="true", ECLAIR_TITLES="false", ECLAIR_MODEL=model) as server:
            await ready(server)
            ask = direct(data)
            speed = await calibrate(ask, 16 if quick else 64)
            for people, times in rounds.items():
                others = Others()
                measured: list[float] = []
                foretold: list[float] = []
                waits: list[float] = []
                waited: list[float] = []
                for turn in range(times):
                    found = await closed_round(ask, people, 500 + people * 10 + turn, 16 if quick else 64)
                    asked = [one for each in found for one in each]
                    measured.append(sum(one.tokens for one in asked) / max(one.ended for one in asked))
                    waits += [one.first - one.began for one in asked]
                    rate, firsts = foretell(speed, found)
                    foretold.append(rate)
                    waited += firsts
                ratio = median([ours / true for ours, true in zip(foretold, measured, strict=True)])
                rows.append(
                    [
                        str(people),
                        shown(median(measured)),
                        shown(median(foretold)),
                        f"{ratio:.2f}",
                        f"{shown(quantile(waits, 0.5) * 1000)} / {shown(quantile(waited, 0.5) * 1000)}",
                        f"{others.cores():.2f}",
                    ]
                )
                goals.at_most(f"{people} at once: error of simulated tokens/s", abs(ratio - 1), MAX_ERROR)
    head = ("people", "tokens/s", "simulated", "simulated ÷ measured", "first word p50, ms: measured / simulated")
    table((*head, "others' cores"), rows)
    goals.print()


if __name__ == "__main__":
    run(main())
