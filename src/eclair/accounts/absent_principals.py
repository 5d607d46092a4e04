"""Principals of work that goes on without its person, such as a batch: with the rights that they have now."""

from __future__ import annotations

from dataclasses import replace

from eclair.accounts.key_rights import limits_of
from eclair.accounts.principals import Principals
from eclair.live_settings import LiveSettings
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.api_keys import ApiKeyStore


class AbsentPrincipals:
    """Finds for whom work acts that somebody began earlier, perhaps with a key."""

    def __init__(self, keys: ApiKeyStore, principals: Principals, settings: LiveSettings) -> None:
        self._keys = keys
        self._principals = principals
        self._settings = settings

    async def find_person(self, owner: str) -> Principal | None:
        """Return a person as a principal without a key; None where they are locked or gone."""
        return await self.find(owner, None)

    async def find(self, owner: str, key: str | None) -> Principal | None:
        """Return a person as a principal; None where they are locked or gone, or the key is."""
        if self._settings.current.accounts == "on":
            found = await self._principals.find_by_person(owner, "", key)
        else:
            found = Principal(owner, key, role="admin" if owner == LOCAL_PRINCIPAL.id else "member")
        if found is None or key is None:
            return found
        stored = await self._keys.get_key(key)
        return None if stored is None else replace(found, limits=limits_of(stored))
