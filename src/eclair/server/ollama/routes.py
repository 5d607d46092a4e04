"""`/api/chat` and `/api/generate`: Ollama's API over the same models. Nothing is stored."""

from __future__ import annotations

import time
from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from eclair.app import App
from eclair.errors import InvalidInput
from eclair.generation.route import Route
from eclair.llm.base import PromptMessage, RemoteEngine
from eclair.llm.base import Request as EngineRequest
from eclair.llm.infill import can_fill_in
from eclair.schema.principal import Principal
from eclair.server.chat_input import last_question
from eclair.server.ollama.model_names import find_id, tagged_name
from eclair.server.ollama.renderer import LINES, NDJSON, OllamaRenderer, ReplyKind, reply_body, written_time
from eclair.server.ollama.schema import AskingBody, OllamaChatRequest, OllamaGenerateRequest
from eclair.server.principal import Caller
from eclair.server.request_images import open_images
from eclair.server.request_prompt import start_answer
from eclair.server.streaming import CLIENT_GONE, relay, unless_disconnected


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["Ollama"])

    @api.post("/chat", responses=LINES)
    async def chat(principal: Caller, body: OllamaChatRequest, request: Request) -> Response:
        if body.messages:
            return await answer("chat", principal, body, request)
        return await load("chat", body, request)

    @api.post("/generate", responses=LINES)
    async def generate(principal: Caller, body: OllamaGenerateRequest, request: Request) -> Response:
        if body.asks:
            return await answer("generate", principal, body, request)
        return await load("generate", body, request)

    async def find_route(body: AskingBody, question: str) -> Route:
        return await app.router.choose_named(await find_id(app, body.model), question)

    async def answer(
        kind: ReplyKind, principal: Principal, body: OllamaChatRequest | OllamaGenerateRequest, request: Request
    ) -> Response:
        accepted = time.perf_counter()
        messages = body.prompt_messages()
        route = await find_route(body, last_question(messages))
        images = await unless_disconnected(request, open_images(app, principal, messages, route.model))
        if images is None:
            return CLIENT_GONE
        build_request = partial(body.request, max_tokens=app.settings.max_tokens)
        if isinstance(body, OllamaGenerateRequest) and body.suffix:
            await _require_infill(route)
        build_request(route.model)  # it is refused before the stream begins
        stream = start_answer(app, principal, route, build_request, images, shows_steps=True)
        renderer = OllamaRenderer(
            kind,
            stream,
            route.model.id,
            accepted,
            shows_thinking=body.think is not False,
            top_logprobs=body.top_logprobs or 0,
        )
        return await relay(
            request,
            [stream],
            renderer,
            streamed=body.stream is not False,
            heartbeat=renderer.heartbeat(),
            content_type=NDJSON,
        )

    async def load(kind: ReplyKind, body: AskingBody, request: Request) -> Response:
        """Load the model of a request that asks nothing, or unload it if it shall not be kept."""
        route = await find_route(body, "")
        if body.unloads:
            await app.registry.release(route.model.id)
        elif not await unless_disconnected(request, _load(route)):
            return CLIENT_GONE
        ending = {"done": True, "done_reason": "unload" if body.unloads else "load"}
        return JSONResponse(
            {"model": tagged_name(route.model.id), "created_at": written_time(), **reply_body(kind), **ending}
        )

    return api


async def _load(route: Route) -> bool:
    await route.engine.prefill(EngineRequest(route.model.id, (PromptMessage("user", "Hi"),), purpose="prefill"))
    return True


async def _require_infill(route: Route) -> None:
    """Raise InvalidInput for a model that can't fill in the middle. A server decides for itself."""
    if not isinstance(route.engine, RemoteEngine) and not await can_fill_in(route.engine, route.model):
        raise InvalidInput(f'"{route.model.id}" does not support insert; leave `suffix` out.', param="suffix")
