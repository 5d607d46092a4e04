"""Renders answers as OpenAI chat completions."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import eclair
from eclair.errors import EclairError
from eclair.generation.parts import ScoredDelta
from eclair.generation.pipeline import AnswerStream
from eclair.generation.prompt import describe_location
from eclair.llm.base import JSON, TokenUsage
from eclair.schema.events import Cited, Event, PartDelta, PartFinished, PartStarted, RunFinished, SourceFound
from eclair.schema.ids import new_id
from eclair.schema.messages import Citation, FinishReason, Passage
from eclair.server.openai import errors

DONE = b"data: [DONE]\n\n"


@dataclass(slots=True)
class Choice:
    """One of the `n` answers, as far as it has come.

    `calls` maps part indexes to tool calls; `starts` maps part indexes to where each text part begins in the content.
    """

    text: list[str] = field(default_factory=list[str])
    reasoning: list[str] = field(default_factory=list[str])
    calls: dict[int, JSON] = field(default_factory=dict[int, JSON])
    logprobs: list[JSON] = field(default_factory=list[JSON])
    passages: dict[int, Passage] = field(default_factory=dict[int, Passage])
    citations: list[Citation] = field(default_factory=list[Citation])
    starts: dict[int, int] = field(default_factory=dict[int, int])
    length: int = 0
    reason: FinishReason | None = None

    def apply(self, event: Event) -> None:
        """Add an event of the answer."""
        match event:
            case PartDelta(index=index, text=text):
                if index in self.starts:
                    self.text.append(text)
                    self.length += len(text)
                    if isinstance(event, ScoredDelta):
                        self.logprobs.extend(event.logprobs)
                elif index in self.calls:
                    self.calls[index]["function"]["arguments"] += text
                else:
                    self.reasoning.append(text)
            case PartStarted(index=index, kind="text"):
                self.starts[index] = self.length
            case PartStarted(index=index, kind="tool_call"):
                function: JSON = {"name": event.name, "arguments": ""}
                self.calls[index] = {"id": event.id, "type": "function", "function": function}
            case SourceFound(passage=passage):
                self.passages[passage.number] = passage
            case Cited(citation=citation):
                self.citations.append(citation)
            case RunFinished(reason=reason):
                self.reason = reason
            case _:
                pass


@dataclass(slots=True)
class ChatFormat:
    """The JSON of chat completions.

    With `whole_calls` a call is streamed in one piece, as Mistral's API does and its client demands. With
    `legacy_functions` a call has the form that came before tools, which can hold only one. `top_logprobs` alternatives
    are given for each token.
    """

    top_logprobs: int = 0
    whole_calls: bool = False
    legacy_functions: bool = False
    object: str = "chat.completion"
    chunk_object: str = "chat.completion.chunk"
    prefix: str = "chatcmpl"

    def first_chunk(self) -> JSON:
        return {"delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}

    def delta(self, event: PartStarted | PartDelta, choice: Choice) -> JSON | None:
        index = event.index
        logprobs = None
        if index in choice.calls:
            if self.whole_calls or (isinstance(event, PartDelta) and not event.text):
                return None
            if isinstance(event, PartStarted):
                return self._call_chunk(index, choice, choice.calls[index])
            return self._call_chunk(index, choice, {"function": {"arguments": event.text}})
        if isinstance(event, PartStarted):
            return None
        if index in choice.starts:
            delta = {"content": event.text}
            logprobs = self._logprobs(event.logprobs) if isinstance(event, ScoredDelta) else None
        else:
            delta = {"reasoning_content": event.text}
        return {"delta": delta, "logprobs": logprobs, "finish_reason": None}

    def finished_part(self, index: int, choice: Choice) -> JSON | None:
        is_whole = self.whole_calls and index in choice.calls
        return self._call_chunk(index, choice, choice.calls[index]) if is_whole else None

    def annotations_chunk(self, annotations: list[JSON]) -> JSON:
        return {"delta": {"annotations": annotations}, "logprobs": None, "finish_reason": None}

    def last_chunk(self, reason: FinishReason) -> JSON:
        return {"delta": {}, "logprobs": None, "finish_reason": self._reason(reason)}

    def full_choice(self, choice: Choice, annotations: list[JSON]) -> JSON:
        message: JSON = {"role": "assistant", "content": "".join(choice.text), "refusal": None}
        if choice.reasoning:
            message["reasoning_content"] = "".join(choice.reasoning)
        if annotations:
            message["annotations"] = annotations
        if choice.calls:
            calls = list(choice.calls.values())
            message["content"] = message["content"] or None
            message |= {"function_call": calls[0]["function"]} if self.legacy_functions else {"tool_calls": calls}
        logprobs = self._logprobs(choice.logprobs) if choice.logprobs else None
        return {"message": message, "logprobs": logprobs, "finish_reason": self._reason(choice.reason)}

    def _call_chunk(self, index: int, choice: Choice, call: JSON) -> JSON | None:
        number = list(choice.calls).index(index)
        if self.legacy_functions and number:
            return None
        call = {**call, "function": {**call["function"]}}
        delta = (
            {"function_call": call["function"]}
            if self.legacy_functions
            else {"tool_calls": [{"index": number, **call}]}
        )
        return {"delta": delta, "logprobs": None, "finish_reason": None}

    def _reason(self, reason: FinishReason | None) -> str | None:
        return "function_call" if reason == "tool_calls" and self.legacy_functions else reason

    def _logprobs(self, tokens: Sequence[JSON]) -> JSON:
        """Return the tokens as OpenAI has them: engines may send more alternatives and fields."""
        most = self.top_logprobs
        return {
            "content": [
                {
                    **_scored(token),
                    "top_logprobs": [_scored(other) for other in (token.get("top_logprobs") or ())[:most]],
                }
                for token in tokens
            ]
        }


class ChatRenderer:
    """Implements `Renderer`.

    `find_url` returns the address of the page at an offset of a passage, None if clients can't open it. With
    `include_usage` the stream ends with the token usage.
    """

    def __init__(
        self,
        form: ChatFormat,
        answers: Sequence[AnswerStream],
        find_url: Callable[[Passage, int], str | None],
        *,
        include_usage: bool = False,
    ) -> None:
        self._form = form
        self._answers = answers
        self._find_url = find_url
        self._choices = [Choice() for _ in answers]
        self._heads: dict[int, JSON] = {}
        self._id = new_id(form.prefix).replace("_", "-")
        self._created = int(time.time())
        self._include_usage = include_usage
        self._tail: JSON = {"usage": None} if include_usage else {}

    def render(self, event: Event, choice: int) -> list[JSON]:
        """See `Renderer.render`."""
        form, state = self._form, self._choices[choice]
        state.apply(event)
        match event:
            case PartDelta() if (delta := form.delta(event, state)) is not None:
                return [self._chunk(choice, delta)]
            case PartStarted():
                delta = form.delta(event, state)
                return [*self._begin(choice), *([] if delta is None else [self._chunk(choice, delta)])]
            case PartFinished(index=index) if (whole := form.finished_part(index, state)) is not None:
                return [self._chunk(choice, whole)]
            case RunFinished(reason=reason):
                annotations = self._annotations(state)
                annotated = [self._chunk(choice, form.annotations_chunk(annotations))] if annotations else []
                return [*self._begin(choice), *annotated, self._chunk(choice, form.last_chunk(reason))]
            case _:
                return []

    def end(self, error: EclairError | None = None) -> list[JSON | bytes]:
        """See `Renderer.end`."""
        if error is not None:
            return [errors.body(error), DONE]
        usage: JSON = {**self._head(self._form.chunk_object, 0), "choices": [], "usage": self._usage()}
        return [usage, DONE] if self._include_usage else [DONE]

    def full_response(self) -> JSON:
        """See `Renderer.full_response`."""
        form = self._form
        choices = [
            {"index": index, **form.full_choice(choice, self._annotations(choice))}
            for index, choice in enumerate(self._choices)
        ]
        usage = self._usage()  # without a count there is no field: some clients read whatever is in it
        return {**self._head(form.object, 0), "choices": choices, **({} if usage is None else {"usage": usage})}

    def _head(self, object: str, choice: int) -> JSON:
        """Return the fields that all objects share; the model is the one that wrote this choice."""
        turn = self._answers[choice].turn
        return {
            "id": self._id,
            "object": object,
            "created": self._created,
            "model": turn.model.id if turn is not None else "",
            "system_fingerprint": None if turn is None else find_fingerprint(turn.model.engine, turn.model.id),
        }

    def _begin(self, choice: int) -> list[JSON]:
        """Return the first chunk of a choice, unless it was sent."""
        if choice in self._heads:
            return []
        self._heads[choice] = self._head(self._form.chunk_object, choice)
        return [self._chunk(choice, self._form.first_chunk())]

    def _chunk(self, choice: int, body: JSON) -> JSON:
        return {**self._heads[choice], "choices": [{"index": choice, **body}], **self._tail}

    def _annotations(self, choice: Choice) -> list[JSON]:
        """List a choice's citations that have an address, which is all that OpenAI's format can express."""
        annotations: list[JSON] = []
        for citation in choice.citations:
            passage, start = choice.passages[citation.passage], choice.starts[citation.index]
            url = self._find_url(passage, citation.quote_start)
            if url is not None:
                cited: JSON = {
                    "start_index": start + citation.start,
                    "end_index": start + citation.end,
                    "title": describe_location(passage, citation.quote_start),
                    "url": url,
                }
                annotations.append({"type": "url_citation", "url_citation": cited})
        return annotations

    def _usage(self) -> JSON | None:
        """Count the prompt once and the answers together; None if the engine doesn't count tokens."""
        counts = [answer.token_usage for answer in self._answers if answer.token_usage is not None]
        return _usage(counts, predicted=_is_predicted(self._answers[0])) if counts else None


