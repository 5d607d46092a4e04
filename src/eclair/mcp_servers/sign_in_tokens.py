"""Tokens of a person's sign-in at an MCP server: renewed, one renewal at a time, and revoked.

Many authorization servers take a refresh token once. A renewal that has begun is therefore done to its end, whoever
waits for it, and while it runs no other connection or process changes the sign-in.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from urllib.parse import quote

import httpx2
from mcp.client.auth.utils import union_scopes
from mcp.shared.auth import OAuthClientInformationFull, OAuthMetadata, OAuthToken
from pydantic import BaseModel, ValidationError

from eclair.errors import EngineBroken, EngineUnavailable, Refused
from eclair.mcp_servers.sign_in_keeper import RENEWAL_TIMEOUT_S
from eclair.mcp_servers.sign_in_transport import SignInTransport
from eclair.network.mcp_http import UNAUTHORIZED, open_mcp_client
from eclair.schema.ids import Clock
from eclair.util.tasks import UncancelledTasks

REVOKE_TIMEOUT_S = 15.0
BASIC = "client_secret_basic"

log = logging.getLogger(__name__)


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

    def changing(self) -> AbstractAsyncContextManager[None]:
        """Let nothing else change the sign-in, in this process or another, until the block ends.

        Raises EngineUnavailable where that takes too long.
        """
        ...

    async def read(self) -> str | None:
        """Return the sign-in, which is JSON; None once it is gone."""
        ...

    async def renew(self, kept: str) -> None:
        """Keep it in place of an earlier one, unless that is gone. Call it in a block of `changing`."""
        ...

    async def forget(self) -> None:
        """Delete it, since the server takes it no more. Call it in a block of `changing`."""
        ...


class TokenRenewer:
    """Renews the tokens of one sign-in, over connections of its own that `open_http` opens."""

    def __init__(
        self,
        place: SignInPlace,
        open_http: Callable[[], SignInTransport],
        tasks: UncancelledTasks,
        clock: Clock = time.time,
    ) -> None:
        self._place = place
        self._open_http = open_http
        self._tasks = tasks
        self._clock = clock

    async def renew(self, used: KeptSignIn, *, is_refused: bool) -> KeptSignIn:
        """Return the sign-in with newer tokens than those used, or `used` itself where there are none.

        Forgets it if `is_refused` and its tokens can't be renewed, or if their renewal is refused. Raises Refused,
        EngineUnavailable, EngineBroken and StoreError.
        """
        return await self._tasks.run(self._renew(used, is_refused=is_refused))

    async def note_scope(self, scope: str) -> None:
        """Keep which scope the server wants beyond that of the tokens, for the next sign-in.

        Raises EngineUnavailable and StoreError.
        """
        await self._tasks.run(self._note_scope(scope))

    async def _renew(self, used: KeptSignIn, *, is_refused: bool) -> KeptSignIn:
        async with self._place.changing():
            kept = await self._read()
            if kept is None:
                return used
            if kept.tokens.access_token != used.tokens.access_token:
                return kept
            if kept.tokens.refresh_token is None:
                if is_refused:
                    await self._place.forget()
                return used
            form = {
                "grant_type": "refresh_token",
                "refresh_token": kept.tokens.refresh_token,
                "resource": kept.resource,
            }
            reply = await self._send(_signed_form(str(kept.metadata.token_endpoint), form, kept.client))
            if reply.status_code in (400, UNAUTHORIZED):
                return await self._forget_refused(used)
            renewed = self._read_reply(kept, reply)
            await self._place.renew(renewed.model_dump_json(exclude_none=True))
            return renewed

    async def _forget_refused(self, used: KeptSignIn) -> KeptSignIn:
        """Forget a sign-in whose renewal was refused, unless a process that was thought dead has renewed it."""
        kept = await self._read()
        if kept is not None and kept.tokens.access_token != used.tokens.access_token:
            return kept
        await self._place.forget()
        return used

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request, and read the reply to its end. Raises Refused and EngineUnavailable."""
        http = self._open_http()
        try:
            async with asyncio.timeout(RENEWAL_TIMEOUT_S), open_mcp_client(http) as client:
                return await client.send(request)
        except (httpx2.HTTPError, TimeoutError) as error:
            if isinstance(http.fault, Refused):
                raise http.fault from error
            why = http.fault or str(error) or f"no answer in {RENEWAL_TIMEOUT_S:g} seconds"
            log.warning("tokens of a sign-in could not be renewed: %s", why)
            raise EngineUnavailable(f"its sign-in can't be renewed: {why}") from error

    def _read_reply(self, kept: KeptSignIn, reply: httpx2.Response) -> KeptSignIn:
        """Return the sign-in with the tokens of a reply. Raises EngineUnavailable and EngineBroken."""
        if reply.status_code >= 300:
            raise EngineUnavailable(f"its sign-in can't be renewed: status {reply.status_code}")
        try:
            tokens = OAuthToken.model_validate_json(reply.content)
        except ValidationError:
            raise EngineBroken("its sign-in can't be renewed: the reply holds no tokens") from None
        tokens.scope = tokens.scope or kept.tokens.scope
        tokens.refresh_token = tokens.refresh_token or kept.tokens.refresh_token
        expires = None if tokens.expires_in is None else self._clock() + tokens.expires_in
        return kept.model_copy(update={"tokens": tokens, "expires": expires})

    async def _note_scope(self, scope: str) -> None:
        async with self._place.changing():
            kept = await self._read()
            if kept is not None and kept.wanted_scope != scope:
                noted = kept.model_copy(update={"wanted_scope": scope})
                await self._place.renew(noted.model_dump_json(exclude_none=True))

    async def _read(self) -> KeptSignIn | None:
        stored = await self._place.read()
        return None if stored is None else KeptSignIn.model_validate_json(stored)


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
