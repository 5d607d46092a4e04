"""`/api/me`: one's own account: name, password, second factor and sessions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from eclair.app import App
from eclair.schema.people import PersonChange, PersonSession
from eclair.server.api.session import PersonBody, Secret
from eclair.server.entrance import own_account
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody


class MyGroup(BaseModel):
    id: str
    name: str


class Me(PersonBody):
    """One's own account. `issuers` are the identity providers by which one may sign in."""

    groups: list[MyGroup]
    has_password: bool
    has_second_factor: bool
    issuers: list[str]


class MyChange(RequestBody):
    display_name: Annotated[Secret, Field(min_length=1)]


class PasswordChange(RequestBody):
    """A new password; `current` is the one it replaces."""

    current: Secret = ""
    password: Secret


class PersonSessionBody(BaseModel):
    """A session; `device` is what its browser calls itself, and `is_this` the one that asks. Times in milliseconds."""

    id: str
    created: int
    seen: int
    expires: int
    device: str
    address: str
    issuer: str | None
    is_this: bool

    @classmethod
    def from_session(cls, session: PersonSession, own: str | None) -> PersonSessionBody:
        return cls(
            id=session.id,
            created=session.created,
            seen=session.seen,
            expires=session.expires,
            device=session.device,
            address=session.address,
            issuer=session.issuer,
            is_this=session.id == own,
        )


class PersonSessionList(BaseModel):
    sessions: list[PersonSessionBody]


class EndedSessions(BaseModel):
    """The number of sessions that were ended; null where works-council mode hides it."""

    ended: int | None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/me", tags=["session"])
    people = app.storage.people
    accounts = app.accounts

    @api.get("")
    async def show_account(principal: Caller) -> Me:
        person = await own_account(app, principal)
        return Me(
            **PersonBody.from_person(person).model_dump(),
            groups=[MyGroup(id=each.id, name=each.name) for each in await app.storage.groups.list_groups_of(person.id)],
            has_password=await people.get_password(person.id) is not None,
            has_second_factor=await accounts.second_factors.is_on(person.id),
            issuers=[issuer for issuer, _ in await people.list_identities(person.id)],
        )

    @api.patch("")
    async def change_account(principal: Caller, body: MyChange) -> Me:
        await own_account(app, principal)
        await accounts.people.change(principal, principal.id, PersonChange(display_name=body.display_name))
        return await show_account(principal)

    @api.put("/password", status_code=204)
    async def change_password(principal: Caller, body: PasswordChange) -> None:
        person = await own_account(app, principal)
        if await people.get_password(person.id) is not None:
            await accounts.sign_in.check_password(person, body.current)
        await accounts.people.set_password(principal, person, body.password, keep=principal.session)

    @api.get("/sessions")
    async def list_sessions(principal: Caller) -> PersonSessionList:
        await own_account(app, principal)
        listed = await accounts.sessions.list_sessions(principal.id)
        return PersonSessionList(sessions=[PersonSessionBody.from_session(each, principal.session) for each in listed])

    @api.delete("/sessions")
    async def end_other_sessions(principal: Caller) -> EndedSessions:
        await own_account(app, principal)
        return EndedSessions(ended=await accounts.sessions.end_all(principal, principal.id, principal.session))

    @api.delete("/sessions/{id}", status_code=204)
    async def end_session(principal: Caller, id: str) -> None:
        await own_account(app, principal)
        await accounts.sessions.end(principal, principal.id, id)

    return api
