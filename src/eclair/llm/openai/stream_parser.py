"""Parses streams of OpenAI-compatible servers: bytes to deltas. No I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import orjson

from eclair.errors import EngineBroken, EngineBusy, EngineRefused, EngineUnavailable
from eclair.llm.base import JSON, Delta, Embeddings, Finish, PromptProgress, Reasoning, Text, TokenUsage, ToolCall
from eclair.schema.messages import FinishReason

MAX_LINE_BYTES = 16 << 20
MAX_COUNT = 1 << 53
"""The largest number that JSON carries exactly everywhere."""

FINISH_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


ILL_TYPED = (TypeError, AttributeError, KeyError, IndexError, OverflowError, RecursionError)
"""Raised by a reply whose values are of other types than the API's."""


def error_text(data: Any) -> str:
    """Return the message of an error, wherever the server put it; empty if there is none."""
    match data:
        case str():
            return data
        case {"error": error} if error:
            return error_text(error)
        case {"message": str(message)}:
            return message
        case {"detail": detail} | {"msg": detail} | [detail, *_]:
            return error_text(detail)  # pyright: ignore[reportUnknownArgumentType]
        case _:
            return ""


def redact_key(key: str | None, text: str) -> str:
    """Return `text` without the key, which some servers repeat in errors."""
    return text.replace(key, "(the key)") if key else text


def as_sentence(text: str) -> str:
    """Return `text` on one line of at most 500 characters, with a full stop."""
    text = " ".join(text.split())[:500]
    return text if text.endswith((".", "!", "?")) else text + "."


def listed_vision(row: JSON) -> bool | None:
    """Return whether a server's list says that a model sees images; None if it doesn't say.

    Known are Mistral's `vision`, llama.cpp's `multimodal` and OpenRouter's modalities.
    """
    can: Any = row.get("capabilities")
    if isinstance(can, dict) and isinstance(can.get("vision"), bool):  # pyright: ignore[reportUnknownMemberType]
        return bool(can["vision"])  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(can, list):
        return bool({"multimodal", "vision"} & set(map(str, can)))  # pyright: ignore[reportUnknownArgumentType]
    architecture: Any = row.get("architecture")
    if isinstance(architecture, dict) and isinstance(architecture.get("input_modalities"), list):  # pyright: ignore[reportUnknownMemberType]
        return "image" in architecture["input_modalities"]
    return None


def parse_embeddings(name: str, data: JSON, count: int) -> Embeddings:
    """Parse the reply to a request for `count` vectors. Raises EngineBroken if invalid."""
    try:
        rows: list[JSON] = sorted(data["data"], key=lambda row: row["index"])
        vectors = [[float(number) for number in row["embedding"]] for row in rows]
        usage: JSON = data.get("usage") or {}
        tokens = _count(usage.get("prompt_tokens"))
    except (ValueError, *ILL_TYPED) as error:
        raise EngineBroken(f"The engine {name} sent an invalid vector: {as_sentence(repr(error))}") from error
    if len(vectors) != count or not all(vectors):
        raise EngineBroken(f"The engine {name} did not send a vector for each text; try again.")
    return Embeddings(vectors, tokens)


def parse_ranking(name: str, data: JSON, count: int) -> list[float]:
    """Parse the reply to a request to rerank `count` texts, in their order. Raises EngineBroken if invalid."""
    try:
        rows: list[JSON] = data["results"]
        scores = {int(row["index"]): float(row["relevance_score"]) for row in rows}
    except (ValueError, *ILL_TYPED) as error:
        raise EngineBroken(f"The engine {name} sent an invalid ranking: {as_sentence(repr(error))}") from error
    if scores.keys() != set(range(count)) or not all(map(math.isfinite, scores.values())):
        raise EngineBroken(f"The engine {name} did not rank each text; try again.")
    return [scores[at] for at in range(count)]


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


