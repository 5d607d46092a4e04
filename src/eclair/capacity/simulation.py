"""Discrete-event simulation of one replica: continuous batching, chunked prefill, and room for keys and values.

Steps between two events are taken together, since their times are a series that sums in closed form.
A question waits until a slot and the room for its whole answer are free, first come, first served.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from eclair.capacity.arrivals import SimulatedQuestion
from eclair.capacity.replica import ReplicaSpeed

Bottleneck = Literal["slots", "kv", "prefill", "none"]


@dataclass(frozen=True, slots=True)
class ServedQuestion:
    """A question with the times of its first and last token."""

    question: SimulatedQuestion
    first_at: float
    done_at: float

    @property
    def wait_s(self) -> float:
        """Seconds to the first token."""
        return self.first_at - self.question.at

    @property
    def tokens_per_s(self) -> float | None:
        """Speed after the first token; None of answers of one token."""
        seconds = self.done_at - self.first_at
        return (self.question.answer_tokens - 1) / seconds if seconds > 0 else None


@dataclass(slots=True)
class SimulatedRun:
    """All questions as they were served, and the seconds for which questions waited for others, by cause."""

    served: list[ServedQuestion] = field(default_factory=list[ServedQuestion])
    waited: dict[Bottleneck, float] = field(default_factory=lambda: {"slots": 0.0, "kv": 0.0, "prefill": 0.0})
    ended_at: float = 0.0

    @property
    def bottleneck(self) -> Bottleneck:
        """The cause for which questions waited longest."""
        cause = max(self.waited, key=lambda each: self.waited[each])
        return cause if self.waited[cause] > 0 else "none"


@dataclass(slots=True)
class _Reading:
    """A question whose prompt is read."""

    question: SimulatedQuestion
    left: int


def simulate(speed: ReplicaSpeed, questions: Sequence[SimulatedQuestion]) -> SimulatedRun:
    """Serve questions, in the order of their arrival, until the last is answered."""
    return _Replica(speed, questions).run()


class _Replica:
    def __init__(self, speed: ReplicaSpeed, questions: Sequence[SimulatedQuestion]) -> None:
        self._speed = speed
        self._coming = deque(questions)
        self._waiting: deque[SimulatedQuestion] = deque()
        self._reading: deque[_Reading] = deque()
        self._writing: list[tuple[float, int, SimulatedQuestion, float]] = []
        """A heap: the count of tokens at which an answer ends, a tie-breaker, its question, its first token's time."""
        self._now = 0.0
        self._tokens = 0.0
        self._kv = 0.0
        self._reserved = 0.0
        self._number = 0
        self._run = SimulatedRun()

    def run(self) -> SimulatedRun:
        while self._coming or self._waiting or self._reading or self._writing:
            self._arrive()
            blocked = self._admit()
            before, waiting, reading = self._now, len(self._waiting), len(self._reading)
            if self._reading:
                self._read_step()
            elif self._writing:
                self._write_steps(stops=blocked == "none")
            else:
                self._now = self._coming[0].at
                continue
            self._run.waited["prefill"] += max(0, reading - 1) * (self._now - before)
            if blocked != "none":
                self._run.waited[blocked] += waiting * (self._now - before)
        self._run.ended_at = self._now
        return self._run

    def _arrive(self) -> None:
        while self._coming and self._coming[0].at <= self._now:
            self._waiting.append(self._coming.popleft())

    def _admit(self) -> Bottleneck:
        """Begin to read what fits; return what keeps the next question out."""
        while self._waiting:
            if len(self._reading) + len(self._writing) >= self._speed.slots:
                return "slots"
            question = self._waiting[0]
            need = question.prompt_tokens + question.answer_tokens
            is_empty = not self._reading and not self._writing
            if self._reserved + need > self._speed.kv_tokens and not is_empty:
                return "kv"
            self._waiting.popleft()
            self._reserved += need
            self._kv += question.prompt_tokens - question.read_tokens
            self._reading.append(_Reading(question, question.read_tokens))
        return "none"

    def _read_step(self) -> None:
        """Take one step with a chunk of the prompts, the first of them first."""
        room, finished = self._speed.chunk_tokens, list[SimulatedQuestion]()
        while room > 0 and self._reading:
            first = self._reading[0]
            part = min(room, first.left)
            room, first.left = room - part, first.left - part
            if first.left == 0:
                finished.append(self._reading.popleft().question)
        read = self._speed.chunk_tokens - room
        seconds = self._speed.step_s(len(self._writing) + len(finished), self._kv)
        self._pass(1, seconds + read / self._speed.prompt_tokens_per_s)
        self._kv += read
        for question in finished:
            self._number += 1
            self._kv += 1
            end = self._tokens + question.answer_tokens - 1
            heapq.heappush(self._writing, (end, self._number, question, self._now))
        self._finish()

    def _write_steps(self, *, stops: bool) -> None:
        """Take steps until an answer ends or, with `stops`, until a question arrives."""
        count = len(self._writing)
        steps = max(1, math.ceil((self._writing[0][0] - self._tokens) / self._speed.tokens_per_step))
        first = self._speed.step_s(count, self._kv)
        growth = self._speed.kv_s(count) * count * self._speed.tokens_per_step
        if stops and self._coming:
            steps = min(steps, _steps_until(self._coming[0].at - self._now, first, growth))
        self._pass(steps, steps * first + growth * steps * (steps - 1) / 2)
        self._finish()

    def _pass(self, steps: int, seconds: float) -> None:
        self._now += seconds
        self._tokens += steps * self._speed.tokens_per_step
        self._kv += len(self._writing) * steps * self._speed.tokens_per_step

    def _finish(self) -> None:
        while self._writing and self._writing[0][0] <= self._tokens + 1e-9:
            end, _, question, first_at = heapq.heappop(self._writing)
            held = question.prompt_tokens + question.answer_tokens
            self._kv = max(0.0, self._kv - held - (self._tokens - end))
            self._reserved -= held
            self._run.served.append(ServedQuestion(question, first_at, self._now))


def _steps_until(seconds: float, first: float, growth: float) -> int:
    """Return after how many steps, each `growth` longer than the last, so many seconds have passed."""
    if growth <= 0:
        return max(1, math.ceil(seconds / first - 1e-9))
    half = first - growth / 2
    return max(1, math.ceil((math.sqrt(half**2 + 2 * growth * max(0.0, seconds)) - half) / growth - 1e-9))
