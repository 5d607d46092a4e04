"""Renders answers as OpenAI's responses.

A response is built item by item: text becomes a message, thinking a reasoning item, a tool call a function_call.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import cast

from eclair.errors import EclairError, EngineBusy
from eclair.generation.parts import ScoredDelta
from eclair.generation.pipeline import AnswerStream
from eclair.llm.base import JSON, TokenUsage
from eclair.llm.base import Request as EngineRequest
from eclair.schema.events import (
    CallBegan,
    CallEnded,
    Cited,
    Event,
    PartDelta,
    PartStarted,
    RunFinished,
    SourceFound,
    StepStarted,
)
from eclair.schema.ids import new_id
from eclair.schema.messages import Citation, FinishReason, Passage
from eclair.server.openai import errors
from eclair.server.openai.hosted_calls import INCLUDABLE, HostedCalls
from eclair.server.openai.hosted_tools import HostedTools
from eclair.server.openai.output_items import OutputItem, ResponseOutput
from eclair.server.openai.responses_schema import ResponsesRequest
from eclair.storage.responses import ResponseStatus, StoredItem, StoredResponse

INCOMPLETE: dict[FinishReason, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Finish reasons of an incomplete response, in OpenAI's words."""


class ResponseRenderer:
    """Implements `Renderer` for OpenAI's responses."""

    def __init__(
        self,
        body: ResponsesRequest,
        answer: AnswerStream,
        request: EngineRequest,
        hosted: HostedTools,
        *,
        is_kept: bool,
    ) -> None:
        """Render `answer`; until its own request is known, `request` says what is asked of the engine."""
        self._output = ResponseOutput()
        included = frozenset(name for name in INCLUDABLE if body.includes(name))
        self._calls = HostedCalls(self._output, hosted, included)
        self._places: dict[int, int] = {}
        """Places of items by the index of their part."""
        self.id = new_id("resp")
        self._head = {"id": self.id, "object": "response", "created_at": int(time.time())}
        self._body = body
        self._answer = answer
        self._request = request
        self._is_kept = is_kept
        self._shown: JSON = {}
        """The response as it was shown last."""
        self._status: ResponseStatus = "in_progress"
        self._completed_at: int | None = None
        self._reason: FinishReason | None = None
        self._error: EclairError | None = None
        self._passages: dict[int, Passage] = {}
        self._open: int | None = None

    def render(self, event: Event, choice: int) -> list[JSON]:
        """See `Renderer.render`."""
        match event:
            case PartStarted(kind="tool_result") if self._calls.has_call(event.id):
                self._calls.expect_result(event)
                return self._finish("completed")
            case PartDelta(index=index) if self._calls.is_result(index):
                return self._calls.add_result(index, event.text)
            case StepStarted(kind=kind) if not self._places and (type := self._calls.begins_search(kind)) is not None:
                return [*self.begin(), *self._calls.begin_search(type)]
            case CallBegan(call=call) if self._calls.has_call(call):
                return self._finish("completed")
            case CallEnded(call=call) if self._calls.has_call(call):
                found = [self._passages[number] for number in event.passages]
                return [*self._finish("completed"), *self._calls.end_search(event, found)]
            case PartStarted():
                return [*self.begin(), *self._end_searches(), *self._finish("completed"), *self._start(event)]
            case PartDelta():
                logprobs = [_logprob(token) for token in event.logprobs] if isinstance(event, ScoredDelta) else []
                return self._grow(event.index, event.text, logprobs)
            case SourceFound(passage=passage):
                self._passages[passage.number] = passage
                return []
            case Cited(citation=citation):
                return [self._annotate(citation)]
            case RunFinished(reason=reason):
                self._reason = reason
                return self._end("incomplete" if reason in INCOMPLETE else "completed")
            case _:
                return []

    def end(self, error: EclairError | None = None) -> list[JSON | bytes]:
        """See `Renderer.end`."""
        return [] if error is None else [*self.fail(error)]

    def fail(self, error: EclairError) -> list[JSON]:
        """End the response by an error."""
        self._error = error
        begun = self.begin()
        return [*begun, self._output.event("error", **_error_event(error)), *self._end("failed")]

    def cancel(self) -> list[JSON]:
        """End the response as cancelled, which clients know as an incomplete one of that status."""
        return self._end("cancelled")

    def full_response(self) -> JSON:
        """See `Renderer.full_response`."""
        reason = INCOMPLETE.get(self._reason or "stop")
        usage = self._answer.token_usage
        return {
            **self._head,
            "status": self._status,
            "completed_at": self._completed_at,
            "error": None if self._error is None else _error(self._error),
            "incomplete_details": None if reason is None else {"reason": reason},
            "output": [item.to_output() for item in self._output.items],
            "usage": None if usage is None else _usage(usage),
            "store": self._is_kept,
            **_echo(self._body, self._request if self._answer.turn is None else self._answer.turn.request),
        }

    def stored(self) -> tuple[StoredResponse, list[StoredItem]]:
        """Return the response as it stands, for the store, and its output."""
        body = self.full_response()
        output = cast(list[JSON], body.pop("output"))
        response = StoredResponse(
            id=self.id,
            process="",
            status=self._status,
            body=body,
            background=bool(self._body.background),
            previous=self._body.previous_response_id,
            conversation=self._body.conversation_id,
        )
        return response, [StoredItem(item["id"], item) for item in output]

    def note_unstored(self) -> None:
        """Say that the response, which ends, could not be stored."""
        self._is_kept = self._shown["store"] = False

    def begin(self) -> list[JSON]:
        """Return the first events of the stream, unless they were sent."""
        if self._output.sent:
            return []
        return [self._output.event("response.created", response=self.full_response()), self._lifecycle()]

    def _end(self, status: ResponseStatus) -> list[JSON]:
        """End the open item, with the status of the response, and then the response."""
        begun = self.begin()
        self._status = status
        self._completed_at = int(time.time()) if status == "completed" else None
        searched = self._end_searches() if status == "completed" else []
        finished = self._finish("completed" if status == "completed" else "incomplete")
        return [*begun, *searched, *finished, *self._calls.break_off(), self._lifecycle()]

    def _end_searches(self) -> list[JSON]:
        """End the searches that were made before the model was asked."""
        return [] if self._places else self._calls.end_searches(list(self._passages.values()))

    def _annotate(self, citation: Citation) -> JSON:
        """Add a citation to its item."""
        place = self._places[citation.index]
        item = self._output.items[place]
        annotation = _annotation(citation, self._passages[citation.passage])
        item.annotations.append(annotation)
        number = len(item.annotations) - 1
        added = "response.output_text.annotation.added"
        return self._output.item_event(place, added, annotation=annotation, annotation_index=number)

    def _lifecycle(self) -> JSON:
        name = "incomplete" if self._status == "cancelled" else self._status
        self._shown = self.full_response()
        return self._output.event(f"response.{name}", response=self._shown)

    def _start(self, part: PartStarted) -> list[JSON]:
        head: JSON
        match part.kind:
            case "text" | "picture" | "tool_result":
                head = {"id": new_id("msg"), "type": "message", "role": "assistant", "status": "in_progress"}
            case "reasoning":
                head = {"id": new_id("rs"), "type": "reasoning", "summary": [], "status": "in_progress"}
            case "tool_call" if self._calls.owns(part.name):
                place, begun = self._calls.start(part)
                self._open = self._places[part.index] = place
                return begun
            case "tool_call":
                head = {"id": new_id("fc"), "type": "function_call", "status": "in_progress"}
                namespace, name = self._body.client_name(part.name or "")
                head |= {"call_id": part.id or new_id("call"), "name": name}
                head |= {} if namespace is None else {"namespace": namespace}
        place = self._output.add(OutputItem(part.kind, head))
        self._open = self._places[part.index] = place
        if part.kind == "tool_call":
            return [self._output.added(place)]
        content = self._output.items[place].part()
        added = self._output.added(place, is_empty=True)
        return [added, self._output.item_event(place, "response.content_part.added", part=content)]

    def _grow(self, part: int, text: str, logprobs: list[JSON]) -> list[JSON]:
        index = self._places[part]
        item = self._output.items[index]
        item.texts.append(text)
        item.logprobs += logprobs
        if (not text and not logprobs) or self._calls.is_item(index):
            return []
        match item.kind:
            case "text" | "picture" | "tool_result":
                brief = [_brief(token) for token in logprobs]
                return [self._output.item_event(index, "response.output_text.delta", delta=text, logprobs=brief)]
            case "reasoning":
                return [self._output.item_event(index, "response.reasoning_text.delta", delta=text)]
            case "tool_call":
                return [self._output.item_event(index, "response.function_call_arguments.delta", delta=text)]

    def _finish(self, status: str) -> list[JSON]:
        """End the open item, if there is one."""
        if self._open is None:
            return []
        index, self._open = self._open, None
        item = self._output.items[index]
        if self._calls.is_item(index):
            return self._calls.finish(index, is_made=status == "completed" and self._status == "in_progress")
        item.head["status"] = status
        match item.kind:
            case "text" | "picture" | "tool_result":
                brief = [_brief(token) for token in item.logprobs]
                done = [self._output.item_event(index, "response.output_text.done", text=item.text, logprobs=brief)]
            case "reasoning":
                done = [self._output.item_event(index, "response.reasoning_text.done", text=item.text)]
            case "tool_call":
                named = {"name": item.head["name"], "arguments": item.text}
                done = [self._output.item_event(index, "response.function_call_arguments.done", **named)]
        if item.kind != "tool_call":
            done.append(self._output.item_event(index, "response.content_part.done", part=item.part()))
        return [*done, self._output.done(index)]