class StreamParser:
    """Parses one answer: takes bytes, returns deltas, holds usage and finish for the end."""

    def __init__(self, name: str, echo: str) -> None:
        self._name = name
        self._frames = SseFrames()
        self._echo = _Echo(echo)
        self._pieces: list[Delta] = []
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._logprobs: list[JSON] = []
        self._usage: JSON | None = None
        self._timings: JSON | None = None
        self._metrics: JSON | None = None
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
                    break
                self._take(_parse(payload))
            return self._flush()
        except ValueError as error:
            raise EngineBroken(f"The engine {self._name} sent an invalid reply: {error}.") from error
        except ILL_TYPED as error:
            raise self._ill_typed() from error

    def finish(self) -> list[Delta]:
        """Return usage and finish. Raises EngineBroken if the stream broke off."""
        if self.ended is None:
            raise EngineBroken(f"The engine {self._name} broke off before the end of its answer; try again.")
        held = self._echo.rest()
        if held:
            self._pieces.append(Text(held))
        try:
            counted = _counted(self._usage, self._timings, self._metrics)
        except (ValueError, *ILL_TYPED) as error:
            raise self._ill_typed() from error
        if counted is not None:
            self._pieces.append(counted)
        return [*self._flush(), Finish(self.ended, self._stop)]

    def _ill_typed(self) -> EngineBroken:
        return EngineBroken(f"The engine {self._name} sent an invalid reply: a value of the wrong type; try again.")

    def _take(self, data: JSON) -> None:
        if self._frames.failed or data.get("error"):
            self._fail(data)
        for choice in data.get("choices") or ():
            if not choice.get("index"):
                self._choice(choice)
        if data.get("usage"):
            self._usage = data["usage"]
        if data.get("timings"):
            self._timings = data["timings"]
        if data.get("metrics"):
            self._metrics = data["metrics"]
        if data.get("prompt_progress"):
            self._pieces.append(_prompt_progress(data["prompt_progress"]))

    def _choice(self, choice: JSON) -> None:
        delta: JSON | None = choice.get("delta")
        if delta is None:
            self._say(choice.get("text"))
        else:
            self._think(delta.get("reasoning_content") or delta.get("reasoning"))
            self._say(delta.get("content"))
            for call in delta.get("tool_calls") or ():
                self._call(call)
        logprobs: JSON | None = choice.get("logprobs")
        if logprobs and logprobs.get("content"):
            orjson.dumps(logprobs["content"])  # they are passed on; TypeError for what is nested too deeply
            self._logprobs += map(_object, logprobs["content"])
        reason: str | None = choice.get("finish_reason")
        if reason in ("error", "abort"):
            raise EngineBroken(f"The engine {self._name} gave up its answer; try again.")
        if reason is not None:
            self.ended = FINISH_REASONS.get(reason, "stop")
            stop: Any = choice.get("stop_reason") or choice.get("matched_stop")  # vLLM's name for it, and SGLang's
            self._stop = stop if isinstance(stop, str) else None

    def _say(self, content: str | list[JSON] | None) -> None:
        if not content:
            return
        if isinstance(content, list):
            for part in content:
                self._part(part)
            return
        if self._thoughts:
            self._flush_thoughts()
        self._texts.append(content)

    def _part(self, part: JSON) -> None:
        """Handle a typed part, as Mistral's reasoning models send them."""
        if part.get("type") == "thinking":
            self._think("".join(str(piece.get("text", "")) for piece in part.get("thinking") or ()))
        else:
            self._say(part.get("text"))

    def _think(self, thought: str | None) -> None:
        if thought:
            if self._texts:
                self._flush_texts()
            self._thoughts.append(thought)

    def _call(self, call: JSON) -> None:
        self._flush_texts()
        self._flush_thoughts()
        function: JSON = call.get("function") or {}
        index = _count(call.get("index"))
        id, name = (_optional_text(value) for value in (call.get("id"), function.get("name")))
        self._pieces.append(ToolCall(index, id, name, str(function.get("arguments") or "")))

    def _flush(self) -> list[Delta]:
        self._flush_thoughts()
        self._flush_texts()
        pieces, self._pieces = self._pieces, []
        return pieces

    def _flush_texts(self) -> None:
        if self._texts or self._logprobs:
            text = self._echo.strip("".join(self._texts))
            if text or self._logprobs:
                self._pieces.append(Text(text, tuple(self._logprobs)))
            self._texts = []
            self._logprobs = []

    def _flush_thoughts(self) -> None:
        if self._thoughts:
            self._pieces.append(Reasoning("".join(self._thoughts)))
            self._thoughts = []

    def _fail(self, data: JSON) -> NoReturn:
        said = as_sentence(error_text(data) or "it does not say why")
        error: Any = data.get("error")
        code: Any = error.get("code") if isinstance(error, dict) else data.get("code")  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        if code == 429:
            raise EngineBusy(f"The engine {self._name} is busy: {said}")
        if code == 503:
            raise EngineUnavailable(f"The engine {self._name} is not available: {said}")
        if isinstance(code, int) and 400 <= code < 500:
            raise EngineRefused(f"The engine {self._name} refuses the request: {said}")
        raise EngineBroken(f"The engine {self._name} failed: {said}")


