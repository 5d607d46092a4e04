"""The guard of every request: host names, origins, proxies, who may call, and the size of bodies.

On a loopback address the browser is a danger: a foreign page must not reach Éclair through it, neither by
cross-origin requests (Origin, Sec-Fetch-Site) nor by DNS rebinding (Host). A proxy on this machine lets others in, so
what it forwards needs the key. `access` says for whom a request acts.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eclair.accounts.api_keys import ApiKeys
from eclair.accounts.person_limits import PersonLimits
from eclair.accounts.principals import Principals
from eclair.errors import AccountLocked, EclairError, Forbidden, RoleMissing, TooLarge, Unauthorized
from eclair.live_settings import LiveSettings
from eclair.network.exposure import is_exposed
from eclair.network.gate import PRINCIPAL
from eclair.provenance.text_marks import DISCLOSURE_HEADER
from eclair.schema.principal import LOCAL_PRINCIPAL, NOBODY, Principal
from eclair.server.access import AccessControl
from eclair.server.budget_headers import add_budget_headers
from eclair.server.client_limits import ClientLimits
from eclair.server.cross_origin import CrossOrigin
from eclair.server.owner_session import OwnerSession
from eclair.server.plain_requests import INTERFACES
from eclair.server.public_address import PublicAddress
from eclair.server.route_rights import check_route
from eclair.settings import Settings
from eclair.storage.audit import AuditStore
from eclair.util.loopback import is_loopback

MAX_BODY_BYTES = 32 << 20
"""The size of a message has a limit of its own, in the settings."""
MAX_IMPORT_BYTES = 32 << 30
IMPORT_ROUTE = ("POST", "/api/imports")
UPLOAD_ROUTES = tuple(
    ("POST", path)
    for path in ("/api/files", "/v1/files", "/v1/images/edits", "/v1/audio/transcriptions", "/v1/audio/translations")
)
"""Uploads may be larger, since they are streamed to a file."""
MAX_FORM_OVERHEAD_BYTES = 1 << 20

PROVENANCE_CHECK_ROUTE = ("POST", "/api/marks/check")

PUBLIC_PATHS = re.compile(r"/api/health(/live|/ready)?$|/api/shared/")
BRANDING_PATHS = re.compile(r"/api/branding/(?:logo|style\.css)$")
"""Paths that need no key: the health checks, shared links that nobody can guess, and the looks of the page."""

SIGN_IN_PATHS = re.compile(r"/api/session(?:/[a-z-]+){0,2}$|/api/sign-in/")
"""Paths by which people come in, where they have accounts."""
SIGN_IN_RETURN = re.compile(r"/api/sign-in/[^/]+(?:/callback)?$")
"""Paths that an identity provider's page may lead a browser to."""
DEVICE_ROUTES = frozenset(("POST", f"/api/device/{step}") for step in ("code", "token", "revoke"))
"""Routes by which programs get a key, and end it."""
SESSION_ROUTE = ("GET", "/api/session")
"""Says whether a key or an account is needed, to whoever asks."""

POLICY_VIOLATION = 1008

AI_TEXT_PATHS = re.compile(
    r"/v1/(?:chat/completions|completions|fim/completions|messages)$|/v1/responses(?:/|$)"
    r"|/api/(?:answers|chat|generate|edits|runs|shared|research|export|conversations)(?:/|$)"
    r"|/mcp$"
)
"""Paths of replies that hold text of a model."""

INTERFACE_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
)
"""Headers of every reply of the interfaces, unless the route sets its own."""

FORWARDING = frozenset({"forwarded", "via", "x-real-ip"})
"""Headers that a proxy adds, besides `X-Forwarded-*`."""

Respond = Callable[[Scope, EclairError], ASGIApp]

_PRINCIPAL = "principal"
_IS_PUBLIC = "is_public"


def principal_of(scope: Scope) -> Principal:
    """Return the caller of a request that passed `AuthMiddleware`."""
    principal: Principal = scope["state"][_PRINCIPAL]
    return principal


def set_principal(scope: Scope, principal: Principal, *, is_public: bool = False) -> None:
    """Say for whom a request acts, and whether that is nobody known."""
    scope.setdefault("state", {}).update({_PRINCIPAL: principal, _IS_PUBLIC: is_public})


def is_public(scope: Scope) -> bool:
    """Tell whether a request came from nobody known, to one of the public paths."""
    public: bool = scope["state"][_IS_PUBLIC]
    return public


