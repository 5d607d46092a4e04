"""`/v1/files`: OpenAI's files API, for files that requests name by id.

Files are stored in a library of their own, where the user sees them, until they are deleted.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse

from eclair.app import App
from eclair.documents.ingest import limit_size
from eclair.errors import Conflict, InvalidInput, NotFound, StoreError
from eclair.llm.base import JSON
from eclair.schema.principal import Principal
from eclair.server.api.files import download
from eclair.server.principal import Caller
from eclair.storage.files import FileState

API_LIBRARY = "api"
PURPOSES = ("user_data", "assistants")
"""Accepted purposes; all files are used the same way, to answer from."""
READ_CHUNK_BYTES = 1 << 20

_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "purpose": {"type": "string", "enum": PURPOSES},
                    },
                }
            }
        },
    }
}


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/v1/files", tags=["OpenAI"])
    storage = app.storage

    @api.post("", openapi_extra=_FORM)
    async def add_file(principal: Caller, request: Request) -> JSON:
        try:
            async with request.form(max_files=1, max_fields=8) as form:
                for name in form:
                    if name not in ("file", "purpose"):
                        raise InvalidInput(f"Éclair does not know the field {name!r}; leave it out.", param=name)
                upload, purpose = form.get("file"), form.get("purpose")
                if not isinstance(upload, UploadFile) or not upload.filename:
                    raise InvalidInput("The field 'file' is missing; send a file with its name.", param="file")
                if purpose not in PURPOSES:
                    raise InvalidInput(f"The field 'purpose' is one of {', '.join(PURPOSES)}.", param="purpose")
                return _file(await add(principal, upload, upload.filename))
        except HTTPException as error:
            raise InvalidInput(f"The body is not a form with a file: {error.detail}") from error
        except OSError as error:
            raise StoreError(f"The upload cannot be stored: {error.strerror}.") from error

    async def add(principal: Principal, upload: UploadFile, name: str) -> FileState:
        media = upload.content_type or "application/octet-stream"
        source = limit_size(_read_chunks(upload), name, app.settings.max_file_mb)
        return await app.ingestor.ingest(
            principal, safe_file_name(name), media, source, library=await library(principal), is_urgent=True
        )

    async def library(principal: Principal) -> str:
        try:
            return (await storage.libraries.get_library_by_name(principal, API_LIBRARY)).id
        except NotFound:
            pass
        try:
            return (await app.ingestor.add_library(principal, API_LIBRARY)).id
        except Conflict:  # another request has just created it
            return (await storage.libraries.get_library_by_name(principal, API_LIBRARY)).id

    @api.get("")
    async def list_files(
        principal: Caller,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
        order: Literal["desc"] = "desc",
        purpose: str | None = None,
    ) -> JSON:
        listed = await storage.files.list_files(principal, limit, before=after)
        found = [_file(each) for each in listed.files] if purpose in (None, "user_data") else []
        ids: JSON = {"first_id": found[0]["id"], "last_id": found[-1]["id"]} if found else {}
        return {"object": "list", "data": found, "has_more": bool(found) and listed.next is not None, **ids}

    @api.get("/{id}")
    async def show_file(principal: Caller, id: str) -> JSON:
        return _file(await storage.files.get_file(principal, id))

    @api.delete("/{id}")
    async def delete_file(principal: Caller, id: str) -> JSON:
        await app.ingestor.delete(principal, id)
        return {"id": id, "object": "file", "deleted": True}

    @api.get("/{id}/content", response_class=FileResponse)
    async def content(principal: Caller, id: str) -> FileResponse:
        return await download(app, (await storage.files.get_file(principal, id)).file)

    return api


def safe_file_name(name: str) -> str:
    """Strip folders and unprintable characters from a name; keep its last 255 characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[-255:] or "file"


async def _read_chunks(upload: UploadFile) -> AsyncGenerator[bytes, None]:
    while data := await upload.read(READ_CHUNK_BYTES):
        yield data


def _file(each: FileState) -> JSON:
    file, document = each.file, each.document
    status = {"ready": "processed", "failed": "error"}.get(document.state, "uploaded")
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": file.created // 1000,
        "expires_at": None,
        "filename": file.name,
        "purpose": "user_data",
        "status": status,
        "status_details": None if document.fault is None else document.fault.message,
    }