@lru_cache(maxsize=256)
def find_fingerprint(engine: str, model: str) -> str:
    """Return what stays the same while a seed can be expected to give the same answer."""
    return f"fp_{hashlib.sha256(f'{eclair.__version__} {engine} {model}'.encode()).hexdigest()[:10]}"


def _is_predicted(answer: AnswerStream) -> bool:
    return answer.turn is not None and answer.turn.request.prediction is not None


def _usage(counts: Sequence[TokenUsage], *, predicted: bool) -> JSON:
    completion = sum(count.completion_tokens for count in counts)
    prompt = counts[0].prompt_tokens
    usage: JSON = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": counts[0].cached_tokens or 0},
    }
    details: JSON = {}
    if any(count.reasoning_tokens is not None for count in counts):
        details["reasoning_tokens"] = sum(count.reasoning_tokens or 0 for count in counts)
    drafted = sum(count.drafted_tokens or 0 for count in counts)
    if drafted or predicted:
        accepted = sum(count.accepted_tokens or 0 for count in counts)
        details |= {"accepted_prediction_tokens": accepted, "rejected_prediction_tokens": drafted - accepted}
    if marked := sum(count.watermarked_tokens or 0 for count in counts):
        details["watermarked_tokens"] = marked
    return {**usage, "completion_tokens_details": details} if details else usage


def _scored(token: JSON) -> JSON:
    return {"token": token["token"], "logprob": token["logprob"], "bytes": token.get("bytes")}
