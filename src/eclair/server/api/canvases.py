"""Routes of `/api/conversations` for canvases: texts beside a conversation that a person and a model edit together."""

from __future__ import annotations

import time
import unicodedata
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, BaseModel, Field

from eclair.app import App
from eclair.errors import InvalidInput, NotFound, TooLarge
from eclair.schema.canvases import Canvas, CanvasAuthor, CanvasLanguage, CanvasVersion, NewCanvasVersion
from eclair.schema.ids import new_id
from eclair.schema.principal import Principal
from eclair.server.api.exports import download_headers
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.transfer.canvas_export import CANVAS_EXPORTERS, CanvasFormat, load_canvas, render_canvas

MAX_TITLE_CHARS = 120
MAX_MODEL_CHARS = 200


def _line(text: str) -> str:
    """Normalize a title or name: Unicode composed, without surrounding space, on one line."""
    line = unicodedata.normalize("NFC", " ".join(text.split()))
    if len(line) > MAX_TITLE_CHARS or not line.isprintable():
        raise ValueError(f"it is at most {MAX_TITLE_CHARS} characters on one line")
    return line


def _title(text: str) -> str:
    if not (line := _line(text)):
        raise ValueError("it is empty")
    return line


CanvasTitle = Annotated[str, AfterValidator(_title)]
VersionName = Annotated[str, AfterValidator(_line)]


class NewCanvasBody(RequestBody):
    """A new canvas with its first version. `language` is such as `markdown`, `python`, `html` or `mermaid`."""

    title: CanvasTitle
    language: CanvasLanguage = "markdown"
    text: str
    author: CanvasAuthor = "person"
    model: Annotated[str | None, Field(max_length=MAX_MODEL_CHARS)] = None


class CanvasEditBody(RequestBody):
    """Fields to change; what is left out stays."""

    title: CanvasTitle | None = None
    language: CanvasLanguage | None = None


class NewCanvasVersionBody(RequestBody):
    """A version made from version `parent`. `model` is the model that wrote it, if one did."""

    parent: Annotated[int, Field(ge=1)]
    text: str
    author: CanvasAuthor = "person"
    model: Annotated[str | None, Field(max_length=MAX_MODEL_CHARS)] = None
    name: VersionName = ""


class VersionNameBody(RequestBody):
    """A version's name; an empty one takes it away."""

    name: VersionName


class CanvasList(BaseModel):
    canvases: list[Canvas]


class CanvasBody(BaseModel):
    """A canvas, its versions without texts, oldest first, and the text of the current one."""

    canvas: Canvas
    versions: list[CanvasVersion]
    text: str


class AddedVersion(BaseModel):
    """A version that was added, and the canvas after it.

    `conflict` says that the canvas had been changed meanwhile: the version is kept beside the current one. It is null
    where the version became the current one.
    """

    version: CanvasVersion
    canvas: Canvas
    conflict: str | None


class CanvasVersionText(BaseModel):
    """A version with its text."""

    version: CanvasVersion
    text: str


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/conversations/{id}/canvases", tags=["canvases"])
    canvases = app.storage.canvases

    @api.get("")
    async def list_canvases(principal: Caller, id: str) -> CanvasList:
        return CanvasList(canvases=await canvases.list_canvases(principal, id))

    @api.post("", status_code=201)
    async def add_canvas(principal: Caller, id: str, body: NewCanvasBody) -> CanvasBody:
        _check_text(body.text)
        now = int(time.time() * 1000)
        canvas = Canvas(new_id("canv"), id, body.title, body.language, now, now)
        version = CanvasVersion(1, None, body.author, body.model, "", now)
        await canvases.add_canvas(principal, canvas, [(version, body.text)])
        app.changes.publish(principal, id, "canvases")
        return CanvasBody(canvas=canvas, versions=[version], text=body.text)

    @api.get("/{canvas}")
    async def get_canvas(principal: Caller, id: str, canvas: str) -> CanvasBody:
        found = await _require(principal, id, canvas)
        versions = await canvases.list_versions(principal, canvas)
        _, text = await canvases.get_version(principal, canvas, found.current)
        return CanvasBody(canvas=found, versions=versions, text=text)

    @api.get("/{canvas}/export", response_class=Response)
    async def export_canvas(
        principal: Caller,
        id: str,
        canvas: str,
        format: CanvasFormat = "source",
        version: Annotated[int | None, Query(ge=1)] = None,
    ) -> Response:
        await _require(principal, id, canvas)
        exported = await load_canvas(app.storage, principal, canvas, version)
        name, data = await render_canvas(exported, format, app.provenance)
        await app.storage.audit.add_act(principal, "export.made", canvas, details={"format": format})
        return Response(data, media_type=CANVAS_EXPORTERS[format].media_type, headers=download_headers(name))

    @api.patch("/{canvas}")
    async def edit_canvas(principal: Caller, id: str, canvas: str, body: CanvasEditBody) -> Canvas:
        await _require(principal, id, canvas)
        edited = await canvases.edit_canvas(principal, canvas, title=body.title, language=body.language)
        app.changes.publish(principal, id, "canvases")
        return edited

    @api.delete("/{canvas}", status_code=204)
    async def delete_canvas(principal: Caller, id: str, canvas: str) -> None:
        await _require(principal, id, canvas)
        await canvases.delete_canvas(principal, canvas)
        app.changes.publish(principal, id, "canvases")

    @api.post("/{canvas}/versions", status_code=201)
    async def add_canvas_version(principal: Caller, id: str, canvas: str, body: NewCanvasVersionBody) -> AddedVersion:
        _check_text(body.text)
        await _require(principal, id, canvas)
        new = NewCanvasVersion(body.parent, body.text, body.author, body.model, body.name)
        after, version = await canvases.add_version(principal, canvas, new)
        conflict = None
        if version.number not in (after.current, body.parent):
            conflict = (
                f"This canvas was changed elsewhere meanwhile; what you wrote is kept as version {version.number}."
            )
        app.changes.publish(principal, id, "canvases")
        return AddedVersion(version=version, canvas=after, conflict=conflict)

    @api.get("/{canvas}/versions/{number}")
    async def get_canvas_version(principal: Caller, id: str, canvas: str, number: int) -> CanvasVersionText:
        await _require(principal, id, canvas)
        version, text = await canvases.get_version(principal, canvas, number)
        return CanvasVersionText(version=version, text=text)

    @api.patch("/{canvas}/versions/{number}")
    async def name_canvas_version(
        principal: Caller, id: str, canvas: str, number: int, body: VersionNameBody
    ) -> CanvasVersion:
        await _require(principal, id, canvas)
        named = await canvases.name_version(principal, canvas, number, body.name)
        app.changes.publish(principal, id, "canvases")
        return named

    def _check_text(text: str) -> None:
        if "\0" in text:
            raise InvalidInput("The text holds a NUL character; remove it.", param="text")
        size, max_kb = len(text.encode()), app.settings.max_message_kb
        if size > max_kb * 1024:
            raise TooLarge(
                f"The text is {size // 1024:,} KiB; the limit is {max_kb:,} KiB (ECLAIR_MAX_MESSAGE_KB).", param="text"
            )

    async def _require(principal: Principal, conversation: str, canvas: str) -> Canvas:
        found = await canvases.get_canvas(principal, canvas)
        if found.conversation != conversation:
            raise NotFound(f"There is no canvas {canvas!r} in this conversation.")
        return found

    return api
