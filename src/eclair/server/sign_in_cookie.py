"""The cookie of a browser that is on its way to an identity provider: what the reply must fit, signed, for ten minutes.

A page from elsewhere can't sign a person in as somebody else, since it can't set the cookie.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import asdict, dataclass

import orjson
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from eclair.schema.ids import Clock
from eclair.server.session_secret import SessionSecret
from eclair.settings import Settings

SIGN_IN_S = 600
MAX_BACK_CHARS = 1000
MAX_COOKIE_CHARS = 4000


@dataclass(frozen=True, slots=True)
class BegunSignIn:
    """A sign-in under way. `state` is the id of the request where the provider speaks SAML.

    `back` is the path of the page that it leads to.
    """

    provider: str
    state: str
    nonce: str = ""
    verifier: str = ""
    back: str = "/"


class SignInCookie:
    """Writes and reads such cookies."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._secret = SessionSecret(settings)
        self._cookie_path = settings.path_prefix or "/"
        self._clock = clock

    def write(self, scope: Scope, begun: BegunSignIn, response: Response) -> None:
        """Add the cookie to a response. Reads and may write the disk. Raises SettingsError and OSError."""
        secret = self._secret.make()
        entry = orjson.dumps({"until": int(self._clock()) + SIGN_IN_S, **asdict(begun)})
        value = base64.urlsafe_b64encode(entry).decode()
        # Lax, since a provider's page leads the browser back.
        response.set_cookie(
            self._name(scope),
            f"{value}.{_sign(secret, value)}",
            max_age=SIGN_IN_S,
            path=self._cookie_path,
            httponly=True,
            samesite="lax",
            secure=scope["scheme"] == "https",
        )

    def read(self, scope: Scope, headers: Headers) -> BegunSignIn | None:
        """Return the sign-in that this browser began; None where there is none, or it took too long."""
        value = cookie_parser(headers.get("cookie", "")).get(self._name(scope), "")
        entry, _, signature = value.partition(".")
        secret = self._secret.read()
        if not 0 < len(value) <= MAX_COOKIE_CHARS or secret is None:
            return None
        if not hmac.compare_digest(signature.encode(), _sign(secret, entry).encode()):
            return None
        found = orjson.loads(base64.urlsafe_b64decode(entry))
        return BegunSignIn(**found) if found.pop("until") > self._clock() else None

    def remove(self, scope: Scope, response: Response) -> None:
        """Have the browser forget the cookie: a reply counts once."""
        response.delete_cookie(
            self._name(scope),
            path=self._cookie_path,
            httponly=True,
            samesite="lax",
            secure=scope["scheme"] == "https",
        )

    def _name(self, scope: Scope) -> str:
        if scope["scheme"] == "https" and self._cookie_path == "/":
            return "__Host-eclair-sign-in"
        server = scope.get("server")
        return f"eclair-sign-in-{server[1] if server else 0}"


def _sign(secret: bytes, value: str) -> str:
    return hmac.digest(secret, b"eclair sign-in " + value.encode("utf-8", "replace"), "sha256").hex()


def local_path(given: str) -> str:
    """Return a path of the page to lead back to; the front page in place of anything that could lead elsewhere."""
    is_local = given.startswith("/") and not given.startswith(("//", "/\\", "/api/"))
    is_plain = given.isprintable() and "\\" not in given and len(given) <= MAX_BACK_CHARS
    return given if is_local and is_plain else "/"
