"""`/api/embed` and `/api/embeddings`: Ollama's embeddings over the models that `/v1/embeddings` has."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import orjson
from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from eclair.app import App
from eclair.llm.base import JSON, Embeddings
from eclair.schema.principal import Principal
from eclair.server.ollama.model_names import find_id
from eclair.server.ollama.renderer import nanoseconds
from eclair.server.ollama.schema import OllamaBody
from eclair.server.principal import Caller
from eclair.server.streaming import CLIENT_GONE, unless_disconnected


class EmbedRequest(OllamaBody):
    """Texts to embed. A text that is too long is shortened by the model's engine, or refused there."""

    input: str | Annotated[list[str], Field(max_length=2048)] = ""
    dimensions: Annotated[int | None, Field(ge=1, le=16384)] = None


class EmbedPromptRequest(OllamaBody):
    prompt: str = ""


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["Ollama"])

    @api.post("/embed")
    async def embed(principal: Caller, body: EmbedRequest, request: Request) -> Response:
        accepted = time.perf_counter()
        texts = [body.input] if isinstance(body.input, str) else body.input
        found = await embeddings(principal, body.model, texts, body.dimensions, request)
        if found is None:
            return CLIENT_GONE
        reply: JSON = {
            "model": body.model,
            "embeddings": found.vectors,
            "total_duration": nanoseconds(time.perf_counter() - accepted),
            "load_duration": nanoseconds(0),
            "prompt_eval_count": found.tokens,
        }
        return Response(await asyncio.to_thread(orjson.dumps, reply), media_type="application/json")

    @api.post("/embeddings")
    async def embed_prompt(principal: Caller, body: EmbedPromptRequest, request: Request) -> Response:
        found = await embeddings(principal, body.model, [body.prompt], None, request)
        if found is None:
            return CLIENT_GONE
        reply: JSON = {"embedding": found.vectors[0] if found.vectors else []}
        return Response(orjson.dumps(reply), media_type="application/json")

    async def embeddings(
        principal: Principal, name: str, texts: list[str], dimensions: int | None, request: Request
    ) -> Embeddings | None:
        """Embed the texts; a single empty one has no vector. None if the client has gone."""
        id = await find_id(app, name)
        if texts in ([], [""]):
            return Embeddings([], 0)
        return await unless_disconnected(request, app.embeddings.embed(principal, id, texts, dimensions))

    return api
