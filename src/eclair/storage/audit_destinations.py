"""Port of the destinations of the audit log that administrators have added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from eclair.schema.principal import Principal

DestinationKind = Literal["file", "syslog", "webhook"]
DESTINATION_KINDS: tuple[DestinationKind, ...] = get_args(DestinationKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDestination:
    """A destination: the name of a file, or an address. `key` is encrypted."""

    id: str
    kind: DestinationKind
    target: str
    key: bytes | None = None


class AuditDestinationStore(Protocol):
    """The destinations. They belong to the installation, not to a person."""

    async def list_destinations(self) -> list[StoredDestination]:
        """List the destinations, oldest first."""
        ...

    async def set_destination(self, principal: Principal, destination: StoredDestination) -> None:
        """Add a destination, or change the one of that id. Raises Conflict where another has kind and target."""
        ...

    async def remove_destination(self, principal: Principal, id: str) -> None:
        """Remove a destination. Raises NotFound."""
        ...
