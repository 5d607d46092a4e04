"""The planner's simulator beside the embedded engine under `many.py`'s load: tokens a second and first words.

`eclair plan --measure` measures the engine first; the simulator then has to foretell rounds in which each person asks
again once answered, and every fourth gives a page to read. Drafting is off, since what it brings depends on the text.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from client import Reply
from harness import (
    ROOT,
    SERVE,
    Goals,
    Others,
    link_models,
    median,
    options,
    quantile,
    run,
    running,
    settings,
    shown,
    table,
)
from many import Ask, direct, question
from prefix import ready

from eclair.capacity.arrivals import SimulatedQuestion
from eclair.capacity.calibration import load_measured
from eclair.capacity.replica import ReplicaSpeed
from eclair.capacity.simulation import SimulatedRun, simulate
from eclair.models import catalog

PROMPT = re.compile(rb'"prompt_tokens":(\d+)')
CACHED = re.compile(rb'"cached_tokens":(\d+)')
MAX_ERROR = 0.15


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

    def simulated(self, at: float) -> SimulatedQuestion:
        return SimulatedQuestion(at, self.prompt, self.read, self.tokens)


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


async def calibrate(data: Path, model: str, environ: Mapping[str, str]) -> ReplicaSpeed:
    """Return the speed of the engine as Éclair's own command measures it."""
    line = (sys.executable, "-m", "eclair.cli", "plan", "--measure", model)
    command = await asyncio.create_subprocess_exec(
        *line,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environ},
    )
    if await command.wait():
        raise SystemExit(f"`{' '.join(line[2:])}` failed.")
    return load_measured(data)[model].speed


async def main() -> None:
    quick: bool = options(__doc__ or "").parse_args().quick
    rounds = {1: 1, 4: 1} if quick else {1: 2, 2: 2, 4: 2, 8: 2, 16: 1}
    rows: list[list[str]] = []
    goals = Goals()
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        data = Path(folder)
        link_models(data)
        model = catalog.STARTER_MODEL
        environ = settings(
            data, ECLAIR_EMBEDDED="true", ECLAIR_MODEL=model, ECLAIR_SPECULATION="off", ECLAIR_TITLES="false"
        )
        async with running(SERVE, data, **environ) as server:
            await ready(server)
            ask = direct(data)
            speed = await calibrate(data, model, environ)
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
