"""Parses streamed answers: bytes to deltas. No I/O."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

from eclair.errors import EngineBroken
from eclair.llm.base import JSON, Delta, Finish, Reasoning, Text, TokenUsage, ToolCall
from eclair.llm.remote.reply_values import ILL_TYPED, parse_object
from eclair.schema.messages import FinishReason

MAX_LINE_BYTES = 16 << 20


class SseFrames:
    """Splits an event stream, cut anywhere, into the payloads of its `data:` lines.

    Every payload is one line, as OpenAI's are. `failed` is set while the current event is an error.
    """

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._held = 0
        self.failed = False

    def feed(self, chunk: bytes) -> Iterable[bytes]:
        """Yield the payloads that `chunk` completes. Raises ValueError for an endless line."""
        if b"\n" not in chunk:
            self._rest.append(chunk)
            self._held += len(chunk)
            if self._held > MAX_LINE_BYTES:
                raise ValueError("a line without an end")
            return
        lines = (b"".join((*self._rest, chunk)) if self._rest else chunk).split(b"\n")
        self._rest = [lines.pop()]
        self._held = len(self._rest[0])
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:]
            elif line.startswith(b"event:"):
                self.failed = line[6:].strip() == b"error"
            elif line.startswith(b"error:"):  # an older llama-server's own
                self.failed = True
                yield line[6:]


class AnswerParser(ABC):
    """Parses one answer: takes bytes, returns deltas, holds usage and finish for the end.

    A wire format says what an event means (`_take`) and how many tokens it took (`_counted`).
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._frames = SseFrames()
        self._pieces: list[Delta] = []
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self.ended: FinishReason | None = None
        self._stop: str | None = None
        self.done = False
        """True once the server has said that nothing follows."""

    def feed(self, chunk: bytes) -> list[Delta]:
        """Return the deltas of one network read. Raises UpstreamError for an invalid reply."""
        try:
            for payload in self._frames.feed(chunk):
                if payload.strip() == b"[DONE]":
                    self.done = True
                else:
                    self._take(parse_object(payload))
                if self.done:
                    break
            return self._flush()
        except ValueError as error:
            raise EngineBroken(f"The engine {self._name} sent an invalid reply: {error}.") from error
        except ILL_TYPED as error:
            raise self._ill_typed() from error

    def finish(self) -> list[Delta]:
        """Return usage and finish. Raises EngineBroken if the stream broke off."""
        if self.ended is None:
            raise EngineBroken(f"The engine {self._name} broke off before the end of its answer; try again.")
        try:
            counted = self._counted()
        except (ValueError, *ILL_TYPED) as error:
            raise self._ill_typed() from error
        if counted is not None:
            self._pieces.append(counted)
        return [*self._flush(), Finish(self.ended, self._stop)]

    @abstractmethod
    def _take(self, data: JSON) -> None:
        """Take one event."""

    @abstractmethod
    def _counted(self) -> TokenUsage | None:
        """Return the token usage; None if the server didn't say."""

    def _ill_typed(self) -> EngineBroken:
        return EngineBroken(f"The engine {self._name} sent an invalid reply: a value of the wrong type; try again.")

    def _add_text(self, text: str) -> None:
        if text:
            self._flush_thoughts()
            self._texts.append(text)

    def _add_thought(self, thought: str | None) -> None:
        if thought:
            if self._texts:
                self._flush_texts()
            self._thoughts.append(thought)

    def _add_call(self, call: ToolCall) -> None:
        self._flush_texts()
        self._flush_thoughts()
        self._pieces.append(call)

    def _flush(self) -> list[Delta]:
        self._flush_thoughts()
        self._flush_texts()
        pieces, self._pieces = self._pieces, []
        return pieces

    def _flush_texts(self) -> None:
        if self._texts:
            self._pieces.append(Text("".join(self._texts)))
            self._texts = []

    def _flush_thoughts(self) -> None:
        if self._thoughts:
            self._pieces.append(Reasoning("".join(self._thoughts)))
            self._thoughts = []
