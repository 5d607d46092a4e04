"""`/api/files`: files are taken in, shown as far as they are read, page by page, and erased."""

from __future__ import annotations

import urllib.parse
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse

from eclair.app import App
from eclair.documents.ingest import limit_size
from eclair.errors import InvalidInput, NotFound
from eclair.schema.documents import BlockKind, Read
from eclair.schema.messages import Fault
from eclair.schema.principal import Principal
from eclair.server.principal import Caller
from eclair.server.request_body import Body
from eclair.storage.documents import StoredPage
from eclair.storage.files import FileState, StoredFile

FileName = Annotated[str, Query(min_length=1, max_length=255, pattern=r"^[^/\\\x00-\x1f]+$")]
WIDEST = 2000
"""Pixels of a page's picture."""

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class FileBody(BaseModel):
    """A file and how far it is. Of its `chunks` those that are `embedded` are found by meaning, all by their words."""

    id: str
    name: str
    size: int
    media: str
    created: int
    library: str | None
    state: Literal["queued", "reading", "ready", "failed"]
    pages: int | None
    pages_read: int
    chunks: int
    embedded: int
    fault: Fault | None
    remarks: tuple[str, ...]

    @classmethod
    def of(cls, each: FileState) -> FileBody:
        file, document = each.file, each.document
        return cls(
            id=file.id,
            name=file.name,
            size=file.size,
            media=file.media,
            created=file.created,
            library=file.library,
            state=document.state,
            pages=document.pages,
            pages_read=document.pages_read,
            chunks=document.chunks,
            embedded=document.embedded,
            fault=document.fault,
            remarks=document.remarks,
        )


class Files(BaseModel):
    """A page of the list; `next` is what `before` is to be for the one after it."""

    files: list[FileBody]
    next: str | None


class FileEdit(Body):
    """What is to be another; what is left out stays."""

    name: Annotated[str | None, Field(min_length=1, max_length=255, pattern=r"^[^/\\\x00-\x1f]+$")] = None
    library: str | None = None


class BlockBody(BaseModel):
    kind: BlockKind
    start: int
    end: int
    level: int
    ref: str | None


class PageBody(BaseModel):
    """A page as text. `start` is the place of its first character in the whole document; blocks count from there.
    `picture` is where it is to be seen, None where it has no fixed form."""

    number: int
    label: str | None
    member: str | None
    start: int
    text: str
    blocks: list[BlockBody]
    read: Read
    picture: str | None


class BoxBody(BaseModel):
    """Where words stand on a page: shares of its width and height, from its top left."""

    page: int
    left: float
    top: float
    right: float
    bottom: float


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/files", tags=["files"])
    storage = app.storage

    @api.post("", status_code=201, openapi_extra=_BODY)
    async def add_file(principal: Caller, request: Request, name: FileName, library: str | None = None) -> FileBody:
        media = request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip()
        source = received(request, name, app.settings.max_file_mb)
        return FileBody.of(await app.ingestor.ingest(principal, name, media, source, library=library))

    @api.get("")
    async def list_files(
        principal: Caller,
        library: str | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 100,
        before: str | None = None,
    ) -> Files:
        listed = await storage.files.list_files(principal, limit, library=library, before=before)
        return Files(files=[FileBody.of(each) for each in listed.files], next=listed.next)

    @api.get("/{id}")
    async def show_file(principal: Caller, id: str) -> FileBody:
        return FileBody.of(await storage.files.get_file(principal, id))

    @api.patch("/{id}")
    async def change_file(principal: Caller, id: str, edit: FileEdit) -> FileBody:
        return FileBody.of(await storage.files.edit_file(principal, id, name=edit.name, library=edit.library))

    @api.delete("/{id}", status_code=204)
    async def delete_file(principal: Caller, id: str) -> None:
        await app.ingestor.delete(principal, id)

    @api.post("/{id}/retry")
    async def read_again(principal: Caller, id: str) -> FileBody:
        return FileBody.of(await app.ingestor.retry(principal, id))

    @api.get("/{id}/content", response_class=FileResponse)
    async def content(principal: Caller, id: str) -> FileResponse:
        return download(app, (await storage.files.get_file(principal, id)).file)

    @api.get("/{id}/pages/{number}")
    async def page(principal: Caller, id: str, number: Annotated[int, Field(ge=1)]) -> PageBody:
        stored = await _stored(principal, id, number)
        pictured = stored.page.width is not None
        return page_body(stored, f"/api/files/{id}/pages/{number}/picture" if pictured else None)

    @api.get("/{id}/pages/{number}/picture")
    async def picture(
        principal: Caller,
        id: str,
        number: Annotated[int, Field(ge=1)],
        width: Annotated[int, Query(ge=50, le=WIDEST)] = 900,
    ) -> Response:
        if (await _stored(principal, id, number)).page.width is None:
            raise NotFound("This page has no fixed form; its text is at /api/files/{id}/pages/{number}.")
        file = (await storage.files.get_file(principal, id)).file
        png = await app.ingestor.render_page(file, number, width)
        return Response(png, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})

    @api.get("/{id}/boxes")
    async def boxes(
        principal: Caller, id: str, start: Annotated[int, Query(ge=0)], end: Annotated[int, Query(ge=1)]
    ) -> list[BoxBody]:
        file = (await storage.files.get_file(principal, id)).file
        return [
            box
            for stored in await storage.documents.list_pages_at(file.sha256, start, end)
            for box in _boxes(stored, start, end)
        ]

    async def _stored(principal: Principal, id: str, number: int) -> StoredPage:
        file = (await storage.files.get_file(principal, id)).file
        found = await storage.documents.list_pages(file.sha256, number, number)
        if not found:
            raise NotFound(f"{file.name} has no page {number}, or it is not read yet.")
        return found[0]

    return api


