"""An engine's deltas as parts of a message: each part is started, grows, and is finished before the next one starts."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.llm.base import JSON, Reasoning, Text, ToolCall
from eclair.schema.events import PartDelta, PartFinished, PartStarted
from eclair.schema.messages import PartKind

PartEvent = PartStarted | PartDelta | PartFinished


@dataclass(frozen=True, slots=True)
class ScoredDelta(PartDelta):
    """A delta with the log probabilities of its tokens, as OpenAI has them.

    It comes only where the request asks the engine for them, which no stored turn does: it is not for the log.
    """

    logprobs: tuple[JSON, ...] = ()


class Parts:
    """The parts of one answer, numbered from 0."""

    def __init__(self) -> None:
        self._kinds: list[PartKind] = []
        self._open: int | None = None
        self._calls: dict[int, int] = {}

    @property
    def current(self) -> int:
        """The number of the part that was begun last."""
        return len(self._kinds) - 1

    def take(self, delta: Text | Reasoning | ToolCall) -> list[PartEvent]:
        """Add a delta, and return what that does to the parts."""
        match delta:
            case Text(text=text, logprobs=()):
                return [*self._within("text"), PartDelta(self.current, text)]
            case Text(text=text, logprobs=logprobs):
                return [*self._within("text"), ScoredDelta(self.current, text, logprobs=logprobs)]
            case Reasoning(text=text):
                return [*self._within("reasoning"), PartDelta(self.current, text)]
            case ToolCall():
                opened: list[PartEvent] = []
                if delta.index not in self._calls:
                    opened = self.start("tool_call", delta.id, delta.name)
                    self._calls[delta.index] = self.current
                return [*opened, PartDelta(self._calls[delta.index], delta.arguments)]

    def start(self, kind: PartKind, id: str | None = None, name: str | None = None) -> list[PartEvent]:
        """Begin a new part, whatever is open."""
        finished = self.finish()
        self._kinds.append(kind)
        self._open = self.current
        return [*finished, PartStarted(self._open, kind, id, name)]

    def finish(self) -> list[PartEvent]:
        """End the part that is open, if one is."""
        if self._open is None:
            return []
        index, self._open = self._open, None
        return [PartFinished(index)]

    def _within(self, kind: PartKind) -> list[PartEvent]:
        if self._open is not None and self._kinds[self._open] == kind:
            return []
        return self.start(kind)
