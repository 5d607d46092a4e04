"""Finds how an authorization server calls the person who signed in: by a token, or by its userinfo (OpenID Connect).

What is found is shown to that person alone, and gives no rights. So signatures aren't checked: the tokens came from
the server itself, over an encrypted connection.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

import orjson

MAX_ACCOUNT_CHARS: Final = 200
MAX_TOKEN_CHARS: Final = 20_000
_CLAIMS = ("email", "preferred_username", "name", "login")


def read_account(claims: object) -> str | None:
    """Return the e-mail address or name in claims; None where they have neither."""
    if not isinstance(claims, Mapping):
        return None
    for name in _CLAIMS:
        value: Any = claims.get(name)  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
        if isinstance(value, str) and 0 < len(value.strip()) <= MAX_ACCOUNT_CHARS and value.isprintable():
            return value.strip()
    return None


def read_token(token: object) -> str | None:
    """Return the account in a JSON Web Token; None where it is none, or says nothing."""
    if not isinstance(token, str) or token.count(".") != 2 or len(token) > MAX_TOKEN_CHARS:
        return None
    body = token.split(".")[1]
    try:
        return read_account(orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))
    except (ValueError, binascii.Error):
        return None
