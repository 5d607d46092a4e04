"""Finds what one replica can hold, and shows how it does at a load, on several random seeds.

Past a certain load, the knee, a burst decides how long people wait; one seed says little there. So what is held must
be held on all seeds, and what is shown is shown on others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from eclair.capacity.arrivals import SimulatedQuestion, draw_questions
from eclair.capacity.figures import Figure, quantile, span
from eclair.capacity.replica import ReplicaSpeed
from eclair.capacity.simulation import Bottleneck, SimulatedRun, simulate
from eclair.capacity.workload import Targets, Workload

SEARCH_SEEDS = (1, 2, 3, 4)
SHOWN_SEEDS = (11, 12, 13, 14)

LEAST_QUESTIONS, MOST_QUESTIONS = 300, 1500
SIMULATED_S = 1200.0
"""Simulated time, within these numbers of questions."""

WARM_UP = 0.1
"""Share of the questions at the start that isn't counted."""

SEARCH_STEPS = 8

APART_S = 1e7
"""Seconds between questions that don't meet."""

SearchReport = Callable[[int], object]
"""Is called after each simulation, with their number so far."""


@dataclass(frozen=True, slots=True)
class ServedLoad:
    """One simulated load, in seconds, and tokens a second of one answer."""

    first_p50_s: float
    first_p95_s: float
    first_p99_s: float
    slowest_tokens_per_s: float
    bottleneck: Bottleneck

    @classmethod
    def from_run(cls, run: SimulatedRun) -> ServedLoad:
        counted = sorted(run.served, key=lambda each: each.question.at)
        counted = counted[int(len(counted) * WARM_UP) :]
        waits = [each.wait_s for each in counted]
        speeds = [speed for each in counted if (speed := each.tokens_per_s) is not None]
        p50, p95, p99 = (quantile(waits, share) for share in (0.5, 0.95, 0.99))
        return cls(p50, p95, p99, quantile(speeds, 0.05), run.bottleneck)

    def meets(self, targets: Targets) -> bool:
        return self.first_p95_s <= targets.first_word_s and self.slowest_tokens_per_s >= targets.tokens_per_s


@dataclass(frozen=True, slots=True)
class LoadBand:
    """A load of so many questions a second on several seeds."""

    rate: float
    first_p50_s: Figure
    first_p95_s: Figure
    first_p99_s: Figure
    slowest_tokens_per_s: Figure
    bottleneck: Bottleneck


class LoadSearch:
    """Simulates one replica under loads of questions of one kind."""

    def __init__(
        self, speed: ReplicaSpeed, workload: Workload, report: SearchReport = lambda _: None, simulated: int = 0
    ) -> None:
        self._speed = speed
        self._workload = workload
        self._report = report
        self.simulated = simulated

    def serve(self, rate: float, seed: int) -> ServedLoad:
        most, least = MOST_QUESTIONS / rate, LEAST_QUESTIONS / rate
        seconds = min(most, max(least, SIMULATED_S))
        questions = draw_questions(rate, seconds, self._workload.lengths, self._workload.burst, seed)
        served = ServedLoad.from_run(simulate(self._speed, questions or [self._single()]))
        self.simulated += 1
        self._report(self.simulated)
        return served

    def serve_alone(self) -> ServedLoad:
        """Serve questions one after the other, each with the replica to itself."""
        drawn = draw_questions(1, LEAST_QUESTIONS, self._workload.lengths, 0, SEARCH_SEEDS[0])
        apart = [replace(each, at=number * APART_S) for number, each in enumerate(drawn)]
        return ServedLoad.from_run(simulate(self._speed, apart))

    def find_knee(self, targets: Targets) -> float:
        """Return the most questions a second at which the targets hold on all seeds; 0 if none."""
        if not self.serve_alone().meets(targets):
            return 0.0
        low, high = 0.0, self._ceiling()
        for _ in range(SEARCH_STEPS):
            rate = (low + high) / 2
            holds = all(self.serve(rate, seed).meets(targets) for seed in SEARCH_SEEDS)
            low, high = (rate, high) if holds else (low, rate)
        return low

    def show(self, rate: float, seeds: tuple[int, ...] = SHOWN_SEEDS) -> LoadBand:
        loads = [self.serve(rate, seed) for seed in seeds]
        causes: list[Bottleneck] = [each.bottleneck for each in loads]
        return LoadBand(
            rate,
            span([each.first_p50_s for each in loads]),
            span([each.first_p95_s for each in loads]),
            span([each.first_p99_s for each in loads]),
            span([each.slowest_tokens_per_s for each in loads]),
            max(causes, key=causes.count),
        )

    def _single(self) -> SimulatedQuestion:
        lengths = self._workload.lengths
        prompt = max(1, round(lengths.prompt_tokens))
        read = max(1, round(prompt * (1 - lengths.cached_share)))
        return SimulatedQuestion(0.0, prompt, read, max(1, round(lengths.answer_tokens)))

    def _ceiling(self) -> float:
        """Return more questions a second than a replica can ever answer."""
        speed, lengths = self._speed, self._workload.lengths
        room = speed.kv_tokens / (lengths.prompt_tokens + lengths.answer_tokens)
        batch = max(1, int(min(speed.slots, room)))
        writing_s = speed.step_s(batch, batch * self._workload.held_tokens) / speed.tokens_per_step / batch
        reading_s = lengths.prompt_tokens * (1 - lengths.cached_share) / speed.prompt_tokens_per_s
        return 1.2 / (lengths.answer_tokens * writing_s + reading_s)
