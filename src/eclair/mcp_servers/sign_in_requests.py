"""Requests signed with a person's tokens of an MCP server, which are renewed when they run out or are refused."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Protocol
from urllib.parse import quote

import httpx2
from mcp.client.auth.utils import extract_scope_from_www_auth, union_scopes
from mcp.shared.auth import OAuthClientInformationFull, OAuthMetadata, OAuthToken
from pydantic import BaseModel, ValidationError

from eclair.mcp_servers.sign_in_transport import SignInTransport
from eclair.network.mcp_http import FORBIDDEN, UNAUTHORIZED, open_mcp_client
from eclair.schema.ids import Clock

RENEW_BEFORE_S = 20.0
"""Tokens that have less left are renewed first."""
REVOKE_TIMEOUT_S = 15.0
BASIC = "client_secret_basic"


class KeptSignIn(BaseModel):
    """A sign-in as it is kept: tokens, the second when they run out, and the client that Éclair is registered as.

    `resource` is what the tokens are for. `wanted_scope` is what the server asked for beyond their scope. `account` is
    how the other side calls the person, if it says so.
    """

    tokens: OAuthToken
    client: OAuthClientInformationFull
    metadata: OAuthMetadata
    resource: str
    expires: float | None = None
    wanted_scope: str | None = None
    account: str | None = None


class SignInPlace(Protocol):
    """The place of a person's sign-in at a server."""

    async def read(self) -> str | None:
        """Return the sign-in, which is JSON; None once it is gone."""
        ...

    async def renew(self, kept: str) -> None:
        """Keep it in place of an earlier one, unless that is gone."""
        ...

    async def forget(self) -> None:
        """Delete it, since the server takes it no more."""
        ...


class SignedRequests(httpx2.Auth):
    """Signs requests to one origin. Other connections and processes may renew the tokens too: the newest are used."""

    def __init__(self, url: str, kept: KeptSignIn, place: SignInPlace, clock: Clock = time.time) -> None:
        self._url = httpx2.URL(url)
        self._kept = kept
        self._place = place
        self._clock = clock
        self._renewing = asyncio.Lock()

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Renew tokens that have run out, send the request, and renew and send again if the server refuses them."""
        if not self._is_signed(request.url):
            yield request
            return
        used = self._kept
        for is_refused in (False, True):
            if is_refused or self._runs_out(used):
                async with self._renewing:
                    if (renewal := await self._begin_renewal(used, is_refused=is_refused)) is not None:
                        await self._end_renewal(used, (yield renewal))
                if is_refused and self._kept is used:
                    return
            used = self._kept  # other requests may renew the tokens while this one is under way
            request.headers["Authorization"] = f"Bearer {used.tokens.access_token}"
            reply = yield request
            if reply.status_code == FORBIDDEN:
                await self._note_scope(reply)
            if reply.status_code != UNAUTHORIZED:
                return

    def _is_signed(self, url: httpx2.URL) -> bool:
        return (url.scheme, url.host, url.port) == (self._url.scheme, self._url.host, self._url.port)

    def _runs_out(self, kept: KeptSignIn) -> bool:
        return kept.expires is not None and kept.expires - RENEW_BEFORE_S < self._clock()

    async def _begin_renewal(self, used: KeptSignIn, *, is_refused: bool) -> httpx2.Request | None:
        """Return a request that renews the tokens; None if they have been already, or can't be."""
        if self._kept is not used or await self._has_newer(used):
            return None
        if used.tokens.refresh_token is None:
            if is_refused:
                await self._place.forget()
            return None
        form = {"grant_type": "refresh_token", "refresh_token": used.tokens.refresh_token, "resource": used.resource}
        return _signed_form(str(used.metadata.token_endpoint), form, used.client)

    async def _end_renewal(self, used: KeptSignIn, reply: httpx2.Response) -> None:
        """Keep the new tokens, or forget the sign-in if the renewal was refused. Raises httpx2.HTTPError otherwise."""
        body = await reply.aread()
        if reply.status_code in (400, UNAUTHORIZED):
            if not await self._has_newer(used):
                await self._place.forget()
            return
        if reply.status_code >= 300:
            raise httpx2.RemoteProtocolError(f"the tokens could not be renewed: status {reply.status_code}")
        try:
            tokens = OAuthToken.model_validate_json(body)
        except ValidationError:
            raise httpx2.RemoteProtocolError("the renewed tokens can't be read") from None
        tokens.scope = tokens.scope or used.tokens.scope
        tokens.refresh_token = tokens.refresh_token or used.tokens.refresh_token
        expires = None if tokens.expires_in is None else self._clock() + tokens.expires_in
        await self._keep(used.model_copy(update={"tokens": tokens, "expires": expires}))

    async def _note_scope(self, reply: httpx2.Response) -> None:
        """Keep which scope a server wants beyond that of the tokens, for the next sign-in."""
        scope = extract_scope_from_www_auth(reply)
        if scope is not None and scope != self._kept.wanted_scope:
            await self._keep(self._kept.model_copy(update={"wanted_scope": scope}))

    async def _keep(self, kept: KeptSignIn) -> None:
        self._kept = kept
        await self._place.renew(kept.model_dump_json(exclude_none=True))

    async def _has_newer(self, used: KeptSignIn) -> bool:
        """Take up tokens that were renewed elsewhere, or a new sign-in."""
        stored = await self._place.read()
        latest = None if stored is None else KeptSignIn.model_validate_json(stored)
        if latest is None or latest.tokens.access_token == used.tokens.access_token:
            return False
        self._kept = latest
        return True


def wanted_scope(kept: str) -> str | None:
    """Return the scope for the next sign-in: that of the last one, and what the server has asked for since."""
    sign_in = KeptSignIn.model_validate_json(kept)
    return union_scopes(sign_in.tokens.scope, sign_in.wanted_scope)


async def revoke(kept: str, http: SignInTransport) -> str | None:
    """Have the tokens of a sign-in revoked, where the server offers that; return why that failed, if it did.

    Raises ValueError for a sign-in that can't be read.
    """
    sign_in = KeptSignIn.model_validate_json(kept)
    endpoint, tokens = sign_in.metadata.revocation_endpoint, sign_in.tokens
    if endpoint is None:
        return None
    form = {"token": tokens.refresh_token or tokens.access_token}
    try:
        async with asyncio.timeout(REVOKE_TIMEOUT_S), open_mcp_client(http) as client:
            reply = await client.send(_signed_form(str(endpoint), form, sign_in.client))
    except (httpx2.HTTPError, TimeoutError) as error:
        return str(error) or "no answer in time"
    return f"status {reply.status_code}" if reply.status_code >= 300 else None


def _signed_form(url: str, form: Mapping[str, str], client: OAuthClientInformationFull) -> httpx2.Request:
    """Return a request of a client, which says who it is as it was registered to (RFC 6749, 2.3.1)."""
    fields, headers = {**form, "client_id": client.client_id}, dict[str, str]()
    if client.client_secret is not None and client.token_endpoint_auth_method == BASIC:
        pair = f"{quote(client.client_id, safe='')}:{quote(client.client_secret, safe='')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    elif client.client_secret is not None:
        fields["client_secret"] = client.client_secret
    return httpx2.Request("POST", url, data=fields, headers=headers)
