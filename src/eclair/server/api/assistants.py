"""`/api/assistants`: assistants that people set up, begin conversations with and share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fastapi import APIRouter
from pydantic import BaseModel

from eclair.app import App
from eclair.assistants.assistant_fields import AssistantFields
from eclair.errors import NotFound
from eclair.schema.principal import Principal
from eclair.server.api.assistant_views import AssistantBody, AssistantViews
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.sharing_routes import add_sharing_routes


class AssistantOwnLibrary(BaseModel):
    """The id of the library with an assistant's own files."""

    library: str


class AssistantList(BaseModel):
    """Assistants by name."""

    assistants: list[AssistantBody]


class AssistantFieldsBody(AssistantFields, RequestBody):
    """The parts of an assistant. Without `tools` it may call all; without `model` or `web` those of its user count."""


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/assistants", tags=["assistants"])
    assistants, views = app.assistants, AssistantViews(app)

    async def check_libraries(principal: Principal, ids: Sequence[str]) -> None:
        """Raise NotFound for a library that the caller may not read."""
        readable = await views.list_readable_libraries(principal)
        for id in ids:
            if id not in readable:
                raise NotFound(f"There is no library {id!r}; choose another.")

    async def check_model(model: str | None) -> None:
        """Raise NotFound for a model that isn't there, and EngineUnavailable if an engine that is down may have it."""
        if model is not None:
            await app.registry.resolve(model)

    @api.get("")
    async def list_assistants(principal: Caller) -> AssistantList:
        return AssistantList(assistants=await views.show_all(principal, await assistants.list(principal)))

    @api.post("", status_code=201)
    async def add_assistant(principal: Caller, body: AssistantFieldsBody) -> AssistantBody:
        profile = body.profile()
        await check_libraries(principal, profile.libraries)
        await check_model(profile.model)
        return await views.show(principal, await assistants.add(principal, profile))

    @api.get("/{id}")
    async def get_assistant(principal: Caller, id: str) -> AssistantBody:
        return await views.show(principal, await assistants.get(principal, id))

    @api.put("/{id}")
    async def edit_assistant(principal: Caller, id: str, body: AssistantFieldsBody) -> AssistantBody:
        """Replace what an assistant is. Those of its libraries that the caller may not read stay.

        A model that it had already may be gone.
        """
        profile = body.profile()
        before = (await assistants.get(principal, id)).profile
        if profile.model != before.model:
            await check_model(profile.model)
        known = before.libraries
        await check_libraries(principal, [each for each in profile.libraries if each not in known])
        readable = await views.list_readable_libraries(principal)
        hidden = [each for each in known if each not in readable and each not in profile.libraries]
        profile = replace(profile, libraries=(*profile.libraries, *hidden))
        return await views.show(principal, await assistants.edit(principal, id, profile))

    @api.put("/{id}/library")
    async def open_assistant_library(principal: Caller, id: str) -> AssistantOwnLibrary:
        return AssistantOwnLibrary(library=await assistants.open_library(principal, id))

    @api.delete("/{id}", status_code=204)
    async def delete_assistant(principal: Caller, id: str) -> None:
        await assistants.delete(principal, id, app.ingestor)

    add_sharing_routes(api, app, app.storage.assistants, noun="assistant", kind="assistants")
    return api