class AuthMiddleware:
    """ASGI middleware that checks every request; `respond` renders the error of a refused one."""

    def __init__(
        self,
        app: ASGIApp,
        settings: LiveSettings,
        keys: ApiKeys,
        principals: Principals,
        audit: AuditStore,
        session: OwnerSession | None,
        limits: PersonLimits,
        respond: Respond,
    ) -> None:
        self._app = app
        self._respond = respond
        self._audit = audit
        self._has_accounts = settings.current.accounts == "on"
        self._access = AccessControl(settings, keys, principals, session)
        self._session = session
        self._limits = ClientLimits(settings, limits)
        settings.follow(self._apply)

    def _apply(self, settings: Settings) -> None:
        self._cross_origin = CrossOrigin(settings.cors_origins)
        self._has_public_checks = settings.public_checks or not is_exposed(settings)
        self._max_file_mb = settings.max_file_mb
        self._max_check_mb = settings.max_check_mb
        public = PublicAddress.from_settings(settings)
        self._public_origin = public.origin
        known = settings.allowed_hosts if public.host is None else (*settings.allowed_hosts, _bracketed(public.host))
        self._hosts: set[str] | None = None
        if is_loopback(settings.host):
            self._hosts = {"localhost", "127.0.0.1", "[::1]", settings.host, *known}
        elif settings.allowed_hosts:
            self._hosts = {settings.host, *known}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing here speaks WebSocket
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        if scope["path"].startswith(INTERFACES):
            send = _add_headers(send, scope["path"])
        headers = Headers(scope=scope)
        try:
            self._check_host(headers)
            self._check_proxy(headers)
            is_foreign = self._is_foreign(headers) and self._cross_origin.admits(scope, headers)
            if is_foreign:
                send = self._cross_origin.add_headers(headers, send)
                if scope["method"] == "OPTIONS":
                    await self._cross_origin.preflight(headers)(scope, receive, send)
                    return
            else:
                self._check_origin(scope, headers)
            if self._session is not None and (response := self._session.exchange(scope)) is not None:
                await response(scope, receive, send)
                return
            client = self._limits.find_client(scope, headers)
            principal, is_public = await self._authenticate(scope, headers, is_foreign=is_foreign)
            self._limits.charge(client, principal, scope)
            max_bytes, too_large = self._size_limit(scope)
            if int(headers.get("content-length") or 0) > max_bytes:
                raise too_large
            set_principal(scope, principal, is_public=is_public)
            PRINCIPAL.set(principal)
            receive = _limit_body(receive, max_bytes, too_large)
            send = add_budget_headers(send)
            with self._limits.holding(client):
                if self._has_accounts and not is_public:
                    await self._serve_while_in(scope, headers, receive, send)
                else:
                    await self._app(scope, receive, send)
        except EclairError as error:
            await self._respond(scope, error)(scope, receive, send)

    async def _authenticate(self, scope: Scope, headers: Headers, *, is_foreign: bool) -> tuple[Principal, bool]:
        """Return for whom a request acts, and whether that is nobody known. Raises Unauthorized."""
        path: str = scope["path"]
        nobody = NOBODY if self._has_accounts else LOCAL_PRINCIPAL
        if not path.startswith(INTERFACES) or (scope["method"], path) in DEVICE_ROUTES:
            return nobody, True
        try:
            principal = await self._access.identify(scope, headers, by_key_alone=is_foreign)
        except (Unauthorized, AccountLocked):
            if not self._is_open(scope["method"], path):
                raise
            return nobody, True
        try:
            check_route(principal, scope["method"], path)
        except RoleMissing:
            where = "/".join(path.split("/")[:3])
            await self._audit.add_act(principal, "access.denied", f"{scope['method']} {where}", "denied")
            raise
        return principal, False

    async def _serve_while_in(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        """Serve a request, whose stream ends when its person is locked, or the session or key is ended."""
        has_read = is_out = has_ended = False

        async def receiving() -> Message:
            nonlocal has_read, is_out
            if not has_read:
                message = await receive()
                has_read = not message.get("more_body", False)
                return message
            tasks = [
                asyncio.ensure_future(receive()),
                asyncio.ensure_future(self._access.wait_until_out(scope, headers)),
            ]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if tasks[0].done():
                    return cast(Message, tasks[0].result())
                is_out = True
                return {"type": "http.disconnect"}
            finally:
                for task in tasks:
                    task.cancel()

        async def sending(message: Message) -> None:
            nonlocal has_ended
            has_ended = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        await self._app(scope, receiving, sending)
        if is_out and not has_ended:
            await send({"type": "http.response.body", "body": b""})

    def _is_open(self, method: str, path: str) -> bool:
        """Tell whether a route is for everybody."""
        if PUBLIC_PATHS.match(path) or (method, path) == SESSION_ROUTE:
            return True
        if BRANDING_PATHS.match(path):
            return method in ("GET", "HEAD")
        if (method, path) == PROVENANCE_CHECK_ROUTE:
            return self._has_public_checks
        return self._has_accounts and SIGN_IN_PATHS.match(path) is not None

    def _size_limit(self, scope: Scope) -> tuple[int, TooLarge]:
        """Return the maximum size of a request's body in bytes, and the error for a larger one."""
        where = (scope["method"], scope["path"])
        if where in UPLOAD_ROUTES or where == PROVENANCE_CHECK_ROUTE:
            is_check = where == PROVENANCE_CHECK_ROUTE
            setting, max_mb = ("CHECK", self._max_check_mb) if is_check else ("FILE", self._max_file_mb)
            sentence = f"The file is larger than {max_mb:,} MB, the limit (ECLAIR_MAX_{setting}_MB)."
            return max_mb * 1_000_000 + MAX_FORM_OVERHEAD_BYTES, TooLarge(sentence)
        max_bytes = MAX_IMPORT_BYTES if where == IMPORT_ROUTE else MAX_BODY_BYTES
        return max_bytes, TooLarge(f"The request is larger than {max_bytes >> 20:,} MiB; send less at once.")

    def _check_host(self, headers: Headers) -> None:
        name = _host_name(headers.get("host", ""))
        if self._hosts is not None and name not in self._hosts:
            raise Forbidden(
                f"Éclair is not known as {name!r}; open it by its own address, or set public_url or allowed_hosts."
            )

    def _check_proxy(self, headers: Headers) -> None:
        if not self._access.needs_key and any(
            name in FORWARDING or name.startswith("x-forwarded-") for name in headers
        ):
            raise Forbidden(
                "This request came through a proxy, which lets others in; set ECLAIR_API_KEY and restart Éclair."
            )

    def _is_foreign(self, headers: Headers) -> bool:
        """Tell whether a page of another origin sends the request."""
        origin = headers.get("origin")
        return origin not in (None, self._public_origin) and origin.partition("://")[2] != headers.get("host")

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        if self._has_accounts and SIGN_IN_RETURN.match(scope["path"]) and _is_navigation(headers):
            return  # a cookie tells whether this browser began the sign-in
        if self._is_foreign(headers):
            raise Forbidden(
                f"A page from {headers['origin']} may not use Éclair; open Éclair's own page, or set cors_origins."
            )
        is_page = scope["method"] == "GET" and not scope["path"].startswith(INTERFACES)
        opens_page = is_page and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not opens_page:
            raise Forbidden("A page from elsewhere may not use Éclair; open Éclair's own page.")


def _is_navigation(headers: Headers) -> bool:
    """Tell whether a browser goes to an address, in place of what it shows; of an old one that isn't known."""
    return headers.get("sec-fetch-mode", "navigate") == "navigate"


def _host_name(host: str) -> str:
    """Return the name in a Host header, without its port."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return host
    return _bracketed(name)


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _add_headers(send: Send, path: str) -> Send:
    """Wrap `send` so that replies have `INTERFACE_HEADERS`, and those with text of a model the mark that says so."""
    headers = (*INTERFACE_HEADERS, DISCLOSURE_HEADER) if AI_TEXT_PATHS.match(path) else INTERFACE_HEADERS

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name for name, _ in message["headers"]}
            added = headers if message["status"] < 300 else INTERFACE_HEADERS
            message["headers"] = [*message["headers"], *(pair for pair in added if pair[0] not in present)]
        await send(message)

    return sending


def _limit_body(receive: Receive, max_bytes: int, too_large: TooLarge) -> Receive:
    """Wrap `receive` so that it raises `too_large` once the body exceeds `max_bytes`."""
    read = 0

    async def limited() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > max_bytes:
            raise too_large
        return message

    return limited


PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; frame-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of Éclair's own pages: nothing is loaded from elsewhere, and no other page may frame them."""

DIAGRAM_HEADERS = {
    **PAGE_HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'self'"
    ),
}
"""Headers of the frame that draws diagrams: inline styles are allowed, and nothing can be fetched."""

PREVIEW_HEADERS = {
    **PAGE_HEADERS,
    "Content-Security-Policy": (
        "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; "
        "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; media-src data: blob:; connect-src 'none'; "
        "worker-src 'none'; frame-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types default; frame-ancestors 'self'"
    ),
    "X-DNS-Prefetch-Control": "off",
}
"""Headers of the frame that runs what a canvas holds: any script, of an origin of its own, without any connection."""
