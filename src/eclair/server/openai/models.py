"""`/v1/models`: the models with their abilities, context and price, for clients of OpenAI, Mistral and Anthropic."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from fastapi import APIRouter, Request

from eclair.app import App
from eclair.generation.cost import find_rates
from eclair.llm.base import JSON
from eclair.llm.infill import can_fill_in
from eclair.llm.openai.model_names import is_chat_model, is_embedding_model, is_moderation_model, is_reranker
from eclair.schema.messages import MODES
from eclair.schema.models import Model
from eclair.server.openai.assistant_models import find_named_assistant, render_assistant
from eclair.server.principal import Caller
from eclair.settings import Settings

TOKENS_PER_PRICE = 1_000_000
ANTHROPIC_HEADER = "anthropic-version"
"""Sent by Anthropic's clients, which read another format."""


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/v1", tags=["OpenAI"])

    async def own_models() -> dict[str, Model]:
        """Return the models that documents use, by their ids."""
        speech = (*app.transcription.own_models, app.speaking.own_model)
        found = (app.embeddings.own_model, await asyncio.to_thread(lambda: app.reranking.own_model), *speech)
        return {model.id: model for model in found if model is not None}

    async def render(model: Model) -> JSON:
        engine = app.registry.engines.get(model.engine)
        can_infill = engine is not None and await can_fill_in(engine, model)
        return _model(app.settings, model, can_infill=can_infill)

    @api.get("/models")
    async def list_models(principal: Caller, request: Request) -> JSON:
        models = await app.registry.models()
        names = [mode for mode in MODES if models and mode not in {model.id for model in models}]
        own = await own_models()
        others = [await render(model) for model in models if model.id not in own]
        assistants = map(render_assistant, await app.assistants.list(principal))
        data = [*others, *map(_mode, names), *assistants, *[await render(model) for model in own.values()]]
        if ANTHROPIC_HEADER in request.headers:
            chatting = [_in_anthropic_form(each) for each in data if each["capabilities"]["completion_chat"]]
            return {"data": chatting, "has_more": False, **_ends(chatting)}
        return {"object": "list", "data": data}

    @api.get("/models/{id:path}")
    async def read_model(principal: Caller, id: str, request: Request) -> JSON:
        own = await find_named_assistant(app, principal, id)
        found = await find(id) if own is None else render_assistant(own)
        return _in_anthropic_form(found) if ANTHROPIC_HEADER in request.headers else found

    async def find(id: str) -> JSON:
        if (own := (await own_models()).get(id)) is not None:
            return await render(own)
        is_model = any(model.id == id for model in await app.registry.models())
        return _mode(id) if id in MODES and not is_model else await render((await app.registry.resolve(id))[1])

    return api


def _in_anthropic_form(model: JSON) -> JSON:
    """Render a model in the format of Anthropic's API."""
    created = datetime.fromtimestamp(model["created"], UTC)
    context = model.get("context_length")
    return {
        "type": "model",
        "id": model["id"],
        "display_name": model.get("name", model["id"]),
        "created_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
        **({} if context is None else {"max_input_tokens": context}),
    }


def _ends(models: Sequence[JSON]) -> JSON:
    return {"first_id": models[0]["id"], "last_id": models[-1]["id"]} if models else {}


def _model(settings: Settings, model: Model, *, can_infill: bool) -> JSON:
    """Render a model in OpenAI's format, with the fields of Mistral's, and its context and price as OpenRouter does."""
    prices = _prices(settings, model)
    return {
        "id": model.id,
        "object": "model",
        "created": model.created or 0,
        "owned_by": model.maker or model.engine,
        "name": model.name,
        "type": "base",
        "capabilities": _capabilities(model, can_infill=can_infill),
        **({} if model.context is None else {"max_context_length": model.context, "context_length": model.context}),
        **({} if prices is None else {"pricing": prices}),
    }


def _capabilities(model: Model, *, can_infill: bool) -> JSON:
    """Return the abilities of a model; nothing is said of tools where nothing is known of the model."""
    is_chat = is_chat_model(model.id)
    is_known = model.can_call_tools or model.maker is not None
    return {
        "completion_chat": is_chat,
        "completion_fim": can_infill,
        **({"function_calling": is_chat and model.can_call_tools} if is_known else {}),
        "vision": is_chat and model.vision_pixels is not None,
        "reasoning": is_chat and model.reasoning not in (None, "never"),
        "embeddings": is_embedding_model(model.id),
        "rerank": is_reranker(model.id),
        "moderation": is_moderation_model(model.id),
    }


def _prices(settings: Settings, model: Model) -> JSON | None:
    """Return the prices of a token: those of the settings, or none on this machine; None if they are unknown."""
    price = find_rates(settings, model).price
    if price is None:
        return {"prompt": "0", "completion": "0"} if model.location == "machine" else None
    cached = {} if price.cached is None else {"input_cache_read": _per_token(price.cached)}
    own = {"prompt": _per_token(price.input), "completion": _per_token(price.output)}
    return {"currency": price.currency, **own, **cached}


def _per_token(per_million: Decimal) -> str:
    return f"{per_million / TOKENS_PER_PRICE:f}"


def _mode(name: str) -> JSON:
    """Render a mode, which can be named in place of a model: it chooses the model that answers."""
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "eclair",
        "type": "base",
        "capabilities": {"completion_chat": True},
    }
