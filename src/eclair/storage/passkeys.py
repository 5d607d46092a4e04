"""Port of passkeys: public keys whose private parts people's devices hold. Only `accounts/` calls it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from eclair.schema.principal import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """A passkey of a person. `credential` is the device's own id of it, `signatures` the device's count of uses.

    `created` is in milliseconds, `used` the last day of use (ISO 8601).
    """

    id: str
    person: str
    credential: bytes
    public_key: bytes
    signatures: int
    name: str
    created: int
    used: str | None = None


class PasskeyStore(Protocol):
    async def add_passkey(self, principal: Principal, passkey: Passkey) -> None:
        """Add a passkey. Raises Conflict where its credential is known."""
        ...

    async def find_passkey(self, credential: bytes) -> Passkey | None:
        """Return the passkey that a device calls so, whoever's it is."""
        ...

    async def list_passkeys(self, person: str) -> list[Passkey]:
        """List a person's passkeys, oldest first."""
        ...

    async def use_passkey(self, id: str, signatures: int, day: str) -> bool:
        """Note a use; False where the device's count isn't above the one before, unless it doesn't count."""
        ...

    async def delete_passkey(self, principal: Principal, person: str, id: str) -> None:
        """Delete a person's passkey. Raises NotFound."""
        ...
