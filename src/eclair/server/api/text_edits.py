"""`/api/edits`: a text is changed as one says. Nothing of it is kept."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from eclair.app import App
from eclair.chat.edit_text import TextEdit, check_edit, request_edit
from eclair.server.principal import Caller
from eclair.server.request_body import Body
from eclair.server.streaming import GONE, unless_gone

_EDIT = TypeAdapter(TextEdit)


class EditBody(Body):
    """The text, what to change in it, and who does."""

    text: str
    instruction: str
    model: str | None = None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["edits"])

    @api.post("/edits", response_model=TextEdit)
    async def edit_text(principal: Caller, body: EditBody, request: Request) -> Response:
        accepted = time.perf_counter()
        check_edit(body.text, body.instruction, app.settings.max_message_kb)
        engine, model = await app.registry.resolve(body.model)
        with app.idle.answering():
            longest = app.settings.max_tokens
            work = request_edit(
                principal, engine, model, body.text, body.instruction, longest, accepted, app.ledger.ask
            )
            edited = await unless_gone(request, work)
        return GONE if edited is None else Response(_EDIT.dump_json(edited), media_type="application/json")

    return api
