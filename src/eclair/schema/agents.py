"""Sub-agents of a run: each looks into one question of a research, within a budget, and takes notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

AgentEnding = Literal["done", "rounds", "tokens", "time", "repeated", "enough", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class AgentBudget:
    """Rounds in which a model calls tools, tokens that it reads and writes, and seconds: allowed, or spent.

    A sub-agent that asks no model has no tokens.
    """

    rounds: int
    tokens: int
    seconds: float


NOTHING_SPENT = AgentBudget(0, 0, 0.0)


@dataclass(frozen=True, slots=True)
class ReadingNote:
    """A short finding, and the numbers of the passages that it rests on."""

    text: str
    passages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SubAgent:
    """A sub-agent. `agent` is also the step that has its question as the title.

    With `is_further` the question was added after the plan's had been looked into. Without an `ending` it isn't known
    to have ended: `done`, or it came to the end of its budget (`rounds`, `tokens`, `time`), called for the same again
    and again (`repeated`), was cut short with all others (`enough`) or by itself (`stopped`), or `failed`, for which
    the `fault` is a sentence. It brought the `passages` of these numbers, the best first.
    """

    agent: str
    budget: AgentBudget
    is_further: bool = False
    spent: AgentBudget = NOTHING_SPENT
    ending: AgentEnding | None = None
    notes: tuple[ReadingNote, ...] = ()
    passages: tuple[int, ...] = ()
    fault: str | None = None
