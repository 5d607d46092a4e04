"""`/api/answers`: a temporary chat. What is asked and answered is kept nowhere, not even as a run."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from eclair.app import App
from eclair.schema.messages import Role
from eclair.server.api.turns import ChoicesBody
from eclair.server.principal import Caller
from eclair.server.request_body import Fields
from eclair.server.sse import EventStream


class SaidBody(Fields):
    role: Literal["user", "assistant"]
    text: str


class AnswerBody(ChoicesBody):
    """All that was said so far, the question last; an answer that comes last is taken up."""

    messages: Annotated[list[SaidBody], Field(min_length=1)]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["temporary chat"])

    @api.post("/answers", response_class=EventStream)
    async def answer_unkept(principal: Caller, body: AnswerBody) -> EventStream:
        accepted = time.perf_counter()
        said: list[tuple[Role, str]] = [(message.role, message.text) for message in body.messages]
        return EventStream(await app.turns.ask_temporary(principal, said, body.options(), accepted))

    return api
