"""Model servers: lists those of the settings; adds, probes and removes others.

The functions below validate input. `openai/engine` talks to the servers.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Literal
from urllib.parse import urlsplit

import orjson
from pydantic import TypeAdapter, ValidationError

from eclair.errors import Conflict, EclairError, Forbidden, InvalidInput, NotFound
from eclair.llm.servers.bfl import CreditsProber, is_image_only
from eclair.llm.servers.engine_probe import EngineProber
from eclair.llm.servers.engines import decrypt_key, key_binding, key_hosts, taken_names, usable_servers
from eclair.llm.servers.jurisdiction import ServerLocation, farthest, locate
from eclair.llm.servers.probe import Probe, ProbeFinding, Prober
from eclair.llm.servers.server_api import api_at, find_api, open_server
from eclair.network.gate import CLOSED_GATE, PRINCIPAL, OutboundGate
from eclair.network.policy import is_loopback_url, strip_login
from eclair.schema.ids import Clock
from eclair.settings import EndpointSettings, EngineApi, EngineSettings, Settings
from eclair.storage.base import Storage
from eclair.storage.open import read_added_servers
from eclair.storage.secrets import Vault
from eclair.storage.servers import StoredServer
from eclair.util.log_context import log_admin_act

MAX_NAME_CHARS = 40
MAX_FIELD_CHARS = 2000
MAX_ENDPOINTS, MAX_WEIGHT = 100, 1000
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_NAME_CHARS - 1}}}")
_HOST = re.compile(r"(?!-)[\w-]{1,63}(?<!-)(\.(?!-)[\w-]{1,63}(?<!-))*\.?", re.ASCII)
_PROBE = TypeAdapter(Probe)

API_CALLS = ("/chat/completions", "/completions", "/messages", "/models", "/embeddings")
"""Paths that people copy along with an address."""

UNENCRYPTED = "What is asked travels unencrypted; use https."


@dataclass(frozen=True, slots=True)
class Server:
    """A server as it is displayed: without its key. `problem` says why it can't be used.

    `api` is the API that it speaks if its owner stated it or a probe found it; None if its address tells it.
    `endpoints` are further addresses that share its work.
    """

    name: str
    url: str
    origin: Literal["file", "added"]
    has_key: bool
    models: tuple[str, ...]
    context: int | None
    location: ServerLocation
    note: str | None
    problem: str | None
    probe: Probe | None
    api: EngineApi | None = None
    endpoints: tuple[EndpointSettings, ...] = ()

    @property
    def addresses(self) -> str:
        """Its address, and how many others share its work."""
        return f"{self.url} and {len(self.endpoints)} more" if self.endpoints else self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerChange:
    """Changes to a server; None leaves a value.

    An empty `key`, `country` or `api`, or a `context` of 0, removes it; `endpoints` replace those before.
    """

    url: str | None = None
    key: str | None = None
    models: tuple[str, ...] | None = None
    context: int | None = None
    country: str | None = None
    api: EngineApi | Literal[""] | None = None
    endpoints: tuple[EndpointSettings, ...] | None = None


class ServerService:
    """The model servers. They are probed through `gate`."""

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        vault: Vault | None = None,
        clock: Clock = time.time,
        *,
        gate: OutboundGate = CLOSED_GATE,
    ) -> None:
        self._gate = gate
        self._settings = settings
        self._storage = storage
        self._vault = vault or Vault.configured(settings)
        self._clock = clock

    async def all(self) -> list[Server]:
        """List the servers of the settings, then added ones. Raises StoreError."""
        probes = await self._storage.servers.list_probes()
        return _all_servers(self._settings, await self._storage.servers.list_servers(), self._vault, probes)

    async def get(self, name: str) -> Server:
        """Return a server. Raises NotFound."""
        for server in await self.all():
            if server.name == name:
                return server
        raise NotFound(f"There is no server {name!r}; `eclair engines` lists them.")

    async def add(self, name: str, change: ServerChange) -> Server:
        """Add a server.

        Raises InvalidInput, Conflict if its name is taken, SettingsError if keys can't be stored, and Forbidden where
        only the settings may name servers.
        """
        self._refuse_if_fixed()
        name = check_name(name)
        if name in taken_names(self._settings):
            raise Conflict(f"The name {name!r} is taken by a server of the settings; choose another.")
        if change.url is None:
            raise InvalidInput("A server needs its address.", param="url")
        blank = StoredServer(name, check_url(change.url), None, (), None, None, int(self._clock() * 1000))
        await self._storage.servers.add_server(PRINCIPAL.get(), self._apply(blank, change))
        log_admin_act("engine.added", f"The engine {name} was added.", engine=name)
        return await self.get(name)

    async def change(self, name: str, change: ServerChange) -> Server:
        """Change a server. If other hosts would get its key, that is dropped and has to be given again.

        Raises what `add` raises, and NotFound.
        """
        self._refuse_settings(name)
        await self._storage.servers.edit_server(PRINCIPAL.get(), name, lambda server: self._apply(server, change))
        log_admin_act("engine.changed", f"The engine {name} was changed.", engine=name)
        return await self.get(name)

    async def remove(self, name: str) -> None:
        """Remove an added server. Raises NotFound, Conflict for one of the settings, and Forbidden as `add` does."""
        self._refuse_settings(name)
        await self._storage.servers.delete_server(PRINCIPAL.get(), name)
        log_admin_act("engine.removed", f"The engine {name} was removed.", engine=name)

    async def probe(self, name: str) -> AsyncGenerator[ProbeFinding | Probe, None]:
        """Probe a server: yields each finding, then the probe, which is stored.

        Raises NotFound, and SettingsError if its key can't be read.
        """
        server = await self.get(name)
        key, models = await self._access(name)
        prober = await self._prober(server, key, models)
        async with aclosing(prober.run()) as findings:
            async for found in findings:
                if isinstance(found, Probe):
                    await self._storage.servers.save_probe(name, orjson.dumps(asdict(found)).decode())
                yield found

    async def _prober(
        self, server: Server, key: str | None, models: tuple[str, ...]
    ) -> CreditsProber | Prober | EngineProber:
        """Return the prober for the server's API, which is found out and kept if nobody stated it."""
        stated = server.location.country if server.location.stated else None
        if is_image_only(server.name, server.url):
            return CreditsProber(server.url, key, models, clock=self._clock, gate=self._gate, country=stated)
        api, notes = server.api or api_at(server.url), ()
        if api is None:
            api = await find_api(server.url, key, gate=self._gate, location=server.location)
            if api != "openai" and server.origin == "added":
                await self._storage.servers.edit_server(
                    PRINCIPAL.get(), server.name, lambda stored: replace(stored, api=api)
                )
            elif api != "openai":
                notes = (f'It does not speak OpenAI\'s API; set `api = "{api}"` in its settings.',)
        if api == "openai":
            return Prober(server.url, key, models, clock=self._clock, gate=self._gate, country=stated)
        engine = open_server(
            api, server.name, server.url, key, models, server.context, gate=self._gate, location=server.location
        )
        return EngineProber(engine, server.url, models, clock=self._clock, notes=notes)

    async def _access(self, name: str) -> tuple[str | None, tuple[str, ...]]:
        configured = self._settings.engines.get(name)
        if configured is not None:
            return configured.key, configured.models
        for server in await self._storage.servers.list_servers():
            if server.name == name:
                return decrypt_key(server, self._vault), server.models
        raise NotFound(f"There is no server {name!r} any more.")

    @property
    def is_fixed(self) -> bool:
        """True if only the settings may name servers."""
        return self._settings.engines_from == "file"

    def _refuse_if_fixed(self) -> None:
        if self.is_fixed:
            raise Forbidden(
                "Only the settings file names the servers of this Éclair (`engines_from`); ask the person who runs it."
            )

    def _refuse_settings(self, name: str) -> None:
        self._refuse_if_fixed()
        if name in self._settings.engines:
            raise Conflict(f"The server {name!r} is in the settings; change it there (`eclair config` says where).")

    def _apply(self, server: StoredServer, change: ServerChange) -> StoredServer:
        if change.url is not None or change.endpoints is not None:
            url = server.url if change.url is None else check_url(change.url)
            endpoints = server.endpoints if change.endpoints is None else check_endpoints(change.endpoints)
            server = self._move(server, url, tuple(each for each in endpoints if each.url != url))
        if change.key is not None:
            key = check_key(change.key)
            binding = key_binding(server.name, server.url, server.endpoints)
            server = replace(server, key=self._vault.encrypt(key, binding) if key else None)
        if change.models is not None:
            server = replace(server, models=check_models(change.models))
        if change.context is not None:
            server = replace(server, context=change.context or None)
        if change.country is not None:
            server = replace(server, country=check_country(change.country))
        if change.api is not None:
            server = replace(server, api=change.api or None)
        return server

    def _move(self, server: StoredServer, url: str, endpoints: tuple[EndpointSettings, ...]) -> StoredServer:
        """Give a server other addresses. Its key is kept only if no other host would get it."""
        binding, key = key_binding(server.name, url, endpoints), server.key
        if binding != key_binding(server.name, server.url, server.endpoints):
            is_known = key_hosts(url, endpoints) <= key_hosts(server.url, server.endpoints)
            plain = decrypt_key(server, self._vault) if is_known else None
            key = None if plain is None else self._vault.encrypt(plain, binding)
        return replace(server, url=url, endpoints=endpoints, key=key)


