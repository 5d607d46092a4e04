"""`/api/conversations/{id}/workspace`: files that Python made in a conversation; `…/python` runs code there."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from eclair.app import App
from eclair.documents.ingest import limit_size
from eclair.python.python_protocol import MAX_CODE_CHARS, Interpreter
from eclair.python.python_service import PythonRun
from eclair.server.api.exports import attachment_disposition
from eclair.server.api.files import FileBody
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.storage.workspaces import WorkspaceFile

IMMUTABLE_CACHE = "private, max-age=31536000, immutable"
"""A version of a file never changes."""
SHOWN_TYPES = frozenset({"image/png", "image/jpeg", "image/webp"})
"""Media types that a page may show; everything else is only to be saved."""

_NO_NAME = re.compile(r"[\\\x00-\x1f\x7f-\x9f]")
"""Characters that Python writes in names, and uploads don't have."""


class PythonCodeBody(RequestBody):
    """Python code for the session of a conversation."""

    code: Annotated[str, Field(min_length=1, max_length=MAX_CODE_CHARS)]


class WorkspaceFileBody(BaseModel):
    """A version of a file that Python made. `created` is in milliseconds since 1970, UTC; `size` in bytes.

    `alt` describes a chart for those who can't see it.
    """

    name: str
    version: int
    size: int
    media: str
    created: int
    alt: str
    url: str

    @classmethod
    def from_file(cls, conversation: str, file: WorkspaceFile) -> WorkspaceFileBody:
        return cls(
            name=file.name,
            version=file.version,
            size=file.size,
            media=file.media,
            created=file.created,
            alt=file.alt,
            url=f"/api/conversations/{conversation}/workspace/{quote(file.name)}?version={file.version}",
        )


class WorkspaceList(BaseModel):
    """The current files of a conversation."""

    files: list[WorkspaceFileBody]


class PythonRunBody(BaseModel):
    """Results of a call; see `python.python_service.PythonRun`."""

    interpreter: Interpreter
    output: str
    error: str | None
    line: int | None
    files: list[WorkspaceFileBody]
    removed: list[str]
    lost: bool
    wants: str | None
    milliseconds: int

    @classmethod
    def from_run(cls, conversation: str, run: PythonRun) -> PythonRunBody:
        return cls(
            interpreter=run.interpreter,
            output=run.output,
            error=run.error,
            line=run.line,
            files=[WorkspaceFileBody.from_file(conversation, file) for file in run.files],
            removed=list(run.removed),
            lost=run.lost,
            wants=run.wants,
            milliseconds=run.milliseconds,
        )


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/conversations", tags=["python"])

    @api.post("/{id}/python")
    async def run_python(principal: Caller, id: str, body: PythonCodeBody) -> PythonRunBody:
        return PythonRunBody.from_run(id, await app.python.run(principal, id, body.code))

    @api.get("/{id}/workspace")
    async def list_workspace(principal: Caller, id: str) -> WorkspaceList:
        files = await app.python.list_files(principal, id)
        return WorkspaceList(files=[WorkspaceFileBody.from_file(id, file) for file in files])

    @api.get("/{id}/workspace/{name:path}", response_class=Response)
    async def read_workspace_file(
        principal: Caller,
        id: str,
        name: str,
        version: Annotated[int | None, Query(ge=1)] = None,
        download: bool = False,
    ) -> Response:
        file, data = await app.python.read_file(principal, id, name, version)
        return file_response(file, data, is_version=version is not None, download=download)

    @api.post("/{id}/workspace/{name:path}", status_code=201)
    async def keep_workspace_file(
        principal: Caller, id: str, name: str, version: Annotated[int | None, Query(ge=1)] = None
    ) -> FileBody:
        file, data = await app.python.read_file(principal, id, name, version)
        kept = _upload_name(file)
        source = limit_size(_whole(data), kept, app.settings.max_file_mb)
        return FileBody.from_state(await app.ingestor.ingest(principal, kept, file.media, source))

    @api.delete("/{id}/workspace/{name:path}", status_code=204)
    async def delete_workspace_file(principal: Caller, id: str, name: str) -> None:
        await app.python.delete_file(principal, id, name)

    return api


def file_response(file: WorkspaceFile, data: bytes, *, is_version: bool, download: bool = False) -> Response:
    """Serve a file that Python made, so that a browser runs nothing of it. A version of a file never changes."""
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        "Cache-Control": IMMUTABLE_CACHE if is_version else "no-store",
    }
    if download or file.media not in SHOWN_TYPES:
        headers["Content-Disposition"] = attachment_disposition(PurePosixPath(file.name).name)
    return Response(data, media_type=file.media, headers=headers)


def _upload_name(file: WorkspaceFile) -> str:
    """Return the name of a version as an upload, without folders.

    A former version has its number in it, since code reads the current one under the name alone.
    """
    path = PurePosixPath(_NO_NAME.sub("_", file.name))
    return path.name if file.current else f"{path.stem} v{file.version}{path.suffix}"


async def _whole(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data
