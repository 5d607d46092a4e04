"""Image servers: those of the settings and the added ones, with their keys."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from eclair.errors import EclairError
from eclair.llm.servers.bfl import is_image_only
from eclair.llm.servers.engines import ListServers, decrypt_key, usable_servers
from eclair.llm.servers.jurisdiction import ServerLocation, farthest, locate
from eclair.llm.servers.server_api import api_at
from eclair.network.gate import OutboundGate
from eclair.settings import EndpointSettings, EngineApi, Settings
from eclair.storage.open import read_added_servers
from eclair.storage.secrets import Vault
from eclair.storage.servers import StoredServer


@dataclass(frozen=True, slots=True)
class ImageServer:
    """A server that may generate images.

    `models` are those that it need not list, `pictures` those known to generate images; `problem` is why its key can't
    be read. `endpoints` are further addresses that share its work, of which `url` has the `weight`; `location` is that
    of the farthest.
    """

    name: str
    url: str
    key: str | None = field(repr=False)
    models: tuple[str, ...]
    pictures: tuple[str, ...]
    location: ServerLocation
    problem: EclairError | None = None
    endpoints: tuple[EndpointSettings, ...] = ()
    weight: float = 1.0

    def each_endpoint(self, gate: OutboundGate) -> list[ImageServer]:
        """Return the server once for each of its addresses that may be called, with that as its `url`."""
        others = [replace(self, url=each.url, weight=each.weight, endpoints=()) for each in self.endpoints]
        return [self, *(each for each in others if each.why_not(gate) is None)]

    @property
    def draws_only(self) -> bool:
        return is_image_only(self.name, self.url)

    @property
    def jurisdiction(self) -> str | None:
        """The country where it runs, as in `ImageModel`; None for this machine."""
        return None if self.location.kind == "machine" else self.location.code

    def why_not(self, gate: OutboundGate) -> str | None:
        """Say why it may not be called; None if it may."""
        if self.problem is not None:
            return self.problem.message
        return gate.policy.refusal(self.url, "engine", self.country)

    @property
    def country(self) -> str | None:
        """The country that its owner stated."""
        return self.location.country if self.location.stated else None


def listed_in_file(settings: Settings) -> ListServers:
    """List added servers without an open store."""

    async def listing() -> Sequence[StoredServer]:
        return await asyncio.to_thread(read_added_servers, settings)

    return listing


class ImageServers:
    def __init__(self, settings: Settings, listing: ListServers, vault: Vault | None = None) -> None:
        self._settings = settings
        self._listing = listing
        self._vault = vault or Vault.configured(settings)

    async def all(self) -> list[ImageServer]:
        """Return all servers. Raises StoreError."""
        found = [
            ImageServer(
                *(name, each.url, each.key, each.models, each.pictures, _locate(each.url, each.endpoints)),
                endpoints=each.endpoints,
                weight=each.weight,
            )
            for name, each in self._settings.engines.items()
            if _may_make_images(each.api, each.url)
        ]
        added = usable_servers(self._settings, await self._listing())
        return found + [self._added(each) for each in added if _may_make_images(each.api, each.url)]

    def _added(self, server: StoredServer) -> ImageServer:
        key, problem = None, None
        try:
            key = decrypt_key(server, self._vault)
        except EclairError as error:
            problem = error
        where = _locate(server.url, server.endpoints, server.country)
        return ImageServer(server.name, server.url, key, server.models, (), where, problem, server.endpoints)


def _locate(url: str, endpoints: Sequence[EndpointSettings], country: str | None = None) -> ServerLocation:
    """Return where the farthest address of a server is."""
    if not endpoints:
        return locate(url, country)
    return farthest([locate(each, country) for each in (url, *(endpoint.url for endpoint in endpoints))])


def _may_make_images(api: EngineApi | None, url: str) -> bool:
    """Return whether a server's API has calls for images that we know."""
    return (api or api_at(url) or "openai") == "openai"
