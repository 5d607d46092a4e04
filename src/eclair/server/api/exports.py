"""`/api/export`: what is kept, as files to take away."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Response
from starlette.responses import StreamingResponse

from eclair.app import App
from eclair.server.principal import Caller
from eclair.transfer.export_service import export_all, load_conversation, render_conversation, zip_name
from eclair.transfer.exporters import RENDERERS, Format


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["exports"])

    @api.get("/conversations/{id}/export", response_class=Response)
    async def export_conversation(principal: Caller, id: str, format: Format = "markdown") -> Response:
        gallery = app.gallery if format == "html" else None
        name, data = await render_conversation(
            await load_conversation(app.storage, app.runs, principal, id, gallery), format
        )
        return Response(data, media_type=RENDERERS[format].media_type, headers=_attached(name))

    @api.get("/export", response_class=StreamingResponse)
    async def export_everything(principal: Caller) -> StreamingResponse:
        pieces = export_all(app.storage, app.runs, app.gallery, principal)
        return StreamingResponse(pieces, media_type="application/zip", headers=_attached(zip_name()))

    return api


def _attached(name: str) -> dict[str, str]:
    """Headers that have a browser save the body under this name, and never show it as a page of ours."""
    return {
        "Content-Disposition": attached(name),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }


def attached(name: str) -> str:
    """What has a browser save a body under this name (RFC 6266)."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
