"""One sign-in of a person at an MCP server by OAuth 2.1: begun, and finished by whichever server they come back to.

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
from mcp.client.auth import (
    AuthorizationCodeResult,
    OAuthClientProvider,
    OAuthFlowError,
    OAuthRegistrationError,
    OAuthTokenError,
)
from mcp.client.auth.utils import (
    extract_resource_metadata_from_www_auth,
    extract_scope_from_www_auth,
    union_scopes,
    validate_authorization_response_iss,
)
from mcp.shared.auth import (
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
    ProtectedResourceMetadata,
)
from pydantic import BaseModel, ValidationError

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
_Send = Callable[[httpx2.Request], Awaitable[httpx2.Response]]
"""Makes a request."""


class BegunMcpSignIn(BaseModel):
    """Everything that a sign-in is finished with. `verifier` is the secret without which its code gives no tokens."""

    redirect_uri: str
    verifier: str
    client: OAuthClientInformationFull
    metadata: OAuthMetadata
    resource: ProtectedResourceMetadata | None = None
    scope: str | None = None
    userinfo: str | None = None


class _Provider(OAuthClientProvider):
    """The library's sign-in, cut in two where the person is asked. `verified` gets the secret of the first half."""

    verified: asyncio.Future[str]

    async def _exchange_token_authorization_code(self, auth_code: str, code_verifier: str) -> httpx2.Request:
        self.verified.set_result(code_verifier)
        return await asyncio.Future[httpx2.Request]()  # until it is cancelled

    async def exchange(self, begun: BegunMcpSignIn, code: str, send: _Send) -> None:
        """Exchange a code for tokens, which the storage gets. Raises OAuthFlowError and httpx2.HTTPError."""
        context = self.context
        context.client_info, context.oauth_metadata = begun.client, begun.metadata
        context.protected_resource_metadata, context.client_metadata.scope = begun.resource, begun.scope
        request = await super()._exchange_token_authorization_code(code, begun.verifier)
        await self._handle_token_response(await send(request))


class McpSignInFlow:
    """A sign-in at the server `name`. `scope` is asked for beside what the server names.

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
        self._address = ""
        self._challenge = _Challenge(http, scope)
        metadata = OAuthClientMetadata.model_validate(client_metadata(target.redirect_uri))
        self._provider = _Provider(url, metadata, self, self._redirect, self._answer_at_once, target.document_url)

    async def begin(self) -> tuple[str, str, str]:
        """Return the address to which the person's browser goes, the state that it brings back, and a BegunMcpSignIn.

        That is JSON. Raises Conflict where the server wants no sign-in, Refused, EngineUnavailable and EngineBroken.
        """
        self._provider.verified = asyncio.get_running_loop().create_future()
        probe = asyncio.create_task(self._probe(), name=f"sign in at {self._name}")
        try:
            waiting = [probe, self._provider.verified]
            await asyncio.wait(waiting, timeout=BEGIN_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel_and_wait(probe)
        if not self._provider.verified.done():
            raise self._find_fault(probe)
        context = self._provider.context
        assert context.client_info is not None  # the library registers first
        assert context.oauth_metadata is not None  # `_redirect` has seen it
        begun = BegunMcpSignIn(
            redirect_uri=self._redirect_uri,
            verifier=self._provider.verified.result(),
            client=context.client_info,
            metadata=context.oauth_metadata,
            resource=context.protected_resource_metadata,
            scope=context.client_metadata.scope,
            userinfo=self._challenge.userinfo,
        )
        return self._address, self._state, begun.model_dump_json(exclude_none=True)

    async def finish(self, begun: BegunMcpSignIn, code: str, issuer: str | None) -> None:
        """Exchange the code for tokens, and have them kept. Raises Refused, EngineUnavailable and EngineBroken."""
        self._challenge.skip(begun.userinfo)
        try:
            validate_authorization_response_iss(issuer, begun.metadata)
            async with asyncio.timeout(FINISH_TIMEOUT_S), open_mcp_client(self._challenge) as client:
                await self._provider.exchange(begun, code, client.send)
        except TimeoutError:
            raise self._late() from None
        except (OAuthFlowError, httpx2.HTTPError, ValueError) as error:
            raise self._explain(error) from error

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
        self._address = url

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

    @property
    def _state(self) -> str:
        return parse_qs(urlsplit(self._address).query)["state"][0]

    async def _answer_at_once(self) -> AuthorizationCodeResult:
        """Have the library go on to the exchange, where `_Provider` stops it: the person has yet to answer."""
        metadata = self._provider.context.oauth_metadata
        assert metadata is not None  # `_redirect` has seen it
        return AuthorizationCodeResult(code="none yet", state=self._state, iss=str(metadata.issuer))

    def _find_fault(self, probe: asyncio.Task[None]) -> EclairError:
        """Return why a probe ended before the person could be asked."""
        if probe.cancelled():
            return self._late()
        if (error := probe.exception()) is not None:
            return self._explain(error)
        why = self._http.fault or "it broke off the sign-in"
        return EngineUnavailable(f"The MCP server {self._name!r} can't be used: {why}.")

    def _late(self) -> EclairError:
        return EngineUnavailable(f"The MCP server {self._name!r} did not answer in time; sign in again.")

    def _explain(self, error: BaseException) -> EclairError:
        """Return what to tell the person of an error."""
        if isinstance(error, EclairError):
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

    def skip(self, userinfo: str | None) -> None:
        """Take it that the first message was refused, and what was described, in another request of the person's."""
        self._is_first, self.is_real, self.userinfo = False, True, userinfo

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
