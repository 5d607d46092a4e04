"""`/v1/embeddings`: OpenAI's embeddings API over engines that support it."""

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
from eclair.server.request_body import RequestBody
from eclair.server.streaming import CLIENT_GONE, unless_disconnected


def _texts(value: Any) -> Any:
    """Wrap a single text in a list. Token ids are rejected: the model's tokenizer may differ."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and any(isinstance(item, int | list) for item in value):  # pyright: ignore[reportUnknownVariableType]
        raise ValueError("token ids are not taken; send the text itself")
    return value  # pyright: ignore[reportUnknownVariableType]


class EmbeddingsRequest(RequestBody):
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
        result = await unless_disconnected(request, engine.embed(model.id, body.input, body.dimensions))
        if result is None:
            return CLIENT_GONE
        length = len(result.vectors[0])
        if length != (body.dimensions or length):
            raise InvalidInput(
                f"The vectors of {model.id} have {length:,} numbers and no other length; leave `dimensions` out.",
                param="dimensions",
            )
        return Response(await asyncio.to_thread(_encode, body, result), media_type="application/json")

    return api


def _encode(body: EmbeddingsRequest, result: Embeddings) -> bytes:
    data: list[JSON] = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _to_base64(vector) if body.encoding_format == "base64" else vector,
        }
        for index, vector in enumerate(result.vectors)
    ]
    usage = {"prompt_tokens": result.tokens, "total_tokens": result.tokens}
    return orjson.dumps({"object": "list", "data": data, "model": body.model, "usage": usage})


def _to_base64(vector: list[float]) -> str:
    """Encode a vector as little-endian 32-bit floats in base64."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