class BackgroundAnswer:
    """Implements `ResponseProducer` for an answer."""

    def __init__(self, answer: AnswerStream, renderer: ResponseRenderer) -> None:
        self._answer = answer
        self._renderer = renderer

    async def events(self) -> AsyncGenerator[list[JSON], None]:
        """See `ResponseProducer.events`."""
        yield self._renderer.begin()
        async with aclosing(self._answer.events()) as events:
            async for event in events:
                yield self._renderer.render(event, 0)

    def end(self, error: EclairError | None, *, is_cancelled: bool) -> list[JSON]:
        """See `ResponseProducer.end`."""
        if is_cancelled:
            return self._renderer.cancel()
        if error is not None:
            return self._renderer.fail(error)
        return [each for event in self._answer.closing_events() for each in self._renderer.render(event, 0)]

    def outcome(self, response: StoredResponse) -> tuple[StoredResponse, list[StoredItem]]:
        """See `ResponseProducer.outcome`."""
        ended, output = self._renderer.stored()
        return replace(ended, process=response.process), output


def _echo(body: ResponsesRequest, sent: EngineRequest) -> JSON:
    """Repeat the request's parameters, as every response does."""
    given = body.model_dump(include={"reasoning", "text", "tool_choice", "tools"}, by_alias=True, exclude_none=True)
    conversation = body.conversation_id
    return {
        "model": sent.model,
        "background": bool(body.background),
        "conversation": None if conversation is None else {"id": conversation},
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "metadata": body.metadata or {},
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "previous_response_id": body.previous_response_id,
        "reasoning": {"effort": None, "summary": None, **given.get("reasoning", {})},
        "service_tier": "default",
        "temperature": sent.sampling.temperature,
        "text": {"format": {"type": "text"}, **given.get("text", {})},
        "tool_choice": given.get("tool_choice", "auto"),
        "tools": given.get("tools", []),
        "top_logprobs": body.top_logprobs or 0,
        "top_p": sent.sampling.top_p,
        "truncation": "disabled",
        "user": body.user,
    }


