"""`/api/assistants/import` and `/api/assistants/{id}/export`: files of assistants come in and go out."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from eclair.app import App
from eclair.assistants.assistant_files import MAX_ASSISTANT_FILE_BYTES, export_assistant, read_assistant_file
from eclair.errors import InvalidInput, StoreError, TooLarge
from eclair.schema.assistants import Assistant
from eclair.schema.messages import Web
from eclair.schema.principal import Principal
from eclair.server.api.assistant_views import AssistantBody, AssistantViews
from eclair.server.api.exports import attachment_disposition
from eclair.server.principal import Caller
from eclair.server.streaming import BytesStream
from eclair.transfer.assistant_archive import UnpackedAssistant, stage_assistant, store_assistant, write_assistant
from eclair.transfer.export_view import file_name


class ImportedAssistantBody(BaseModel):
    """An imported assistant. `left_out` names what the file has and Éclair doesn't take over."""

    assistant: AssistantBody
    left_out: list[str]


class AssistantFile(BaseModel):
    """A file of an assistant; fields that are empty are left out."""

    format: Literal["eclair.assistant"]
    version: Literal[1]
    name: str
    description: str = ""
    emoji: str = ""
    instructions: str = ""
    model: str | None = None
    web: Web | None = None
    tools: tuple[str, ...] | None = None
    starters: tuple[str, ...] = ()


_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILE_CONTENT = {"application/json": {"schema": {"type": "object"}}, "application/zip": _BINARY}
_FILE_BODY = {"requestBody": {"required": True, "content": _FILE_CONTENT}}
_ZIP_HEAD = b"PK"


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/assistants", tags=["assistants"])
    assistants, views = app.assistants, AssistantViews(app)

    @api.post("/import", status_code=201, openapi_extra=_FILE_BODY)
    async def import_assistant(principal: Caller, request: Request) -> ImportedAssistantBody:
        """Add the assistant of a file: Éclair's own JSON or zip, or one of OpenAI's forms."""
        folder = await asyncio.to_thread(app.imports.open_folder)
        with tempfile.TemporaryFile(dir=folder) as file:
            try:
                await _receive(request, file)
            except OSError as error:
                raise StoreError(f"The file cannot be stored in {folder}: {error.strerror}.") from error
            file.seek(0)
            if file.read(len(_ZIP_HEAD)) == _ZIP_HEAD:
                found = await unpack(principal, file, folder)
            else:
                file.seek(0)
                read = read_assistant_file(file.read())
                found = UnpackedAssistant(await assistants.add(principal, read.profile), read.left_out)
        shown = await views.show(principal, found.assistant)
        return ImportedAssistantBody(assistant=shown, left_out=list(found.left_out))

    async def unpack(principal: Principal, file: BinaryIO, folder: Path) -> UnpackedAssistant:
        """Add the assistant of a zip. Raises as `store_assistant` does."""
        with closing(await stage_assistant(file, folder)) as staged:
            return await store_assistant(assistants, app.ingestor, principal, staged, app.settings.max_file_mb)

    @api.get(
        "/{id}/export",
        response_model=AssistantFile,
        responses={200: {"content": {"application/zip": _BINARY}}},
    )
    async def export_file(principal: Caller, id: str) -> Response:
        """Return an assistant as a file without its libraries: JSON, or a zip that has its own files too."""
        found = await assistants.get(principal, id)
        if await has_readable_files(principal, found):
            await app.storage.audit.add_act(principal, "export.made", id, details={"format": "zip"})
            headers = {"Content-Disposition": attachment_disposition(f"{file_name(found.name)}.zip")}
            pieces = write_assistant(app.storage, app.blobs, principal, found)
            return BytesStream(pieces, "application/zip", headers)
        headers = {"Content-Disposition": attachment_disposition(f"{file_name(found.name)}.json")}
        return Response(export_assistant(found.profile), media_type="application/json", headers=headers)

    async def has_readable_files(principal: Principal, assistant: Assistant) -> bool:
        library = assistant.library
        if library is None or not app.rights.may(principal, f"library:{library}"):
            return False
        return await app.documents.has_files(principal, library)

    return api


async def _receive(request: Request, file: BinaryIO) -> None:
    """Write the body to the file. Raises TooLarge for a large one that is no zip, InvalidInput if the client leaves."""
    head, size = b"", 0
    try:
        async for piece in request.stream():
            head = head if len(head) >= len(_ZIP_HEAD) else head + piece[: len(_ZIP_HEAD)]
            size += len(piece)
            if size > MAX_ASSISTANT_FILE_BYTES and not head.startswith(_ZIP_HEAD):
                raise TooLarge("A JSON file of an assistant has 1 MB at most; this one is larger.")
            await asyncio.to_thread(file.write, piece)
    except ClientDisconnect:
        raise InvalidInput("The file did not arrive whole; send it again.") from None
