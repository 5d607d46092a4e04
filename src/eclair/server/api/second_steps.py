"""`/api/session/second-step`: the second step of a sign-in, by a code or by setting an authenticator up."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from eclair.app import App
from eclair.server.api.second_factors import AuthenticatorCode, AuthenticatorSecret, RecoveryCodes
from eclair.server.entrance import Entrance, require_accounts
from eclair.server.principal import Caller


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/session/second-step", tags=["session"])
    sign_in = app.accounts.sign_in
    entrance = Entrance(app)

    @api.post("", status_code=204)
    async def take_second_step(request: Request, principal: Caller, body: AuthenticatorCode) -> Response:
        require_accounts(app)
        secret = entrance.pending.read(request.scope, request.headers)
        begun = await sign_in.with_code(secret, body.code, entrance.visitor(request))
        return await entrance.let_in(request, principal, begun)

    @api.post("/setup")
    async def prepare_second_step(request: Request) -> AuthenticatorSecret:
        require_accounts(app)
        made = await sign_in.prepare_second_step(entrance.pending.read(request.scope, request.headers))
        return AuthenticatorSecret(secret=made.secret, uri=made.uri)

    @api.put("/setup", response_model=RecoveryCodes)
    async def set_up_second_step(request: Request, principal: Caller, body: AuthenticatorCode) -> Response:
        require_accounts(app)
        secret = entrance.pending.read(request.scope, request.headers)
        begun, codes = await sign_in.with_new_factor(secret, body.code, entrance.visitor(request))
        response = JSONResponse({"codes": codes})
        await entrance.let_in(request, principal, begun, response)
        return response

    return api
