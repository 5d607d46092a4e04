"""Renders answers as OpenAI's responses.

A response is built item by item: text becomes a message, thinking a reasoning item, a tool call a function_call.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import cast

from eclair.errors import EclairError, EngineBusy
from eclair.generation.parts import ScoredDelta
from eclair.generation.pipeline import AnswerStream
from eclair.llm.base import JSON, TokenUsage
from eclair.llm.base import Request as EngineRequest
from eclair.schema.events import Cited, Event, PartDelta, PartStarted, RunFinished, SourceFound
from eclair.schema.ids import new_id
from eclair.schema.messages import Citation, FinishReason, PartKind, Passage
from eclair.server.openai import errors
from eclair.server.openai.code_interpreter import call_outputs, read_code
from eclair.server.openai.responses_schema import ResponsesRequest
from eclair.storage.responses import ResponseStatus, StoredItem, StoredResponse
from eclair.tools.run_python import PYTHON_TOOL_NAME

INCOMPLETE: dict[FinishReason, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Finish reasons of an incomplete response, in OpenAI's words."""


@dataclass(slots=True)
class _Item:
    """An output item as far as it has come: its fixed fields in `head`, its text so far in `texts`."""

    kind: PartKind
    head: JSON
    texts: list[str] = field(default_factory=list[str])
    logprobs: list[JSON] = field(default_factory=list[JSON])
    annotations: list[JSON] = field(default_factory=list[JSON])

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def part(self) -> JSON:
        """Return the text so far as a content part."""
        if self.kind == "reasoning":
            return {"type": "reasoning_text", "text": self.text}
        return {"type": "output_text", "text": self.text, "annotations": self.annotations, "logprobs": self.logprobs}

    @property
    def is_interpreted(self) -> bool:
        """True for a call of the code interpreter, whose item ends with its result."""
        return self.head["type"] == "code_interpreter_call"

    def to_output(self) -> JSON:
        if self.is_interpreted:
            return {**self.head, "code": read_code(self.text)}
        if self.kind == "tool_call":
            return {**self.head, "arguments": self.text}
        return {**self.head, "content": [self.part()]}


@dataclass(frozen=True, slots=True)
class InterpreterCalls:
    """Calls of the code interpreter: the id of its container, and the pictures of each by its id, as they come."""

    container: str = ""
    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


