"""API keys: makes them, lists and revokes them, and says to whom a given one belongs.

A key has 256 random bits, so its plain SHA-256 can't be reversed, and only that is stored.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from dataclasses import dataclass
from datetime import date

from eclair.accounts.key_rights import FULL_RIGHTS, KeyRights
from eclair.accounts.rights import OPEN_RULES, RightRules
from eclair.errors import Forbidden, InvalidInput
from eclair.schema.ids import Clock, new_id
from eclair.schema.principal import Principal
from eclair.storage.api_keys import ApiKeyStore, StoredApiKey
from eclair.util.log_context import log_admin_act

KEY_PREFIX = "eclair_"
"""Lets scanners of code recognize a key that was published by accident."""
KEY_BYTES = 32
DAY_MS = 86_400_000
RECHECK_AFTER_S = 2.0
"""The time for which a key that was found is let in without a look at the storage; a revoked one has it too."""

_NAME = re.compile(r"\w[\w .@+-]{0,59}")


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key as it is shown once, and as it is stored."""

    secret: str
    stored: StoredApiKey


class ApiKeys:
    """The keys in a storage."""

    def __init__(self, store: ApiKeyStore, clock: Clock = time.time, rights: RightRules = OPEN_RULES) -> None:
        self._store = store
        self._rights = rights
        self.clock = clock
        """By which keys expire."""
        self._found: dict[bytes, tuple[StoredApiKey, float]] = {}

    def require_right(self, principal: Principal) -> None:
        """Raise RightMissing for somebody who may not make keys, and Forbidden for a key that would shed its limits."""
        if principal.limits is not None and not principal.limits.is_unlimited:
            raise Forbidden(
                f"The key {principal.limits.name!r} has limits, so it may not make keys; sign in to do that."
            )
        self._rights.require(principal, "keys", "Your account may not make keys; ask an administrator.")

    async def add(self, principal: Principal, name: str, rights: KeyRights = FULL_RIGHTS) -> NewApiKey:
        """Make a key that acts for the principal.

        Raises InvalidInput, Conflict where the name is taken, and what `require_right` raises.
        """
        self.require_right(principal)
        name = name.strip()
        if _NAME.fullmatch(name) is None:
            raise InvalidInput("A key's name is 1 to 60 letters, digits, spaces and . _ @ + -; choose another.")
        now = int(self.clock() * 1000)
        secret = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
        key = StoredApiKey(
            id=new_id("key", self.clock),
            owner=principal.id,
            name=name,
            digest=_hash(secret.encode()),
            created=now,
            scope=rights.scope,
            networks=rights.networks,
            expires=None if rights.days is None else now + rights.days * DAY_MS,
            models=rights.models,
            per_minute=rights.per_minute,
            at_once=rights.at_once,
        )
        await self._store.add_key(principal, key)
        log_admin_act("key.made", f"The key {name!r} was made.", key=name)
        return NewApiKey(secret, key)

    async def list_keys(self, principal: Principal) -> list[StoredApiKey]:
        return await self._store.list_keys(principal)

    async def revoke(self, principal: Principal, name: str) -> None:
        """Delete a key; servers that are running refuse it within two seconds. Raises NotFound."""
        await self._store.delete_key(principal, name)
        log_admin_act("key.revoked", f"The key {name!r} was revoked.", key=name)

    async def find(self, secret: bytes) -> StoredApiKey | None:
        """Return what is stored of a key, None for a key that isn't one. Notes the day of its use."""
        return await self.find_by_digest(_hash(secret)) if secret.startswith(KEY_PREFIX.encode()) else None

    async def find_by_digest(self, digest: bytes) -> StoredApiKey | None:
        """Return the key of this SHA-256, None where there is none."""
        now = self.clock()
        found = self._found.get(digest)
        if found is not None and 0 <= now - found[1] < RECHECK_AFTER_S:
            return found[0]
        key = await self._store.find_key(digest)
        if key is None:
            self._found.pop(digest, None)
            return None
        self._found[digest] = key, now
        today = date.fromtimestamp(now).isoformat()
        if key.used != today:
            await self._store.mark_used(key.id, today)
        return key


def _hash(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
