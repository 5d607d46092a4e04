"""`/api/libraries`: named collections of files that a turn can search."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel

from eclair.app import App
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.sharing_routes import add_sharing_routes, find_owner_name
from eclair.server.subject_names import SubjectNames
from eclair.storage.libraries import Library, LibrarySummary
from eclair.storage.sharing import Access

MAX_NAME_CHARS = 80


def _library_name(text: str) -> str:
    """Make one word of a name, with hyphens for its spaces, so that `@name` can be written."""
    name = "-".join(text.split())
    if len(name) > MAX_NAME_CHARS or not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(
            f"a library's name is 1 to {MAX_NAME_CHARS} letters, digits, dots, hyphens and underscores, "
            "and begins with a letter or digit"
        )
    return name


NewLibraryName = Annotated[str, AfterValidator(_library_name)]


class LibraryBody(BaseModel):
    """A library with its number of files and bytes.

    `waiting` files have not been read yet, `failed` ones can't be read. Of a library that is shared with the caller,
    `owner` is the name of its owner.
    """

    id: str
    name: str
    created: int
    files: int = 0
    bytes: int = 0
    waiting: int = 0
    failed: int = 0
    access: Access = "own"
    owner: str | None = None

    @classmethod
    def from_summary(cls, listed: LibrarySummary, owner: str | None = None) -> LibraryBody:
        library = listed.library
        return cls(
            id=library.id,
            name=library.name,
            created=library.created,
            files=listed.files,
            bytes=listed.bytes,
            waiting=listed.waiting,
            failed=listed.states.get("failed", 0),
            access=library.access,
            owner=owner,
        )


class NewLibrary(RequestBody):
    """A new library. Its name is a single word, so that it can be written as `@name`."""

    name: NewLibraryName


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/libraries", tags=["libraries"])
    libraries = app.storage.libraries

    def empty_library(library: Library) -> LibraryBody:
        return LibraryBody(id=library.id, name=library.name, created=library.created)

    @api.get("")
    async def list_libraries(principal: Caller) -> list[LibraryBody]:
        names = SubjectNames(app.storage)
        found: list[LibraryBody] = []
        for each in await libraries.list_libraries(principal):
            if app.rights.may(principal, f"library:{each.library.id}"):
                owner = await find_owner_name(names, each.library.owner, is_own=each.library.access == "own")
                found.append(LibraryBody.from_summary(each, owner))
        return found

    @api.post("", status_code=201)
    async def add_library(principal: Caller, body: NewLibrary) -> LibraryBody:
        return empty_library(await app.ingestor.add_library(principal, body.name))

    @api.patch("/{id}")
    async def rename_library(principal: Caller, id: str, body: NewLibrary) -> LibraryBody:
        await libraries.rename_library(principal, id, body.name)
        app.changes.publish(principal, None, "files")
        return next(
            LibraryBody.from_summary(each)
            for each in await libraries.list_libraries(principal)
            if each.library.id == id
        )

    @api.delete("/{id}", status_code=204)
    async def delete_library(principal: Caller, id: str) -> None:
        await app.ingestor.delete_library(principal, id)

    add_sharing_routes(api, app, libraries, noun="library", kind="files")
    return api
