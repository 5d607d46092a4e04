"""`/v1/moderations`: OpenAI's moderation API, passed on to a server that has a moderation model."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import JSONResponse, Response

from eclair.app import App
from eclair.errors import AbilityMissing
from eclair.llm.base import JSON
from eclair.llm.openai.model_names import is_moderation_model
from eclair.llm.openai.openai_engine import OpenAIEngine
from eclair.server.request_body import RequestBody
from eclair.server.streaming import CLIENT_GONE, unless_disconnected


class ModerationRequest(RequestBody):
    input: str | Annotated[list[str], Field(min_length=1)] | Annotated[list[JSON], Field(min_length=1)]
    model: str | None = None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/v1", tags=["OpenAI"])

    @api.post("/moderations")
    async def moderate(body: ModerationRequest, request: Request) -> Response:
        engine, model = await _find_moderator(app, body.model)
        call = engine.fetch(f"{engine.url}/moderations", {"model": model, "input": body.input})
        reply = await unless_disconnected(request, call)
        return CLIENT_GONE if reply is None else JSONResponse(reply)

    return api


async def _find_moderator(app: App, wanted: str | None) -> tuple[OpenAIEngine, str]:
    """Return the engine and the model of that name, or the first moderation model. Raises AbilityMissing."""
    models = [model.id for model in await app.registry.models() if is_moderation_model(model.id)]
    name = wanted if wanted in models else next(iter(models), None) if wanted is None else None
    engine = (await app.registry.resolve(name))[0] if name is not None else None
    if name is None or not isinstance(engine, OpenAIEngine):
        have = f" There is {', '.join(models)}." if models else ""
        raise AbilityMissing(
            f"No server here has {wanted or 'a moderation model'}; add one that does with `eclair engines add`.{have}",
            param="model",
        )
    return engine, name
