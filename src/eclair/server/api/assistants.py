"""`/api/assistants`: assistants that people set up, begin conversations with, share, export and import."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse

from eclair.app import App
from eclair.assistants.assistant_fields import AssistantFields
from eclair.assistants.assistant_files import MAX_ASSISTANT_FILE_BYTES, export_assistant, read_assistant_file
from eclair.errors import InvalidInput, NotFound, StoreError, TooLarge
from eclair.schema.assistants import Assistant
from eclair.schema.messages import Web
from eclair.schema.principal import Principal
from eclair.server.api.exports import attachment_disposition
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.sharing_routes import add_sharing_routes, find_owner_name
from eclair.server.subject_names import SubjectNames
from eclair.storage.sharing import Access
from eclair.transfer.assistant_archive import UnpackedAssistant, stage_assistant, store_assistant, write_assistant
from eclair.transfer.export_view import file_name


class AssistantLibrary(BaseModel):
    """A library of an assistant, which the caller may read."""

    id: str
    name: str


class AssistantBody(BaseModel):
    """An assistant. Of one that is shared with the caller, `owner` is the name of its owner.

    `libraries` are those of its libraries that the caller may read, and `hidden_libraries` the number of the others.
    `library` has its own files, which all with whom it is shared may read; null until there are some.
    """

    id: str
    name: str
    description: str
    emoji: str
    instructions: str
    model: str | None
    web: Web | None
    tools: tuple[str, ...] | None
    libraries: tuple[AssistantLibrary, ...]
    hidden_libraries: int
    library: str | None
    starters: tuple[str, ...]
    created: int
    changed: int
    access: Access
    owner: str | None = None


class AssistantOwnLibrary(BaseModel):
    """The id of the library with an assistant's own files."""

    library: str


class AssistantList(BaseModel):
    """Assistants by name."""

    assistants: list[AssistantBody]


class AssistantFieldsBody(AssistantFields, RequestBody):
    """The parts of an assistant. Without `tools` it may call all; without `model` or `web` those of its user count."""


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
    assistants = app.assistants

    async def body_of(principal: Principal, assistant: Assistant, readable: dict[str, str]) -> AssistantBody:
        profile = assistant.profile
        shown = tuple(AssistantLibrary(id=id, name=readable[id]) for id in profile.libraries if id in readable)
        return AssistantBody(
            id=assistant.id,
            name=profile.name,
            description=profile.description,
            emoji=profile.emoji,
            instructions=profile.instructions,
            model=profile.model,
            web=profile.web,
            tools=profile.tools,
            libraries=shown,
            hidden_libraries=len(profile.libraries) - len(shown),
            library=assistant.library,
            starters=profile.starters,
            created=assistant.created,
            changed=assistant.changed,
            access=assistant.access,
            owner=await find_owner_name(SubjectNames(app.storage), assistant.owner, is_own=assistant.access == "own"),
        )

    async def readable_libraries(principal: Principal) -> dict[str, str]:
        listed = await app.storage.libraries.list_libraries(principal)
        return {
            each.library.id: each.library.name
            for each in listed
            if app.rights.may(principal, f"library:{each.library.id}")
        }

    async def check_libraries(principal: Principal, ids: Sequence[str]) -> None:
        """Raise NotFound for a library that the caller may not read."""
        readable = await readable_libraries(principal)
        for id in ids:
            if id not in readable:
                raise NotFound(f"There is no library {id!r}; choose another.")

    async def show(principal: Principal, assistant: Assistant) -> AssistantBody:
        return await body_of(principal, assistant, await readable_libraries(principal))

    @api.get("")
    async def list_assistants(principal: Caller) -> AssistantList:
        readable = await readable_libraries(principal)
        found = await assistants.list(principal)
        return AssistantList(assistants=[await body_of(principal, each, readable) for each in found])

    @api.post("", status_code=201)
    async def add_assistant(principal: Caller, body: AssistantFieldsBody) -> AssistantBody:
        profile = body.profile()
        await check_libraries(principal, profile.libraries)
        return await show(principal, await assistants.add(principal, profile))

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
        return ImportedAssistantBody(assistant=await show(principal, found.assistant), left_out=list(found.left_out))

    async def unpack(principal: Principal, file: BinaryIO, folder: Path) -> UnpackedAssistant:
        """Add the assistant of a zip. Raises as `store_assistant` does."""
        with closing(await stage_assistant(file, folder)) as staged:
            return await store_assistant(assistants, app.ingestor, principal, staged, app.settings.max_file_mb)

    @api.get("/{id}")
    async def get_assistant(principal: Caller, id: str) -> AssistantBody:
        return await show(principal, await assistants.get(principal, id))

    @api.put("/{id}")
    async def edit_assistant(principal: Caller, id: str, body: AssistantFieldsBody) -> AssistantBody:
        """Replace what an assistant is. Those of its libraries that the caller may not read stay."""
        profile = body.profile()
        known = (await assistants.get(principal, id)).profile.libraries
        await check_libraries(principal, [each for each in profile.libraries if each not in known])
        readable = await readable_libraries(principal)
        hidden = [each for each in known if each not in readable and each not in profile.libraries]
        profile = replace(profile, libraries=(*profile.libraries, *hidden))
        return await show(principal, await assistants.edit(principal, id, profile))

    @api.put("/{id}/library")
    async def open_assistant_library(principal: Caller, id: str) -> AssistantOwnLibrary:
        return AssistantOwnLibrary(library=await assistants.open_library(principal, id))

    @api.delete("/{id}", status_code=204)
    async def delete_assistant(principal: Caller, id: str) -> None:
        await assistants.delete(principal, id, app.ingestor)

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
            return StreamingResponse(pieces, media_type="application/zip", headers=headers)
        headers = {"Content-Disposition": attachment_disposition(f"{file_name(found.name)}.json")}
        return Response(export_assistant(found.profile), media_type="application/json", headers=headers)

    async def has_readable_files(principal: Principal, assistant: Assistant) -> bool:
        library = assistant.library
        if library is None or not app.rights.may(principal, f"library:{library}"):
            return False
        return await app.documents.has_files(principal, library)

    add_sharing_routes(api, app, app.storage.assistants, noun="assistant", kind="assistants")
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