def _annotation(citation: Citation, passage: Passage) -> JSON:
    """Render a citation of a file or a web page."""
    if passage.url is None:
        return {
            "type": "file_citation",
            "file_id": passage.file,
            "filename": passage.name,
            "index": citation.end,
        }
    return {
        "type": "url_citation",
        "start_index": citation.start,
        "end_index": citation.end,
        "url": passage.url,
        "title": passage.name,
    }


def _usage(usage: TokenUsage) -> JSON:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens or 0, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def _error(error: EclairError) -> JSON:
    code = "rate_limit_exceeded" if isinstance(error, EngineBusy) else "server_error"
    return {"code": code, "message": error.message}


def _error_event(error: EclairError) -> JSON:
    """Build the fields of an `error` event: those of the reference, and the `error` by which OpenAI's clients raise."""
    return {"code": error.code, "message": error.message, "param": error.param, **errors.body(error)}


def _logprob(token: JSON) -> JSON:
    """Convert an engine's token logprob to the format of a message's text."""
    top = [_token(other) for other in token.get("top_logprobs") or ()]
    return {**_token(token), "top_logprobs": top}


def _token(token: JSON) -> JSON:
    return {"token": token["token"], "logprob": token["logprob"], "bytes": token.get("bytes") or []}


def _brief(token: JSON) -> JSON:
    """Convert a token logprob to the format of text events, which has no bytes."""
    top = [{"token": other["token"], "logprob": other["logprob"]} for other in token["top_logprobs"]]
    return {"token": token["token"], "logprob": token["logprob"], "top_logprobs": top}
