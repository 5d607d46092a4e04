"""Port of API keys: which programs and people may call, known by the hash of their key alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from eclair.schema.principal import Principal

KeyScope = Literal["all", "v1", "read", "scim"]
"""The use of a key: everything, programs under `/v1`, reading alone, or a directory's under `/scim`."""

KEY_SCOPES: tuple[KeyScope, ...] = get_args(KeyScope)


@dataclass(frozen=True, slots=True)
class StoredApiKey:
    """A key that acts for its `owner`. `digest` is its SHA-256; the key itself isn't stored.

    `created` and `expires` are in milliseconds, `used` is the last day of use (ISO 8601), None for one that never was.
    Without `networks` it may be used from everywhere, without `models` for all. It may ask `per_minute` times a minute,
    and have `at_once` answers under way; None sets no limit.
    """

    id: str
    owner: str
    name: str
    digest: bytes
    created: int
    used: str | None = None
    scope: KeyScope = "all"
    networks: tuple[str, ...] = ()
    expires: int | None = None
    models: tuple[str, ...] = ()
    per_minute: int | None = None
    at_once: int | None = None


class ApiKeyStore(Protocol):
    async def add_key(self, principal: Principal, key: StoredApiKey) -> None:
        """Add a key. Raises Conflict where the principal has one of that name."""
        ...

    async def list_keys(self, principal: Principal) -> list[StoredApiKey]:
        """List keys, oldest first."""
        ...

    async def delete_key(self, principal: Principal, name: str) -> None:
        """Delete the key of that name. Raises NotFound."""
        ...

    async def find_key(self, digest: bytes) -> StoredApiKey | None:
        """Return the key with that SHA-256, whoever owns it: it says for whom the caller acts."""
        ...

    async def get_key(self, id: str) -> StoredApiKey | None:
        """Return the key of that id, for work that it began; None once it was deleted."""
        ...

    async def mark_used(self, id: str, day: str) -> None:
        """Set the last day of use. A key that was deleted meanwhile stays so."""
        ...
