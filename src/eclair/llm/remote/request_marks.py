"""Marks of requests: keyed hashes by which a cluster keeps a conversation on one engine, and caches of people apart.

No id of Éclair's leaves. Whoever runs the engines learns which requests belong together, and no more.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets
from collections.abc import Callable
from typing import Literal

import orjson

from eclair.errors import SettingsError
from eclair.llm.base import JSON, Request
from eclair.network.gate import CURRENT_CONVERSATION, CURRENT_RUN, PRINCIPAL
from eclair.settings import CacheScope, Settings
from eclair.storage.secrets import Vault
from eclair.util.log_context import REQUEST_ID

SESSION_HEADERS = ("X-Session-Id", "X-Dynamo-Session-ID")
"""Headers by which routers keep a conversation on one engine: Ray Serve's and most others', and Dynamo's."""

REQUEST_HEADER = "X-Request-Id"
HASH_BYTES = 16
SALT_FIELD = "cache_salt"

log = logging.getLogger(__name__)


class RequestMarks:
    """Makes the marks, with the key that `read_secret` returns. Caches are shared within `scope`."""

    def __init__(self, read_secret: Callable[[], bytes], scope: CacheScope = "everyone") -> None:
        self._read_secret = read_secret
        self._scope: CacheScope = scope
        self._secret: bytes | None = None

    @classmethod
    def configured(cls, settings: Settings) -> RequestMarks:
        vault = Vault.configured(settings)
        return cls(lambda: vault.derive("request marks"), settings.cache_scope)

    def headers(self, request: Request, engine: str) -> dict[str, str]:
        """Return the headers that name the conversation and the run or request of a call."""
        marks: dict[str, str] = {}
        if (session := find_session(request)) is not None:
            marks = dict.fromkeys(SESSION_HEADERS, self._hash("session", session))
        asked_by = CURRENT_RUN.get() or REQUEST_ID.get()
        if asked_by is not None:  # an engine refuses two requests of one name at a time, and a run has several
            marks[REQUEST_HEADER] = f"{self._hash('request', asked_by)}-{secrets.token_hex(4)}"
            log.debug("%s asks the engine %s as %s", asked_by, engine, marks[REQUEST_HEADER])
        return marks

    def cache_salt(self) -> str:
        """Return what names those whose prompts may share a cache: never empty, since vLLM refuses that."""
        return self._hash("cache", self._boundary())

    def _boundary(self) -> str:
        principal = PRINCIPAL.get()
        match self._scope:
            case "everyone":
                return "everyone"
            case "groups":
                return " ".join(["groups", *sorted(principal.groups)])
            case "person":
                return f"person {principal.id}"

    def _hash(self, purpose: str, text: str) -> str:
        return hmac.digest(self._key(), f"{purpose}\0{text}".encode(), "sha256")[:HASH_BYTES].hex()

    def _key(self) -> bytes:
        if self._secret is None:
            try:
                self._secret = self._read_secret()
            except SettingsError as error:
                log.warning("conversations get other names at engines after each start: %s", error.message)
                self._secret = os.urandom(32)
        return self._secret


def add_salt(body: JSON, field: Literal["body", "nvext"], salt: str) -> JSON:
    """Return the body with the salt, as vLLM takes it or as Dynamo does."""
    if field == "body":
        return {**body, SALT_FIELD: salt}
    return {**body, "nvext": {**body.get("nvext", {}), SALT_FIELD: salt}}


def find_session(request: Request) -> str | None:
    """Return what names a conversation: its id, or else all up to its first question, which its later turns repeat."""
    if (conversation := CURRENT_CONVERSATION.get()) is not None:
        return conversation
    if not request.messages:
        return None
    first = next((place for place, said in enumerate(request.messages) if said.role == "user"), -1)
    return orjson.dumps([(said.role, said.content) for said in request.messages[: first + 1]]).decode()
