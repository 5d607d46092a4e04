"""The cookie of a browser whose sign-in lacks its second step."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from eclair.accounts.pending_sign_ins import PENDING_S

MAX_COOKIE_CHARS = 200


class PendingCookie:
    """Writes, reads and removes it."""

    def __init__(self, cookie_path: str) -> None:
        self._path = cookie_path

    def write(self, scope: Scope, secret: str, response: Response) -> None:
        response.set_cookie(
            self._name(scope),
            secret,
            max_age=PENDING_S,
            path=self._path,
            httponly=True,
            samesite="strict",
            secure=scope["scheme"] == "https",
        )

    def read(self, scope: Scope, headers: Headers) -> str:
        """Return the secret; empty where there is none."""
        value = cookie_parser(headers.get("cookie", "")).get(self._name(scope), "")
        return value if len(value) <= MAX_COOKIE_CHARS else ""

    def remove(self, scope: Scope, headers: Headers, response: Response) -> None:
        """Have the browser forget the cookie, where it has one."""
        if self.read(scope, headers):
            response.delete_cookie(
                self._name(scope),
                path=self._path,
                httponly=True,
                samesite="strict",
                secure=scope["scheme"] == "https",
            )

    def _name(self, scope: Scope) -> str:
        if scope["scheme"] == "https" and self._path == "/":
            return "__Host-eclair-step"
        server = scope.get("server")
        return f"eclair-step-{server[1] if server else 0}"
