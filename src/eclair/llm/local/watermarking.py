"""Watermarked answers of the embedded engine: one answer, made in segments with and without the watermark.

An answer's beginning and its blocks of code are written without it: llama.cpp ends a segment there, and goes on from
the text so far, which it has in its cache.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from eclair.errors import EngineRefused
from eclair.llm.base import JSON, Delta, Finish, PromptProgress, Request, Text, TokenUsage
from eclair.llm.local.llama_engine import LlamaEngine
from eclair.llm.remote.continuation import text_to_continue
from eclair.models.gguf.vocabulary import read_word_tokens
from eclair.provenance.text_watermark import green_tokens, is_in_code

PLAIN_TOKENS = 64
"""Tokens at the beginning of an answer without the watermark, so that short answers never have it."""

MIN_ANSWER_TOKENS = 200
"""A smaller limit than this keeps the watermark off: nothing could be told from so little text."""

FENCE = "```"
FENCE_LINE = "\n```"

_STRUCTURED = re.compile(r"\s*[\[{<]")
"""The beginning of JSON or XML."""

_PASSED = frozenset(("return_progress", "presence_penalty", "frequency_penalty", "top_k", "min_p", "reasoning_effort"))
"""Fields of a request that mean the same in llama.cpp's own format, or nothing to a model without reasoning."""


@dataclass(frozen=True, slots=True)
class GreenList:
    """The tokens that the watermark makes likelier, as llama.cpp's `logit_bias`."""

    logit_bias: orjson.Fragment

    @classmethod
    def read(cls, model: Path, key: bytes, bias: float) -> GreenList | None:
        """Make the list of a model's file; None if no token of it begins a word. Blocks. Raises ModelMissing."""
        tokens = green_tokens(read_word_tokens(model), key)
        return cls(orjson.Fragment(orjson.dumps([(id, bias) for id in tokens]))) if tokens else None


def may_watermark(request: Request) -> bool:
    """Return whether an answer is free text that is long enough, with nothing that a bias would change the meaning of.

    A client's own `logit_bias`, logprobs, formats and tools keep the watermark off.
    """
    most = request.sampling.max_tokens
    return (
        request.watermarks
        and request.purpose == "answer"
        and request.prompt is None
        and not request.tools
        and request.response_format is None
        and request.prediction is None
        and (most is None or most >= MIN_ANSWER_TOKENS)
        and not any("`" in stop for stop in request.sampling.stop)
        and not any(message.images for message in request.messages)
        and request.extra.keys() <= _PASSED
    )


async def stream_watermarked(client: LlamaEngine, request: Request, green: GreenList) -> AsyncGenerator[Delta, None]:
    """Answer a request for which `may_watermark`; see `Engine.stream`."""
    answer = _Answer(request, green, text_to_continue(request))
    messages = request.messages[:-1] if answer.text else request.messages
    prompt = await client.write_prompt(replace(request, messages=messages))
    while answer.end is None:
        segment = client.stream_segment(request.model, prompt + answer.text, answer.begin_segment())
        try:
            async with aclosing(segment) as deltas:
                async for delta in deltas:
                    for each in answer.feed(delta):
                        yield each
        except EngineRefused:
            if answer.is_first_segment:
                raise
            answer.end = Finish("length")  # the text so far fills the window
    if answer.usage is not None:
        yield answer.usage
    yield answer.end


@dataclass(slots=True)
class _Answer:
    """The answer so far. `text` begins with the text to continue."""

    request: Request
    green: GreenList
    text: str
    end: Finish | None = None
    usage: TokenUsage | None = None
    _is_marked: bool = False
    """The current segment has the watermark."""
    _is_capped: bool = False
    """The current segment ends before the answer's limit."""
    _ours: str = ""
    """The stop sequence of ours in the current segment."""
    _held: str = ""
    """The end of the text, withheld as it may become a stop sequence in the next segment."""
    is_first_segment: bool = True

    def begin_segment(self) -> JSON:
        """Decide on the next segment; return the fields of its request."""
        written = self.usage.completion_tokens if self.usage is not None else 0
        is_code, is_structured = is_in_code(self.text), _STRUCTURED.match(self.text) is not None
        is_beginning = self.is_first_segment and not self.text
        self._is_marked = not (is_code or is_structured or is_beginning)
        self._ours = "" if is_structured or is_beginning else FENCE_LINE if is_code else FENCE
        sampling = self.request.sampling
        left = sampling.max_tokens - written if sampling.max_tokens is not None else None
        self._is_capped = is_beginning
        limit = PLAIN_TOKENS if is_beginning else left
        fields: JSON = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
            "repeat_penalty": sampling.repeat_penalty,
            "n_predict": limit,
            "stop": [*sampling.stop, *([self._ours] if self._ours else [])] or None,
            "logit_bias": self.green.logit_bias if self._is_marked else None,
            **{name: value for name, value in self.request.extra.items() if name != "reasoning_effort"},
        }
        return {name: value for name, value in fields.items() if value is not None}

    def feed(self, delta: Delta) -> list[Delta]:
        """Take a delta of the current segment; return what is to be passed on."""
        match delta:
            case Text(text=text):
                return self._add(text)
            case PromptProgress():
                return [delta] if self.is_first_segment else []
            case TokenUsage():
                self._count(delta)
                return []
            case Finish():
                self.is_first_segment = False
                return self._end_segment(delta)
            case _:
                return [delta]

    def _add(self, text: str) -> list[Delta]:
        whole = self._held + text
        self._held = whole[len(whole) - self._held_length(whole) :]
        shown = whole[: len(whole) - len(self._held)]
        self.text += shown
        return [Text(shown)] if shown else []

    def _held_length(self, text: str) -> int:
        """Return how much of a text's end may be the beginning of a stop sequence of the client's."""
        if not self._is_capped:
            return 0
        ends = (
            length
            for stop in self.request.sampling.stop
            for length in range(1, min(len(stop), len(text) + 1))
            if text.endswith(stop[:length])
        )
        return max(ends, default=0)

    def _end_segment(self, finish: Finish) -> list[Delta]:
        if self._is_capped and finish.reason == "length":
            self._held = ""  # the next segment writes it again, and sees the stop sequence whole
            return []
        held, self._held, self._is_capped = self._held, "", False
        shown = self._add(held)
        if self._ours and finish.stop == self._ours and self._has_room():
            return [*shown, *self._add(self._ours)]
        self.end = finish if finish.stop != self._ours or not self._ours else Finish("length")
        return shown

    def _has_room(self) -> bool:
        most = self.request.sampling.max_tokens
        return most is None or self.usage is None or self.usage.completion_tokens < most

    def _count(self, counted: TokenUsage) -> None:
        """Add a segment's tokens; the prompt is the first's."""
        marked = counted.completion_tokens if self._is_marked else 0
        if self.usage is None:
            self.usage = replace(counted, watermarked_tokens=marked)
            return
        before = self.usage
        self.usage = replace(
            before,
            completion_tokens=before.completion_tokens + counted.completion_tokens,
            drafted_tokens=_sum(before.drafted_tokens, counted.drafted_tokens),
            accepted_tokens=_sum(before.accepted_tokens, counted.accepted_tokens),
            watermarked_tokens=_sum(before.watermarked_tokens, marked),
        )


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None and second is None else (first or 0) + (second or 0)
