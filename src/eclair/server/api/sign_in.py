"""`/api/sign-in`: the way to an identity provider and back, and what a provider says of its sessions.

Browsers are led here, not programs. A refusal leads to the sign-in page, which says why by its code.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from dataclasses import replace
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Path, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from eclair.app import App
from eclair.errors import EclairError, IdentityUnverified, NotFound, SignInExpired, TooLarge
from eclair.schema.principal import NOBODY
from eclair.server.sign_in_flow import SignInFlow

MAX_FORM_BYTES = 2 << 20

ProviderId = Annotated[str, Path(max_length=40)]

log = logging.getLogger(__name__)


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/sign-in", include_in_schema=False)
    flow = SignInFlow(app)

    async def or_refuse(request: Request, provider: str, response: Awaitable[Response]) -> Response:
        """Lead to the sign-in page where something is refused, with the code of why."""
        try:
            return await response
        except NotFound:
            raise
        except EclairError as error:
            log.warning("Sign-in by %s failed (%s): %s", provider, error.code, error.message)
            if not isinstance(error, SignInExpired):  # which anybody can cause, as often as they like
                visitor = replace(NOBODY, address=flow.address_of(request))
                details = {"provider": provider, "reason": error.code}
                await app.storage.audit.add_act(visitor, "sign_in.failed", outcome="failure", details=details)
            refusal = RedirectResponse(f"/?sign_in_error={error.code}", status_code=303)
            flow.cookie.remove(request.scope, refusal)
            return refusal

    @api.get("/{provider}")
    async def start(request: Request, provider: ProviderId, return_to: str = "/") -> Response:
        return await or_refuse(request, provider, flow.start(request, provider, return_to))

    @api.get("/{provider}/callback")
    async def finish(request: Request, provider: ProviderId) -> Response:
        return await or_refuse(request, provider, flow.finish(request, provider, request.query_params))

    @api.post("/{provider}/callback")
    async def take_saml_response(request: Request, provider: ProviderId) -> Response:
        encoded = await _read_field(request, "SAMLResponse")
        return await or_refuse(request, provider, flow.take_saml_response(request, provider, encoded))

    @api.get("/{provider}/logout")
    async def sign_out(request: Request, provider: ProviderId) -> Response:
        return await or_refuse(request, provider, flow.sign_out(request, provider))

    @api.post("/{provider}/backchannel-logout")
    async def take_logout(request: Request, provider: ProviderId) -> Response:
        if provider not in app.identity.oidc:
            raise NotFound(f"There is no identity provider {provider!r} that ends sessions.")
        token = await _read_field(request, "logout_token")
        try:
            notice = await app.identity.oidc[provider].read_logout_token(token)
        except IdentityUnverified as error:
            log.warning("A logout by %s was refused: %s", provider, error.message)
            return JSONResponse({"error": "invalid_request", "error_description": error.message}, 400)
        person = None
        if notice.subject is not None:
            person = await app.storage.people.find_identity(notice.issuer, notice.subject)
        await app.accounts.sessions.end_by_provider(notice.issuer, notice.provider_session, person)
        return Response(status_code=200)

    @api.get("/{provider}/metadata")
    async def show_metadata(request: Request, provider: ProviderId) -> Response:
        if provider not in app.identity.saml:
            raise NotFound(f"There is no identity provider {provider!r} that speaks SAML.")
        from eclair.identity.saml_metadata import write_metadata

        xml = write_metadata(*flow.saml_urls(request, provider))
        return Response(xml, media_type="application/samlmetadata+xml")

    return api


async def _read_field(request: Request, name: str) -> str:
    """Return a field of a form; empty where it isn't there. Raises TooLarge."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise TooLarge("The identity provider's reply is larger than 2 MB; ask your administrator.")
    return parse_qs(body.decode("latin-1")).get(name, [""])[0]
