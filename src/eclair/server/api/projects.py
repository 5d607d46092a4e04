"""`/api/projects`: conversations that belong together, with instructions and settings for all of them."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, Field

from eclair.app import App
from eclair.assistants.assistant_fields import LibraryId
from eclair.schema.messages import Web
from eclair.server.api.preferences import PreferenceText
from eclair.server.api.turns import ModelName
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.sharing_routes import add_sharing_routes, find_owner_name
from eclair.server.subject_names import SubjectNames
from eclair.storage.projects import (
    MAX_PROJECT_INSTRUCTIONS_CHARS,
    MAX_PROJECT_NAME_CHARS,
    MAX_PROJECT_TOOLS,
    MemoryScope,
    Project,
    ProjectOrder,
    ProjectSummary,
)
from eclair.storage.sharing import Access

ToolName = Annotated[str, Field(min_length=1, max_length=200)]


def _project_name(text: str) -> str:
    """Normalize a name: Unicode composed, without surrounding space."""
    name = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(name) <= MAX_PROJECT_NAME_CHARS or not name.isprintable():
        raise ValueError(f"a project's name is 1 to {MAX_PROJECT_NAME_CHARS} characters on one line")
    return name


REQUIRED = ("name", "instructions", "libraries", "memory")
"""Fields that a project always has; null changes none of them."""
ProjectName = Annotated[str, AfterValidator(_project_name)]


class ProjectBody(BaseModel):
    """A project with the number of the caller's conversations in it, without archived ones.

    `used` is when something was last said in one of them. Of a project that is shared with the caller, `owner` is the
    name of its owner. One that `is_shared` has further members.
    """

    id: str
    name: str
    created: int
    conversations: int
    used: int
    instructions: str = ""
    model: str | None = None
    web: Web | None = None
    tools: tuple[str, ...] | None = None
    library: str | None = None
    libraries: tuple[str, ...] = ()
    memory: MemoryScope = "own"
    access: Access = "own"
    owner: str | None = None
    is_shared: bool = False


class NewProject(RequestBody):
    name: ProjectName


class ProjectEdit(RequestBody):
    """Changes to a project; null clears `model`, `web` and `tools`, which leaves them to the person."""

    name: ProjectName | None = None
    instructions: Annotated[PreferenceText | None, Field(max_length=MAX_PROJECT_INSTRUCTIONS_CHARS)] = None
    model: ModelName | None = None
    web: Web | None = None
    tools: Annotated[tuple[ToolName, ...] | None, Field(max_length=MAX_PROJECT_TOOLS)] = None
    libraries: Annotated[tuple[LibraryId, ...] | None, Field(max_length=20)] = None
    memory: MemoryScope | None = None

    def changes(self) -> dict[str, Any]:
        """Return the fields that change, by name."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return {name: value for name, value in given.items() if value is not None or name not in REQUIRED}


class ProjectLibrary(BaseModel):
    """The id of a project's own library."""

    library: str


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/projects", tags=["projects"])

    async def body_of(listed: ProjectSummary, names: SubjectNames) -> ProjectBody:
        project = listed.project
        return ProjectBody(
            id=project.id,
            name=project.name,
            created=project.created,
            conversations=listed.conversations,
            used=listed.used,
            instructions=project.instructions,
            model=project.model,
            web=project.web,
            tools=project.tools,
            library=project.library,
            libraries=project.libraries,
            memory=project.memory,
            access=project.access,
            owner=await find_owner_name(names, project.owner, is_own=project.access == "own"),
            is_shared=listed.is_shared,
        )

    @api.get("")
    async def list_projects(
        principal: Caller, q: Annotated[str, Query(max_length=200)] = "", order: ProjectOrder = "name"
    ) -> list[ProjectBody]:
        names = SubjectNames(app.storage)
        return [await body_of(each, names) for each in await app.projects.list(principal, q, order)]

    async def read(principal: Caller, project: Project) -> ProjectBody:
        listed = await app.projects.list(principal)
        found = next(each for each in listed if each.project.id == project.id)
        return await body_of(found, SubjectNames(app.storage))

    @api.post("", status_code=201)
    async def add_project(principal: Caller, body: NewProject) -> ProjectBody:
        return await read(principal, await app.projects.add(principal, body.name))

    @api.get("/{id}")
    async def read_project(principal: Caller, id: str) -> ProjectBody:
        return await read(principal, await app.projects.get(principal, id))

    @api.patch("/{id}")
    async def edit_project(principal: Caller, id: str, body: ProjectEdit) -> ProjectBody:
        if body.model is not None:
            await app.registry.resolve(body.model)
        project = replace(await app.projects.get(principal, id), **body.changes())
        return await read(principal, await app.projects.edit(principal, project))

    @api.put("/{id}/library")
    async def open_project_library(principal: Caller, id: str) -> ProjectLibrary:
        return ProjectLibrary(library=await app.projects.open_library(principal, id))

    @api.delete("/{id}", status_code=204)
    async def delete_project(principal: Caller, id: str) -> None:
        await app.projects.delete(principal, id)

    @api.post("/{id}/restore")
    async def restore_project(principal: Caller, id: str) -> ProjectBody:
        return await read(principal, await app.projects.restore(principal, id))

    add_sharing_routes(api, app, app.storage.projects, noun="project", kind="projects")
    return api
