"""The cookie of a browser that has shown a key: it lets every tab in, and holds no key.

It counts only beside the header `Authorization: Session`, which no page from elsewhere can send. Its value names the
key by a digest and is signed, so that it ends with the key, after `SESSION_DAYS`, and with the secret that
signs cookies.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from eclair.accounts.api_keys import KEY_PREFIX
from eclair.schema.ids import Clock
from eclair.server.session_secret import SessionSecret
from eclair.settings import Settings

SESSION_DAYS = 30
SCHEME = "session"
MAX_COOKIE_CHARS = 200


class KeySession:
    """Makes such cookies and reads them. `cookie_path` is the path of the addresses that they are sent to."""

    def __init__(self, secret: SessionSecret, clock: Clock, cookie_path: str = "/") -> None:
        self._source = secret
        self._cookie_path = cookie_path
        self._clock = clock
        self._secret: bytes | None = None

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock) -> KeySession:
        return cls(SessionSecret(settings), clock, settings.path_prefix or "/")

    def begin(self, scope: Scope, secret: bytes, response: Response) -> None:
        """Add the cookie of a key to a response. Reads and may write the disk. Raises SettingsError and OSError."""
        self._secret = self._source.make()
        until = int(self._clock()) + SESSION_DAYS * 86_400
        digest = self.digest(secret).hex()
        response.set_cookie(
            _cookie_name(scope),
            f"{until}.{digest}.{self._sign(until, digest)}",
            max_age=SESSION_DAYS * 86_400,
            path=self._cookie_path,
            httponly=True,
            samesite="strict",
            secure=scope["scheme"] == "https",
        )

    def end(self, scope: Scope, response: Response) -> None:
        """Have the browser forget the cookie."""
        response.delete_cookie(_cookie_name(scope), path=self._cookie_path, httponly=True, samesite="strict")

    def find_digest(self, scope: Scope, headers: Headers) -> bytes | None:
        """Return the digest of the key whose cookie a request has; None without a valid one."""
        if headers.get("authorization", "").lower() != SCHEME:
            return None
        value = cookie_parser(headers.get("cookie", "")).get(_cookie_name(scope), "")
        until, _, rest = value.partition(".")
        digest, _, signature = rest.partition(".")
        if len(value) > MAX_COOKIE_CHARS or not until.isdecimal() or int(until) < self._clock():
            return None
        if self._secret is None:
            self._secret = self._source.read()
        if self._secret is None:
            return None
        if not hmac.compare_digest(signature.encode(), self._sign(int(until), digest).encode()):
            return None
        return bytes.fromhex(digest)

    def digest(self, secret: bytes) -> bytes:
        """Return the digest that names a key: of one that a person chose, it can't be guessed without the secret."""
        if secret.startswith(KEY_PREFIX.encode()):
            return sha256(secret).digest()
        return self._hmac(b"eclair key " + secret)

    def _sign(self, until: int, digest: str) -> str:
        return self._hmac(f"eclair key session {until} {digest}".encode()).hex()

    def _hmac(self, message: bytes) -> bytes:
        if self._secret is None:
            self._secret = self._source.make()
        return hmac.digest(self._secret, message, "sha256")


def _cookie_name(scope: Scope) -> str:
    """Return a name for this port, since browsers send cookies to all ports of a host."""
    server = scope.get("server")
    return f"eclair-key-{server[1] if server else 0}"
