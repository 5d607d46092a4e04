"""`/api/ratings`: people's verdicts on answers, which stay in the store."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from eclair.app import App
from eclair.schema.messages import MAX_COMMENT_CHARS, Rating, RatingValue
from eclair.server.api.preferences import PreferenceText
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.storage.ratings import RatedAnswer

MAX_RATINGS = 1000


class RatingBody(RequestBody):
    """A rating; the comment may be empty."""

    value: RatingValue
    comment: Annotated[PreferenceText, Field(max_length=MAX_COMMENT_CHARS)] = ""


class RatingList(BaseModel):
    ratings: list[RatedAnswer]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/ratings", tags=["ratings"])

    @api.get("")
    async def list_ratings(principal: Caller, limit: Annotated[int, Query(ge=1, le=MAX_RATINGS)] = 100) -> RatingList:
        return RatingList(ratings=await app.storage.ratings.list_ratings(principal, limit))

    @api.put("/{message}", status_code=204)
    async def rate_answer(principal: Caller, message: str, body: RatingBody) -> None:
        rating = Rating(body.value, body.comment.strip(), int(time.time() * 1000))
        app.changes.publish(principal, await app.storage.ratings.rate_answer(principal, message, rating), "changed")

    @api.delete("/{message}", status_code=204)
    async def remove_rating(principal: Caller, message: str) -> None:
        app.changes.publish(principal, await app.storage.ratings.rate_answer(principal, message, None), "changed")

    return api
