"""The cookie of a signed-in browser. It counts only beside `Authorization: Session`, which no foreign page can send."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from eclair.accounts.sessions import BegunSession, Visitor
from eclair.server.key_session import SCHEME

MAX_COOKIE_CHARS = 200


def begin_person_session(scope: Scope, begun: BegunSession, response: Response, cookie_path: str) -> None:
    """Add the cookie of a session to a response."""
    response.set_cookie(
        _cookie_name(scope, cookie_path),
        begun.secret,
        max_age=(begun.session.expires - begun.session.created) // 1000,
        path=cookie_path,
        httponly=True,
        samesite="strict",
        secure=scope["scheme"] == "https",
    )


def end_person_session(scope: Scope, response: Response, cookie_path: str) -> None:
    """Have the browser forget the cookie."""
    response.delete_cookie(
        _cookie_name(scope, cookie_path),
        path=cookie_path,
        httponly=True,
        samesite="strict",
        secure=scope["scheme"] == "https",
    )


def session_secret(scope: Scope, headers: Headers, cookie_path: str) -> bytes | None:
    """Return the secret of the session whose cookie a request has."""
    if headers.get("authorization", "").lower() != SCHEME:
        return None
    value = cookie_parser(headers.get("cookie", "")).get(_cookie_name(scope, cookie_path), "")
    return value.encode("latin-1", "replace") if 0 < len(value) <= MAX_COOKIE_CHARS else None


def visitor_of(headers: Headers, address: str) -> Visitor:
    """Return who wants to come in."""
    return Visitor(address, headers.get("user-agent", ""))


def _cookie_name(scope: Scope, cookie_path: str) -> str:
    """Return a name that over https no other host may set, and elsewhere one for this port."""
    if scope["scheme"] == "https" and cookie_path == "/":
        return "__Host-eclair"
    server = scope.get("server")
    return f"eclair-session-{server[1] if server else 0}"
