"""`/v1/responses`, as OpenAI's reference has it, over the same engines: whole, or as the stream of its events.

A response is made item by item: a stretch of text is a message, of thought a reasoning item, a call a function_call.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import assert_never

from fastapi import APIRouter, Request
from starlette.responses import Response

from eclair.app import App
from eclair.errors import EclairError, EngineBusy
from eclair.generation.fallback import Asking
from eclair.generation.parts import PartEvent, Parts
from eclair.llm.base import JSON, Counted, Ended, Piece, Reasoning, Text, ToolCall
from eclair.llm.base import Request as EngineRequest
from eclair.schema.events import PartDelta, PartFinished, PartStarted
from eclair.schema.ids import new_id
from eclair.schema.messages import Citation, FinishReason, PartKind, Passage
from eclair.schema.models import Model
from eclair.server.chat_input import question
from eclair.server.openai.responses_schema import ResponsesRequest
from eclair.server.openai.sources import NONE, Marked, ground
from eclair.server.principal import Caller
from eclair.server.streaming import GONE, relay, unbroken, unless_gone
from eclair.server.vision import pictured


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/v1", tags=["OpenAI"])

    @api.post("/responses")
    async def respond(principal: Caller, body: ResponsesRequest, request: Request) -> Response:
        said = list(body.said())
        chosen = await app.modes.called(body.model, question(said))
        looks = body.files or body.web
        wanted = ground(app, principal, body.files, said, chosen, web=body.web, plain=body.plain) if looks else None
        sources = NONE if wanted is None else await unless_gone(request, wanted)
        if sources is None:
            return GONE
        longest = app.settings.max_tokens
        seen = await unless_gone(request, pictured(app, principal, said, chosen.model))
        if seen is None:
            return GONE

        def request_of(model: Model) -> EngineRequest:
            return seen.shown(sources.shown(chosen.wishing(body.request(model, longest))), model)

        asking = Asking(chosen, request_of, partial(app.ask, principal))
        marked = Marked(unbroken(asking.stream(), app.idle), sources)
        rendering = ResponseRendering(body, asking, marked)
        return await relay(request, marked.pieces(), rendering, streamed=bool(body.stream))

    return api


@dataclass(slots=True)
class _Item:
    """An item of the output in the making: `head` is what it is, `texts` what it says so far."""

    kind: PartKind
    head: JSON
    texts: list[str] = field(default_factory=list[str])
    logprobs: list[JSON] = field(default_factory=list[JSON])
    annotations: list[JSON] = field(default_factory=list[JSON])

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def part(self) -> JSON:
        """What it says, as a part of its content."""
        if self.kind == "reasoning":
            return {"type": "reasoning_text", "text": self.text}
        return {"type": "output_text", "text": self.text, "annotations": self.annotations, "logprobs": self.logprobs}

    def whole(self) -> JSON:
        if self.kind == "tool_call":
            return {**self.head, "arguments": self.text}
        return {**self.head, "content": [self.part()]}


class ResponseRendering:
    """Implements `Rendering`."""

    def __init__(self, body: ResponsesRequest, asking: Asking, marked: Marked) -> None:
        self._head = {"id": new_id("resp"), "object": "response", "created_at": int(time.time())}
        self._body = body
        self._asking = asking
        self._marked = marked
        self._status = "in_progress"
        self._reason: FinishReason | None = None
        self._error: EclairError | None = None
        self._counted: Counted | None = None
        self._parts = Parts()
        self._items: list[_Item] = []
        self._sent = 0

    def begin(self) -> list[JSON]:
        return [self._event("response.created", response=self.whole()), self._lifecycle()]

    def take(self, piece: Piece) -> list[JSON]:
        match piece:
            case Text() | Reasoning() | ToolCall():
                logprobs = [_logprob(token) for token in piece.logprobs] if isinstance(piece, Text) else []
                return [event for change in self._parts.take(piece) for event in self._change(change, logprobs)]
            case Counted():
                self._counted = piece
                return []
            case Ended():
                self._reason = piece.reason
                cut = piece.reason in ("length", "content_filter")
                return [*self._annotate(), *self._end("incomplete" if cut else "completed")]
            case _:
                assert_never(piece)

    def fail(self, error: EclairError) -> list[JSON]:
        self._error = error
        return self._end("failed")

    def whole(self) -> JSON:
        reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
        reason = reasons.get(self._reason or "")
        return {
            **self._head,
            "status": self._status,
            "error": None if self._error is None else _error(self._error),
            "incomplete_details": None if reason is None else {"reason": reason},
            "output": [item.whole() for item in self._items],
            "usage": None if self._counted is None else _usage(self._counted),
            **_echo(self._body, self._asking.request),
        }

    def _annotate(self) -> list[JSON]:
        """Where what is said stands, on the web or in files: each sentence that one supports."""
        events: list[JSON] = []
        start = 0
        for index, item in enumerate(self._items):
            if item.kind != "text":
                continue
            end = start + len(item.text)
            for citation, passage in self._marked.cited(start, end):
                annotation = _annotation(citation, passage, start)
                number = len(item.annotations)
                item.annotations.append(annotation)
                added = "response.output_text.annotation.added"
                events.append(self._about(index, added, annotation=annotation, annotation_index=number))
            start = end
        return events

    def _end(self, status: str) -> list[JSON]:
        self._status = status
        item_status = "completed" if status == "completed" else "incomplete"
        closing = [event for change in self._parts.finish() for event in self._change(change, [], item_status)]
        return [*closing, self._lifecycle()]

    def _lifecycle(self) -> JSON:
        return self._event(f"response.{self._status}", response=self.whole())

    def _change(self, change: PartEvent, logprobs: list[JSON], status: str = "completed") -> list[JSON]:
        match change:
            case PartStarted():
                return self._start(change)
            case PartDelta():
                return self._grow(change.index, change.text, logprobs)
            case PartFinished():
                return self._finish(change.index, status)

    def _start(self, part: PartStarted) -> list[JSON]:
        head: JSON
        match part.kind:
            case "text" | "picture":
                head = {"id": new_id("msg"), "type": "message", "role": "assistant", "status": "in_progress"}
            case "reasoning":
                head = {"id": new_id("rs"), "type": "reasoning", "summary": [], "status": "in_progress"}
            case "tool_call":
                head = {"id": new_id("fc"), "type": "function_call", "status": "in_progress"}
                head |= {"call_id": part.id or new_id("call"), "name": part.name or ""}
        item = _Item(part.kind, head)
        self._items.append(item)
        if part.kind == "tool_call":
            return [self._event("response.output_item.added", output_index=part.index, item=item.whole())]
        empty: JSON = {**head, "content": []}
        return [
            self._event("response.output_item.added", output_index=part.index, item=empty),
            self._about(part.index, "response.content_part.added", part=item.part()),
        ]

    def _grow(self, index: int, text: str, logprobs: list[JSON]) -> list[JSON]:
        item = self._items[index]
        item.texts.append(text)
        item.logprobs += logprobs
        if not text and not logprobs:
            return []
        match item.kind:
            case "text" | "picture":
                brief = [_brief(token) for token in logprobs]
                return [self._about(index, "response.output_text.delta", delta=text, logprobs=brief)]
            case "reasoning":
                return [self._about(index, "response.reasoning_text.delta", delta=text)]
            case "tool_call":
                return [self._about(index, "response.function_call_arguments.delta", delta=text)]

    def _finish(self, index: int, status: str) -> list[JSON]:
        item = self._items[index]
        item.head["status"] = status
        match item.kind:
            case "text" | "picture":
                brief = [_brief(token) for token in item.logprobs]
                said = [self._about(index, "response.output_text.done", text=item.text, logprobs=brief)]
            case "reasoning":
                said = [self._about(index, "response.reasoning_text.done", text=item.text)]
            case "tool_call":
                said = [self._about(index, "response.function_call_arguments.done", arguments=item.text)]
        if item.kind != "tool_call":
            said.append(self._about(index, "response.content_part.done", part=item.part()))
        return [*said, self._event("response.output_item.done", output_index=index, item=item.whole())]

    def _about(self, index: int, type: str, **more: object) -> JSON:
        """An event about what the item of that number says."""
        item = self._items[index]
        place: JSON = {"item_id": item.head["id"], "output_index": index}
        if item.kind != "tool_call":
            place["content_index"] = 0
        return self._event(type, **place, **more)

    def _event(self, type: str, **more: object) -> JSON:
        self._sent += 1
        return {"type": type, "sequence_number": self._sent - 1, **more}


def _echo(body: ResponsesRequest, asked: EngineRequest) -> JSON:
    """What was asked for, which every response repeats."""
    given = body.model_dump(include={"reasoning", "text", "tool_choice", "tools"}, by_alias=True, exclude_none=True)
    return {
        "model": asked.model,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "metadata": body.metadata or {},
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None, **given.get("reasoning", {})},
        "temperature": asked.sampling.temperature,
        "text": {"format": {"type": "text"}, **given.get("text", {})},
        "tool_choice": given.get("tool_choice", "auto"),
        "tools": given.get("tools", []),
        "top_p": asked.sampling.top_p,
        "truncation": "disabled",
    }


def _annotation(citation: Citation, passage: Passage, start: int) -> JSON:
    """Where a sentence stands, of a text that begins at character `start` of the answer."""
    if passage.url is None:
        end = citation.end - start
        return {"type": "file_citation", "file_id": passage.file, "filename": passage.name, "index": end}
    return {
        "type": "url_citation",
        "start_index": citation.start - start,
        "end_index": citation.end - start,
        "url": passage.url,
        "title": passage.name,
    }


def _usage(counted: Counted) -> JSON:
    return {
        "input_tokens": counted.prompt_tokens,
        "input_tokens_details": {"cached_tokens": counted.cached_tokens or 0, "cache_write_tokens": 0},
        "output_tokens": counted.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": counted.reasoning_tokens or 0},
        "total_tokens": counted.prompt_tokens + counted.completion_tokens,
    }


def _error(error: EclairError) -> JSON:
    code = "rate_limit_exceeded" if isinstance(error, EngineBusy) else "server_error"
    return {"code": code, "message": error.message}


def _logprob(token: JSON) -> JSON:
    """A token as engines tell it, in the form that a message's text has it."""
    top = [_token(other) for other in token.get("top_logprobs") or ()]
    return {**_token(token), "top_logprobs": top}


def _token(token: JSON) -> JSON:
    return {"token": token["token"], "logprob": token["logprob"], "bytes": token.get("bytes") or []}


def _brief(token: JSON) -> JSON:
    """The form that the events of a text have it: without its bytes."""
    top = [{"token": other["token"], "logprob": other["logprob"]} for other in token["top_logprobs"]]
    return {"token": token["token"], "logprob": token["logprob"], "top_logprobs": top}