def download(app: App, file: StoredFile) -> FileResponse:
    """Its bytes, to be saved: nothing of it is shown by the browser itself, so that no script in it runs as ours."""
    return FileResponse(
        app.blobs.path(file.sha256),
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f"attachment; filename*=utf-8''{urllib.parse.quote(file.name)}",
            "X-Content-Type-Options": "nosniff",
        },
    )


async def received(request: Request, name: str, most_mb: int) -> AsyncGenerator[bytes, None]:
    """The body as it comes. Raises TooLarge, and InvalidInput where it is empty or breaks off."""
    try:
        async with aclosing(limit_size(request.stream(), name, most_mb)) as pieces:
            async for piece in pieces:
                yield piece
    except ClientDisconnect:
        raise InvalidInput(f"{name} did not arrive whole; send it again.") from None


def page_body(stored: StoredPage, picture: str | None) -> PageBody:
    """A page as the source pane shows it; `picture` is where it is to be seen."""
    page = stored.page
    return PageBody(
        number=page.number,
        label=page.label,
        member=page.member,
        start=stored.start,
        text=page.text,
        blocks=[
            BlockBody(kind=block.kind, start=block.start, end=block.end, level=block.level, ref=block.ref)
            for block in page.blocks
        ],
        read=page.read,
        picture=picture,
    )


def _boxes(stored: StoredPage, start: int, end: int) -> list[BoxBody]:
    """The words of a page in characters `start` to `end` of the document; those beside one another in one box."""
    page = stored.page
    if page.width is None or page.height is None:
        return []
    boxes: list[BoxBody] = []
    for word in page.words:
        if stored.start + word.end <= start or stored.start + word.start >= end:
            continue
        box = BoxBody(
            page=page.number,
            left=word.left / page.width,
            top=word.top / page.height,
            right=word.right / page.width,
            bottom=word.bottom / page.height,
        )
        last = boxes[-1] if boxes else None
        if last is not None and _beside(last, box):
            boxes[-1] = last.model_copy(
                update={"right": box.right, "top": min(last.top, box.top), "bottom": max(last.bottom, box.bottom)}
            )
        else:
            boxes.append(box)
    return boxes


def _beside(one: BoxBody, other: BoxBody) -> bool:
    """Whether `other` follows in the same line."""
    height = max(one.bottom - one.top, other.bottom - other.top)
    level = min(one.bottom, other.bottom) - max(one.top, other.top) > height / 2
    return level and -height <= other.left - one.right < 2 * height
