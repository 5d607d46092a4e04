"""Who may come in: host names, origins, the key, and how much a request may carry.

On a loopback address the browser is the danger: a page from elsewhere must not reach Éclair through it, be it
by its own requests (Origin, Sec-Fetch-Site) or by a host name that it turned to this machine (Host).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eclair.errors import EclairError, Forbidden, TooLarge, Unauthorized
from eclair.network.gate import PRINCIPAL
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.settings import Settings
from eclair.util.loopback import is_loopback

LARGEST_BODY = 32 << 20
"""Bytes of a request; what a message may hold is a setting."""

LARGEST_IMPORT = 256 << 20
IMPORT = ("POST", "/api/imports")
FILES = (("POST", "/api/files"), ("POST", "/v1/files"), ("POST", "/v1/images/edits"))
"""The requests that may be larger, since they go to a file as they come."""
AROUND = 1 << 20
"""Bytes that a form may have around a file."""

CHECK = ("POST", "/api/marks/check")

KEYLESS = re.compile(r"/api/health$|/api/shared/|/api/marks/check$")
"""Where no key is asked for: whether Éclair is there, what was shared by a link that nobody can guess, and whether a
model made a file."""

Respond = Callable[[Scope, EclairError], ASGIApp]


_PRINCIPAL = "principal"


def principal_of(scope: Scope) -> Principal:
    """The caller of a request that passed the Guard."""
    principal: Principal = scope["state"][_PRINCIPAL]
    return principal


class Guard:
    """ASGI middleware; `respond` makes the answer to a request that is refused."""

    def __init__(self, app: ASGIApp, settings: Settings, respond: Respond) -> None:
        self._app = app
        self._respond = respond
        self._key = settings.api_key
        self._max_file_mb = settings.max_file_mb
        self._max_check_mb = settings.max_check_mb
        self._hosts: set[str] | None = None
        if is_loopback(settings.host):
            self._hosts = {"localhost", "127.0.0.1", "[::1]", settings.host, *settings.allowed_hosts}
        elif settings.allowed_hosts:
            self._hosts = {settings.host, *settings.allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._check_host(headers)
            self._check_origin(scope, headers)
            self._check_key(scope, headers)
            largest, too_large = self._largest(scope)
            if int(headers.get("content-length") or 0) > largest:
                raise too_large
            principal = self._authenticate()
            scope.setdefault("state", {})[_PRINCIPAL] = principal
            PRINCIPAL.set(principal)
            await self._app(scope, _limited(receive, largest, too_large), send)
        except EclairError as error:
            await self._respond(scope, error)(scope, receive, send)

    def _authenticate(self) -> Principal:
        """The one person of this installation; whoever reaches this line has its key, or sits at this machine."""
        return LOCAL_PRINCIPAL

    def _largest(self, scope: Scope) -> tuple[int, TooLarge]:
        """Bytes that a request may have, and what is said of a larger one."""
        where = (scope["method"], scope["path"])
        if where in FILES or where == CHECK:
            of, most = ("CHECK", self._max_check_mb) if where == CHECK else ("FILE", self._max_file_mb)
            sentence = f"The file is larger than {most:,} MB, the limit (ECLAIR_MAX_{of}_MB)."
            return most * 1_000_000 + AROUND, TooLarge(sentence)
        largest = LARGEST_IMPORT if where == IMPORT else LARGEST_BODY
        return largest, TooLarge(f"The request is larger than {largest >> 20} MiB; send less at once.")

    def _check_host(self, headers: Headers) -> None:
        name = _name(headers.get("host", ""))
        if self._hosts is not None and name not in self._hosts:
            raise Forbidden(
                f"Éclair is not known as {name!r}; open it by its own address, or add the name to allowed_hosts."
            )

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != headers.get("host"):
            raise Forbidden(f"A page from {origin} may not use Éclair; open Éclair's own page.")
        page = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        if headers.get("sec-fetch-site") == "cross-site" and not page:
            raise Forbidden("A page from elsewhere may not use Éclair; open Éclair's own page.")

    def _check_key(self, scope: Scope, headers: Headers) -> None:
        path: str = scope["path"]
        if self._key is None or not path.startswith(("/api/", "/v1/")) or KEYLESS.match(path):
            return
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = (bearer if scheme.lower() == "bearer" else "", headers.get("x-api-key", ""))  # Anthropic's clients' way
        if not any(hmac.compare_digest(one.encode("latin-1"), self._key.encode()) for one in given):
            raise Unauthorized("This Éclair needs its key: send `Authorization: Bearer KEY`, or `x-api-key: KEY`.")


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return host
    return f"[{name}]" if ":" in name else name


def _limited(receive: Receive, largest: int, too_large: TooLarge) -> Receive:
    read = 0

    async def limited() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > largest:
            raise too_large
        return message

    return limited


PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; worker-src 'self'; manifest-src 'self'; frame-src 'self'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""What Éclair's own pages carry: nothing is loaded from elsewhere, and no page frames them."""

DRAWING_HEADERS = {
    **PAGE_HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'self'"
    ),
}
"""What the frame carries in which diagrams are drawn: styles may stand inline there, and nothing can be fetched."""