class _Echo:
    """Strips a repetition of `text` from the start of a stream, and nothing else."""

    def __init__(self, text: str) -> None:
        self._left = text
        self._held = ""

    def strip(self, text: str) -> str:
        if not self._left:
            return text
        if self._left.startswith(text):
            self._left = self._left[len(text) :]
            self._held += text
            if not self._left:
                self._held = ""
            return ""
        text_left = text[len(self._left) :] if text.startswith(self._left) else self._held + text
        self._left = self._held = ""
        return text_left

    def rest(self) -> str:
        """Return what was held back as the start of a repetition that never came."""
        held, self._held = self._held, ""
        return held


def _optional_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError("not a text")


def _object(value: Any) -> JSON:
    if isinstance(value, dict):
        return value  # pyright: ignore[reportUnknownVariableType]
    raise TypeError("not an object")


def _optional_count(value: Any) -> int | None:
    return None if value is None else _count(value)


def _count(value: Any) -> int:
    """Return a number of tokens or calls; 0 for None. Raises ValueError and TypeError."""
    number = int(value or 0)
    if not 0 <= number <= MAX_COUNT:
        raise ValueError(f"{number} is no number of tokens")
    return number


def _parse(payload: bytes) -> JSON:
    try:
        data: Any = orjson.loads(payload)
    except orjson.JSONDecodeError:
        # A server that cuts a character in two sends bytes that are not UTF-8; the rest is good.
        data = orjson.loads(payload.decode(errors="replace"))
    if not isinstance(data, dict):
        return {"error": "its stream holds something other than objects"}
    return data  # pyright: ignore[reportUnknownVariableType]


def _counted(usage: JSON | None, timings: JSON | None, metrics: JSON | None) -> TokenUsage | None:
    """Return the token usage, from `usage` or else from llama.cpp's `timings`.

    vLLM reports drafted tokens in `metrics`.
    """
    timings = timings or {}
    cached = _optional_count(timings.get("cache_n"))
    drafted, accepted = _drafted_tokens(usage or {}, timings, metrics or {})
    seconds = float(timings["prompt_ms"]) / 1000 if timings.get("prompt_ms") else None
    if usage is None:
        if "predicted_n" not in timings:
            return None
        prompt = _count(timings.get("prompt_n")) + (cached or 0)
        return TokenUsage(prompt, _count(timings["predicted_n"]), cached, None, drafted, accepted, seconds)
    details: JSON = usage.get("prompt_tokens_details") or {}
    found = _optional_count(details.get("cached_tokens"))
    made: JSON = usage.get("completion_tokens_details") or {}
    return TokenUsage(
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        cached if found is None else found,
        _optional_count(made.get("reasoning_tokens")),
        drafted,
        accepted,
        seconds,
    )


def _prompt_progress(progress: JSON) -> PromptProgress:
    """Return llama.cpp's progress, of which cached tokens are no part."""
    cached = _count(progress.get("cache"))
    return PromptProgress(
        max(0, _count(progress.get("processed")) - cached), max(0, _count(progress.get("total")) - cached)
    )


def _drafted_tokens(usage: JSON, timings: JSON, metrics: JSON) -> tuple[int | None, int | None]:
    """Return drafted and accepted tokens; None and None if the engine doesn't say."""
    if "draft_n" in timings:
        return _count(timings["draft_n"]), _count(timings.get("draft_n_accepted"))
    found: JSON = metrics.get("speculative_decoding") or {}
    if "num_draft_tokens" in found:
        return _count(found["num_draft_tokens"]), _count(found.get("num_accepted_draft_tokens"))
    made: JSON = usage.get("completion_tokens_details") or {}
    right, wrong = made.get("accepted_prediction_tokens"), made.get("rejected_prediction_tokens")
    if right is None and wrong is None:
        return None, None
    return _count(right) + _count(wrong), _count(right)
