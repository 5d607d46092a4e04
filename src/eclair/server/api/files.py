"""`/api/files`: upload files, show their pages as they are read, and delete them."""

from __future__ import annotations

import hashlib
import urllib.parse
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import PurePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse

from eclair.app import App
from eclair.documents.ingest import limit_size
from eclair.documents.readers.file_type import sound_type
from eclair.documents.transcripts import HeardSentence, heard_sentences
from eclair.errors import InvalidInput, NotFound
from eclair.schema.documents import BlockKind, Read
from eclair.schema.messages import Fault
from eclair.schema.principal import Principal
from eclair.server.api.exports import attachment_disposition
from eclair.server.blob_response import BlobResponse, TemporaryBytes, TemporaryFileResponse
from eclair.server.numbers import Ordinal, Position
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.speech.captions import write_srt, write_vtt
from eclair.storage.documents import StoredPage
from eclair.storage.files import FileState, StoredFile

Member = Annotated[str | None, Query(min_length=1, max_length=2000)]
"""The name of a recording in an archive or e-mail, as its pages have it."""
FileName = Annotated[str, Query(min_length=1, max_length=255, pattern=r"^[^/\\\x00-\x1f]+$")]
MAX_PAGE_IMAGE_PIXELS = 2000
"""Width of a page's image."""

SOUND_HEAD_BYTES = 512
"""Enough to tell the type of a recording."""

_SOUND_HEADERS = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class FileBody(BaseModel):
    """A file and its progress. All `chunks` are found by words, the `embedded` ones by meaning too."""

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
    def from_state(cls, state: FileState) -> FileBody:
        file, document = state.file, state.document
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


class FileList(BaseModel):
    """A page of the list; pass `next` as `before` to get the next page."""

    files: list[FileBody]
    next: str | None


class FileEdit(RequestBody):
    """Changes to a file; fields left out stay."""

    name: Annotated[str | None, Field(min_length=1, max_length=255, pattern=r"^[^/\\\x00-\x1f]+$")] = None
    library: str | None = None


class BlockBody(BaseModel):
    kind: BlockKind
    start: int
    end: int
    level: int
    ref: str | None


class PageBody(BaseModel):
    """A page as text.

    `start` is the offset of its first character in the document; blocks count from there. `picture` is the address of
    its image, null for pages without a fixed layout.
    """

    number: int
    label: str | None
    member: str | None
    start: int
    text: str
    blocks: list[BlockBody]
    read: Read
    picture: str | None


class BoxBody(BaseModel):
    """A box around words, in fractions of the page's width and height from its top left."""

    page: int
    left: float
    top: float
    right: float
    bottom: float


class TranscriptBody(BaseModel):
    """The sentences of a recording that have been transcribed so far."""

    sentences: list[HeardSentence]


TranscriptFormat = Literal["json", "text", "srt", "vtt"]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/files", tags=["files"])
    storage = app.storage

    @api.post("", status_code=201, openapi_extra=_BODY)
    async def add_file(principal: Caller, request: Request, name: FileName, library: str | None = None) -> FileBody:
        media = request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip()
        source = receive_body(request, name, app.settings.max_file_mb)
        return FileBody.from_state(await app.ingestor.ingest(principal, name, media, source, library=library))

    @api.get("")
    async def list_files(
        principal: Caller,
        library: str | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 100,
        before: str | None = None,
    ) -> FileList:
        listed = await storage.files.list_files(principal, limit, library=library, before=before)
        return FileList(files=[FileBody.from_state(each) for each in listed.files], next=listed.next)

    @api.get("/{id}")
    async def show_file(principal: Caller, id: str) -> FileBody:
        return FileBody.from_state(await storage.files.get_file(principal, id))

    @api.patch("/{id}")
    async def change_file(principal: Caller, id: str, edit: FileEdit) -> FileBody:
        return FileBody.from_state(await storage.files.edit_file(principal, id, name=edit.name, library=edit.library))

    @api.delete("/{id}", status_code=204)
    async def delete_file(principal: Caller, id: str) -> None:
        await app.ingestor.delete(principal, id)

    @api.post("/{id}/retry")
    async def read_again(principal: Caller, id: str) -> FileBody:
        return FileBody.from_state(await app.ingestor.retry(principal, id))

    @api.get("/{id}/content", response_class=BlobResponse)
    async def content(principal: Caller, id: str) -> BlobResponse:
        return await download(app, (await storage.files.get_file(principal, id)).file)

    @api.get("/{id}/pages/{number}")
    async def page(principal: Caller, id: str, number: Ordinal) -> PageBody:
        stored = await _stored(principal, id, number)
        has_image = stored.page.width is not None
        return page_body(stored, f"/api/files/{id}/pages/{number}/picture" if has_image else None)

    @api.get("/{id}/pages/{number}/picture")
    async def picture(
        principal: Caller,
        id: str,
        number: Ordinal,
        width: Annotated[int, Query(ge=50, le=MAX_PAGE_IMAGE_PIXELS)] = 900,
    ) -> Response:
        if (await _stored(principal, id, number)).page.width is None:
            raise NotFound(f"This page has no fixed layout; its text is at /api/files/{id}/pages/{number}.")
        file = (await storage.files.get_file(principal, id)).file
        png = await app.ingestor.render_page(file, number, width)
        return Response(png, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})

    @api.get("/{id}/boxes")
    async def boxes(principal: Caller, id: str, start: Position, end: Ordinal) -> list[BoxBody]:
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
            raise NotFound(f"{file.name} has no page {number}, or it has not been read yet.")
        return found[0]

    _add_recordings(api, app)
    return api


