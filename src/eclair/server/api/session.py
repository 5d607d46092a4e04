"""`/api/session`: the person who is signed in, and in and out by a key or a password."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from eclair.accounts.pending_sign_ins import SecondStep
from eclair.app import App
from eclair.errors import InvalidInput
from eclair.schema.people import Person
from eclair.schema.principal import PersonRole, Principal
from eclair.server.access import given_keys
from eclair.server.api.preferences import PreferenceText
from eclair.server.auth import is_public
from eclair.server.entrance import Entrance, require_accounts
from eclair.server.key_session import KeySession
from eclair.server.person_session import end_person_session
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody

Secret = Annotated[PreferenceText, Field(max_length=1000)]


class SignInWay(BaseModel):
    """A way to sign in. `id` is the provider's name in the settings, `name` what people know it as."""

    kind: Literal["password", "passkey", "oidc", "saml"]
    id: str
    name: str


class PersonBody(BaseModel):
    """An account. `created` and `locked` are in milliseconds, `seen` is the last day on which its person came in.

    Works-council mode shows that day to nobody else.
    """

    id: str
    name: str
    display_name: str
    email: str | None
    role: PersonRole
    created: int
    locked: int | None
    seen: str | None

    @classmethod
    def from_person(cls, person: Person, *, shows_seen: bool = True) -> PersonBody:
        found = cls(**{name: getattr(person, name) for name in cls.model_fields})
        return found if shows_seen else found.model_copy(update={"seen": None})


class SessionState(BaseModel):
    """The person who is signed in, and the ways to sign in.

    `house` is the name of the house, `notice` is for those who sign in. `sign_out` is the path at which the identity
    provider of the session ends its own, once ours has ended. `needs_setup`: nobody has an account yet. `second_step`
    is what the sign-in that this browser began lacks. `works_council`: no figures of single people are shown.
    """

    accounts: Literal["off", "on"]
    person: PersonBody | None
    role: PersonRole | None
    ways: list[SignInWay]
    house: str | None
    notice: str | None
    sign_out: str | None
    needs_setup: bool
    second_step: SecondStep | None
    works_council: bool


class SignInStep(BaseModel):
    """The second step that a sign-in lacks: a code, a passkey, or setting up an authenticator."""

    second_step: SecondStep


class SignInBody(RequestBody):
    """A name and a password; `code` is that of the authenticator, or for recovery, where it is asked for."""

    name: Secret
    password: Secret
    code: Secret = ""


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/session", tags=["session"])
    keys = KeySession.from_settings(app.settings, app.storage.processes.clock)
    has_accounts = app.settings.accounts == "on"
    entrance = Entrance(app)
    accounts = app.accounts
    own_ways = [SignInWay(kind=kind, id=kind, name="") for kind in ("password", "passkey")]
    ways = [*own_ways, *(SignInWay(kind=way.kind, id=way.id, name=way.name) for way in app.identity.ways)]

    async def find_sign_out(principal: Principal) -> str | None:
        if principal.session is None or not app.identity.oidc:
            return None
        sessions = await accounts.sessions.list_sessions(principal.id)
        issuer = next((each.issuer for each in sessions if each.id == principal.session), None)
        provider = None if issuer is None else app.identity.find_by_issuer(issuer)
        return None if provider is None else f"/api/sign-in/{provider}/logout"

    async def find_missing_step(request: Request) -> SecondStep | None:
        found = await accounts.sign_in.pending.find(entrance.pending.read(request.scope, request.headers))
        return None if found is None else found.step

    @api.get("")
    async def show_session(request: Request, principal: Caller) -> SessionState:
        signed_in = None if is_public(request.scope) else principal
        person = None
        if has_accounts and signed_in is not None:
            person = PersonBody.from_person(await app.storage.people.get_person(signed_in.id))
        branding = await app.branding.get()
        return SessionState(
            accounts=app.settings.accounts,
            person=person,
            role=None if signed_in is None else signed_in.role,
            ways=ways if has_accounts else [],
            house=branding.name,
            notice=branding.notice if has_accounts else None,
            sign_out=None if signed_in is None else await find_sign_out(signed_in),
            needs_setup=has_accounts and not await accounts.people.has_administrator(),
            second_step=await find_missing_step(request) if signed_in is None else None,
            works_council=app.settings.works_council,
        )

    @api.post("", status_code=204, responses={202: {"model": SignInStep}})
    async def sign_in(request: Request, principal: Caller, body: SignInBody | None = None) -> Response:
        if body is not None:
            require_accounts(app)
            begun = await accounts.sign_in.with_password(body.name, body.password, entrance.visitor(request), body.code)
            return await entrance.let_in(request, principal, begun)
        given = given_keys(request.headers)
        if not given:
            raise InvalidInput("Only a key begins a session; send `Authorization: Bearer KEY`.")
        response = Response(status_code=204)
        await asyncio.to_thread(keys.begin, request.scope, given[0], response)
        return response

    @api.delete("", status_code=204)
    async def sign_out(request: Request, principal: Caller) -> Response:
        response = Response(status_code=204)
        if has_accounts:
            if principal.session is not None:
                await accounts.sessions.end(principal, principal.id, principal.session)
            end_person_session(request.scope, response, app.settings.path_prefix or "/")
            entrance.pending.remove(request.scope, request.headers, response)
        else:
            keys.end(request.scope, response)
        return response

    return api
