"""`/api/responses`: how much the Responses API keeps for a person, and its deletion."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from eclair.app import App
from eclair.server.principal import Caller


class KeptResponses(BaseModel):
    """Numbers of responses and conversations of the API, and for how many days after their last use they are kept."""

    responses: int
    conversations: int
    days: int


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/responses", tags=["conversations"])

    @api.get("")
    async def read_kept_responses(principal: Caller) -> KeptResponses:
        kept = await app.responses.count(principal)
        return KeptResponses(responses=kept.responses, conversations=kept.conversations, days=app.responses.days)

    @api.delete("", status_code=204)
    async def delete_kept_responses(principal: Caller) -> None:
        await app.responses.delete_all(principal)

    return api
