"""`/api/assistants`: assistants that people set up, begin conversations with, share, export and import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from eclair.app import App
from eclair.assistants.assistant_fields import AssistantFields
from eclair.assistants.assistant_files import MAX_ASSISTANT_FILE_BYTES, export_assistant, read_assistant_file
from eclair.errors import InvalidInput, NotFound, TooLarge
from eclair.schema.assistants import Assistant
from eclair.schema.messages import Web
from eclair.schema.principal import Principal
from eclair.server.api.exports import attachment_disposition
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.sharing_routes import add_sharing_routes, find_owner_name
from eclair.server.subject_names import SubjectNames
from eclair.storage.sharing import Access
from eclair.transfer.export_view import file_name


class AssistantLibrary(BaseModel):
    """A library of an assistant, which the caller may read."""

    id: str
    name: str


class AssistantBody(BaseModel):
    """An assistant. Of one that is shared with the caller, `owner` is the name of its owner.

    `libraries` are those of its libraries that the caller may read, and `hidden_libraries` the number of the others.
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
    starters: tuple[str, ...]
    created: int
    changed: int
    access: Access
    owner: str | None = None


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


_FILE_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}


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
        """Add the assistant of a file: Éclair's own, or one of OpenAI's forms."""
        found = read_assistant_file(await _read_body(request))
        added = await assistants.add(principal, found.profile)
        return ImportedAssistantBody(assistant=await show(principal, added), left_out=list(found.left_out))

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

    @api.delete("/{id}", status_code=204)
    async def delete_assistant(principal: Caller, id: str) -> None:
        await assistants.delete(principal, id)

    @api.get("/{id}/export", response_model=AssistantFile)
    async def export_file(principal: Caller, id: str) -> Response:
        """Return an assistant as a file, without its libraries."""
        found = await assistants.get(principal, id)
        headers = {"Content-Disposition": attachment_disposition(f"{file_name(found.name)}.json")}
        return Response(export_assistant(found.profile), media_type="application/json", headers=headers)

    add_sharing_routes(api, app, app.storage.assistants, noun="assistant", kind="assistants")
    return api


async def _read_body(request: Request) -> bytes:
    """Read a file. Raises TooLarge, and InvalidInput if the client disconnects."""
    data = bytearray()
    try:
        async for piece in request.stream():
            data += piece
            if len(data) > MAX_ASSISTANT_FILE_BYTES:
                raise TooLarge("A file of an assistant has 1 MB at most; this one is larger.")
    except ClientDisconnect:
        raise InvalidInput("The file did not arrive whole; send it again.") from None
    return bytes(data)
