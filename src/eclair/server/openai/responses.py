"""`/v1/responses`: OpenAI's Responses API over the same engines.

A response is built item by item: text becomes a message, thinking a reasoning item, a tool call a function_call.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from fastapi import APIRouter, Request
from starlette.responses import Response

from eclair.app import App
from eclair.errors import EclairError, EngineBusy
from eclair.generation.parts import ScoredDelta
from eclair.generation.pipeline import AnswerStream
from eclair.llm.base import JSON, TokenUsage
from eclair.schema.events import Cited, Event, PartDelta, PartStarted, RunFinished, SourceFound
from eclair.schema.ids import new_id
from eclair.schema.messages import Citation, FinishReason, PartKind, Passage, Sampling
from eclair.server.chat_input import last_question
from eclair.server.openai import errors
from eclair.server.openai.responses_schema import ResponsesRequest
from eclair.server.openai.retriever import RequestRetriever
from eclair.server.principal import Caller
from eclair.server.request_images import open_images
from eclair.server.request_prompt import start_answer
from eclair.server.streaming import CLIENT_GONE, relay, unless_disconnected

INCOMPLETE: dict[FinishReason, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Finish reasons of an incomplete response, in OpenAI's words."""


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/v1", tags=["OpenAI"])

    @api.post("/responses")
    async def respond(principal: Caller, body: ResponsesRequest, request: Request) -> Response:
        messages, web = list(body.prompt_messages()), body.uses_web
        route = await app.router.choose_named(body.model, last_question(messages))
        images = await unless_disconnected(request, open_images(app, principal, messages, route.model))
        if images is None:
            return CLIENT_GONE
        has_sources = body.files or web
        retriever = RequestRetriever(app, principal, body.files, messages, web=web) if has_sources else None
        max_tokens = app.settings.max_tokens
        answer = start_answer(
            app,
            principal,
            route,
            lambda model: body.request(model, max_tokens),
            images,
            retriever,
            allows_lead=body.is_plain_text,
        )
        return await relay(request, [answer], ResponseRenderer(body, answer), streamed=bool(body.stream))

    return api


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

    def to_output(self) -> JSON:
        if self.kind == "tool_call":
            return {**self.head, "arguments": self.text}
        return {**self.head, "content": [self.part()]}


class ResponseRenderer:
    """Implements `Renderer` for OpenAI's responses."""

    def __init__(self, body: ResponsesRequest, answer: AnswerStream) -> None:
        self._head = {"id": new_id("resp"), "object": "response", "created_at": int(time.time())}
        self._body = body
        self._answer = answer
        self._status = "in_progress"
        self._reason: FinishReason | None = None
        self._error: EclairError | None = None
        self._items: list[_Item] = []
        self._passages: dict[int, Passage] = {}
        self._open: int | None = None
        self._sent = 0

    def render(self, event: Event, choice: int) -> list[JSON]:
        """See `Renderer.render`."""
        match event:
            case PartStarted():
                return [*self._begin(), *self._finish("completed"), *self._start(event)]
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
                return [*self._begin(), *self._end("incomplete" if reason in INCOMPLETE else "completed")]
            case _:
                return []

    def end(self, error: EclairError | None = None) -> list[JSON | bytes]:
        """See `Renderer.end`."""
        if error is None:
            return []
        self._error = error
        begin = self._begin()
        return [*begin, self._event("error", **_error_event(error)), *self._end("failed")]

    def full_response(self) -> JSON:
        """See `Renderer.full_response`."""
        reason = INCOMPLETE.get(self._reason or "stop")
        usage = self._answer.token_usage
        return {
            **self._head,
            "status": self._status,
            "error": None if self._error is None else _error(self._error),
            "incomplete_details": None if reason is None else {"reason": reason},
            "output": [item.to_output() for item in self._items],
            "usage": None if usage is None else _usage(usage),
            **_echo(self._body, self._answer),
        }

    def _begin(self) -> list[JSON]:
        """Return the first events of the stream, unless they were sent."""
        return [] if self._sent else [self._event("response.created", response=self.full_response()), self._lifecycle()]

    def _end(self, status: str) -> list[JSON]:
        """End the open item, with the status of the response, and then the response."""
        self._status = status
        return [*self._finish("completed" if status == "completed" else "incomplete"), self._lifecycle()]

    def _annotate(self, citation: Citation) -> JSON:
        """Add a citation to its item."""
        item = self._items[citation.index]
        annotation = _annotation(citation, self._passages[citation.passage])
        item.annotations.append(annotation)
        number = len(item.annotations) - 1
        added = "response.output_text.annotation.added"
        return self._item_event(citation.index, added, annotation=annotation, annotation_index=number)

    def _lifecycle(self) -> JSON:
        return self._event(f"response.{self._status}", response=self.full_response())

    def _start(self, part: PartStarted) -> list[JSON]:
        head: JSON
        match part.kind:
            case "text" | "picture":
                head = {"id": new_id("msg"), "type": "message", "role": "assistant", "status": "in_progress"}
            case "reasoning":
                head = {"id": new_id("rs"), "type": "reasoning", "summary": [], "status": "in_progress"}
            case "tool_call":
                head = {"id": new_id("fc"), "type": "function_call", "status": "in_progress"}
                namespace, name = self._body.client_name(part.name or "")
                head |= {"call_id": part.id or new_id("call"), "name": name}
                head |= {} if namespace is None else {"namespace": namespace}
        item = _Item(part.kind, head)
        self._items.append(item)
        self._open = part.index
        if part.kind == "tool_call":
            return [self._event("response.output_item.added", output_index=part.index, item=item.to_output())]
        empty: JSON = {**head, "content": []}
        return [
            self._event("response.output_item.added", output_index=part.index, item=empty),
            self._item_event(part.index, "response.content_part.added", part=item.part()),
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
        item.head["status"] = status
        match item.kind:
            case "text" | "picture":
                brief = [_brief(token) for token in item.logprobs]
                done = [self._item_event(index, "response.output_text.done", text=item.text, logprobs=brief)]
            case "reasoning":
                done = [self._item_event(index, "response.reasoning_text.done", text=item.text)]
            case "tool_call":
                done = [self._item_event(index, "response.function_call_arguments.done", arguments=item.text)]
        if item.kind != "tool_call":
            done.append(self._item_event(index, "response.content_part.done", part=item.part()))
        return [*done, self._event("response.output_item.done", output_index=index, item=item.to_output())]

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


def _echo(body: ResponsesRequest, answer: AnswerStream) -> JSON:
    """Repeat the request's parameters, as every response does."""
    model, sampling = body.model, Sampling(body.temperature, body.top_p)
    if answer.turn is not None:
        model, sampling = answer.turn.request.model, answer.turn.request.sampling
    given = body.model_dump(include={"reasoning", "text", "tool_choice", "tools"}, by_alias=True, exclude_none=True)
    return {
        "model": model,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "metadata": body.metadata or {},
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None, **given.get("reasoning", {})},
        "temperature": sampling.temperature,
        "text": {"format": {"type": "text"}, **given.get("text", {})},
        "tool_choice": given.get("tool_choice", "auto"),
        "tools": given.get("tools", []),
        "top_p": sampling.top_p,
        "truncation": "disabled",
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
