"""`/api/directory`: the people and groups with whom something can be shared, and what rules can be for, by name."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from eclair.app import App
from eclair.server.subject_names import SubjectNames
from eclair.storage.owned_names import OwnedKind

MAX_FOUND = 8


class DirectoryItem(BaseModel):
    """A person or group; `subject` is what shares name them by."""

    subject: str
    name: str
    detail: str


class Directory(BaseModel):
    entries: list[DirectoryItem]


class OwnedObject(BaseModel):
    """Something that a rule can be for, and the name of its owner."""

    id: str
    name: str
    owner: str


class OwnedObjects(BaseModel):
    objects: list[OwnedObject]


SearchWords = Annotated[str, Query(min_length=1, max_length=100)]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/directory", tags=["people"])

    @api.get("")
    async def search_directory(q: SearchWords) -> Directory:
        """Find people who are not locked, and groups; no more than a name is told of anybody."""
        people = await app.storage.people.list_people(2 * MAX_FOUND, q)
        groups = await app.storage.groups.list_groups(MAX_FOUND, q)
        found = [
            DirectoryItem(subject=f"person:{each.id}", name=each.display_name, detail=each.name)
            for each in people
            if each.locked is None
        ]
        found = found[: max(MAX_FOUND - len(groups), MAX_FOUND // 2)]
        found += [DirectoryItem(subject=f"group:{each.id}", name=each.name, detail=each.origin) for each in groups]
        return Directory(entries=found[:MAX_FOUND])

    @api.get("/objects")
    async def search_objects(kind: OwnedKind, q: SearchWords) -> OwnedObjects:
        """Find what people own, whoever they are."""
        names = SubjectNames(app.storage)
        found = await app.storage.owned_names.search_names(kind, q, MAX_FOUND)
        objects = [OwnedObject(id=e.id, name=e.name, owner=await names.find(f"person:{e.owner}")) for e in found]
        return OwnedObjects(objects=objects)

    return api
