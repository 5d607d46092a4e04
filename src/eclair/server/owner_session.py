"""The owner's way in where the system doesn't say who connects: a token in the printed address becomes a cookie."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from eclair.storage.secrets import create_secret_file

SESSION_FILE = "session.key"
COOKIE_DAYS = 365
TOKEN_BYTES = 24


@dataclass(frozen=True, slots=True)
class OwnerSession:
    """`token` is new at each start; `cookie` is in the data folder, so that browsers stay let in."""

    token: str
    cookie: str
    cookie_path: str = "/"
    """The path of the addresses that the cookie is sent to."""

    @classmethod
    def open(cls, folder: Path, cookie_path: str = "/") -> OwnerSession:
        """Read the cookie's secret, or make it. Blocks. Raises SettingsError, and OSError where it can't be read."""
        path = folder / SESSION_FILE
        if not path.exists():
            create_secret_file(path)
        secret = path.read_bytes().strip()
        cookie = hmac.digest(secret, b"eclair owner session", "sha256").hex()
        return cls(secrets.token_urlsafe(TOKEN_BYTES), cookie, cookie_path)

    def has_cookie(self, scope: Scope, headers: Headers) -> bool:
        """Tell whether a request has the cookie."""
        given = cookie_parser(headers.get("cookie", "")).get(_cookie_name(scope), "")
        return hmac.compare_digest(given.encode(), self.cookie.encode())

    def exchange(self, scope: Scope) -> Response | None:
        """Answer a request for the page whose address has the token: set the cookie, and lead to the bare address."""
        if scope["method"] != "GET" or scope["path"] != "/" or not scope["query_string"]:
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[-1]
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return None
        response = RedirectResponse("/", status_code=303, headers={"Cache-Control": "no-store"})
        response.set_cookie(
            _cookie_name(scope),
            self.cookie,
            max_age=COOKIE_DAYS * 86_400,
            path=self.cookie_path,
            httponly=True,
            samesite="strict",
            secure=scope["scheme"] == "https",
        )
        return response


def _cookie_name(scope: Scope) -> str:
    """Return a name for this port, since browsers send cookies to all ports of a host."""
    server = scope.get("server")
    return f"eclair-{server[1] if server else 0}"
