"""Port of model servers that were added, and of what probing found out about servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredServer:
    """An OpenAI-compatible server. `key` is encrypted.

    `models` are those it does not list itself, `context` is their window where it does not say, `country` where its
    owner says it belongs; `created` is in milliseconds.
    """

    name: str
    url: str
    key: bytes | None
    models: tuple[str, ...]
    context: int | None
    country: str | None
    created: int


class ServerStore(Protocol):
    async def list_servers(self) -> list[StoredServer]:
        """Oldest first."""
        ...

    async def add_server(self, server: StoredServer) -> None:
        """Raises Conflict where its name is taken."""
        ...

    async def edit_server(self, name: str, edit: Callable[[StoredServer], StoredServer]) -> StoredServer:
        """Replace it with what `edit` makes of it. Raises NotFound, and what `edit` raises."""
        ...

    async def delete_server(self, name: str) -> None:
        """Delete it with its probe. Raises NotFound."""
        ...

    async def list_probes(self) -> dict[str, str]:
        """The result of each server's last probe as JSON, by server name."""
        ...

    async def save_probe(self, name: str, body: str) -> None:
        """Replace the probe of a server; `body` is JSON."""
        ...
