"""Port of preferences: one versioned JSON document for each principal."""

from __future__ import annotations

from typing import Protocol

from eclair.schema.principal import Principal


class PreferenceStore(Protocol):
    async def get_preferences(self, principal: Principal) -> tuple[int, str]:
        """Return version and JSON body; version 0 and an empty object where there are none."""
        ...

    async def replace_preferences(self, principal: Principal, version: int, body: str) -> int:
        """Replace the body of that `version`; return the new version. Raises Conflict if it has changed meanwhile."""
        ...
