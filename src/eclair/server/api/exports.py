"""`/api/export`: export one conversation or everything as a file."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from eclair.app import App
from eclair.server.principal import Caller
from eclair.server.streaming import BytesStream
from eclair.transfer.archive_writer import ArchiveWriter, archive_name
from eclair.transfer.export_service import load_conversation, render_conversation
from eclair.transfer.export_view import ReviewerName
from eclair.transfer.exporters import EXPORTERS, ExportFormat


class ExportSize(BaseModel):
    """Contents of an export of everything; `bytes` is the size of its files and images."""

    conversations: int
    files: int
    images: int
    bytes: int


MAX_IDS_CHARS = 50_000
"""Of the conversations that one request names."""

NOT_PLAIN = re.compile(r'[^ -~]|["\\?]')
"""Characters that a quoted name in a header can't have, or not without escapes that browsers read differently."""


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["exports"])
    archives = ArchiveWriter(app.storage, app.runs, app.gallery, app.blobs)

    @api.get("/conversations/{id}/export", response_class=Response)
    async def export_conversation(
        principal: Caller,
        id: str,
        format: ExportFormat = "markdown",
        language: Annotated[str, Query(pattern="^[a-z]{2}$")] = "en",
        reviewer: ReviewerName | None = None,
    ) -> Response:
        gallery = app.gallery if EXPORTERS[format].embeds_images else None
        exported = await load_conversation(app.storage, app.runs, principal, id, gallery)
        await app.storage.audit.add_act(
            principal, "export.made", id, details={"format": format, "reviewed": reviewer is not None}
        )
        name, data = await render_conversation(
            replace(exported, language=language, reviewer=reviewer), format, app.provenance
        )
        return Response(data, media_type=EXPORTERS[format].media_type, headers=download_headers(name))

    @api.get("/export", response_class=Response)
    async def export_everything(
        principal: Caller, ids: Annotated[str | None, Query(max_length=MAX_IDS_CHARS)] = None
    ) -> BytesStream:
        headers = download_headers(archive_name())
        what = {"all": True} if ids is None else {"count": len(ids.split(","))}
        await app.storage.audit.add_act(principal, "export.made", details=what)
        chunks = archives.write(principal) if ids is None else archives.write_conversations(principal, ids.split(","))
        return BytesStream(chunks, "application/zip", headers)

    @api.get("/export/size")
    async def measure_export(principal: Caller) -> ExportSize:
        size = await archives.measure(principal)
        return ExportSize(conversations=size.conversations, files=size.files, images=size.images, bytes=size.bytes)

    return api


def download_headers(name: str) -> dict[str, str]:
    """Headers that make browsers save the body under this name, and never show it as a page of ours."""
    return {
        "Content-Disposition": attachment_disposition(name),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }


def attachment_disposition(name: str) -> str:
    """Build the `Content-Disposition` that makes browsers save the body under this name (RFC 6266)."""
    plain = NOT_PLAIN.sub("_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
