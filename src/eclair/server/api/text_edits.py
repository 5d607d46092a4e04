"""`/api/edits`: edits a text by an instruction. Nothing is stored."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from eclair.app import App
from eclair.chat.edit_text import TextEdit, check_edit, request_edit
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.streaming import CLIENT_GONE, unless_disconnected

_EDIT = TypeAdapter(TextEdit)


class EditBody(RequestBody):
    """A text, what to change in it, and the model that does it."""

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
            max_tokens = app.settings.max_tokens
            work = request_edit(
                principal, engine, model, body.text, body.instruction, max_tokens, accepted, app.ledger.ask
            )
            edited = await unless_disconnected(request, work)
        return CLIENT_GONE if edited is None else Response(_EDIT.dump_json(edited), media_type="application/json")

    return api
