"""`/api/edits`: edits a text by an instruction, at once or as a stream of changes. Nothing is stored."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import APIRouter, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from eclair.app import App
from eclair.chat.edit_text import TextEdit, check_edit, request_edit, stream_edit
from eclair.chat.text_edits import TextPatch
from eclair.errors import EclairError
from eclair.schema.canvases import CanvasLanguage
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.sse import EventStream, StreamError, StreamFault, encode_frame
from eclair.server.streaming import CLIENT_GONE, unless_disconnected

_EDIT = TypeAdapter(TextEdit)


class EditBody(RequestBody):
    """A text, what to change in it, and the model that does it.

    An empty text is written in `language`, such as `markdown`, `python`, `html` or `mermaid`. With `stream` the reply
    is an event stream: `change` for each change, as soon as it is known, then `edit`.
    """

    text: str
    instruction: str
    model: str | None = None
    language: CanvasLanguage = "markdown"
    stream: bool = False


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["edits"])

    @api.post("/edits", response_model=TextEdit)
    async def edit_text(principal: Caller, body: EditBody, request: Request) -> Response:
        accepted = time.perf_counter()
        check_edit(body.text, body.instruction, app.settings.max_message_kb)
        engine, model = await app.registry.resolve(body.model)
        max_tokens = app.settings.max_tokens
        asked = (principal, engine, model, body.text, body.instruction, max_tokens, accepted, app.ledger.ask)
        if body.stream:
            return EventStream(_frames(stream_edit(*asked, language=body.language)))
        with app.idle.answering():
            work = request_edit(*asked, language=body.language)
            edited = await unless_disconnected(request, work)
        return CLIENT_GONE if edited is None else Response(_EDIT.dump_json(edited), media_type="application/json")

    async def _frames(edits: AsyncGenerator[TextPatch | TextEdit, None]) -> AsyncGenerator[bytes, None]:
        try:
            with app.idle.answering():
                async with aclosing(edits):
                    async for each in edits:
                        yield encode_frame(each, "change" if isinstance(each, TextPatch) else "edit")
        except EclairError as error:
            yield encode_frame(StreamError(error=StreamFault.from_error(error)), "error")

    return api
