"""`/api/me/passkeys` and `/api/session/passkey`: adds and removes passkeys, and signs people in with them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from eclair.accounts.passkeys import Site
from eclair.app import App
from eclair.errors import EclairError
from eclair.schema.principal import NOBODY
from eclair.server.api.session import Secret
from eclair.server.entrance import Entrance, own_account, require_accounts
from eclair.server.principal import Caller
from eclair.server.public_address import PublicAddress
from eclair.server.request_body import RequestBody
from eclair.storage.passkeys import Passkey

Credential = Annotated[dict[str, Any], Field(max_length=20)]
"""A credential as browsers serialize it (WebAuthn's `toJSON`)."""


class PasskeyBody(BaseModel):
    """A passkey; `created` is in milliseconds, `used` the last day of its use."""

    id: str
    name: str
    created: int
    used: str | None

    @classmethod
    def from_passkey(cls, passkey: Passkey) -> PasskeyBody:
        return cls(id=passkey.id, name=passkey.name, created=passkey.created, used=passkey.used)


class PasskeyList(BaseModel):
    passkeys: list[PasskeyBody]


class PasskeyOptions(BaseModel):
    """Options for `navigator.credentials`, in WebAuthn's JSON form."""

    options: dict[str, Any]


class PasskeyBeginning(RequestBody):
    """A beginning of adding a passkey; `password` is one's own, where there is one."""

    password: Secret = ""


class NewPasskey(RequestBody):
    name: Secret
    credential: Credential


class PasskeySignIn(RequestBody):
    credential: Credential


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["session"])
    passkeys = app.accounts.passkeys
    public = PublicAddress.from_settings(app.settings)
    entrance = Entrance(app)

    def site(request: Request) -> Site:
        """Return the site that a browser sees."""
        url = urlsplit(public.origin or str(request.base_url))
        return Site(f"{url.scheme}://{url.netloc}", url.hostname or "")

    @api.get("/me/passkeys")
    async def list_passkeys(principal: Caller) -> PasskeyList:
        person = await own_account(app, principal)
        listed = await passkeys.list_passkeys(person.id)
        return PasskeyList(passkeys=[PasskeyBody.from_passkey(each) for each in listed])

    @api.post("/me/passkeys/options")
    async def begin_adding(request: Request, principal: Caller, body: PasskeyBeginning) -> PasskeyOptions:
        person = await own_account(app, principal)
        if await app.storage.people.get_password(person.id) is not None:
            await app.accounts.sign_in.check_password(person, body.password)
        return PasskeyOptions(options=await passkeys.begin_adding(person, site(request)))

    @api.post("/me/passkeys", status_code=201)
    async def add_passkey(request: Request, principal: Caller, body: NewPasskey) -> PasskeyBody:
        person = await own_account(app, principal)
        made = await passkeys.add(principal, person, body.name, body.credential, site(request))
        return PasskeyBody.from_passkey(made)

    @api.delete("/me/passkeys/{id}", status_code=204)
    async def remove_passkey(principal: Caller, id: str) -> None:
        await passkeys.remove(principal, (await own_account(app, principal)).id, id)

    @api.post("/session/passkey/options")
    async def begin_signing_in(request: Request) -> PasskeyOptions:
        require_accounts(app)
        return PasskeyOptions(options=await passkeys.begin_signing_in(site(request)))

    @api.post("/session/passkey", status_code=204)
    async def sign_in_with_passkey(request: Request, principal: Caller, body: PasskeySignIn) -> Response:
        require_accounts(app)
        visitor = entrance.visitor(request)
        try:
            person = await app.storage.people.get_person(await passkeys.identify(body.credential, site(request)))
        except EclairError as error:
            details = {"provider": "passkey", "reason": error.code}
            stranger = replace(NOBODY, address=visitor.address)
            await app.storage.audit.add_act(stranger, "sign_in.failed", outcome="failure", details=details)
            raise
        return await entrance.let_in(request, principal, await app.accounts.sign_in.begin(person, visitor))

    return api
