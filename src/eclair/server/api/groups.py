"""`/api/groups`: groups of people. Those of an identity provider are changed there alone."""

from __future__ import annotations

import time
import unicodedata
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, Field

from eclair.app import App
from eclair.errors import Conflict
from eclair.schema.ids import new_id
from eclair.schema.people import LOCAL_ORIGIN, PersonGroup
from eclair.server.api.people import MAX_PAGE
from eclair.server.api.session import PersonBody, Secret
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody

MAX_NAME_CHARS = 100


def _group_name(text: str) -> str:
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not 1 <= len(name) <= MAX_NAME_CHARS or not name.isprintable():
        raise ValueError(f"a group's name is 1 to {MAX_NAME_CHARS} characters on one line")
    return name


class GroupBody(BaseModel):
    """A group with the number of its members. `origin` is `local`, or the identity provider that alone changes it."""

    id: str
    name: str
    origin: str
    created: int
    members: int

    @classmethod
    def from_group(cls, group: PersonGroup) -> GroupBody:
        return cls(**{name: getattr(group, name) for name in cls.model_fields})


class GroupPage(BaseModel):
    """Groups by name; `next` is the id to give as `after` for more."""

    groups: list[GroupBody]
    next: str | None


class MemberPage(BaseModel):
    """Members by name; `next` is the id to give as `after` for more."""

    people: list[PersonBody]
    next: str | None


class GroupName(RequestBody):
    name: Annotated[Secret, AfterValidator(_group_name)]


class Members(RequestBody):
    people: Annotated[list[Secret], Field(max_length=1000)]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/groups", tags=["people"])
    groups = app.storage.groups

    async def changeable(id: str) -> PersonGroup:
        """Return a group that is changed here. Raises Conflict for one of an identity provider."""
        group = await groups.get_group(id)
        if group.origin != LOCAL_ORIGIN:
            raise Conflict(f"The group {group.name!r} comes from {group.origin}; change it there.")
        return group

    @api.get("")
    async def list_groups(
        query: str = "", after: str | None = None, limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50
    ) -> GroupPage:
        found = await groups.list_groups(limit + 1, query, after)
        return GroupPage(
            groups=[GroupBody.from_group(each) for each in found[:limit]],
            next=found[limit - 1].id if len(found) > limit else None,
        )

    @api.post("", status_code=201)
    async def add_group(principal: Caller, body: GroupName) -> GroupBody:
        group = PersonGroup(id=new_id("grp"), name=body.name, origin=LOCAL_ORIGIN, created=int(time.time() * 1000))
        await groups.add_group(principal, group)
        return GroupBody.from_group(group)

    @api.get("/{id}")
    async def show_group(id: str) -> GroupBody:
        return GroupBody.from_group(await groups.get_group(id))

    @api.patch("/{id}")
    async def rename_group(principal: Caller, id: str, body: GroupName) -> GroupBody:
        await groups.rename_group(principal, (await changeable(id)).id, body.name)
        return await show_group(id)

    @api.delete("/{id}", status_code=204)
    async def delete_group(principal: Caller, id: str) -> None:
        await groups.delete_group(principal, id)
        app.accounts.principals.forget()

    @api.get("/{id}/members")
    async def list_members(
        id: str, after: str | None = None, limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50
    ) -> MemberPage:
        found = await groups.list_members(id, limit + 1, after)
        return MemberPage(
            people=[PersonBody.from_person(each, shows_seen=not app.settings.works_council) for each in found[:limit]],
            next=found[limit - 1].id if len(found) > limit else None,
        )

    @api.post("/{id}/members", status_code=204)
    async def add_members(principal: Caller, id: str, body: Members) -> None:
        await groups.add_members(principal, (await changeable(id)).id, body.people)
        app.accounts.principals.forget()

    @api.delete("/{id}/members/{person}", status_code=204)
    async def remove_member(principal: Caller, id: str, person: str) -> None:
        await groups.remove_member(principal, (await changeable(id)).id, person)
        app.accounts.principals.forget()

    return api
