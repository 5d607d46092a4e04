"""`/api/session/setup`, `/code` and `/redeem`: in by a code that counts once."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from eclair.app import App
from eclair.errors import Gone
from eclair.schema.principal import PersonRole
from eclair.server.api.session import Secret, SignInStep
from eclair.server.entrance import Entrance, require_accounts
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.storage.people import CodePurpose


class CodeBody(RequestBody):
    code: Secret


class RedeemBody(RequestBody):
    """A one-time code, and the password that is chosen; a name unless the code says one."""

    code: Secret
    password: Secret
    name: Secret = ""
    display_name: Secret = ""


class CodeFacts(BaseModel):
    """The purpose of a one-time code; `name` is empty where it is to be chosen."""

    purpose: CodePurpose
    name: str
    display_name: str
    role: PersonRole
    expires: int


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/session", tags=["session"])
    accounts = app.accounts
    entrance = Entrance(app)

    @api.post("/setup", status_code=204, responses={202: {"model": SignInStep}})
    async def set_up(request: Request, principal: Caller, body: RedeemBody) -> Response:
        require_accounts(app)
        if (await accounts.codes.find(body.code)).purpose != "setup":
            raise Gone("This is not the code of the first account; it is in the terminal where Éclair was started.")
        response = await redeem(request, principal, body)
        await app.storage.audit.add_act(principal, "accounts.set_up")
        return response

    @api.post("/code")
    async def describe_code(body: CodeBody) -> CodeFacts:
        require_accounts(app)
        stored = await accounts.codes.find(body.code)
        return CodeFacts(
            purpose=stored.purpose,
            name=stored.name,
            display_name=stored.display_name,
            role="admin" if stored.purpose == "setup" else stored.role,
            expires=stored.expires,
        )

    @api.post("/redeem", status_code=204, responses={202: {"model": SignInStep}})
    async def redeem(request: Request, principal: Caller, body: RedeemBody) -> Response:
        require_accounts(app)
        person = await accounts.codes.redeem(body.code, body.password, body.name, body.display_name)
        result = await accounts.sign_in.admit(person, entrance.visitor(request))
        return await entrance.let_in(request, principal, result)

    return api
