"""Parses streams of OpenAI-compatible servers: bytes to deltas. No I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NoReturn

import orjson

from eclair.errors import EngineBroken, EngineBusy, EngineUnavailable
from eclair.llm.base import JSON, Delta, Embeddings, PromptProgress, Text, TokenUsage, ToolCall
from eclair.llm.remote.answer_parser import AnswerParser
from eclair.llm.remote.refusal import refused, without_json
from eclair.llm.remote.reply_values import (
    ILL_TYPED,
    as_count,
    as_object,
    as_sentence,
    error_text,
    optional_count,
    optional_text,
)
from eclair.schema.messages import FinishReason

FINISH_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


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


def listed_tools(row: JSON) -> bool:
    """Return whether a server's list says that a model calls tools, as Mistral's does."""
    can: Any = row.get("capabilities")
    return isinstance(can, dict) and can.get("function_calling") is True  # pyright: ignore[reportUnknownMemberType]


def parse_embeddings(name: str, data: JSON, count: int) -> Embeddings:
    """Parse the reply to a request for `count` vectors. Raises EngineBroken if invalid."""
    try:
        rows: list[JSON] = sorted(data["data"], key=lambda row: row["index"])
        vectors = [[float(number) for number in row["embedding"]] for row in rows]
        usage: JSON = data.get("usage") or {}
        tokens = as_count(usage.get("prompt_tokens"))
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


class StreamParser(AnswerParser):
    """Parses one answer in OpenAI's format."""

    def __init__(self, name: str, echo: str) -> None:
        super().__init__(name)
        self._echo = _Echo(echo)
        self._logprobs: list[JSON] = []
        self._usage: JSON | None = None
        self._timings: JSON | None = None
        self._metrics: JSON | None = None

    def finish(self) -> list[Delta]:
        if held := self._echo.rest():
            self._pieces.append(Text(held))
        return super().finish()

    def _counted(self) -> TokenUsage | None:
        return _counted(self._usage, self._timings, self._metrics)

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
            self._add_thought(delta.get("reasoning_content") or delta.get("reasoning"))
            self._say(delta.get("content"))
            for call in delta.get("tool_calls") or ():
                self._call(call)
        logprobs: JSON | None = choice.get("logprobs")
        if logprobs and logprobs.get("content"):
            orjson.dumps(logprobs["content"])  # they are passed on; TypeError for what is nested too deeply
            self._logprobs += map(as_object, logprobs["content"])
        elif logprobs and logprobs.get("tokens"):
            self._logprobs += _legacy_logprobs(logprobs)
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
        self._add_text(content)

    def _part(self, part: JSON) -> None:
        """Handle a typed part, as Mistral's reasoning models send them."""
        if part.get("type") == "thinking":
            self._add_thought("".join(str(piece.get("text", "")) for piece in part.get("thinking") or ()))
        else:
            self._say(part.get("text"))

    def _call(self, call: JSON) -> None:
        function: JSON = call.get("function") or {}
        index = as_count(call.get("index"))
        id, name = (optional_text(value) for value in (call.get("id"), function.get("name")))
        self._add_call(ToolCall(index, id, name, _arguments(function.get("arguments"))))

    def _flush_texts(self) -> None:
        if self._texts or self._logprobs:
            text = self._echo.strip("".join(self._texts))
            if text or self._logprobs:
                self._pieces.append(Text(text, tuple(self._logprobs)))
            self._texts = []
            self._logprobs = []

    def _fail(self, data: JSON) -> NoReturn:
        words = error_text(data) or "it does not say why"
        said = as_sentence(words)
        error: Any = data.get("error")
        code: Any = error.get("code") if isinstance(error, dict) else data.get("code")  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        if code == 429:
            raise EngineBusy(f"The engine {self._name} is busy: {said}")
        if code == 503:
            raise EngineUnavailable(f"The engine {self._name} is not available: {said}")
        if isinstance(code, int) and 400 <= code < 500:
            raise refused(self._name, said, data)
        raise EngineBroken(f"The engine {self._name} failed: {as_sentence(without_json(words))}")


def _arguments(value: Any) -> str:
    """Return the JSON of a call's arguments, which Mistral may send as an object."""
    return orjson.dumps(value).decode() if isinstance(value, dict) else str(value or "")


def _legacy_logprobs(logprobs: JSON) -> list[JSON]:
    """Return the logprobs of a plain completion in the form that chat completions have."""
    tokens: list[str] = list(map(str, logprobs["tokens"]))
    scores: list[float] = [0.0 if score is None else float(score) for score in logprobs["token_logprobs"]]
    top: list[JSON | None] = logprobs.get("top_logprobs") or [None] * len(tokens)
    return [
        {
            "token": token,
            "logprob": score,
            "top_logprobs": [{"token": other, "logprob": float(value)} for other, value in (others or {}).items()],
        }
        for token, score, others in zip(tokens, scores, top, strict=True)
    ]


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


def _counted(usage: JSON | None, timings: JSON | None, metrics: JSON | None) -> TokenUsage | None:
    """Return the token usage, from `usage` or else from llama.cpp's `timings`.

    vLLM reports drafted tokens in `metrics`.
    """
    timings = timings or {}
    cached = optional_count(timings.get("cache_n"))
    drafted, accepted = _drafted_tokens(usage or {}, timings, metrics or {})
    seconds = float(timings["prompt_ms"]) / 1000 if timings.get("prompt_ms") else None
    if usage is None:
        if "predicted_n" not in timings:
            return None
        prompt = as_count(timings.get("prompt_n")) + (cached or 0)
        return TokenUsage(prompt, as_count(timings["predicted_n"]), cached, None, drafted, accepted, seconds)
    details: JSON = usage.get("prompt_tokens_details") or {}
    found = optional_count(details.get("cached_tokens"))
    made: JSON = usage.get("completion_tokens_details") or {}
    return TokenUsage(
        as_count(usage.get("prompt_tokens")),
        as_count(usage.get("completion_tokens")),
        cached if found is None else found,
        optional_count(made.get("reasoning_tokens")),
        drafted,
        accepted,
        seconds,
    )


def _prompt_progress(progress: JSON) -> PromptProgress:
    """Return llama.cpp's progress, of which cached tokens are no part."""
    cached = as_count(progress.get("cache"))
    return PromptProgress(
        max(0, as_count(progress.get("processed")) - cached), max(0, as_count(progress.get("total")) - cached)
    )


def _drafted_tokens(usage: JSON, timings: JSON, metrics: JSON) -> tuple[int | None, int | None]:
    """Return drafted and accepted tokens; None and None if the engine doesn't say."""
    if "draft_n" in timings:
        return as_count(timings["draft_n"]), as_count(timings.get("draft_n_accepted"))
    found: JSON = metrics.get("speculative_decoding") or {}
    if "num_draft_tokens" in found:
        return as_count(found["num_draft_tokens"]), as_count(found.get("num_accepted_draft_tokens"))
    made: JSON = usage.get("completion_tokens_details") or {}
    right, wrong = made.get("accepted_prediction_tokens"), made.get("rejected_prediction_tokens")
    if right is None and wrong is None:
        return None, None
    return as_count(right) + as_count(wrong), as_count(right)
