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
    """The conversation so far, question last; if an answer comes last, it is continued.

    `assistant_id` names the assistant that answers.
    """

    messages: Annotated[list[TemporaryMessageBody], Field(min_length=1)]
    assistant_id: str | None = None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["temporary chat"])

    @api.post("/answers", response_class=EventStream)
    async def answer_unkept(principal: Caller, body: TemporaryTurnBody) -> EventStream:
        accepted = time.perf_counter()
        messages: list[tuple[Role, str]] = [(message.role, message.text) for message in body.messages]
        if body.assistant_id is not None:
            await app.assistants.get(principal, body.assistant_id)
        answering = app.turns.ask_temporary(
            principal, messages, body.options(), accepted, assistant_id=body.assistant_id
        )
        return EventStream(await answering)

    return api
