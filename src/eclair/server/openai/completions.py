"""`/v1/completions`, OpenAI's plain completions, and `/v1/fim/completions`, Mistral's way to fill in code.

Nothing is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from eclair.app import App
from eclair.errors import EngineRefused
from eclair.generation.pipeline import AnswerStream
from eclair.generation.route import Route
from eclair.llm.base import Request as EngineRequest
from eclair.llm.base import detokenize
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.server.openai.chat_renderer import ChatFormat, ChatRenderer
from eclair.server.openai.completion_renderer import CompletionRenderer
from eclair.server.openai.completion_schema import CompletionRequest, FimRequest, PromptInput
from eclair.server.principal import Caller
from eclair.server.request_images import open_images
from eclair.server.request_prompt import start_answer
from eclair.server.streaming import CLIENT_GONE, Renderer, relay, unless_disconnected


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/v1", tags=["OpenAI"])

    @api.post("/completions")
    async def complete(principal: Caller, body: CompletionRequest, request: Request) -> Response:
        route = await app.router.choose_named(body.model, body.question)
        prompts = await unless_disconnected(request, _read_prompts(route, body.prompt))
        if prompts is None:
            return CLIENT_GONE
        asked = [(prompt, sample) for prompt in prompts for sample in range(body.samples)]
        answers = [await start(principal, body, route, prompt, sample) for prompt, sample in asked]
        return await send(body, answers, CompletionRenderer(body, prompts, answers), request)

    @api.post("/fim/completions")
    async def fill_in(principal: Caller, body: FimRequest, request: Request) -> Response:
        route = await app.router.choose_named(body.model, body.prompt)
        answers = [await start(principal, body, route, body.prompt, sample) for sample in range(body.n or 1)]
        renderer = ChatRenderer(ChatFormat(), answers, lambda _passage, _offset: None)
        return await send(body, answers, renderer, request)

    async def start(
        principal: Principal, body: CompletionRequest | FimRequest, route: Route, prompt: str, sample: int
    ) -> AnswerStream:
        images = await open_images(app, principal, [], route.model)
        return start_answer(
            app, principal, route, partial(_request, body, prompt, app.settings.max_tokens, sample), images
        )

    async def send(
        body: CompletionRequest | FimRequest, answers: Sequence[AnswerStream], renderer: Renderer, request: Request
    ) -> Response:
        try:
            return await relay(request, answers, renderer, streamed=bool(body.stream))
        except EngineRefused as error:
            if body.suffix and error.param is None:
                raise EngineRefused(error.message, param="suffix") from error
            raise

    return api


def _request(
    body: CompletionRequest | FimRequest, prompt: str, max_tokens: int | None, sample: int, model: Model
) -> EngineRequest:
    return body.request(prompt, model, max_tokens, sample)


async def _read_prompts(route: Route, prompts: Sequence[PromptInput]) -> list[str]:
    """Return the prompts as texts. Raises EngineRefused for token ids that the engine can't turn into text."""
    return [
        prompt if isinstance(prompt, str) else await detokenize(route.engine, route.model, prompt) for prompt in prompts
    ]
