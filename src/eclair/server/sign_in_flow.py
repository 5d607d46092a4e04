"""The way of a browser to an identity provider and back, at whose end a session begins."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import Request
from starlette.responses import RedirectResponse, Response

from eclair.accounts.pending_sign_ins import MissingStep
from eclair.app import App
from eclair.errors import Conflict, IdentityUnverified, NotFound, SignInExpired
from eclair.schema.ids import Clock
from eclair.schema.people import ProvidedIdentity
from eclair.server.client_address import ClientAddresses
from eclair.server.pending_cookie import PendingCookie
from eclair.server.person_session import begin_person_session, visitor_of
from eclair.server.public_address import PublicAddress
from eclair.server.sign_in_cookie import BegunSignIn, SignInCookie, local_path
from eclair.storage.sign_in_states import SignInState, SignInStateStore

if TYPE_CHECKING:
    from eclair.identity.saml import SamlReply

TICKET_S = 60
DAY_S = 86_400
MAX_TICKETS = 1000
MAX_ASSERTIONS = 100_000
"""Used ones that are remembered; only a provider can make them, and most count for some minutes."""
ASSERTION_MARGIN_S = 60
"""By which an assertion is remembered longer than it counts: servers know the time of the database to some seconds."""
MAX_ID_TOKEN_CHARS = 3500
"""Browsers keep cookies of 4 KB. A longer token isn't kept, and the provider then asks before it ends its session."""
ID_TOKEN_COOKIE = "eclair-id-token"  # noqa: S105


