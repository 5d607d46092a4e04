"""`/api/prefill`: the engine reads the conversation while the user types."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from eclair.app import App
from eclair.chat.turn_options import TurnOptions
from eclair.schema.messages import Mode, Switch, Web
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody


class PrefillBody(RequestBody):
    """The turn being written; `text` is what was typed so far.

    `conversation` is null for a new one.
    """

    conversation: str | None = None
    model: str | None = None
    mode: Mode | None = None
    system: str | None = None
    web: Web | None = None
    memory: Switch | None = None
    spoken: bool = False
    assistant_id: str | None = None
    text: str = ""
    files: Annotated[tuple[str, ...], Field(max_length=50)] = ()


class PrefillReply(BaseModel):
    """`follows_drafts`: a slow model reads ahead for `text`, so send it again whenever it changes."""

    follows_drafts: bool


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["conversations"])

    @api.post("/prefill", status_code=202)
    async def prefill(principal: Caller, body: PrefillBody) -> PrefillReply:
        options = TurnOptions(body.model, body.mode, body.system, web=body.web, memory=body.memory, spoken=body.spoken)
        return PrefillReply(
            follows_drafts=await app.turns.prefill(
                principal, body.conversation, options, body.text, body.files, body.assistant_id
            )
        )

    return api