def _add_recordings(api: APIRouter, app: App) -> None:
    """Add the routes of recordings: their sound, and what was said."""
    storage = app.storage

    @api.get("/{id}/sound", response_class=BlobResponse)
    async def sound(principal: Caller, id: str, member: Member = None) -> BlobResponse:
        file = (await storage.files.get_file(principal, id)).file
        if member is not None:
            return await _send_member(app, file, member)
        found = await app.blobs.find(file.sha256)
        async with aclosing(found.stream(0, SOUND_HEAD_BYTES)) as pieces:
            media = sound_type(b"".join([piece async for piece in pieces]))
        if media is None:
            raise NotFound(f"{file.name} is no recording.")
        return BlobResponse(found, media_type=media, headers=_SOUND_HEADERS)

    @api.get("/{id}/transcript", response_model=TranscriptBody)
    async def transcript(
        principal: Caller, id: str, format: TranscriptFormat = "json", member: Member = None
    ) -> TranscriptBody | Response:
        file = (await storage.files.get_file(principal, id)).file
        sentences = heard_sentences(await storage.documents.list_pages(file.sha256), member)
        name = PurePath(member or file.name).stem
        match format:
            case "json":
                return TranscriptBody(sentences=sentences)
            case "text":
                text = "".join(f"{each.text}\n" for each in sentences)
                return _text_file(f"{name}.txt", text, "text/plain")
            case "srt":
                return _text_file(f"{name}.srt", write_srt(sentences), "application/x-subrip")
            case "vtt":
                return _text_file(f"{name}.vtt", write_vtt(sentences), "text/vtt")


def _text_file(name: str, text: str, media: str) -> Response:
    """Return a text that browsers save under that name."""
    return PlainTextResponse(text, media_type=media, headers={"Content-Disposition": attachment_disposition(name)})


async def _send_member(app: App, file: StoredFile, member: str) -> BlobResponse:
    """Send a recording that lies in an archive or e-mail."""
    name = hashlib.sha256(f"{file.sha256}/{member}".encode()).hexdigest()
    unpacked = TemporaryBytes(name, await app.ingestor.unpack_sound(file, member))
    media = sound_type(b"".join([piece async for piece in unpacked.stream(0, min(unpacked.size, SOUND_HEAD_BYTES))]))
    return TemporaryFileResponse(unpacked, headers=_SOUND_HEADERS, media_type=media or "application/octet-stream")


async def download(app: App, file: StoredFile) -> BlobResponse:
    """Serve a file to be saved: the browser must not display it, or scripts in it would run as ours."""
    return BlobResponse(
        await app.blobs.find(file.sha256),
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f"attachment; filename*=utf-8''{urllib.parse.quote(file.name)}",
            "X-Content-Type-Options": "nosniff",
        },
    )


async def receive_body(request: Request, name: str, max_mb: int) -> AsyncGenerator[bytes, None]:
    """Yield the body as it arrives. Raises TooLarge, and InvalidInput if it is empty or breaks off."""
    try:
        async with aclosing(limit_size(request.stream(), name, max_mb)) as chunks:
            async for chunk in chunks:
                yield chunk
    except ClientDisconnect:
        raise InvalidInput(f"{name} did not arrive whole; send it again.") from None


def page_body(stored: StoredPage, picture: str | None) -> PageBody:
    """Build a page as the source pane shows it; `picture` is the address of its image."""
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
    """Build boxes around a page's words between two offsets of the document; adjacent words share a box."""
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
        if last is not None and _is_adjacent(last, box):
            boxes[-1] = last.model_copy(
                update={"right": box.right, "top": min(last.top, box.top), "bottom": max(last.bottom, box.bottom)}
            )
        else:
            boxes.append(box)
    return boxes


def _is_adjacent(box: BoxBody, following: BoxBody) -> bool:
    """Return True if `following` continues the line of `box`."""
    height = max(box.bottom - box.top, following.bottom - following.top)
    is_level = min(box.bottom, following.bottom) - max(box.top, following.top) > height / 2
    return is_level and -height <= following.left - box.right < 2 * height
