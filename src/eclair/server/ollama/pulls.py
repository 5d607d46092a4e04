"""Ollama's routes that download and delete models. Downloads are those that `/api/models/pulls` lists."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from eclair.app import App
from eclair.errors import Conflict, EclairError, LicenseNotAccepted
from eclair.llm.base import JSON
from eclair.models.downloads import ModelDownload
from eclair.schema.principal import Principal
from eclair.server.ollama import errors
from eclair.server.ollama.model_names import download_name, find_id, list_named
from eclair.server.ollama.renderer import LINES, NDJSON, encode_line
from eclair.server.ollama.schema import OllamaBody
from eclair.server.principal import Caller
from eclair.server.sse import EventStream

PROGRESS_INTERVAL_S = 0.25
BEGIN: JSON = {"status": "pulling manifest"}
SUCCESS: JSON = {"status": "success"}
NOT_HERE = {
    "create": "Éclair makes no models; put a GGUF file into its models folder, or pull a model.",
    "copy": "Éclair copies no models; each has one name.",
    "push": "Éclair sends no models anywhere.",
    "blobs": "Éclair takes no files of models here; put a GGUF file into its models folder.",
}
"""Sentences on what Ollama's other routes ask for."""


class OllamaPullRequest(OllamaBody):
    stream: bool | None = None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["Ollama"])

    @api.post("/pull", responses=LINES)
    async def pull_model(principal: Caller, body: OllamaPullRequest) -> Response:
        id = await find_id(app, body.model)
        is_here = any(model.id == id for model in await list_named(app))
        download = None if is_here else await begin(principal, download_name(body.model))
        if body.stream is not False:
            lines = _lines(app, download)
            return EventStream(lines, heartbeat=encode_line(BEGIN), headers={"Content-Type": NDJSON})
        while download is not None and download.state == "running":
            await app.downloads.wait(download.id, PROGRESS_INTERVAL_S)
        if download is not None and (fault := _fault(download)) is not None:
            raise fault
        return JSONResponse(SUCCESS)

    async def begin(principal: Principal, name: str) -> ModelDownload:
        try:
            download = await app.downloads.begin(name, accepted=False)
        except LicenseNotAccepted as error:
            raise LicenseNotAccepted(
                f"{error.message} Accept that in the list of models on Éclair's page, or with `eclair pull {name}`."
            ) from None
        await app.storage.audit.add_act(principal, "model.pulled", name)
        return download

    @api.delete("/delete")
    async def delete_model(principal: Caller, body: OllamaBody) -> Response:
        id = await find_id(app, body.model)
        await app.downloads.remove(id)
        await app.storage.audit.add_act(principal, "model.removed", id)
        return Response()

    @api.post("/create", include_in_schema=False)
    @api.post("/copy", include_in_schema=False)
    @api.post("/push", include_in_schema=False)
    @api.api_route("/blobs/{digest}", methods=["GET", "POST"], include_in_schema=False)
    async def refuse(request: Request) -> Response:
        return JSONResponse({"error": NOT_HERE[request.scope["path"].split("/")[2]]}, 501)

    return api


async def _lines(app: App, download: ModelDownload | None) -> AsyncGenerator[bytes, None]:
    """Stream the progress of a download to its end; None is one that isn't needed."""
    yield encode_line(BEGIN)
    if download is not None:
        while download.state == "running":
            await app.downloads.wait(download.id, PROGRESS_INTERVAL_S)
            yield encode_line(_progress(download))
        if (fault := _fault(download)) is not None:
            yield encode_line(errors.body(fault))
            return
    yield encode_line(SUCCESS)


def _progress(download: ModelDownload) -> JSON:
    """Describe the stage of a download as Ollama does, with the bytes of its file where they are known."""
    progress, files = download.progress, download.plan.files
    if progress.stage in ("wait", "find"):
        return BEGIN
    if progress.stage == "check":
        return {"status": "verifying sha256 digest"}
    file = next((file for file in files if file.name == progress.file), files[0])
    counted: JSON = {"total": progress.total, "completed": progress.done} if progress.total else {}
    if file.sha256 is None:
        return {"status": f"pulling {file.name}", "digest": file.name, **counted}
    return {"status": f"pulling {file.sha256[:12]}", "digest": f"sha256:{file.sha256}", **counted}


def _fault(download: ModelDownload) -> EclairError | None:
    if download.state == "cancelled":
        return Conflict("The download was cancelled; ask for it again.")
    return download.error
