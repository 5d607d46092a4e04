"""Added servers as engines. `storage` lists them, `service` adds and changes them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import urlsplit

import orjson

from eclair.errors import EclairError, SettingsError
from eclair.llm.base import JSON, Engine
from eclair.llm.remote.request_marks import RequestMarks
from eclair.llm.remote.server_engine import ServerEngine
from eclair.llm.servers.bfl import is_image_only
from eclair.llm.servers.endpoint_pool import EndpointPool
from eclair.llm.servers.server_api import open_servers
from eclair.network.gate import CLOSED_GATE, OutboundGate
from eclair.settings import EndpointSettings, Settings
from eclair.storage.open import read_added_servers
from eclair.storage.secrets import Vault
from eclair.storage.servers import StoredServer

RESERVED_NAMES = ("embedded", "scripted")

ListServers = Callable[[], Awaitable[Sequence[StoredServer]]]


Probes = Callable[[], Awaitable[Mapping[str, str]]]
"""Returns the stored probe results, as JSON, by server name."""


async def no_probes() -> Mapping[str, str]:
    return {}


def vision_models(probe: str | None) -> frozenset[str]:
    """Return the model whose vision was probed with success, if there is one."""
    found: JSON = orjson.loads(probe) if probe is not None else {}
    sees = any(each["feature"] == "vision" and each["outcome"] == "yes" for each in found.get("findings", ()))
    return frozenset([found["model"]]) if sees else frozenset()


class UserEngines:
    """Implements `EngineSource`. An engine is kept until its server is changed.

    The engine of a removed server is closed once its last answer has ended.
    """

    def __init__(
        self,
        settings: Settings,
        listing: ListServers,
        vault: Vault | None = None,
        *,
        gate: OutboundGate = CLOSED_GATE,
        probes: Probes = no_probes,
    ) -> None:
        self._probes = probes
        self._gate = gate
        self._settings = settings
        self._listing = listing
        self._vault = vault or Vault.configured(settings)
        self._marks = RequestMarks.configured(settings)
        self._built: dict[str, tuple[StoredServer, ServerEngine | EndpointPool]] = {}
        self._retired: list[ServerEngine | EndpointPool] = []

    @classmethod
    def read_once(cls, settings: Settings, gate: OutboundGate) -> UserEngines:
        """Build from the servers added so far, without opening the storage."""

        async def listing() -> list[StoredServer]:
            return await asyncio.to_thread(read_added_servers, settings)

        return cls(settings, listing, gate=gate)

    async def engines(self) -> Mapping[str, Engine | EclairError]:
        """Return engines by name; an error for one whose key can't be read. Raises StoreError."""
        await self._close_idle()
        there = {server.name: server for server in usable_servers(self._settings, await self._listing())}
        found: dict[str, Engine | EclairError] = {}
        tried: Mapping[str, str] = await self._probes() if there else {}
        for name, server in there.items():
            if not is_image_only(name, server.url):
                try:
                    found[name] = engine = self._engine(server)
                    engine.know_vision(vision_models(tried.get(name)))
                except EclairError as error:
                    found[name] = error
        for name in [name for name in self._built if not isinstance(found.get(name), ServerEngine | EndpointPool)]:
            self._retired.append(self._built.pop(name)[1])
        return found

    async def close(self) -> None:
        """Close every engine, whatever it is doing."""
        for _, engine in self._built.values():
            await engine.close()
        for engine in self._retired:
            await engine.close()

    def _engine(self, server: StoredServer) -> ServerEngine | EndpointPool:
        built = self._built.get(server.name)
        if built is not None and built[0] == server:
            return built[1]
        key = decrypt_key(server, self._vault)
        engine = open_servers(
            server.api,
            server.name,
            (EndpointSettings(server.url), *server.endpoints),
            key,
            server.models,
            server.context,
            country=server.country,
            gate=self._gate,
            first_word_s=self._settings.first_word_seconds,
            marks=self._marks,
            setting=f"another (`eclair engines change {server.name} --key`, or in the page's settings)",
        )
        if built is not None:
            self._retired.append(built[1])
        self._built[server.name] = (server, engine)
        return engine

    async def _close_idle(self) -> None:
        for engine in [engine for engine in self._retired if not engine.is_busy]:
            self._retired.remove(engine)
            await engine.close()


def taken_names(settings: Settings) -> set[str]:
    """Return the names that an added server can't have."""
    return {*RESERVED_NAMES, *settings.engines}


def usable_servers(settings: Settings, servers: Sequence[StoredServer]) -> list[StoredServer]:
    """Return the added servers that the settings let in: none if theirs are to be the only ones."""
    if settings.engines_from == "file":
        return []
    taken = taken_names(settings)
    return [server for server in servers if server.name not in taken]


def key_binding(name: str, url: str, endpoints: Sequence[EndpointSettings] = ()) -> str:
    """Return what a key is bound to: its server's name and the hosts that get it."""
    return " ".join([name, _origin(url), *sorted(key_hosts(url, endpoints) - {_origin(url)})])


def key_hosts(url: str, endpoints: Sequence[EndpointSettings] = ()) -> frozenset[str]:
    """Return the hosts that get a server's key, as scheme, name and port."""
    return frozenset([_origin(url), *(_origin(each.url) for each in endpoints)])


def _origin(url: str) -> str:
    address = urlsplit(url)
    return f"{address.scheme}://{address.netloc}"


def decrypt_key(server: StoredServer, vault: Vault) -> str | None:
    """Return the key of a server. Raises SettingsError if it can't be read."""
    if server.key is None:
        return None
    try:
        return vault.decrypt(server.key, key_binding(server.name, server.url, server.endpoints))
    except SettingsError as error:
        raise SettingsError(
            f"The key of the engine {server.name} cannot be read: {error.message.rstrip('.')}, or set the key again."
        ) from None
