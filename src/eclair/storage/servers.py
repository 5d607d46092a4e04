"""Port of added model servers, and of the results of probes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from eclair.schema.principal import Principal
from eclair.settings import EndpointSettings, EngineApi


@dataclass(frozen=True, slots=True)
class StoredServer:
    """A model server. `key` is encrypted.

    `models` are those it does not list itself, `context` is their window where it does not say, `country` where its
    owner says it belongs; `created` is in milliseconds. `api` is the API that it speaks, None if its address tells.
    `endpoints` are further addresses that share its work.
    """

    name: str
    url: str
    key: bytes | None
    models: tuple[str, ...]
    context: int | None
    country: str | None
    created: int
    api: EngineApi | None = None
    endpoints: tuple[EndpointSettings, ...] = ()


class ServerStore(Protocol):
    """Added servers. They belong to the installation, not to a person, so no method takes a Principal.

    Everyone sees the same servers; who may change them is for the caller to decide.
    """

    async def list_servers(self) -> list[StoredServer]:
        """List added servers, oldest first."""
        ...

    async def add_server(self, principal: Principal, server: StoredServer) -> None:
        """Add a server. Raises Conflict where its name is taken."""
        ...

    async def edit_server(
        self, principal: Principal, name: str, edit: Callable[[StoredServer], StoredServer]
    ) -> StoredServer:
        """Replace a server with the one that `edit` returns for it. Raises NotFound, and any error of `edit`."""
        ...

    async def delete_server(self, principal: Principal, name: str) -> None:
        """Delete a server with its probe. Raises NotFound."""
        ...

    async def list_probes(self) -> dict[str, str]:
        """Return the result of each server's last probe as JSON, by server name."""
        ...

    async def save_probe(self, name: str, body: str) -> None:
        """Save a server's last probe as JSON; the server need not be an added one."""
        ...
