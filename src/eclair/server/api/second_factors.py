"""`/api/me/second-factor`: turns two-step sign-in on, by an authenticator app, and off."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from eclair.app import App
from eclair.server.api.session import Secret
from eclair.server.entrance import own_account
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody


class PasswordBody(RequestBody):
    password: Secret


class SecondFactorRemoval(RequestBody):
    """One's password, or a code where there is no password."""

    password: Secret = ""
    code: Secret = ""


class AuthenticatorSecret(BaseModel):
    """A secret for an authenticator app, to type or, as `uri`, to scan."""

    secret: str
    uri: str


class AuthenticatorCode(RequestBody):
    code: Secret


class RecoveryCodes(BaseModel):
    """Codes that let one in once each where the authenticator is lost; they are shown only now."""

    codes: list[str]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/me/second-factor", tags=["session"])
    accounts = app.accounts

    @api.post("")
    async def prepare_second_factor(principal: Caller, body: PasswordBody) -> AuthenticatorSecret:
        person = await own_account(app, principal)
        if await app.storage.people.get_password(person.id) is not None:
            await accounts.sign_in.check_password(person, body.password)
        made = await accounts.second_factors.prepare(principal, person)
        return AuthenticatorSecret(secret=made.secret, uri=made.uri)

    @api.put("")
    async def confirm_second_factor(principal: Caller, body: AuthenticatorCode) -> RecoveryCodes:
        person = await own_account(app, principal)
        return RecoveryCodes(codes=await accounts.second_factors.confirm(principal, person, body.code))

    @api.post("/removal", status_code=204)
    async def remove_second_factor(principal: Caller, body: SecondFactorRemoval) -> None:
        person = await own_account(app, principal)
        if await app.storage.people.get_password(person.id) is not None:
            await accounts.sign_in.check_password(person, body.password)
        else:
            await accounts.sign_in.check_code(person, body.code)
        await accounts.second_factors.remove(principal, person.id)

    return api
