"""`/v1/files`: OpenAI's files API, for files that requests name by id, and those of batches.

Files to answer from are stored in a library of their own, where the user sees them, until they are deleted or expire.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from eclair.app import App
from eclair.documents.ingest import limit_size
from eclair.errors import Conflict, InvalidInput, NotFound, StoreError
from eclair.llm.base import JSON
from eclair.schema.ids import new_id
from eclair.schema.principal import Principal
from eclair.server.api.files import download
from eclair.server.blob_response import BlobResponse
from eclair.server.principal import Caller
from eclair.storage.batches import BatchFile
from eclair.storage.files import FileState, Upload

API_LIBRARY = "api"
BATCH_PURPOSE, OUTPUT_PURPOSE = "batch", "batch_output"
PURPOSES = ("user_data", "assistants", BATCH_PURPOSE)
"""Accepted purposes; but for those of batches, files are used to answer from."""
FIELDS = ("file", "purpose", "expires_after[anchor]", "expires_after[seconds]")
MIN_EXPIRY_S, MAX_EXPIRY_S = 3600, 2_592_000
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
                        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
                        "expires_after[seconds]": {"type": "integer", "minimum": MIN_EXPIRY_S, "maximum": MAX_EXPIRY_S},
                    },
                }
            }
        },
    }
}


@dataclass(frozen=True, slots=True)
class UploadForm:
    """A file as it is sent, its purpose, and how many seconds it is kept; None for as long as nobody deletes it."""

    upload: UploadFile
    name: str
    purpose: str
    expires_s: int | None

    def expires(self, now: int) -> int | None:
        """Return the millisecond at which the file expires, `now` being one."""
        return None if self.expires_s is None else now + self.expires_s * 1000


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/v1/files", tags=["OpenAI"])
    storage = app.storage

    @api.post("", openapi_extra=_FORM)
    async def add_file(principal: Caller, request: Request) -> JSON:
        try:
            async with request.form(max_files=1, max_fields=8) as fields:
                form = _parse_form(fields)
                add = _add_batch_file if form.purpose == BATCH_PURPOSE else _add_document
                return await add(app, principal, form)
        except HTTPException as error:
            raise InvalidInput(f"The body is not a form with a file: {error.detail}") from error
        except OSError as error:
            raise StoreError(f"The upload cannot be stored: {error.strerror}.") from error

    @api.get("")
    async def list_files(
        principal: Caller,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
        order: Literal["asc", "desc"] = "desc",
        purpose: str | None = None,
    ) -> JSON:
        is_descending = order == "desc"
        # Ids sort by time; the oldest are the last of all.
        is_page = is_descending and purpose is None
        found = await _list_documents(app, principal, limit + 1 if is_page else None, after if is_page else None)
        found += [_batch_file(each) for each in await storage.batches.list_files(principal)]
        found = [
            each
            for each in found
            if purpose in (None, each["purpose"])
            and (after is None or (each["id"] < after if is_descending else each["id"] > after))
        ]
        found.sort(key=lambda each: each["id"], reverse=is_descending)
        data = found[:limit]
        ids: JSON = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
        return {"object": "list", "data": data, "has_more": len(found) > limit, **ids}

    @api.get("/{id}")
    async def show_file(principal: Caller, id: str) -> JSON:
        try:
            return _batch_file(await storage.batches.get_file(principal, id))
        except NotFound:
            return await _show_document(app, principal, id)

    @api.delete("/{id}")
    async def delete_file(principal: Caller, id: str) -> JSON:
        try:
            await storage.batches.delete_file(principal, id)
        except NotFound:
            await app.ingestor.delete(principal, id)
        return {"id": id, "object": "file", "deleted": True}

    @api.get("/{id}/content", response_class=BlobResponse)
    async def content(principal: Caller, id: str) -> Response:
        try:
            file = await storage.batches.get_file(principal, id)
        except NotFound:
            await _show_document(app, principal, id)
            return await download(app, (await storage.files.get_file(principal, id)).file)
        headers = {"Content-Disposition": "attachment"}
        return StreamingResponse(_read_parts(app, principal, file.id), media_type="application/jsonl", headers=headers)

    return api


def safe_file_name(name: str) -> str:
    """Strip folders and unprintable characters from a name; keep its last 255 characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[-255:] or "file"


def _parse_form(form: FormData) -> UploadForm:
    """Return the form's fields. Raises InvalidInput."""
    for name in form:
        if name not in FIELDS:
            raise InvalidInput(f"Éclair does not know the field {name!r}; leave it out.", param=name)
    upload, purpose = form.get("file"), form.get("purpose")
    if not isinstance(upload, UploadFile) or not upload.filename:
        raise InvalidInput("The field 'file' is missing; send a file with its name.", param="file")
    if purpose not in PURPOSES or not isinstance(purpose, str):
        raise InvalidInput(f"The field 'purpose' is one of {', '.join(PURPOSES)}.", param="purpose")
    return UploadForm(upload, safe_file_name(upload.filename), purpose, _parse_expiry(form))


