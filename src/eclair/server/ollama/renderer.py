"""Renders answers as Ollama's chat and generate replies, one JSON object a line."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from eclair.errors import EclairError, EngineBroken
from eclair.generation.parts import ScoredDelta
from eclair.generation.pipeline import AnswerStream
from eclair.llm.base import JSON
from eclair.schema.events import Event, PartDelta, PartFinished, PartStarted, RunFinished, StepFinished
from eclair.schema.messages import PartKind
from eclair.server.ollama import errors
from eclair.server.ollama.context import encode_context
from eclair.server.ollama.model_names import tagged_name

NDJSON = "application/x-ndjson"
LINES: dict[int | str, JSON] = {
    200: {"content": {NDJSON: {"schema": {"type": "string", "description": "JSON objects, each on a line."}}}}
}
"""Replies, for the OpenAPI document, of a route that streams unless `stream` is false."""

ReplyKind = Literal["chat", "generate"]


def written_time(seconds: float | None = None) -> str:
    """Return a time, now unless given in seconds since 1970, as RFC 3339 writes it."""
    moment = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat().replace("+00:00", "Z")


def nanoseconds(seconds: float) -> int:
    """Return a measured time; never 0, since clients divide by it."""
    return max(1, round(seconds * 1e9))


def encode_line(line: JSON) -> bytes:
    return orjson.dumps(line) + b"\n"


def reply_body(kind: ReplyKind, text: str = "", thinking: str = "", calls: list[JSON] | None = None) -> JSON:
    """Return the fields that hold a piece of an answer, or all of it."""
    thought: JSON = {"thinking": thinking} if thinking else {}
    if kind == "generate":
        return {"response": text, **thought}
    called: JSON = {"tool_calls": calls} if calls else {}
    return {"message": {"role": "assistant", "content": text, **thought, **called}}


@dataclass(slots=True)
class _Written:
    """The answer as far as it has come; `calls` maps part indexes to names and arguments of calls."""

    texts: list[str] = field(default_factory=list[str])
    thoughts: list[str] = field(default_factory=list[str])
    open_calls: dict[int, tuple[PartStarted, list[str]]] = field(
        default_factory=dict[int, tuple[PartStarted, list[str]]]
    )
    calls: list[JSON] = field(default_factory=list[JSON])
    logprobs: list[JSON] = field(default_factory=list[JSON])


class OllamaRenderer:
    """Implements `Renderer` for `/api/chat` and `/api/generate`.

    `accepted` is when the request came, on `clock`. Without `shows_thinking`, thoughts are left out. Tool calls are
    sent whole. With log probabilities, each token has at most `top_logprobs` alternatives.
    """

    def __init__(
        self,
        kind: ReplyKind,
        answer: AnswerStream,
        model: str,
        accepted: float,
        *,
        shows_thinking: bool,
        top_logprobs: int = 0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._kind: ReplyKind = kind
        self._answer = answer
        self._model = tagged_name(model)
        self._accepted = accepted
        self._shows_thinking = shows_thinking
        self._top_logprobs = top_logprobs
        self._clock = clock
        self._written = _Written()
        self._kinds: dict[int, PartKind] = {}
        self._load_s = 0.0
        self._first: float | None = None
        self._last = accepted

    def heartbeat(self) -> bytes:
        """Return a line that adds nothing to the answer, for times of silence."""
        return encode_line(self._line(reply_body(self._kind)))

    def render(self, event: Event, choice: int) -> list[bytes]:
        """See `Renderer.render`."""
        written = self._written
        match event:
            case StepFinished(step="load", milliseconds=milliseconds):
                self._load_s = (milliseconds or 0.0) / 1000
            case PartStarted(index=index, kind=kind):
                self._kinds[index] = kind
                if kind == "tool_call":
                    written.open_calls[index] = (event, [])
            case PartDelta(index=index, text=text):
                self._count()
                return self._delta(event, self._kinds[index], text)
            case PartFinished(index=index) if index in written.open_calls:
                return self._finish_call(*written.open_calls.pop(index))
            case RunFinished():
                return [encode_line(self._line(reply_body(self._kind)) | self._ending())]
            case _:
                pass
        return []

    def end(self, error: EclairError | None = None) -> list[bytes]:
        """See `Renderer.end`."""
        return [] if error is None else [encode_line(errors.body(error))]

    def full_response(self) -> JSON:
        """See `Renderer.full_response`."""
        written = self._written
        body = reply_body(self._kind, "".join(written.texts), "".join(written.thoughts), written.calls)
        scored: JSON = {"logprobs": written.logprobs} if written.logprobs else {}
        return self._line(body) | self._ending() | scored

    def _count(self) -> None:
        self._last = self._clock()
        self._first = self._last if self._first is None else self._first

    def _delta(self, event: PartDelta, kind: PartKind, text: str) -> list[bytes]:
        written = self._written
        if kind == "tool_call":
            written.open_calls[event.index][1].append(text)
            return []
        if kind == "reasoning":
            if not self._shows_thinking or not text:
                return []
            written.thoughts.append(text)
            return [encode_line(self._line(reply_body(self._kind, thinking=text)))]
        written.texts.append(text)
        line = self._line(reply_body(self._kind, text))
        if isinstance(event, ScoredDelta):
            line["logprobs"] = [_logprob(row, self._top_logprobs) for row in event.logprobs]
            written.logprobs.extend(line["logprobs"])
        return [encode_line(line)] if text or "logprobs" in line else []

    def _finish_call(self, start: PartStarted, pieces: list[str]) -> list[bytes]:
        """Return the line of a call that is complete. Raises EngineBroken if its arguments are no JSON object."""
        try:
            arguments: Any = orjson.loads("".join(pieces) or b"{}")
        except orjson.JSONDecodeError:
            arguments = None
        if not isinstance(arguments, dict):
            finish = self._answer.finish
            if finish is not None and finish.reason == "length":  # the call itself was cut off
                return []
            raise EngineBroken(f"The model called {start.name} with arguments that are not a JSON object; try again.")
        function: JSON = {"index": len(self._written.calls), "name": start.name, "arguments": arguments}
        call: JSON = {"id": start.id, "function": function} if start.id else {"function": function}
        self._written.calls.append(call)
        return [encode_line(self._line(reply_body(self._kind, calls=[call])))]

    def _line(self, body: JSON) -> JSON:
        turn = self._answer.turn
        model = self._model if turn is None else tagged_name(turn.model.id)
        return {"model": model, "created_at": written_time(), **body, "done": False}

    def _ending(self) -> JSON:
        """Return the fields of the last line: why it ended, counts of tokens, and what was measured."""
        ended = self._clock()
        usage, finish = self._answer.token_usage, self._answer.finish
        first = self._first if self._first is not None else ended
        reading_s = usage.reading_seconds if usage is not None else None
        if reading_s is None:
            reading_s = max(0.0, first - self._accepted - self._load_s)
        reason = "length" if finish is not None and finish.reason == "length" else "stop"
        ending: JSON = {
            "done": True,
            "done_reason": reason,
            "total_duration": nanoseconds(ended - self._accepted),
            "load_duration": nanoseconds(self._load_s),
            "prompt_eval_count": usage.prompt_tokens if usage is not None else 0,
            "prompt_eval_duration": nanoseconds(reading_s),
            "eval_count": usage.completion_tokens if usage is not None else 0,
            "eval_duration": nanoseconds(self._last - first or ended - first),
        }
        turn = self._answer.turn
        if self._kind == "generate" and turn is not None and turn.request.messages:
            ending["context"] = encode_context(turn.request.messages, "".join(self._written.texts))
        return ending


def _logprob(row: JSON, alternatives: int) -> JSON:
    """Return a token's log probability, with some alternatives; engines may give more."""
    found: JSON = {name: row[name] for name in ("token", "logprob", "bytes") if name in row}
    if alternatives:
        found["top_logprobs"] = [_logprob(each, 0) for each in row.get("top_logprobs", ())[:alternatives]]
    return found
