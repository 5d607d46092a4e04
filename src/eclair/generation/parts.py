"""Turns an engine's deltas into parts of a message: start, grow, finish."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.llm.base import JSON, Reasoning, Text, ToolCall
from eclair.schema.events import PartDelta, PartFinished, PartStarted
from eclair.schema.messages import PartKind

PartEvent = PartStarted | PartDelta | PartFinished


@dataclass(frozen=True, slots=True)
class ScoredDelta(PartDelta):
    """A delta with the log probabilities of its tokens, in OpenAI's format.

    It comes only if the request asks for them, which no stored turn does: it is not for the log.
    """

    logprobs: tuple[JSON, ...] = ()


class Parts:
    """The parts of one answer, numbered from 0. `round` is that of the parts to come."""

    def __init__(self) -> None:
        self.round = 0
        self._kinds: list[PartKind] = []
        self._open: int | None = None
        self._calls: dict[int, int] = {}

    @property
    def current(self) -> int:
        """The number of the part that was started last."""
        return len(self._kinds) - 1

    def add(self, delta: Text | Reasoning | ToolCall) -> list[PartEvent]:
        """Add a delta; return the events that result."""
        match delta:
            case Text(text=text, logprobs=()):
                return [*self._continue_or_start("text"), PartDelta(self.current, text)]
            case Text(text=text, logprobs=logprobs):
                return [*self._continue_or_start("text"), ScoredDelta(self.current, text, logprobs=logprobs)]
            case Reasoning(text=text):
                return [*self._continue_or_start("reasoning"), PartDelta(self.current, text)]
            case ToolCall():
                opened: list[PartEvent] = []
                if delta.index not in self._calls:
                    opened = self.start("tool_call", delta.id, delta.name)
                    self._calls[delta.index] = self.current
                return [*opened, PartDelta(self._calls[delta.index], delta.arguments)]

    def next_round(self) -> None:
        """Begin the next round, in which the engine numbers its calls from 0 again."""
        self.round += 1
        self._calls.clear()

    def has_call(self, index: int) -> bool:
        """Return whether call number `index` of this round has begun."""
        return index in self._calls

    def start(self, kind: PartKind, id: str | None = None, name: str | None = None) -> list[PartEvent]:
        """Start a new part, finishing the open one."""
        finished = self.finish()
        self._kinds.append(kind)
        self._open = self.current
        return [*finished, PartStarted(self._open, kind, id, name, self.round or None)]

    def finish(self) -> list[PartEvent]:
        """Finish the open part, if there is one."""
        if self._open is None:
            return []
        index, self._open = self._open, None
        return [PartFinished(index)]

    def _continue_or_start(self, kind: PartKind) -> list[PartEvent]:
        if self._open is not None and self._kinds[self._open] == kind:
            return []
        return self.start(kind)