def read_servers(settings: Settings) -> list[Server]:
    """List all servers without opening the storage, and without probes. Raises StoreError."""
    return _all_servers(settings, read_added_servers(settings), Vault.configured(settings), {})


def check_name(text: str) -> str:
    """Return the name if it is valid. Raises InvalidInput."""
    if not _NAME.fullmatch(text):
        raise InvalidInput(
            f"A server's name is 1 to {MAX_NAME_CHARS} letters, digits, dots, dashes and underscores, "
            "and begins with a letter or digit.",
            param="name",
        )
    return text


def check_url(text: str) -> str:
    """Return the base URL of an API in its usual form. Raises InvalidInput."""
    text = text.strip()
    shown = text if len(text) <= 80 else f"{text[:80]}…"
    if len(text) > MAX_FIELD_CHARS or not text.isprintable() or any(letter.isspace() for letter in text):
        raise InvalidInput("The address holds spaces or odd characters, or is too long; check it.", param="url")
    if "://" not in text:
        raise InvalidInput(f"{shown!r} is not an address; begin it with http:// or https://.", param="url")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidInput(f"{shown!r} is not an address; check its host and port.", param="url") from None
    if parts.scheme not in ("http", "https") or not _is_host(host) or port == 0:
        raise InvalidInput(f"{shown!r} is not an address that begins with http:// or https:// and a host.", param="url")
    if "@" in parts.netloc:
        raise InvalidInput("The address holds a login; leave it out, and give the key by itself.", param="url")
    if parts.query or parts.fragment:
        raise InvalidInput("The address holds a ? or #; leave out what begins there.", param="url")
    path = parts.path.rstrip("/")
    for call in API_CALLS:
        path = path.removesuffix(call).rstrip("/")
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}{'' if port is None else f':{port}'}{path}"


