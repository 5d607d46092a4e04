"""Routes of `/api/conversations` that delete and restore."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from eclair.app import App
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
    api = APIRouter(prefix="/api/conversations", tags=["conversations"])

    @api.delete("")
    async def delete_all_conversations(principal: Caller, confirm: Literal["all"], forever: bool = False) -> Deletion:
        assert confirm
        return await app.conversations.delete_all(principal, forever=forever)

    @api.post("/restore")
    async def restore_all_conversations(principal: Caller, body: RestoreBody) -> ConversationCount:
        return ConversationCount(conversations=await app.conversations.restore_all(principal, body.moment))

    @api.delete("/{id}", status_code=204)
    async def delete_conversation(principal: Caller, id: str, forever: bool = False) -> None:
        await app.conversations.delete(principal, id, forever=forever)

    @api.post("/{id}/restore")
    async def restore_conversation(principal: Caller, id: str) -> Conversation:
        return await app.conversations.restore(principal, id)

    @api.delete("/{id}/messages/{message}")
    async def delete_message(principal: Caller, id: str, message: str) -> Conversation:
        return await app.conversations.delete_message(principal, id, message)

    return api
