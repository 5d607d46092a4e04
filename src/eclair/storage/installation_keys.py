"""Port of the keys by which an installation signs and marks, which all its servers share; each value is encrypted."""

from __future__ import annotations

from typing import Protocol


class InstallationKeyStore(Protocol):
    async def get_installation_key(self, name: str) -> bytes | None:
        """Return a key as it is kept; None where there is none."""
        ...

    async def put_installation_key(self, name: str, before: bytes | None, value: bytes) -> bool:
        """Keep a key in place of the one before; False where another is kept meanwhile."""
        ...
