"""`/api/ratings`: people's verdicts on answers, which stay in the store."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from eclair.app import App
from eclair.schema.messages import MAX_COMMENT_CHARS, Rating, RatingReason, RatingValue
from eclair.server.api.preferences import PreferenceText
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.storage.ratings import RatedAnswer
from eclair.transfer.rating_export import export_ratings

MAX_RATINGS = 1000


class RatingBody(RequestBody):
    """A rating; the comment may be empty, and only a bad one has a reason."""

    value: RatingValue
    reason: RatingReason | None = None
    comment: Annotated[PreferenceText, Field(max_length=MAX_COMMENT_CHARS)] = ""


class RatingList(BaseModel):
    ratings: list[RatedAnswer]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/ratings", tags=["ratings"])

    @api.get("")
    async def list_ratings(principal: Caller, limit: Annotated[int, Query(ge=1, le=MAX_RATINGS)] = 100) -> RatingList:
        return RatingList(ratings=await app.storage.ratings.list_ratings(principal, limit))

    @api.get("/export", response_class=Response)
    async def export_all_ratings(principal: Caller) -> Response:
        name = {"Content-Disposition": 'attachment; filename="ratings.jsonl"'}
        return StreamingResponse(
            export_ratings(app.storage, principal), media_type="application/x-ndjson", headers=name
        )

    @api.put("/{message}", status_code=204)
    async def rate_answer(principal: Caller, message: str, body: RatingBody) -> None:
        reason = body.reason if body.value == "down" else None
        rating = Rating(body.value, body.comment.strip(), int(time.time() * 1000), reason)
        app.changes.publish(principal, await app.storage.ratings.rate_answer(principal, message, rating), "changed")

    @api.delete("/{message}", status_code=204)
    async def remove_rating(principal: Caller, message: str) -> None:
        app.changes.publish(principal, await app.storage.ratings.rate_answer(principal, message, None), "changed")

    return api
