"""Follow-up questions of an answer, under `/api/conversations`."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel

from eclair.app import App
from eclair.server.principal import Caller
from eclair.server.streaming import unless_disconnected


class FollowUps(BaseModel):
    questions: list[str]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["conversations"])

    @api.post("/conversations/{id}/messages/{message}/follow-ups")
    async def suggest_follow_ups(principal: Caller, id: str, message: str, request: Request) -> FollowUps:
        questions = await unless_disconnected(request, app.follow_ups.suggest(principal, id, message))
        return FollowUps(questions=questions or [])

    return api
