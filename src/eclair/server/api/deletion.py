"""Routes of `/api/conversations` that delete and restore, and `/api/erasure`: how far erasing is."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from eclair.app import App
from eclair.chat.conversations import ErasureStatus
from eclair.schema.messages import Conversation
from eclair.server.api.conversations import ConversationCount
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.storage.conversations import Deletion

MAX_MOMENT_MS = 2**53 - 1
"""The largest integer that every JSON client can represent."""


class RestoreBody(RequestBody):
    moment: Annotated[int, Field(ge=0, le=MAX_MOMENT_MS)]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["conversations"])

    @api.delete("/conversations", responses={202: {"model": Deletion}})
    async def delete_all_conversations(
        principal: Caller, confirm: Literal["all"], response: Response, forever: bool = False
    ) -> Deletion:
        assert confirm
        if forever:
            response.status_code = 202
        return await app.conversations.delete_all(principal, forever=forever)

    @api.get("/erasure")
    async def read_erasure(principal: Caller) -> ErasureStatus:
        return app.conversations.erasure

    @api.post("/conversations/restore")
    async def restore_all_conversations(principal: Caller, body: RestoreBody) -> ConversationCount:
        return ConversationCount(conversations=await app.conversations.restore_all(principal, body.moment))

    @api.delete("/conversations/{id}", status_code=204)
    async def delete_conversation(principal: Caller, id: str, forever: bool = False) -> None:
        await app.conversations.delete(principal, id, forever=forever)

    @api.post("/conversations/{id}/restore")
    async def restore_conversation(principal: Caller, id: str) -> Conversation:
        return await app.conversations.restore(principal, id)

    @api.delete("/conversations/{id}/messages/{message}")
    async def delete_message(principal: Caller, id: str, message: str) -> Conversation:
        return await app.conversations.delete_message(principal, id, message)

    return api
