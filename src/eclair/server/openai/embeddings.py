"""`/v1/embeddings`, as OpenAI's reference has it: texts to vectors, by an engine that has them."""

from __future__ import annotations

import asyncio
import base64
import struct
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Request
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from eclair.app import App
from eclair.errors import InvalidInput
from eclair.llm.base import JSON, Embeddings
from eclair.server.request_body import Body
from eclair.server.streaming import GONE, unless_gone


def _texts(value: Any) -> Any:
    """One text is a list of one. Token ids are numbers of a tokenizer that the model need not have."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and any(isinstance(item, int | list) for item in value):  # pyright: ignore[reportUnknownVariableType]
        raise ValueError("token ids are not taken; send the text itself")
    return value  # pyright: ignore[reportUnknownVariableType]


class EmbeddingsRequest(Body):
    model: str
    input: Annotated[
        list[Annotated[str, Field(min_length=1)]],
        Field(min_length=1, max_length=2048),
        BeforeValidator(_texts, json_schema_input_type=str | list[str]),
    ]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int | None, Field(ge=1, le=16384)] = None
    user: str | None = None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/v1", tags=["OpenAI"])

    @api.post("/embeddings")
    async def embed(body: EmbeddingsRequest, request: Request) -> Response:
        engine, model = await app.registry.resolve(body.model)
        found = await unless_gone(request, engine.embed(model.id, body.input, body.dimensions))
        if found is None:
            return GONE
        length = len(found.vectors[0])
        if length != (body.dimensions or length):
            raise InvalidInput(
                f"The vectors of {model.id} have {length:,} numbers and no other length; leave `dimensions` out.",
                param="dimensions",
            )
        return Response(await asyncio.to_thread(_written, body, found), media_type="application/json")

    return api


def _written(body: EmbeddingsRequest, found: Embeddings) -> bytes:
    data: list[JSON] = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _packed(vector) if body.encoding_format == "base64" else vector,
        }
        for index, vector in enumerate(found.vectors)
    ]
    usage = {"prompt_tokens": found.tokens, "total_tokens": found.tokens}
    return orjson.dumps({"object": "list", "data": data, "model": body.model, "usage": usage})


def _packed(vector: list[float]) -> str:
    """The numbers with four bytes each, least first, in base64."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
