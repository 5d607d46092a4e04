"""`/v1`: OpenAI's dialect over the same engines (reference: OpenAI's API reference, chat and completions).

A request is passed to the engine that has the model and its pieces are rendered as OpenAI has them. What
Éclair cannot honour is refused by name. Nothing here is kept.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from eclair.app import App
from eclair.errors import (
    EclairError,
)
from eclair.generation.fallback import Asking
from eclair.generation.prompt import where
from eclair.llm.base import JSON, Counted, Ended, Piece
from eclair.llm.base import Request as EngineRequest
from eclair.schema.ids import new_id
from eclair.schema.messages import MODES, Passage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.server.openai import errors
from eclair.server.openai.chat_schema import ChatRequest, CompletionRequest
from eclair.server.openai.formats import Chat, Choice, Completion
from eclair.server.openai.sources import NONE, Grounded, Marked, ground
from eclair.server.principal import Caller
from eclair.server.sse import EventStream
from eclair.server.streaming import GONE, unbroken, unless_gone
from eclair.server.vision import pictured

ENDS = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class _Reply:
    """A reply being made: its form, its identity, and the streams of its choices. `address` is where Éclair is."""

    form: Chat | Completion
    choices: tuple[Asking, ...]
    answers: tuple[Marked, ...]
    sources: Grounded
    address: str
    id: str
    created: int

    def head(self, object: str, index: int = 0) -> JSON:
        """With the model that gives choice `index`."""
        model = self.choices[index].request.model
        return {"id": self.id, "object": object, "created": self.created, "model": model}

    def streams(self) -> list[AsyncGenerator[Piece, None]]:
        """One stream a choice."""
        return [answer.pieces() for answer in self.answers]

    def _page(self, passage: Passage, place: int) -> str:
        return f"{self.address}api/files/{passage.file}/pages/{passage.page_at(place).page}"

    def annotations(self, index: int) -> list[JSON]:
        """What of the choice stands on the web or in files that can be looked at: OpenAI's form knows addresses
        alone."""
        return [
            {
                "type": "url_citation",
                "url_citation": {
                    "start_index": citation.start,
                    "end_index": citation.end,
                    "title": where(passage, citation.quote_start),
                    "url": passage.url or self._page(passage, citation.quote_start),
                },
            }
            for citation, passage in self.answers[index].cited()
            if passage.url is not None or passage.file in self.sources.kept
        ]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/v1", tags=["OpenAI"])

    @api.get("/models")
    async def list_models() -> JSON:
        models = await app.registry.models()
        names = [mode for mode in MODES if models and mode not in {model.id for model in models}]
        return {"object": "list", "data": [*map(_model, models), *map(_mode, names)]}

    @api.get("/models/{id:path}")
    async def read_model(id: str) -> JSON:
        there = any(model.id == id for model in await app.registry.models())
        return _mode(id) if id in MODES and not there else _model((await app.registry.resolve(id))[1])

    @api.post("/chat/completions")
    async def chat(principal: Caller, body: ChatRequest, request: Request) -> Response:
        return await answer(principal, body, request, Chat())

    @api.post("/completions")
    async def complete(principal: Caller, body: CompletionRequest, request: Request) -> Response:
        return await answer(principal, body, request, Completion())

    async def answer(
        principal: Principal, body: ChatRequest | CompletionRequest, request: Request, form: Chat | Completion
    ) -> Response:
        chosen = await app.modes.called(body.model, body.question)
        files, said, web = body.files, body.said(), body.web
        wanted = ground(app, principal, files, said, chosen, web=web, plain=body.plain) if files or web else None
        sources = NONE if wanted is None else await unless_gone(request, wanted)
        if sources is None:
            return GONE

        seen = await unless_gone(request, pictured(app, principal, said, chosen.model))
        if seen is None:
            return GONE

        def request_of(index: int) -> Callable[[Model], EngineRequest]:
            def of(model: Model) -> EngineRequest:
                asked = _seeded(body.request(model, app.settings.max_tokens), index)
                return seen.shown(sources.shown(chosen.wishing(asked)), model)

            return of

        choices = tuple(Asking(chosen, request_of(index), partial(app.ask, principal)) for index in range(body.n or 1))
        answers = tuple(Marked(unbroken(choice.stream(), app.idle), sources) for choice in choices)
        id = new_id(form.prefix).replace("_", "-")
        reply = _Reply(form, choices, answers, sources, str(request.base_url), id, int(time.time()))
        if not body.stream:
            return await unless_gone(request, _whole(reply)) or GONE
        usage = body.stream_options is not None and body.stream_options.include_usage
        pieces = _in_turn(reply)
        first = await unless_gone(request, anext(pieces))
        return GONE if first is None else EventStream(_chunks(reply, first, pieces, usage))

    return api


def _seeded(request: EngineRequest, index: int) -> EngineRequest:
    """The request for one of several choices: with a seed each has its own, so that they differ."""
    seed = request.sampling.seed
    return request if seed is None else replace(request, sampling=replace(request.sampling, seed=seed + index))


def _model(model: Model) -> JSON:
    """As OpenAI has it, and what Mistral's client needs besides: `type` and `capabilities`."""
    return {
        "id": model.id,
        "object": "model",
        "created": 0,
        "owned_by": model.maker or model.engine,
        "type": "base",
        "capabilities": {"completion_chat": True},
        **({} if model.context is None else {"max_context_length": model.context}),
    }


