"""An MCP server that wants a sign-in by OAuth 2.1, and its authorization server, both at one address."""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import uvicorn
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    IdentityAssertionParams,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    TokenError,
    construct_redirect_uri,
)
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.server.mcpserver import MCPServer
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyHttpUrl
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eclair.util.port import listen
from tests.support import UnsignalledServer

Lie = dict[str, Any]
"""Fields of a document that are otherwise than they should be; those that are None are missing."""


@dataclass(slots=True)
class Authorizing(OAuthAuthorizationServerProvider[AuthorizationCode, RefreshToken, AccessToken]):
    """Lets in whoever asks. It says that tokens count for `lifetime_s`; those that it renews do so for an hour.

    `lies` are told in documents, by their paths. `wanted_scope` is the one without which messages are refused.
    `requests` are those that came: path and headers. A renewal sets `taken` once its refresh token counts no more, and
    then waits for `may_give`. The paths in `down` answer with status 503.
    """

    lifetime_s: int = 3600
    clients: dict[str, OAuthClientInformationFull] = field(default_factory=dict[str, OAuthClientInformationFull])
    codes: dict[str, AuthorizationCode] = field(default_factory=dict[str, AuthorizationCode])
    access: dict[str, AccessToken] = field(default_factory=dict[str, AccessToken])
    refresh: dict[str, RefreshToken] = field(default_factory=dict[str, RefreshToken])
    renewed: int = 0
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    may_give: asyncio.Event = field(default_factory=asyncio.Event)
    down: set[str] = field(default_factory=set[str])
    lies: dict[str, Lie] = field(default_factory=dict[str, Lie])
    wanted_scope: str | None = None
    userinfo: Mapping[str, object] = field(default_factory=dict[str, object])
    """Claims of whoever signs in."""
    requests: list[tuple[str, Headers]] = field(default_factory=list[tuple[str, Headers]])

    def __post_init__(self) -> None:
        self.may_give.set()

    def tokens_at(self, path: str) -> list[str]:
        """Return what came as bearer tokens to a path, in order."""
        found = [headers.get("authorization", "") for each, headers in self.requests if each == path]
        return [token.removeprefix("Bearer ") for token in found if token.startswith("Bearer ")]

    def expire(self) -> None:
        """Let all access tokens run out, whatever was said of them."""
        for token in self.access.values():
            token.expires_at = 1

    def withdraw(self) -> None:
        """Take no token any more."""
        self.access.clear()
        self.refresh.clear()

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        assert client_info.client_id is not None
        self.clients[client_info.client_id] = client_info

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        code = secrets.token_urlsafe(32)
        assert client.client_id is not None
        self.codes[code] = AuthorizationCode(
            code=code,
            scopes=params.scopes or [],
            expires_at=time.time() + 60,
            client_id=client.client_id,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        return construct_redirect_uri(str(params.redirect_uri), code=code, state=params.state)

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        del self.codes[authorization_code.code]
        return self._give(authorization_code.client_id, authorization_code.scopes, authorization_code.resource)

    async def load_refresh_token(self, client: OAuthClientInformationFull, refresh_token: str) -> RefreshToken | None:
        return self.refresh.get(refresh_token)

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        del self.refresh[refresh_token.token]
        self.renewed += 1
        self.taken.set()
        await self.may_give.wait()
        self.lifetime_s = 3600
        return self._give(refresh_token.client_id, scopes, refresh_token.resource)

    async def load_access_token(self, token: str) -> AccessToken | None:
        found = self.access.get(token)
        return None if found is None or (found.expires_at or 0) < time.time() else found

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        self.access = {key: each for key, each in self.access.items() if each.client_id != token.client_id}
        self.refresh = {key: each for key, each in self.refresh.items() if each.client_id != token.client_id}

    async def exchange_identity_assertion(
        self, client: OAuthClientInformationFull, params: IdentityAssertionParams
    ) -> OAuthToken:
        raise TokenError("unsupported_grant_type", "this server takes no assertions")

    def _give(self, client: str, scopes: list[str], resource: str | None) -> OAuthToken:
        access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        until = int(time.time()) + 3600
        self.access[access] = AccessToken(
            token=access, client_id=client, scopes=scopes, expires_at=until, resource=resource
        )
        self.refresh[refresh] = RefreshToken(token=refresh, client_id=client, scopes=scopes, resource=resource)
        return OAuthToken(access_token=access, refresh_token=refresh, expires_in=self.lifetime_s)


class Lying:
    """ASGI middleware: notes requests, tells the provider's lies, and wants its scope."""

    def __init__(self, inner: ASGIApp, provider: Authorizing) -> None:
        self._inner = inner
        self._provider = provider

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._inner(scope, receive, send)
        path, headers = str(scope["path"]), Headers(scope=scope)
        self._provider.requests.append((path, headers))
        token = self._provider.access.get(headers.get("authorization", "").removeprefix("Bearer "))
        wanted = self._provider.wanted_scope
        if path == "/mcp" and token is not None and wanted is not None and wanted not in token.scopes:
            challenge = f'Bearer error="insufficient_scope", scope="{wanted}"'
            return await Response(status_code=403, headers={"WWW-Authenticate": challenge})(scope, receive, send)
        if path in self._provider.down:
            return await Response(status_code=503)(scope, receive, send)
        if path == "/userinfo":
            return await JSONResponse(dict(self._provider.userinfo))(scope, receive, send)
        if path in self._provider.lies:
            return await self._lie(scope, receive, send, self._provider.lies[path])
        return await self._inner(scope, receive, send)

    async def _lie(self, scope: Scope, receive: Receive, send: Send, lie: Lie) -> None:
        body = bytearray()

        async def keep(message: Message) -> None:
            body.extend(message.get("body", b""))

        await self._inner(scope, receive, keep)
        told = {name: value for name, value in {**json.loads(body), **lie}.items() if value is not None}
        await JSONResponse(told)(scope, receive, send)


@asynccontextmanager
async def authorizing(provider: Authorizing) -> AsyncGenerator[str]:
    """Serve both; yield the address of the MCP server."""
    with listen("127.0.0.1", 0) as listener:
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        auth = AuthSettings(
            issuer_url=AnyHttpUrl(origin),
            resource_server_url=AnyHttpUrl(f"{origin}/mcp"),
            validate_token_resource=True,
            client_registration_options=ClientRegistrationOptions(enabled=True),
            revocation_options=RevocationOptions(enabled=True),
        )
        server = MCPServer("secret notes", auth=auth, auth_server_provider=provider)

        @server.tool()
        def read_note() -> str:
            """Read a note."""
            return "the note"

        app = Lying(server.streamable_http_app(stateless_http=True, json_response=True), provider)
        config = uvicorn.Config(app, log_level="warning", lifespan="on")
        running = UnsignalledServer(config)
        task = asyncio.create_task(running.serve(sockets=[listener]))
        try:
            yield f"{origin}/mcp"
        finally:
            running.should_exit = True
            await task


async def visit(url: str) -> dict[str, str]:
    """Go where a browser would, and return what it is sent back with."""
    async with httpx2.AsyncClient(follow_redirects=False) as browser:
        reply = await browser.get(url)
    assert reply.status_code == 302, reply.text
    return dict(parse_qsl(urlsplit(reply.headers["location"]).query))


@contextmanager
def authorizing_beside(provider: Authorizing) -> Generator[str]:
    """Serve both in a thread of their own."""
    address: Future[str] = Future()
    end = threading.Event()

    async def serve() -> None:
        async with authorizing(provider) as url:
            address.set_result(url)
            await asyncio.to_thread(end.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        yield address.result(timeout=30)
    finally:
        end.set()
        thread.join()