def check_endpoints(endpoints: Sequence[EndpointSettings]) -> tuple[EndpointSettings, ...]:
    """Return further addresses of a server in their usual form. Raises InvalidInput."""
    if len(endpoints) > MAX_ENDPOINTS:
        raise InvalidInput(f"A server can have {MAX_ENDPOINTS} further addresses.", param="endpoints")
    found = [replace(each, url=check_url(each.url)) for each in endpoints]
    urls = [each.url for each in found]
    for each in found:
        if urls.count(each.url) > 1:
            raise InvalidInput(f"The address {each.url} is there twice; leave one out.", param="endpoints")
        if not 0 < each.weight <= MAX_WEIGHT:
            raise InvalidInput(f"A weight is more than 0 and at most {MAX_WEIGHT:,}.", param="endpoints")
    return tuple(found)


def check_key(text: str) -> str:
    """Return the key, stripped. Raises InvalidInput, without the key in its message."""
    text = text.strip()
    if len(text) > MAX_FIELD_CHARS or not all("!" <= letter <= "~" for letter in text):
        raise InvalidInput(
            "The key holds a line break, a space or another character that no key has; copy it again.", param="key"
        )
    return text


def check_models(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names, stripped, without duplicates. Raises InvalidInput."""
    for name in names:
        if not name.strip() or len(name) > 200 or not name.isprintable():
            raise InvalidInput("A model's name is 1 to 200 characters on one line.", param="models")
    return tuple(dict.fromkeys(name.strip() for name in names))


def check_country(text: str) -> str | None:
    """Return an ISO code, or None for an empty text. Raises InvalidInput."""
    text = text.strip().upper()
    if text and not re.fullmatch("[A-Z]{2}", text):
        raise InvalidInput("A country is given by its two letters, such as FR.", param="country")
    return text or None


def url_note(url: str) -> str | None:
    """Return a warning about a URL; None if there is nothing to warn about."""
    return UNENCRYPTED if url.startswith("http:") and not is_loopback_url(url) else None


def _is_host(host: str) -> bool:
    return bool(_HOST.fullmatch(host)) or bool(re.fullmatch(r"[0-9a-f:.]+(%\w+)?", host) and ":" in host)


def configured_servers(settings: Settings, probes: Mapping[str, str] = MappingProxyType({})) -> list[Server]:
    """List the servers of the settings."""
    return [_configured(name, server, probes) for name, server in settings.engines.items()]


def _all_servers(
    settings: Settings, added: Sequence[StoredServer], vault: Vault, probes: Mapping[str, str]
) -> list[Server]:
    """List the servers of the settings, then added ones."""
    return configured_servers(settings, probes) + [
        _added(server, vault, probes) for server in usable_servers(settings, added)
    ]


def _configured(name: str, server: EngineSettings, probes: Mapping[str, str]) -> Server:
    return Server(
        name=name,
        url=strip_login(server.url),
        origin="file",
        has_key=server.key is not None,
        models=server.models,
        context=server.context,
        location=farthest([locate(each) for each in (server.url, *(other.url for other in server.endpoints))]),
        note=url_note(server.url),
        problem=None,
        probe=_parse_probe(probes.get(name), server.url.rstrip("/")),
        api=server.api,
        endpoints=tuple(replace(each, url=strip_login(each.url)) for each in server.endpoints),
    )


def _added(server: StoredServer, vault: Vault, probes: Mapping[str, str]) -> Server:
    problem = None
    try:
        decrypt_key(server, vault)
    except EclairError as error:
        problem = error.message
    urls = [server.url, *(each.url for each in server.endpoints)]
    return Server(
        name=server.name,
        url=server.url,
        origin="added",
        has_key=server.key is not None,
        models=server.models,
        context=server.context,
        location=farthest([locate(each, server.country) for each in urls]),
        note=next(filter(None, map(url_note, urls)), None),
        problem=problem,
        probe=_parse_probe(probes.get(server.name), server.url),
        api=server.api,
        endpoints=server.endpoints,
    )


def _parse_probe(body: str | None, url: str) -> Probe | None:
    """Return the stored probe if it is of this URL and readable."""
    if body is None:
        return None
    try:
        found = _PROBE.validate_json(body)
    except ValidationError:
        return None
    return found if found.url == url else None
