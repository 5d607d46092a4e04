"""`/v1/rerank`: the rerank API of Jina and Cohere over the reranker of documents, and engines that have one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import JSONResponse, Response

from eclair.app import App
from eclair.llm.base import JSON
from eclair.schema.ids import new_id
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody, StrictModel
from eclair.server.streaming import CLIENT_GONE, unless_disconnected

MAX_DOCUMENTS = 1000


class RankedDocument(StrictModel):
    text: str


class RerankRequest(RequestBody):
    model: str | None = None
    query: Annotated[str, Field(min_length=1)]
    documents: Annotated[list[str | RankedDocument], Field(min_length=1, max_length=MAX_DOCUMENTS)]
    top_n: Annotated[int | None, Field(ge=1)] = None
    return_documents: bool | None = None
    user: str | None = None

    @property
    def texts(self) -> list[str]:
        """The documents' texts."""
        return [each if isinstance(each, str) else each.text for each in self.documents]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/v1", tags=["OpenAI"])

    @api.post("/rerank")
    async def rerank(principal: Caller, body: RerankRequest, request: Request) -> Response:
        ranking = app.reranking.rerank(principal, body.model or None, body.query, body.texts)
        ranked = await unless_disconnected(request, ranking)
        if ranked is None:
            return CLIENT_GONE
        results = _results(body, ranked.scores)
        return JSONResponse({"id": new_id("rerank"), "model": ranked.model, "results": results})

    return api


def _results(body: RerankRequest, scores: list[float]) -> list[JSON]:
    best = sorted(range(len(scores)), key=lambda index: -scores[index])[: body.top_n]
    return [
        {
            "index": index,
            "relevance_score": scores[index],
            **({"document": {"text": body.texts[index]}} if body.return_documents else {}),
        }
        for index in best
    ]
