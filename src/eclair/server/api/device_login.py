"""`/api/device`: device login (RFC 8628), by which programs on other machines get a key of the person who confirms.

The routes of programs speak OAuth: forms in, and errors in its words.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from eclair.accounts.api_keys import ApiKeys
from eclair.accounts.device_logins import (
    DEFAULT_DAYS,
    DEVICE_SCOPES,
    INTERVAL_S,
    LASTS_S,
    DeviceLoginFault,
    DeviceLogins,
    DeviceRequest,
    DeviceScope,
    show_code,
)
from eclair.accounts.key_rights import MAX_DAYS
from eclair.app import App
from eclair.errors import TooLarge
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.server.api.session import Secret
from eclair.server.client_address import ClientAddresses
from eclair.server.principal import Caller
from eclair.server.public_address import PublicAddress
from eclair.server.request_body import RequestBody

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
MAX_FORM_BYTES = 10_000
BUSY = "temporarily_unavailable"


class DeviceCodeBody(RequestBody):
    """The code that a program shows."""

    user_code: Secret


class DeviceDecision(DeviceCodeBody):
    """A decision on a program: its key, and for how many days it lasts."""

    approve: bool
    days: Annotated[int, Field(ge=1, le=MAX_DAYS)] = DEFAULT_DAYS


class WaitingProgram(BaseModel):
    """A program that waits. `program` and `device` are what it calls itself, which anybody can make up.

    `address` is where it asks from, and `is_elsewhere` says that this is another one than the caller's. Times are in
    milliseconds.
    """

    user_code: str
    program: str
    device: str
    address: str
    is_elsewhere: bool
    scope: DeviceScope
    created: int
    expires: int

    @classmethod
    def from_request(cls, request: DeviceRequest, address: str) -> WaitingProgram:
        return cls(
            user_code=show_code(request.user_code),
            program=request.program,
            device=request.device,
            address=request.address,
            is_elsewhere=request.address != address,
            scope=request.scope,
            created=int(request.created * 1000),
            expires=int(request.expires * 1000),
        )


class AuthorizationServer(BaseModel):
    """Metadata of the device login, for programs (RFC 8414)."""

    issuer: str
    device_authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str
    grant_types_supported: list[str] = [GRANT_TYPE]
    response_types_supported: list[str] = []
    scopes_supported: list[str] = list(DEVICE_SCOPES)
    token_endpoint_auth_methods_supported: list[Literal["none"]] = ["none"]
    revocation_endpoint_auth_methods_supported: list[Literal["none"]] = ["none"]


def router(app: App) -> APIRouter:
    api = APIRouter(tags=["device login"])
    public = PublicAddress.from_settings(app.settings)
    addresses = ClientAddresses(app.settings.trusted_proxies)

    async def find_person(id: str, address: str) -> Principal | None:
        if app.settings.accounts == "off":
            return LOCAL_PRINCIPAL
        return await app.accounts.principals.find_by_person(id, address)

    clock = app.storage.processes.clock
    keys = ApiKeys(app.storage.api_keys, clock, app.rights)
    logins = DeviceLogins(app.storage.sign_in_states, keys, find_person, clock)

    @api.post("/api/device/code", include_in_schema=False)
    async def begin_device_login(request: Request) -> Response:
        form = await _read_form(request)
        address = addresses.find(request.scope, request.headers)
        try:
            names = (form.get("client_id", ""), form.get("device_name", ""))
            begun = await logins.begin(*names, form.get("scope", ""), address)
        except DeviceLoginFault as fault:
            return _refuse(fault, 429 if fault.code == BUSY else 400)
        code, page = show_code(begun.request.user_code), public.absolute_url(request, "/device")
        return JSONResponse(
            {
                "device_code": begun.device_code,
                "user_code": code,
                "verification_uri": page,
                "verification_uri_complete": f"{page}#{code}",
                "expires_in": LASTS_S,
                "interval": INTERVAL_S,
            }
        )

    @api.post("/api/device/token", include_in_schema=False)
    async def redeem_device_code(request: Request) -> Response:
        form = await _read_form(request)
        if form.get("grant_type") != GRANT_TYPE:
            return JSONResponse({"error": "unsupported_grant_type", "error_description": f"Send {GRANT_TYPE}."}, 400)
        try:
            address = addresses.find(request.scope, request.headers)
            made = await logins.redeem(form.get("device_code", ""), address)
        except DeviceLoginFault as fault:
            return _refuse(fault, 503 if fault.code == BUSY else 400)
        key = made.stored
        lasts = {} if key.expires is None else {"expires_in": (key.expires - key.created) // 1000}
        reply = {"access_token": made.secret, "token_type": "Bearer", "scope": key.scope, "name": key.name}
        return JSONResponse(reply | lasts)

    @api.post("/api/device/revoke", include_in_schema=False)
    async def revoke_by_key(request: Request) -> Response:
        await logins.revoke((await _read_form(request)).get("token", "").encode())
        return Response(status_code=200)

    @api.post("/api/device/lookup")
    async def find_waiting_program(request: Request, principal: Caller, body: DeviceCodeBody) -> WaitingProgram:
        address = addresses.find(request.scope, request.headers)
        return WaitingProgram.from_request(await logins.find(principal, body.user_code), address)

    @api.post("/api/device/decision", status_code=204)
    async def decide_device_login(principal: Caller, body: DeviceDecision) -> None:
        if body.approve:
            await logins.approve(principal, body.user_code, body.days)
        else:
            await logins.deny(principal, body.user_code)

    @api.get("/.well-known/oauth-authorization-server")
    async def describe_device_login(request: Request) -> AuthorizationServer:
        return AuthorizationServer(
            issuer=public.absolute_url(request, "").rstrip("/"),
            device_authorization_endpoint=public.absolute_url(request, "/api/device/code"),
            token_endpoint=public.absolute_url(request, "/api/device/token"),
            revocation_endpoint=public.absolute_url(request, "/api/device/revoke"),
        )

    return api


def _refuse(fault: DeviceLoginFault, status: int) -> JSONResponse:
    return JSONResponse({"error": fault.code, "error_description": fault.description}, status)


async def _read_form(request: Request) -> dict[str, str]:
    """Return the first value of each field of a form. Raises TooLarge."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise TooLarge("The form is larger than 10 kB; send only the fields of RFC 8628.")
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
