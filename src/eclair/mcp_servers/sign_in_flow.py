"""One sign-in of a person at an MCP server by OAuth 2.1, which waits for them in between.

The official library finds the authorization server, makes Éclair known there, and makes the calls, with PKCE. An
authorization server that doesn't say who it is, or that it knows PKCE, isn't trusted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import httpx2
import orjson
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, OAuthRegistrationError, OAuthTokenError
from mcp.client.auth.utils import extract_resource_metadata_from_www_auth, extract_scope_from_www_auth, union_scopes
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import ValidationError

from eclair.errors import Conflict, EclairError, EngineBroken, EngineUnavailable, Refused
from eclair.mcp_servers.sign_in_account import read_account, read_token
from eclair.mcp_servers.sign_in_client import RedirectTarget, client_metadata
from eclair.mcp_servers.sign_in_tokens import BASIC, KeptSignIn
from eclair.mcp_servers.sign_in_transport import EVENT_STREAM, SignInTransport
from eclair.network.mcp_http import UNAUTHORIZED, open_mcp_client
from eclair.util.tasks import cancel_and_wait

BEGIN_TIMEOUT_S = 30.0
FINISH_TIMEOUT_S = 30.0
USERINFO_TIMEOUT_S = 5.0

_PROBE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "eclair", "version": "1"}},
}
"""A request that a server which wants a sign-in refuses."""

SaveSignIn = Callable[[str], Awaitable[None]]
"""Keeps a sign-in, which is JSON."""


class McpSignInFlow:
    """A sign-in at the server `name`. `scope` is asked for beside what the server names. Call `close` at the end.

    `client` has id and secret, which may be empty, of a client that was registered by hand.
    """

    def __init__(
        self,
        name: str,
        url: str,
        http: SignInTransport,
        target: RedirectTarget,
        save: SaveSignIn,
        scope: str | None = None,
        client: tuple[str, str] | None = None,
    ) -> None:
        self._name = name
        self._url = url
        self._http = http
        self._save = save
        self._client = client
        self._redirect_uri = target.redirect_uri
        loop = asyncio.get_running_loop()
        self._address: asyncio.Future[str] = loop.create_future()
        self._answer: asyncio.Future[AuthorizationCodeResult] = loop.create_future()
        self._challenge = _Challenge(http, scope)
        metadata = OAuthClientMetadata.model_validate(client_metadata(target.redirect_uri))
        self._provider = OAuthClientProvider(
            url, metadata, self, self._redirect, self._wait_for_answer, target.document_url
        )
        self._task = asyncio.create_task(self._probe(), name=f"sign in at {name}")

    @property
    def has_ended(self) -> bool:
        return self._task.done()

    async def begin(self) -> tuple[str, str]:
        """Return the address to which the person's browser goes, and the state that it brings back.

        Raises Conflict where the server wants no sign-in, Refused, EngineUnavailable and EngineBroken.
        """
        waiting = [self._task, self._address]
        await asyncio.wait(waiting, timeout=BEGIN_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        if not self._address.done():
            await self.close()
            raise self._fault() or EngineUnavailable(
                f"The MCP server {self._name!r} can't be used: {self._http.fault or 'it broke off the sign-in'}."
            )
        url = self._address.result()
        return url, parse_qs(urlsplit(url).query)["state"][0]

    async def finish(self, code: str, state: str, issuer: str | None) -> None:
        """Exchange the code for tokens, and have them kept. Raises Refused, EngineUnavailable and EngineBroken."""
        if not self._answer.done():
            self._answer.set_result(AuthorizationCodeResult(code=code, state=state, iss=issuer))
        await asyncio.wait([self._task], timeout=FINISH_TIMEOUT_S)
        await self.close()
        if (fault := self._fault()) is not None:
            raise fault

    async def close(self) -> None:
        await cancel_and_wait(self._task)

    async def get_tokens(self) -> OAuthToken | None:
        """See `TokenStorage` of the MCP library; None, since each sign-in starts from scratch."""
        return None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """See `TokenStorage`."""
        context = self._provider.context
        assert context.client_info is not None  # the library registers first
        assert context.oauth_metadata is not None  # `_redirect` has seen it
        kept = KeptSignIn(
            tokens=tokens,
            client=context.client_info,
            metadata=context.oauth_metadata,
            resource=context.get_resource_url(),
            expires=None if tokens.expires_in is None else time.time() + tokens.expires_in,
            account=await self._find_account(tokens),
        )
        await self._save(kept.model_dump_json(exclude_none=True))

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """See `TokenStorage`: the client that was registered by hand, if there is one."""
        if self._client is None:
            return None
        id, secret = self._client
        uris: Any = [self._redirect_uri]
        return OAuthClientInformationFull(client_id=id, client_secret=secret or None, redirect_uris=uris)

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """See `TokenStorage`: it is kept with the tokens."""

    async def _probe(self) -> None:
        headers = {"Accept": f"application/json, {EVENT_STREAM}"}
        async with (
            open_mcp_client(self._challenge, self._provider) as client,
            client.stream("POST", self._url, json=_PROBE, headers=headers),
        ):
            pass

    async def _redirect(self, url: str) -> None:
        """Take the page to which the person goes. Raises EngineBroken where its server is not to be trusted."""
        metadata = self._provider.context.oauth_metadata
        if metadata is None:
            raise self._unwanted() if not self._challenge.is_real else self._broken("says nowhere how to sign in")
        if "S256" not in (metadata.code_challenge_methods_supported or ()):
            raise self._broken("doesn't say that its sign-in knows PKCE (S256)")
        self._http.require_encryption("GET", str(metadata.authorization_endpoint))
        self._http.require_encryption("POST", str(metadata.token_endpoint))
        if self._client is not None and self._provider.context.client_info is not None:
            method = _choose_method(metadata.token_endpoint_auth_methods_supported, has_secret=bool(self._client[1]))
            self._provider.context.client_info.token_endpoint_auth_method = method
        self._address.set_result(url)

    async def _find_account(self, tokens: OAuthToken) -> str | None:
        """Return how the other side calls the person, if it says so."""
        found = read_token(self._challenge.id_token) or read_token(tokens.access_token)
        url = self._challenge.userinfo
        if found is not None or url is None:
            return found
        headers = {"Authorization": f"Bearer {tokens.access_token}", "Accept": "application/json"}
        try:
            self._http.require_encryption("GET", url)
            async with asyncio.timeout(USERINFO_TIMEOUT_S):  # the client that was opened closes the transport
                reply = await self._http.handle_async_request(httpx2.Request("GET", url, headers=headers))
                said = await reply.aread()
                await reply.aclose()
            return read_account(orjson.loads(said)) if reply.status_code == 200 else None
        except (Refused, httpx2.HTTPError, TimeoutError, ValueError):  # the sign-in is good without it
            return None

    async def _wait_for_answer(self) -> AuthorizationCodeResult:
        return await self._answer

    def _fault(self) -> EclairError | None:
        """Return why it ended, if not well."""
        if self._task.cancelled():
            return EngineUnavailable(f"The MCP server {self._name!r} did not answer in time; sign in again.")
        error = self._task.exception()
        if error is None or isinstance(error, EclairError):
            return error
        if not self._challenge.is_real and isinstance(error, OAuthRegistrationError):
            return self._unwanted()
        if isinstance(self._http.fault, Refused):
            return self._http.fault
        said = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
        if isinstance(error, httpx2.HTTPError):
            return EngineUnavailable(f"The sign-in of the MCP server {self._name!r} can't be reached: {said}.")
        if isinstance(error, OAuthRegistrationError):
            return EngineBroken(
                f"Where the MCP server {self._name!r} has people sign in, programs can't register ({said}); "
                "give the server a token as a header instead."
            )
        if isinstance(error, OAuthTokenError):
            if isinstance(error.__context__, ValidationError):
                said = "its reply holds none"
            return EngineBroken(
                f"The sign-in of the MCP server {self._name!r} gave no tokens ({said}); sign in again, or check the "
                "client's ID and secret if you set them."
            )
        return self._broken(f"can't be trusted with a sign-in: {said}")

    def _unwanted(self) -> EclairError:
        return Conflict(f"The MCP server {self._name!r} wants no sign-in.")

    def _broken(self, how: str) -> EngineBroken:
        return EngineBroken(f"The MCP server {self._name!r} {how}; tell whoever runs it.")


class _Challenge(httpx2.AsyncBaseTransport):
    """Shows the library a refusal of the first message, also where only later ones are refused, with a wider scope."""

    def __init__(self, http: SignInTransport, scope: str | None) -> None:
        self._http = http
        self._scope = scope
        self._is_first = True
        self.is_real = False
        """True if the server itself refused the message."""
        self.id_token: object = None
        self.userinfo: str | None = None
        """The address that tells who somebody is, if a description of the authorization server names one."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """See `SignInTransport`."""
        reply = await self._http.handle_async_request(request)
        if not self._is_first:
            await self._note_account(request, reply)
            return reply
        self._is_first = False
        self.is_real = reply.status_code == UNAUTHORIZED
        if reply.status_code >= 500 or (self.is_real and self._scope is None):
            return reply
        await reply.aclose()
        reply.status_code = UNAUTHORIZED
        scope = union_scopes(self._scope, extract_scope_from_www_auth(reply))
        fields = {"scope": scope, "resource_metadata": extract_resource_metadata_from_www_auth(reply)}
        said = ", ".join(f'{name}="{value}"' for name, value in fields.items() if value is not None)
        return httpx2.Response(UNAUTHORIZED, headers={"WWW-Authenticate": f"Bearer {said}"}, request=request)

    async def _note_account(self, request: httpx2.Request, reply: httpx2.Response) -> None:
        """Note what the library leaves out of descriptions and tokens."""
        is_description = "/.well-known/" in request.url.path
        if reply.status_code != 200 or not (is_description or request.method == "POST"):
            return
        if "json" not in reply.headers.get("content-type", ""):
            return
        await reply.aread()
        try:
            said = orjson.loads(reply.content)
        except ValueError:
            return
        if not isinstance(said, dict):
            return
        fields = cast("dict[str, object]", said)
        userinfo = fields.get("userinfo_endpoint")
        if is_description and isinstance(userinfo, str):
            self.userinfo = userinfo
        if "access_token" in fields:
            self.id_token = fields.get("id_token")

    async def aclose(self) -> None:
        await self._http.aclose()


def _choose_method(offered: Sequence[str] | None, *, has_secret: bool) -> str:
    """Return how a client says who it is at the token endpoint; without a word, servers take Basic (RFC 8414)."""
    if not has_secret:
        return "none"
    return "client_secret_post" if offered and BASIC not in offered else BASIC
