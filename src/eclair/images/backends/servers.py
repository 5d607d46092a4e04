"""The servers that can be asked for pictures: those of the settings and those that were added, with their keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from eclair.errors import EclairError
from eclair.llm.servers.bfl import is_image_only
from eclair.llm.servers.engines import decrypt_key, taken_names
from eclair.llm.servers.jurisdiction import ServerLocation, locate
from eclair.network.gate import OutboundGate
from eclair.settings import Settings
from eclair.storage.open import read_added_servers
from eclair.storage.secrets import Vault
from eclair.storage.servers import StoredServer

Listing = Callable[[], Awaitable[Sequence[StoredServer]]]


@dataclass(frozen=True, slots=True)
class PictureServer:
    """A server. `models` are those that it need not list, `pictures` those that make pictures in any case; `problem` is
    why its key cannot be read."""

    name: str
    url: str
    key: str | None = field(repr=False)
    models: tuple[str, ...]
    pictures: tuple[str, ...]
    place: ServerLocation
    problem: EclairError | None = None

    @property
    def draws_only(self) -> bool:
        return is_image_only(self.name, self.url)

    @property
    def jurisdiction(self) -> str | None:
        """As a `PictureModel` has it."""
        return None if self.place.kind == "machine" else self.place.code

    def why_not(self, gate: OutboundGate) -> str | None:
        """What keeps it from being asked, in a sentence."""
        if self.problem is not None:
            return self.problem.message
        return gate.policy.refusal(self.url, "engine", self.country)

    @property
    def country(self) -> str | None:
        """Where its owner says that it belongs."""
        return self.place.country if self.place.stated else None


def glanced(settings: Settings) -> Listing:
    """Those that were added, read without a store that is open."""

    async def listing() -> Sequence[StoredServer]:
        return await asyncio.to_thread(read_added_servers, settings.data_dir)

    return listing


class PictureServers:
    def __init__(self, settings: Settings, listing: Listing, vault: Vault | None = None) -> None:
        self._settings = settings
        self._listing = listing
        self._vault = vault or Vault.configured(settings)

    async def all(self) -> list[PictureServer]:
        """Raises StoreError."""
        found = [
            PictureServer(name, each.url, each.key, each.models, each.pictures, locate(each.url))
            for name, each in self._settings.engines.items()
        ]
        taken = taken_names(self._settings)
        return found + [self._added(each) for each in await self._listing() if each.name not in taken]

    def _added(self, server: StoredServer) -> PictureServer:
        key, problem = None, None
        try:
            key = decrypt_key(server, self._vault)
        except EclairError as error:
            problem = error
        where = locate(server.url, server.country)
        return PictureServer(server.name, server.url, key, server.models, (), where, problem)