def _mode(name: str) -> JSON:
    """A mode in the place of a model: whoever it chooses answers."""
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "eclair",
        "type": "base",
        "capabilities": {"completion_chat": True},
    }


async def _in_turn(reply: _Reply) -> AsyncGenerator[tuple[int, Piece], None]:
    """The pieces of one choice after the other, each with its choice's number."""
    for index, stream in enumerate(reply.streams()):
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                yield index, piece


async def _chunks(
    reply: _Reply, first: tuple[int, Piece], rest: AsyncGenerator[tuple[int, Piece], None], usage: bool
) -> AsyncGenerator[bytes, None]:
    """The reply as server-sent events. An error after the first word is an event of its own, then the end."""
    end: JSON = {"usage": None} if usage else {}
    counts: list[Counted] = []

    def event(index: int, choice: JSON) -> bytes:
        return _event({**heads[index], "choices": [{"index": index, **choice}], **end})

    opening = reply.form.opening()
    heads: dict[int, JSON] = {}
    try:
        async with aclosing(_after(first, rest)) as pieces:
            async for index, piece in pieces:
                if index not in heads:
                    heads[index] = reply.head(reply.form.chunk_object, index)
                    if opening is not None:
                        yield event(index, opening)
                match piece:
                    case Counted():
                        counts.append(piece)
                    case Ended():
                        if annotations := reply.annotations(index):
                            yield event(index, reply.form.annotated(annotations))
                        yield event(index, reply.form.ending(piece.reason))
                    case _:
                        yield event(index, reply.form.delta(piece))
        if usage:
            head = reply.head(reply.form.chunk_object)
            yield _event({**head, "choices": [], "usage": _usage(counts, reply.choices[0].request)})
    except EclairError as error:
        yield _event(errors.body(error))
    yield ENDS


async def _after(
    first: tuple[int, Piece], rest: AsyncGenerator[tuple[int, Piece], None]
) -> AsyncGenerator[tuple[int, Piece], None]:
    async with aclosing(rest):
        yield first
        async for item in rest:
            yield item


async def _whole(reply: _Reply) -> Response:
    choices = await _gather(reply)
    body: JSON = {
        **reply.head(reply.form.object),
        "choices": [{"index": index, **reply.form.whole(choice)} for index, choice in enumerate(choices)],
        "usage": _usage([choice.counted for choice in choices if choice.counted is not None], reply.choices[0].request),
    }
    return Response(orjson.dumps(body), media_type="application/json")


async def _gather(reply: _Reply) -> list[Choice]:
    async def one(index: int, stream: AsyncGenerator[Piece, None]) -> Choice:
        choice = Choice()
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                choice.take(piece)
        choice.annotations = reply.annotations(index)
        return choice

    tasks = [asyncio.create_task(one(index, stream)) for index, stream in enumerate(reply.streams())]
    try:
        return await asyncio.gather(*tasks)
    finally:  # where one fails, the others are not waited for
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _usage(counts: list[Counted], asked: EngineRequest) -> JSON | None:
    """The prompt is counted once, the answers together. None where the engine does not count."""
    if not counts:
        return None
    made = sum(counted.completion_tokens for counted in counts)
    prompt = counts[0].prompt_tokens
    usage: JSON = {
        "prompt_tokens": prompt,
        "completion_tokens": made,
        "total_tokens": prompt + made,
        "prompt_tokens_details": {"cached_tokens": counts[0].cached_tokens or 0},
    }
    drafted = sum(counted.drafted_tokens or 0 for counted in counts)
    if drafted or asked.prediction is not None:
        right = sum(counted.accepted_tokens or 0 for counted in counts)
        usage["completion_tokens_details"] = {
            "accepted_prediction_tokens": right,
            "rejected_prediction_tokens": drafted - right,
        }
    return usage


def _event(body: JSON) -> bytes:
    return b"data: " + orjson.dumps(body) + b"\n\n"
