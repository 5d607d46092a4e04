"""`/api/audit/destinations`: the places outside that get the audit log, chosen by administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from eclair.app import App
from eclair.audit.chosen_destinations import MAX_KEY_CHARS, MAX_TARGET_CHARS, ShownDestination
from eclair.server.api.session import Secret
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.storage.audit_destinations import DestinationKind

Target = Annotated[Secret, Field(min_length=1, max_length=MAX_TARGET_CHARS)]
Key = Annotated[Secret, Field(max_length=MAX_KEY_CHARS)]


class DestinationBody(BaseModel):
    """A destination: the name of a file, or an address. One without an `id` stands in the settings file.

    `delivered` is the number of the last act that it has, `fault` says why it has no more.
    """

    id: str | None
    kind: DestinationKind
    target: str
    has_key: bool
    delivered: int
    fault: str | None

    @classmethod
    def from_destination(cls, shown: ShownDestination) -> DestinationBody:
        return cls(**{name: getattr(shown, name) for name in cls.model_fields})


class DestinationList(BaseModel):
    destinations: list[DestinationBody]


class NewDestination(RequestBody):
    """A destination. `key` is the bearer token of a webhook."""

    kind: DestinationKind
    target: Target
    key: Key = ""


class DestinationChange(RequestBody):
    """Changes of a destination; what is left out stays, and an empty `key` removes it."""

    target: Target | None = None
    key: Key | None = None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/audit/destinations", tags=["audit"])
    chosen = app.audit_destinations

    @api.get("")
    async def list_destinations(principal: Caller) -> DestinationList:
        return DestinationList(
            destinations=[DestinationBody.from_destination(each) for each in await chosen.list_all()]
        )

    @api.post("", status_code=201)
    async def add_destination(principal: Caller, body: NewDestination) -> DestinationList:
        await chosen.add(principal, body.kind, body.target, body.key)
        return await list_destinations(principal)

    @api.post("/test", status_code=204)
    async def test_new_destination(principal: Caller, body: NewDestination) -> None:
        await chosen.test(body.kind, body.target, body.key)

    @api.patch("/{id}")
    async def change_destination(principal: Caller, id: str, body: DestinationChange) -> DestinationList:
        await chosen.change(principal, id, body.target, body.key)
        return await list_destinations(principal)

    @api.delete("/{id}", status_code=204)
    async def remove_destination(principal: Caller, id: str) -> None:
        await chosen.remove(principal, id)

    @api.post("/{id}/test", status_code=204)
    async def test_destination(principal: Caller, id: str) -> None:
        await chosen.test_stored(id)

    return api
