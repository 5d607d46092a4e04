"""`/v1`: OpenAI's dialect over the same models (reference: OpenAI's API reference, chat and completions).

A request is answered by the pipeline, and its events are rendered as OpenAI has them. What Éclair cannot honor is
refused by name. Nothing here is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from eclair.app import App
from eclair.generation.sources import SharedRetriever
from eclair.llm.base import JSON
from eclair.llm.base import Request as EngineRequest
from eclair.schema.messages import MODES, Passage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.server.openai.chat_renderer import ChatForm, CompletionForm, CompletionRenderer, Form
from eclair.server.openai.chat_schema import ChatRequest, CompletionRequest
from eclair.server.openai.retriever import RequestRetriever
from eclair.server.principal import Caller
from eclair.server.request_images import open_images
from eclair.server.request_prompt import answer
from eclair.server.streaming import GONE, relay, unless_gone


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
        return await complete_with(principal, body, request, ChatForm())

    @api.post("/completions")
    async def complete(principal: Caller, body: CompletionRequest, request: Request) -> Response:
        return await complete_with(principal, body, request, CompletionForm())

    async def complete_with(
        principal: Principal, body: ChatRequest | CompletionRequest, request: Request, form: Form
    ) -> Response:
        route = await app.router.choose_named(body.model, body.question)
        files, said = body.files, body.said()
        images = await unless_gone(request, open_images(app, principal, said, route.model))
        if images is None:
            return GONE
        found = RequestRetriever(app, principal, files, said, web=body.web) if files or body.web else None
        choices = body.n or 1
        shared = SharedRetriever(found) if found is not None and choices > 1 else found
        longest = app.settings.max_tokens
        answers = [
            answer(app, principal, route, partial(_request, body, longest, choice), images, shared, leads=body.plain)
            for choice in range(choices)
        ]
        counts = body.stream_options is not None and body.stream_options.include_usage
        renderer = CompletionRenderer(form, answers, _pages(str(request.base_url), found), counts=counts)
        return await relay(request, answers, renderer, streamed=body.stream)

    return api


def _request(body: ChatRequest | CompletionRequest, max_tokens: int, choice: int, model: Model) -> EngineRequest:
    """The request for one of several choices: with a seed each has its own, so that they differ."""
    request = body.request(model, max_tokens)
    seed = request.sampling.seed
    return request if seed is None else replace(request, sampling=replace(request.sampling, seed=seed + choice))


def _pages(address: str, found: RequestRetriever | None) -> Callable[[Passage, int], str | None]:
    """Find the address of a page: that of the web, or where Éclair, which is at `address`, shows a file it keeps."""

    def page_of(passage: Passage, place: int) -> str | None:
        if passage.url is not None:
            return passage.url
        is_kept = found is not None and passage.file in found.kept
        return f"{address}api/files/{passage.file}/pages/{passage.page_at(place).page}" if is_kept else None

    return page_of


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
