"""Requests signed with a person's tokens of an MCP server, which are renewed when they run out or are refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

import httpx2
from mcp.client.auth.utils import extract_scope_from_www_auth

from eclair.errors import EclairError, Refused
from eclair.mcp_servers.sign_in_tokens import KeptSignIn, TokenRenewer
from eclair.network.mcp_http import FORBIDDEN, UNAUTHORIZED
from eclair.schema.ids import Clock

RENEW_BEFORE_S = 20.0
"""Tokens that have less left are renewed first."""


class SignedRequests(httpx2.Auth):
    """Signs requests to one origin with the newest tokens.

    `fault` is why tokens could not be renewed last, in the middle of a sentence.
    """

    def __init__(self, url: str, kept: KeptSignIn, renewer: TokenRenewer, clock: Clock = time.time) -> None:
        self._url = httpx2.URL(url)
        self._kept = kept
        self._renewer = renewer
        self._clock = clock
        self._renewing = asyncio.Lock()
        self._refused = 0
        self.fault: Refused | str | None = None

    @property
    def is_resending(self) -> bool:
        """True while a request that was refused is to be sent again, so that its refusal isn't the last word."""
        return self._refused > 0

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Renew tokens that have run out, send the request, and renew and send again if the server refuses them.

        Raises httpx2.ConnectError where the tokens can't be renewed now.
        """
        if not self._is_signed(request.url):
            yield request
            return
        if self._runs_out():
            await self._renew(request, self._kept, is_refused=False)
        used = self._sign(request)
        reply = yield request
        if reply.status_code == UNAUTHORIZED:
            self._refused += 1
            try:
                await self._renew(request, used, is_refused=True)
                if self._sign(request) is used:
                    return
                reply = yield request
            finally:
                self._refused -= 1
        if reply.status_code == FORBIDDEN and (scope := extract_scope_from_www_auth(reply)) is not None:
            await self._note_scope(request, scope)

    def _is_signed(self, url: httpx2.URL) -> bool:
        return (url.scheme, url.host, url.port) == (self._url.scheme, self._url.host, self._url.port)

    def _runs_out(self) -> bool:
        return self._kept.expires is not None and self._kept.expires - RENEW_BEFORE_S < self._clock()

    def _sign(self, request: httpx2.Request) -> KeptSignIn:
        request.headers["Authorization"] = f"Bearer {self._kept.tokens.access_token}"
        return self._kept

    async def _renew(self, request: httpx2.Request, used: KeptSignIn, *, is_refused: bool) -> None:
        """Take up newer tokens, unless another request has done so meanwhile."""
        async with self._renewing:
            if self._kept is used:
                try:
                    self._kept = await self._renewer.renew(used, is_refused=is_refused)
                except EclairError as error:
                    raise self._failed(request, error) from error
                self.fault = None

    async def _note_scope(self, request: httpx2.Request, scope: str) -> None:
        try:
            await self._renewer.note_scope(scope)
        except EclairError as error:
            raise self._failed(request, error) from error

    def _failed(self, request: httpx2.Request, error: EclairError) -> httpx2.ConnectError:
        self.fault = error if isinstance(error, Refused) else error.message.rstrip(".")
        return httpx2.ConnectError(error.message, request=request)
