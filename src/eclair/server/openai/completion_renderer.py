"""Renders answers as OpenAI's plain completions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from eclair.errors import EclairError
from eclair.generation.parts import ScoredDelta
from eclair.generation.pipeline import AnswerStream
from eclair.llm.base import JSON
from eclair.schema.events import Event, PartDelta, PartStarted, RunFinished
from eclair.schema.ids import new_id
from eclair.schema.messages import FinishReason
from eclair.server.openai import errors
from eclair.server.openai.chat_renderer import DONE, find_fingerprint
from eclair.server.openai.completion_schema import CompletionRequest


@dataclass(slots=True)
class _Sample:
    """One answer to one prompt, as far as it has come; an echo of the prompt comes first."""

    text: list[str]
    length: int
    """Characters of the text so far."""
    parts: set[int] = field(default_factory=set[int])
    """Numbers of the parts that are text."""
    logprobs: list[JSON] = field(default_factory=list[JSON])
    reason: FinishReason | None = None
    has_begun: bool = False

    @property
    def mean_logprob(self) -> float:
        scores: list[float] = [token["logprob"] for token in self.logprobs]
        return sum(scores) / len(scores) if scores else float("-inf")


class CompletionRenderer:
    """Implements `Renderer`. `answers` has all samples of the first of the `prompts`, then those of the next."""

    def __init__(self, body: CompletionRequest, prompts: Sequence[str], answers: Sequence[AnswerStream]) -> None:
        self._body = body
        self._prompts = prompts
        self._answers = answers
        echoes = [prompt if body.echo else "" for prompt in prompts for _ in range(body.samples)]
        self._samples = [_Sample([echo], len(echo)) for echo in echoes]
        self._id = new_id("cmpl").replace("_", "-")
        self._created = int(time.time())
        self._include_usage = body.stream_options is not None and body.stream_options.include_usage

    def render(self, event: Event, choice: int) -> list[JSON]:
        """See `Renderer.render`."""
        sample = self._samples[choice]
        match event:
            case PartStarted(index=index, kind="text"):
                sample.parts.add(index)
                return []
            case PartDelta(index=index, text=text) if index in sample.parts:
                scored = list(event.logprobs) if isinstance(event, ScoredDelta) else []
                logprobs = self._legacy_logprobs(scored, sample.length) if scored else None
                begin = self._begin(choice)
                sample.text.append(text)
                sample.length += len(text)
                sample.logprobs += scored
                return [*begin, self._chunk(choice, text, logprobs=logprobs)]
            case RunFinished(reason=reason):
                sample.reason = reason
                return [*self._begin(choice), self._chunk(choice, "", reason)]
            case _:
                return []

    def end(self, error: EclairError | None = None) -> list[JSON | bytes]:
        """See `Renderer.end`."""
        if error is not None:
            return [errors.body(error), DONE]
        usage: JSON = {**self._head(0), "choices": [], "usage": self._usage()}
        return [usage, DONE] if self._include_usage else [DONE]

    def full_response(self) -> JSON:
        """See `Renderer.full_response`."""
        chosen = [number for prompt in range(len(self._prompts)) for number in self._chosen(prompt)]
        choices = [
            self._choice(index, "".join(sample.text), self._full_logprobs(sample), sample.reason)
            for index, sample in enumerate(self._samples[number] for number in chosen)
        ]
        usage = self._usage()  # without a count there is no field: some clients read whatever is in it
        return {**self._head(0), "choices": choices, **({} if usage is None else {"usage": usage})}

    def _chosen(self, prompt: int) -> list[int]:
        """Return the samples of a prompt that are sent: the likeliest, if there are more than asked for."""
        samples, count = self._body.samples, self._body.n or 1
        numbers = range(prompt * samples, (prompt + 1) * samples)
        if samples == count:
            return [*numbers]
        return sorted(numbers, key=lambda number: -self._samples[number].mean_logprob)[:count]

    def _begin(self, choice: int) -> list[JSON]:
        """Return a chunk with the echo, unless it was sent or there is none."""
        sample = self._samples[choice]
        if sample.has_begun:
            return []
        sample.has_begun = True
        echo = sample.text[0]
        return [self._chunk(choice, echo)] if echo else []

    def _chunk(self, choice: int, text: str, reason: FinishReason | None = None, logprobs: JSON | None = None) -> JSON:
        tail = {"usage": None} if self._include_usage else {}
        return {**self._head(choice), "choices": [self._choice(choice, text, logprobs, reason)], **tail}

    def _choice(self, index: int, text: str, logprobs: JSON | None, reason: FinishReason | None) -> JSON:
        return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}

    def _head(self, choice: int) -> JSON:
        turn = self._answers[choice].turn
        return {
            "id": self._id,
            "object": "text_completion",
            "created": self._created,
            "model": turn.model.id if turn is not None else "",
            "system_fingerprint": None if turn is None else find_fingerprint(turn.model.engine, turn.model.id),
        }

    def _full_logprobs(self, sample: _Sample) -> JSON | None:
        return self._legacy_logprobs(sample.logprobs, len(sample.text[0])) if sample.logprobs else None

    def _legacy_logprobs(self, tokens: Sequence[JSON], offset: int) -> JSON | None:
        """Render logprobs in the form of plain completions; the first token begins at `offset`."""
        most = self._body.logprobs
        if most is None:
            return None
        texts: list[str] = [token["token"] for token in tokens]
        offsets: list[int] = []
        for text in texts:
            offsets.append(offset)
            offset += len(text)
        top = [
            {other["token"]: other["logprob"] for other in (token.get("top_logprobs") or ())[:most]} for token in tokens
        ]
        return {
            "tokens": texts,
            "token_logprobs": [token["logprob"] for token in tokens],
            "top_logprobs": top if most else None,
            "text_offset": offsets,
        }

    def _usage(self) -> JSON | None:
        """Count each prompt once and all samples; None if the engine doesn't count tokens."""
        counts = [answer.token_usage for answer in self._answers]
        first = [count for count in counts[:: self._body.samples] if count is not None]
        if not first:
            return None
        prompt = sum(count.prompt_tokens for count in first)
        completion = sum(count.completion_tokens for count in counts if count is not None)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": sum(count.cached_tokens or 0 for count in first)},
        }