class SignInTickets:
    """Identities that were posted to us, for the moment until the browser comes back with its cookie.

    Browsers send no cookie with a form of another site's page, so the reply of SAML is taken in two steps.
    """

    def __init__(self, store: SignInStateStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def put(self, provider: str, request: str, identity: ProvidedIdentity) -> str:
        ticket = secrets.token_urlsafe(24)
        now = int(self._clock() * 1000)
        held = {"provider": provider, "request": request, "identity": asdict(identity)}
        state = SignInState(kind="ticket", state=orjson.dumps(held).decode(), expires=now + TICKET_S * 1000)
        await self._store.add_sign_in_state(_digest(ticket), state, now, MAX_TICKETS)
        return ticket

    async def redeem(self, ticket: str, provider: str, request: str) -> ProvidedIdentity:
        """Return the identity of a ticket, which counts once. Raises SignInExpired."""
        state = await self._store.take_sign_in_state(_digest(ticket))
        if state is None or state.kind != "ticket" or state.expires < self._clock() * 1000:
            raise sign_in_expired()
        held = orjson.loads(state.state)
        if (held["provider"], held["request"]) != (provider, request):
            raise sign_in_expired()
        found: dict[str, Any] = held["identity"]
        if found["groups"] is not None:
            found["groups"] = tuple(found["groups"])
        return ProvidedIdentity(**found)


class UsedAssertions:
    """Assertions of SAML that let somebody in, known to all servers so that each counts once."""

    def __init__(self, store: SignInStateStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def add(self, reply: SamlReply) -> None:
        """Remember an assertion for as long as it counts. Raises IdentityUnverified for one that came before."""
        now = int(self._clock() * 1000)
        digest = _digest(f"{reply.identity.issuer}\n{reply.assertion}")
        expires = int((reply.expires + ASSERTION_MARGIN_S) * 1000)
        state = SignInState(kind="assertion", state="{}", expires=expires)
        try:
            await self._store.add_sign_in_state(digest, state, now, MAX_ASSERTIONS)
        except Conflict:
            raise IdentityUnverified("The assertion was used before; sign in again.") from None


class SignInFlow:
    """Leads browsers to the providers of an installation and takes what they come back with."""

    def __init__(self, app: App) -> None:
        self.cookie = SignInCookie(app.settings, app.storage.processes.clock)
        self._app = app
        self._identity = app.identity
        self._tickets = SignInTickets(app.storage.sign_in_states, app.storage.processes.clock)
        self._assertions = UsedAssertions(app.storage.sign_in_states, app.storage.processes.clock)
        self._public = PublicAddress.from_settings(app.settings)
        self._prefix = app.settings.path_prefix
        self._pending = PendingCookie(self._prefix or "/")
        self._addresses = ClientAddresses(app.settings.trusted_proxies)

    async def start(self, request: Request, provider: str, back: str) -> Response:
        """Lead to a provider, and remember in a cookie what its reply must fit. Raises NotFound and errors of it."""
        if provider in self._identity.oidc:
            state, nonce, verifier = (secrets.token_urlsafe(size) for size in (24, 24, 48))
            begun = BegunSignIn(provider, state, nonce, verifier, local_path(back))
            redirect_uri = self.own_url(request, provider, "callback")
            address = await self._identity.oidc[provider].begin(redirect_uri, state, nonce, verifier)
        elif provider in self._identity.saml:
            id, address = self._identity.saml[provider].begin(*self.saml_urls(request, provider))
            begun = BegunSignIn(provider, id, back=local_path(back))
        else:
            raise NotFound(f"There is no identity provider {provider!r} to which people are sent.")
        response = RedirectResponse(address, status_code=303)
        await asyncio.to_thread(self.cookie.write, request.scope, begun, response)
        return response

    async def take_saml_response(self, request: Request, provider: str, encoded: str) -> Response:
        """Check a response of SAML, and have the browser come back for the session with its cookie."""
        if provider not in self._identity.saml:
            raise NotFound(f"There is no identity provider {provider!r} that speaks SAML.")
        urls = self.saml_urls(request, provider)
        reply = await asyncio.to_thread(self._identity.saml[provider].read, encoded, *urls)
        await self._assertions.add(reply)
        ticket = await self._tickets.put(provider, reply.request, reply.identity)
        return RedirectResponse(f"/api/sign-in/{provider}/callback?ticket={ticket}", status_code=303)

    async def finish(self, request: Request, provider: str, query: Mapping[str, str]) -> Response:
        """Begin a session of whom the provider vouches for, and lead to the page where the sign-in began.

        Raises SignInExpired where this browser began no such sign-in, and errors of the provider and of accounts.
        """
        policy = self._identity.join_policy(provider)
        begun = await asyncio.to_thread(self.cookie.read, request.scope, request.headers)
        if begun is None or begun.provider != provider:
            raise sign_in_expired()
        id_token = ""
        if provider in self._identity.saml:
            identity = await self._tickets.redeem(query.get("ticket", ""), provider, begun.state)
        else:
            if not hmac.compare_digest(query.get("state", "").encode(), begun.state.encode()):
                raise sign_in_expired()
            redirect_uri = self.own_url(request, provider, "callback")
            found = await self._identity.oidc[provider].finish(query, redirect_uri, begun.nonce, begun.verifier)
            identity, id_token = found.identity, found.id_token
        visitor = visitor_of(request.headers, self.address_of(request))
        result = await self._app.accounts.sign_in.with_identity(identity, visitor, policy)
        response = RedirectResponse(begun.back, status_code=303)
        self.cookie.remove(request.scope, response)
        if isinstance(result, MissingStep):  # which the page asks for
            self._pending.write(request.scope, result.secret, response)
        else:
            begin_person_session(request.scope, result, response, self._prefix or "/")
        self._keep_id_token(request, provider, id_token, response)
        return response

    async def sign_out(self, request: Request, provider: str) -> Response:
        """Lead to where a provider ends its own session. Raises NotFound and errors of the provider."""
        if provider not in self._identity.oidc:
            raise NotFound(f"There is no identity provider {provider!r} that ends sessions.")
        back = self._public.absolute_url(request, "/")
        address = await self._identity.oidc[provider].logout_url(request.cookies.get(ID_TOKEN_COOKIE), back)
        response = RedirectResponse(address or "/", status_code=303)
        response.delete_cookie(ID_TOKEN_COOKIE, path=self._logout_path(provider), httponly=True, samesite="strict")
        return response

    def address_of(self, request: Request) -> str:
        """Return the address of who sends a request."""
        return self._addresses.find(request.scope, request.headers)

    def own_url(self, request: Request, provider: str, step: str) -> str:
        """Return the address here at which a provider's browsers and servers call."""
        return self._public.absolute_url(request, f"/api/sign-in/{provider}/{step}")

    def saml_urls(self, request: Request, provider: str) -> tuple[str, str]:
        """Return our name for a provider of SAML, and the address that it posts to."""
        name = self._identity.saml[provider].settings.entity_id or self.own_url(request, provider, "metadata")
        return name, self.own_url(request, provider, "callback")

    def _keep_id_token(self, request: Request, provider: str, id_token: str, response: Response) -> None:
        """Let the browser keep the token by which the provider knows its session when that is to end."""
        if 0 < len(id_token) <= MAX_ID_TOKEN_CHARS:
            response.set_cookie(
                ID_TOKEN_COOKIE,
                id_token,
                max_age=self._app.settings.session_days * DAY_S,
                path=self._logout_path(provider),
                httponly=True,
                samesite="strict",
                secure=request.scope["scheme"] == "https",
            )

    def _logout_path(self, provider: str) -> str:
        return f"{self._prefix}/api/sign-in/{provider}/logout"


def sign_in_expired() -> SignInExpired:
    return SignInExpired("This sign-in took too long, or was begun in another browser; sign in again.")


def _digest(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode("utf-8", "surrogatepass")).digest()