def _parse_expiry(form: FormData) -> int | None:
    if form.get("expires_after[anchor]") not in (None, "created_at"):
        raise InvalidInput("The field 'expires_after[anchor]' is created_at.", param="expires_after[anchor]")
    given = form.get("expires_after[seconds]")
    if given is None:
        return None
    seconds = int(given) if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) < 9 else 0
    if not MIN_EXPIRY_S <= seconds <= MAX_EXPIRY_S:
        raise InvalidInput(
            f"The field 'expires_after[seconds]' is a number from {MIN_EXPIRY_S} to {MAX_EXPIRY_S}.",
            param="expires_after[seconds]",
        )
    return seconds


async def _add_document(app: App, principal: Principal, form: UploadForm) -> JSON:
    media = form.upload.content_type or "application/octet-stream"
    source = limit_size(_read_chunks(form.upload), form.upload.filename or form.name, app.settings.max_file_mb)
    library = await _find_library(app, principal)
    state = await app.ingestor.ingest(principal, form.name, media, source, library=library, is_urgent=True)
    upload = Upload(form.purpose, form.expires(state.file.created))
    await app.storage.files.note_upload(principal, state.file.id, upload)
    return _document(state, upload)


async def _add_batch_file(app: App, principal: Principal, form: UploadForm) -> JSON:
    source = limit_size(_read_chunks(form.upload), form.name, app.settings.max_file_mb)
    parts = [part async for part in source]
    now = int(app.storage.processes.clock() * 1000)
    file = BatchFile(
        id=new_id("file"),
        owner=principal.id,
        name=form.name,
        created=now,
        size=sum(map(len, parts)),
        expires=form.expires(now),
    )
    await app.storage.batches.add_file(principal, file, parts)
    return _batch_file(file)


async def _find_library(app: App, principal: Principal) -> str:
    """Return the id of the library of uploads, which is created as needed."""
    libraries = app.storage.libraries
    try:
        return (await libraries.get_library_by_name(principal, API_LIBRARY)).id
    except NotFound:
        pass
    try:
        return (await app.ingestor.add_library(principal, API_LIBRARY)).id
    except Conflict:  # another request has just created it
        return (await libraries.get_library_by_name(principal, API_LIBRARY)).id


async def _list_documents(app: App, principal: Principal, limit: int | None, before: str | None) -> list[JSON]:
    """List files to answer from, newest first: the next `limit`, or all."""
    states: list[FileState] = []
    while True:
        page = await app.storage.files.list_files(principal, limit or 10_000, before=before)
        states += page.files
        if page.next is None or limit is not None:
            break
        before = page.next
    uploads = await app.storage.files.list_uploads(principal, [state.file.id for state in states])
    return [_document(state, uploads.get(state.file.id)) for state in states if _is_kept(app, uploads, state.file.id)]


async def _show_document(app: App, principal: Principal, id: str) -> JSON:
    """Render a file to answer from. Raises NotFound."""
    state = await app.storage.files.get_file(principal, id)
    uploads = await app.storage.files.list_uploads(principal, [id])
    if not _is_kept(app, uploads, id):
        raise NotFound(f"The file {id!r} has expired; upload it again.")
    return _document(state, uploads.get(id))


def _is_kept(app: App, uploads: Mapping[str, Upload], id: str) -> bool:
    expires = uploads[id].expires if id in uploads else None
    return expires is None or expires > app.storage.processes.clock() * 1000


async def _read_chunks(upload: UploadFile) -> AsyncGenerator[bytes, None]:
    while data := await upload.read(READ_CHUNK_BYTES):
        yield data


async def _read_parts(app: App, principal: Principal, id: str) -> AsyncGenerator[bytes, None]:
    number = 0
    while (part := await app.storage.batches.read_part(principal, id, number)) is not None:
        yield part
        number += 1


def _document(each: FileState, upload: Upload | None) -> JSON:
    file, document = each.file, each.document
    expires = upload.expires if upload is not None else None
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": file.created // 1000,
        "expires_at": None if expires is None else expires // 1000,
        "filename": file.name,
        "purpose": upload.purpose if upload is not None else "user_data",
        "status": {"ready": "processed", "failed": "error"}.get(document.state, "uploaded"),
        "status_details": None if document.fault is None else document.fault.message,
    }


def _batch_file(file: BatchFile) -> JSON:
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": file.created // 1000,
        "expires_at": None if file.expires is None else file.expires // 1000,
        "filename": file.name,
        "purpose": BATCH_PURPOSE if file.batch is None else OUTPUT_PURPOSE,
        "status": "processed",
        "status_details": None,
    }
