"""`/api/libraries`: named collections of files that a turn can search."""

from __future__ import annotations

import re
import time
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import AfterValidator, BaseModel

from eclair.app import App
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.subject_names import SubjectNames
from eclair.storage.libraries import Library, LibraryAccess, LibraryShare, LibrarySummary, SharedAccess

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
    access: LibraryAccess = "own"
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


LibrarySubject = Annotated[str, Path(pattern=r"^(?:everyone|(?:person|group):[\w.:-]{1,200})$")]
"""With whom a library is shared: everyone here, a group or a person."""


class LibraryShareBody(BaseModel):
    """A subject, the name that people know it by, and what it may do."""

    subject: str
    name: str
    access: SharedAccess


class LibraryShareList(BaseModel):
    shares: list[LibraryShareBody]


class LibraryAccessBody(RequestBody):
    """`view` lets people search and read a library, `edit` add and remove files too."""

    access: SharedAccess


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
                is_own = each.library.access == "own"
                owner = None if is_own else await names.find(f"person:{each.library.owner}")
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

    @api.get("/{id}/shares")
    async def list_shares(principal: Caller, id: str) -> LibraryShareList:
        names = SubjectNames(app.storage)
        shares = await libraries.list_library_shares(principal, id)
        return LibraryShareList(
            shares=[
                LibraryShareBody(subject=each.subject, name=await names.find(each.subject), access=each.access)
                for each in shares
            ]
        )

    @api.put("/{id}/shares/{subject}", status_code=204)
    async def share_library(principal: Caller, id: str, subject: LibrarySubject, body: LibraryAccessBody) -> None:
        app.rights.require(principal, "share", "Your account may not share; ask an administrator.")
        share = LibraryShare(id, subject, body.access, int(time.time() * 1000))
        await libraries.share_library(principal, share)
        app.changes.publish_to_all("files")

    @api.delete("/{id}/shares/{subject}", status_code=204)
    async def unshare_library(principal: Caller, id: str, subject: LibrarySubject) -> None:
        await libraries.unshare_library(principal, id, subject)
        app.changes.publish_to_all("files")

    return api
