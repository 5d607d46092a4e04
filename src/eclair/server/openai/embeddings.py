"""`/v1/embeddings`: OpenAI's embeddings API over the embedder of documents, and engines that support it."""

from __future__ import annotations

import asyncio
import base64
import struct
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Request
from pydantic import BeforeValidator, Field, model_validator
from starlette.responses import Response

from eclair.app import App
from eclair.documents.embeddings import EmbeddingKind
from eclair.llm.base import JSON, Embeddings
from eclair.schema.ids import new_id
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.streaming import CLIENT_GONE, unless_disconnected

InputType = Literal["query", "search_query", "passage", "document", "search_document", "classification", "clustering"]
PASSAGE_TYPES = ("passage", "document", "search_document")


def _texts(value: Any) -> Any:
    """Wrap a single text in a list. Token ids are rejected: another model's tokenizer made them."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and any(isinstance(item, int | list) for item in value):  # pyright: ignore[reportUnknownVariableType]
        raise ValueError(
            "token ids are of one model's tokenizer, mostly another's than this one; send the texts themselves "
            "(LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))"
        )
    return value  # pyright: ignore[reportUnknownVariableType]


Dimensions = Annotated[int | None, Field(ge=1, le=16384)]


class EmbeddingsRequest(RequestBody):
    model: str
    input: Annotated[
        list[Annotated[str, Field(min_length=1)]],
        Field(min_length=1, max_length=2048),
        BeforeValidator(_texts, json_schema_input_type=str | list[str]),
    ]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Dimensions = None
    output_dimension: Dimensions = None
    """Mistral's name of `dimensions`."""
    output_dtype: Literal["float"] | None = None
    input_type: InputType | None = None
    metadata: JSON | None = None
    user: str | None = None

    @model_validator(mode="after")
    def _require_one_length(self) -> EmbeddingsRequest:
        if None not in (self.dimensions, self.output_dimension) and self.dimensions != self.output_dimension:
            raise ValueError("dimensions and output_dimension differ; send one of them")
        return self

    @property
    def kind(self) -> EmbeddingKind | None:
        """The kind of text that the input is, if it is stated."""
        return None if self.input_type is None else "passage" if self.input_type in PASSAGE_TYPES else "query"


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/v1", tags=["OpenAI"])

    @api.post("/embeddings")
    async def embed(principal: Caller, body: EmbeddingsRequest, request: Request) -> Response:
        dimensions = body.dimensions or body.output_dimension
        embedding = app.embeddings.embed(principal, body.model, body.input, dimensions, body.kind)
        result = await unless_disconnected(request, embedding)
        if result is None:
            return CLIENT_GONE
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
    reply = {"id": new_id("embd"), "object": "list", "data": data, "model": body.model, "usage": usage}
    return orjson.dumps(reply)


def _to_base64(vector: list[float]) -> str:
    """Encode a vector as little-endian 32-bit floats in base64."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
