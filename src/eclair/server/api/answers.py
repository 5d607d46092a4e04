"""`/api/answers`: temporary chats, of which nothing is stored."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from eclair.app import App
from eclair.schema.messages import Role
from eclair.server.api.turns import TurnOptionsBody
from eclair.server.principal import Caller
from eclair.server.request_body import StrictModel
from eclair.server.sse import EventStream


class TemporaryMessageBody(StrictModel):
    role: Literal["user", "assistant"]
    text: str


class TemporaryTurnBody(TurnOptionsBody):
    """The conversation so far, question last; if an answer comes last, it is continued."""

    messages: Annotated[list[TemporaryMessageBody], Field(min_length=1)]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["temporary chat"])

    @api.post("/answers", response_class=EventStream)
    async def answer_unkept(principal: Caller, body: TemporaryTurnBody) -> EventStream:
        accepted = time.perf_counter()
        messages: list[tuple[Role, str]] = [(message.role, message.text) for message in body.messages]
        return EventStream(await app.turns.ask_temporary(principal, messages, body.options(), accepted))

    return api