class ResponseRenderer:
    """Implements `Renderer` for OpenAI's responses."""

    def __init__(
        self,
        body: ResponsesRequest,
        answer: AnswerStream,
        request: EngineRequest,
        calls: InterpreterCalls,
        *,
        is_kept: bool,
    ) -> None:
        """Render `answer`; until its own request is known, `request` says what is asked of the engine."""
        self._calls = calls
        self._interpreted: dict[str, int] = {}
        """Places of the items of calls of the code interpreter, by the call's id."""
        self._results: dict[int, str] = {}
        """Calls by the index of the part that has their result."""
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
        self._items: list[_Item] = []
        self._passages: dict[int, Passage] = {}
        self._open: int | None = None
        self._sent = 0

    def render(self, event: Event, choice: int) -> list[JSON]:
        """See `Renderer.render`."""
        match event:
            case PartStarted(kind="tool_result", id=str(call)) if call in self._interpreted:
                self._results[event.index] = call
                return self._finish("completed")
            case PartDelta(index=index) if index in self._results:
                return self._finish_call(self._results[index], event.text)
            case PartStarted():
                return [*self.begin(), *self._finish("completed"), *self._start(event)]
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
        return [*begun, self._event("error", **_error_event(error)), *self._end("failed")]

    def cancel(self) -> list[JSON]:
        """End the response as cancelled, which clients know as an incomplete one of that status."""
        return self._end("cancelled")

    def full_response(self) -> JSON:
        """See `Renderer.full_response`."""
        reason = INCOMPLETE.get(self._reason or "stop")
        usage = self._answer.total_usage
        return {
            **self._head,
            "status": self._status,
            "completed_at": self._completed_at,
            "error": None if self._error is None else _error(self._error),
            "incomplete_details": None if reason is None else {"reason": reason},
            "output": [item.to_output() for item in self._items],
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
        return [] if self._sent else [self._event("response.created", response=self.full_response()), self._lifecycle()]

    def _end(self, status: ResponseStatus) -> list[JSON]:
        """End the open item, with the status of the response, and then the response."""
        begun = self.begin()
        self._status = status
        self._completed_at = int(time.time()) if status == "completed" else None
        finished = self._finish("completed" if status == "completed" else "incomplete")
        return [*begun, *finished, *self._break_off_calls(), self._lifecycle()]

    def _annotate(self, citation: Citation) -> JSON:
        """Add a citation to its item."""
        place = self._places[citation.index]
        item = self._items[place]
        annotation = _annotation(citation, self._passages[citation.passage])
        item.annotations.append(annotation)
        number = len(item.annotations) - 1
        added = "response.output_text.annotation.added"
        return self._item_event(place, added, annotation=annotation, annotation_index=number)

    def _lifecycle(self) -> JSON:
        name = "incomplete" if self._status == "cancelled" else self._status
        self._shown = self.full_response()
        return self._event(f"response.{name}", response=self._shown)

    def _start(self, part: PartStarted) -> list[JSON]:
        head: JSON
        match part.kind:
            case "text" | "picture" | "tool_result":
                head = {"id": new_id("msg"), "type": "message", "role": "assistant", "status": "in_progress"}
            case "reasoning":
                head = {"id": new_id("rs"), "type": "reasoning", "summary": [], "status": "in_progress"}
            case "tool_call" if part.name == PYTHON_TOOL_NAME and self._calls.container:
                head = {"id": new_id("ci"), "type": "code_interpreter_call", "status": "in_progress"}
                head |= {"container_id": self._calls.container, "outputs": None}
                self._interpreted[part.id or ""] = len(self._items)
            case "tool_call":
                head = {"id": new_id("fc"), "type": "function_call", "status": "in_progress"}
                namespace, name = self._body.client_name(part.name or "")
                head |= {"call_id": part.id or new_id("call"), "name": name}
                head |= {} if namespace is None else {"namespace": namespace}
        item, place = _Item(part.kind, head), len(self._items)
        self._items.append(item)
        self._open = self._places[part.index] = place
        if part.kind == "tool_call":
            added = self._event("response.output_item.added", output_index=place, item=item.to_output())
            begun = "response.code_interpreter_call.in_progress"
            return [added, self._item_event(place, begun)] if item.is_interpreted else [added]
        empty: JSON = {**head, "content": []}
        return [
            self._event("response.output_item.added", output_index=place, item=empty),
            self._item_event(place, "response.content_part.added", part=item.part()),
        ]

    def _grow(self, part: int, text: str, logprobs: list[JSON]) -> list[JSON]:
        index = self._places[part]
        item = self._items[index]
        item.texts.append(text)
        item.logprobs += logprobs
        if (not text and not logprobs) or item.is_interpreted:
            return []
        match item.kind:
            case "text" | "picture" | "tool_result":
                brief = [_brief(token) for token in logprobs]
                return [self._item_event(index, "response.output_text.delta", delta=text, logprobs=brief)]
            case "reasoning":
                return [self._item_event(index, "response.reasoning_text.delta", delta=text)]
            case "tool_call":
                return [self._item_event(index, "response.function_call_arguments.delta", delta=text)]

    def _finish(self, status: str) -> list[JSON]:
        """End the open item, if there is one."""
        if self._open is None:
            return []
        index, self._open = self._open, None
        item = self._items[index]
        if item.is_interpreted:
            return self._interpret(index, status)
        item.head["status"] = status
        match item.kind:
            case "text" | "picture" | "tool_result":
                brief = [_brief(token) for token in item.logprobs]
                done = [self._item_event(index, "response.output_text.done", text=item.text, logprobs=brief)]
            case "reasoning":
                done = [self._item_event(index, "response.reasoning_text.done", text=item.text)]
            case "tool_call":
                named = {"name": item.head["name"], "arguments": item.text}
                done = [self._item_event(index, "response.function_call_arguments.done", **named)]
        if item.kind != "tool_call":
            done.append(self._item_event(index, "response.content_part.done", part=item.part()))
        return [*done, self._event("response.output_item.done", output_index=index, item=item.to_output())]

    def _interpret(self, index: int, status: str) -> list[JSON]:
        """Show the code of a call that the code interpreter is about to run; one that breaks off isn't run."""
        item = self._items[index]
        code, name = item.to_output()["code"], "response.code_interpreter_call"
        shown = [
            self._item_event(index, f"{name}_code.delta", delta=code),
            self._item_event(index, f"{name}_code.done", code=code),
        ]
        if status != "completed" or self._status != "in_progress":
            item.head["status"] = "incomplete"
            return [*shown, self._event("response.output_item.done", output_index=index, item=item.to_output())]
        item.head["status"] = "interpreting"
        return [*shown, self._item_event(index, f"{name}.interpreting")]

    def _break_off_calls(self) -> list[JSON]:
        """End calls that got no result, since the answer ended before."""
        found: list[JSON] = []
        for index, item in enumerate(self._items):
            if item.is_interpreted and item.head["status"] == "interpreting":
                item.head["status"] = "incomplete"
                found.append(self._event("response.output_item.done", output_index=index, item=item.to_output()))
        return found

    def _finish_call(self, call: str, result: str) -> list[JSON]:
        """End a call of the code interpreter by its result."""
        index = self._interpreted[call]
        item = self._items[index]
        item.head |= {"status": "completed", "outputs": call_outputs(result, self._calls.images.get(call, ()))}
        return [
            self._item_event(index, "response.code_interpreter_call.completed"),
            self._event("response.output_item.done", output_index=index, item=item.to_output()),
        ]

    def _item_event(self, index: int, type: str, **more: object) -> JSON:
        """Build an event about the content of an item."""
        item = self._items[index]
        location: JSON = {"item_id": item.head["id"], "output_index": index}
        if item.kind != "tool_call":
            location["content_index"] = 0
        return self._event(type, **location, **more)

    def _event(self, type: str, **more: object) -> JSON:
        self._sent += 1
        return {"type": type, "sequence_number": self._sent - 1, **more}


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
