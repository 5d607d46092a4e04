"""`/api/people`: the accounts, with their sessions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from eclair.app import App
from eclair.schema.people import Person, PersonChange
from eclair.schema.principal import PersonRole, Principal
from eclair.server.api.invitations import CodeLink
from eclair.server.api.me import EndedSessions, PersonSessionBody, PersonSessionList
from eclair.server.api.session import PersonBody, Secret
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody

MAX_PAGE = 200


class PeoplePage(BaseModel):
    """Accounts by name; `next` is the id to give as `after` for more, and `counts` those not locked, by role."""

    people: list[PersonBody]
    next: str | None
    counts: dict[PersonRole, int]


class NewPerson(RequestBody):
    name: Secret
    display_name: Secret = ""
    email: Secret | None = None
    role: PersonRole = "member"
    password: Secret | None = None


class PersonEdit(RequestBody):
    """Changes of an account; an empty `email` removes the address."""

    name: Secret | None = None
    display_name: Secret | None = None
    email: Secret | None = None
    role: PersonRole | None = None
    locked: bool | None = None


def router(app: App) -> APIRouter:
    api = APIRouter(tags=["people"])
    people = app.accounts.people
    store = app.storage.people

    def shown(person: Person) -> PersonBody:
        return PersonBody.from_person(person, shows_seen=not app.settings.works_council)

    @api.get("/api/people")
    async def list_people(
        query: str = "", after: str | None = None, limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50
    ) -> PeoplePage:
        found = await store.list_people(limit + 1, query, after)
        return PeoplePage(
            people=[shown(each) for each in found[:limit]],
            next=found[limit - 1].id if len(found) > limit else None,
            counts=await store.count_people(),
        )

    @api.post("/api/people", status_code=201)
    async def add_person(principal: Caller, body: NewPerson) -> PersonBody:
        made = await people.add(
            principal, body.name, body.display_name, role=body.role, email=body.email, password=body.password
        )
        return shown(made)

    @api.get("/api/people/{id}")
    async def show_person(id: str) -> PersonBody:
        return shown(await store.get_person(id))

    @api.patch("/api/people/{id}")
    async def change_person(principal: Caller, id: str, body: PersonEdit) -> PersonBody:
        change = PersonChange(name=body.name, display_name=body.display_name, email=body.email, role=body.role)
        person = await people.change(principal, id, change)
        if body.locked is not None and body.locked != (person.locked is not None):
            person = await (people.lock if body.locked else people.unlock)(principal, id)
        return shown(person)

    @api.delete("/api/people/{id}", status_code=204)
    async def delete_person(principal: Caller, id: str) -> None:
        await people.delete(principal, id)

    @api.post("/api/people/{id}/password-code", status_code=201)
    async def make_password_code(principal: Caller, id: str) -> CodeLink:
        return CodeLink.from_code(await app.accounts.codes.make_password_code(principal, id))

    @api.delete("/api/people/{id}/second-factor", status_code=204)
    async def remove_second_factor(principal: Caller, id: str) -> None:
        await app.accounts.sign_in.reset_second_step(principal, id)

    def is_hidden(principal: Principal, id: str) -> bool:
        """Tell whether works-council mode hides when and from where somebody came in."""
        return app.settings.works_council and id != principal.id

    @api.get("/api/people/{id}/sessions")
    async def list_sessions(principal: Caller, id: str) -> PersonSessionList:
        person = await store.get_person(id)
        if is_hidden(principal, id):
            return PersonSessionList(sessions=[])
        listed = await app.accounts.sessions.list_sessions(person.id)
        return PersonSessionList(sessions=[PersonSessionBody.from_session(each, principal.session) for each in listed])

    @api.delete("/api/people/{id}/sessions")
    async def end_sessions(principal: Caller, id: str) -> EndedSessions:
        person = await store.get_person(id)
        ended = await app.accounts.sessions.end_all(principal, person.id)
        return EndedSessions(ended=None if is_hidden(principal, id) else ended)

    return api
