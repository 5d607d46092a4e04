"""Web settings: which services are searched, with which keys and addresses, and which hosts may be called.

What the settings file says is fixed; everything else is chosen in the app, stored, and in force at once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urlsplit

from eclair.errors import Conflict, Forbidden, InvalidInput, NotFound, SettingsError
from eclair.live_settings import LiveSettings
from eclair.network.client import CallContext
from eclair.network.gate import PRINCIPAL
from eclair.network.policy import PolicyMode, host_and_port, is_local_network, is_loopback_url
from eclair.settings import Settings
from eclair.storage.open import read_web_settings
from eclair.storage.secrets import Vault
from eclair.storage.web_settings import StoredWebSettings, WebSettingsStore
from eclair.util.log_context import log_admin_act
from eclair.web.search import MetaSearch, ProviderStatus, ProviderTest

MAX_FIELD_CHARS = 2000
MAX_HOSTS = 200
DEFAULT_POLICY: PolicyMode = "open"

KeyState = Literal["none", "set", "file"]
"""State of a service's key: none, one that was set in the app, or one of the settings file."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FixedWebSettings:
    """Choices of the settings file, which can't be changed in the app."""

    services: bool
    searxng: bool
    policy: bool
    hosts: tuple[str, ...]
    keys: frozenset[str]
    everything: bool
    """True where the settings file alone decides, as about model servers (`engines_from`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettingsChange:
    """Changes to the web settings; None leaves a value. An empty address or key removes it."""

    services: tuple[str, ...] | None = None
    searxng: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict[str, str])
    policy: PolicyMode | None = None
    hosts: tuple[str, ...] | None = None


class WebSettingsService:
    """Shows and changes the web settings, and puts them in force through `live`."""

    def __init__(self, live: LiveSettings, store: WebSettingsStore, vault: Vault, search: MetaSearch) -> None:
        self._live = live
        self._store = store
        self._vault = vault
        self._search = search

    @property
    def fixed(self) -> FixedWebSettings:
        return fixed_by(self._live.configured)

    def list_services(self) -> list[ProviderStatus]:
        """List all services, those in use first."""
        return self._search.list_providers()

    async def get(self) -> StoredWebSettings:
        """Return the choices made in the app."""
        return await self._store.get_web_settings()

    async def change(self, change: WebSettingsChange) -> None:
        """Change the web settings, at once and for good.

        Raises InvalidInput, NotFound for an unknown service, Conflict for what the settings file says, Forbidden where
        it alone decides, and SettingsError if keys can't be stored.
        """
        self._check(change)
        stored = await self._store.edit_web_settings(PRINCIPAL.get(), lambda stored: self._apply(stored, change))
        self._put_in_force(stored)
        log_admin_act("web.changed", "The web settings were changed.")

    async def reload(self) -> None:
        """Put in force what is stored, where something else than `change` has changed it."""
        self._put_in_force(await self._store.get_web_settings())

    def _put_in_force(self, stored: StoredWebSettings) -> None:
        self._live.overlay(overlay_of(self._live.configured, stored, self._vault))

    async def test(self, name: str, context: CallContext) -> ProviderTest:
        """Ask a service for a word, whether it is in use or not. Raises NotFound."""
        if name not in self._names():
            raise _unknown(name)
        return await self._search.test_provider(name, context)

    def _names(self) -> dict[str, bool]:
        """Return the names of all services, and whether each needs a key."""
        return {each.provider.name: each.provider.needs_key for each in self.list_services()}

    def _check(self, change: WebSettingsChange) -> None:
        """Raise for a change that makes no sense, or that the settings file doesn't allow."""
        fixed, names = self.fixed, self._names()
        if fixed.everything:
            raise Forbidden(
                "Only the settings file decides about servers and searches here (`engines_from`); ask the person who "
                "runs this Éclair."
            )
        for value, is_fixed, setting in (
            (change.services, fixed.services, "web_search"),
            (change.searxng, fixed.searxng, "searxng"),
            (change.policy, fixed.policy, "egress"),
        ):
            if value is not None and is_fixed:
                raise _is_fixed(setting)
        for name in [*(change.services or ()), *change.keys]:
            if name not in names:
                raise _unknown(name)
        for name in change.keys:
            if name in fixed.keys:
                raise _is_fixed(f"search_keys.{name}")
            if not names[name]:
                raise InvalidInput(f"{name} needs no key.", param="keys")
        if change.services is not None and not change.services:
            raise InvalidInput(
                "At least one service stays on; to look nothing up, switch web search off beside the message.",
                param="services",
            )

    def _apply(self, stored: StoredWebSettings, change: WebSettingsChange) -> StoredWebSettings:
        services = change.services or stored.services
        added = [name for name, key in change.keys.items() if key.strip()]
        if change.searxng is not None:
            address = check_address(change.searxng)
            added += ["searxng"] if address else []
            stored = replace(stored, searxng=address)
        if services is not None:
            services = tuple(dict.fromkeys([*services, *added]))
        keys = dict(stored.keys)
        for name, text in change.keys.items():
            key = _check_key(text)
            if key:
                keys[name] = self._vault.encrypt(key, key_place(name))
            else:
                keys.pop(name, None)
        hosts = stored.hosts if change.hosts is None else tuple(dict.fromkeys(change.hosts))
        return replace(stored, services=services, keys=keys, policy=change.policy or stored.policy, hosts=hosts)


def fixed_by(settings: Settings) -> FixedWebSettings:
    """Return what these settings say themselves."""
    everything = settings.engines_from == "file"
    return FixedWebSettings(
        services=everything or bool(settings.web_search),
        searxng=everything or settings.searxng is not None,
        policy=everything or settings.egress != DEFAULT_POLICY,
        hosts=settings.egress_hosts,
        keys=frozenset(settings.search_keys),
        everything=everything,
    )


def overlay_of(settings: Settings, stored: StoredWebSettings, vault: Vault) -> dict[str, Any]:
    """Return the settings that the stored choices replace, where `settings` don't say them."""
    if settings.engines_from == "file":
        return {}
    searxng = settings.searxng or stored.searxng
    return {
        "web_search": settings.web_search or stored.services or (),
        "searxng": searxng,
        "search_keys": {**_readable_keys(stored, vault), **settings.search_keys},
        "egress": settings.egress if settings.egress != DEFAULT_POLICY else stored.policy or DEFAULT_POLICY,
        "egress_hosts": tuple(dict.fromkeys([*settings.egress_hosts, *stored.hosts])),
        "private_addresses": tuple(dict.fromkeys([*settings.private_addresses, *_own_service(stored.searxng)])),
    }


def with_web_settings(settings: Settings) -> Settings:
    """Return the settings with what was chosen in the app, for commands without a server. Raises StoreError."""
    return replace(settings, **overlay_of(settings, read_web_settings(settings), Vault.configured(settings)))


def check_address(text: str) -> str | None:
    """Return the address of a service in its usual form, or None for an empty text. Raises InvalidInput."""
    text = text.strip().rstrip("/")
    if not text:
        return None
    refused = InvalidInput("That isn't an address; write it such as http://127.0.0.1:8888.", param="searxng")
    if len(text) > MAX_FIELD_CHARS or not text.isprintable() or " " in text:
        raise refused
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        is_valid = bool(parts.hostname) and parts.port != 0 and parts.scheme in ("http", "https")
    except ValueError:
        raise refused from None
    if not is_valid:
        raise refused
    if parts.username or parts.query or parts.fragment:
        raise InvalidInput("The address holds a login, a ? or a #; leave that out.", param="searxng")
    return parts.geturl()


def _check_key(text: str) -> str:
    text = text.strip()
    if len(text) > MAX_FIELD_CHARS or not all("!" <= letter <= "~" for letter in text):
        raise InvalidInput("The key holds a space or another character that no key has; copy it again.", param="keys")
    return text


def _own_service(address: str | None) -> tuple[str, ...]:
    """Return `host:port` of an address on this machine or its network, which web search may then reach."""
    if address is None:
        return ()
    host, port = host_and_port(address)
    if not (is_loopback_url(address) or is_local_network(host)):
        return ()
    return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}",)


def _readable_keys(stored: StoredWebSettings, vault: Vault) -> dict[str, str]:
    """Decrypt the keys; one that can't be is left out, so that its service counts as not set up."""
    found: dict[str, str] = {}
    for name, key in stored.keys.items():
        try:
            found[name] = vault.decrypt(key, key_place(name))
        except SettingsError as error:
            log.error("The key of the search service %s can't be used: %s", name, error.message)
    return found


def key_place(name: str) -> str:
    """Return the place that binds the key of a search service; see `Vault`."""
    return f"search service {name}"


def _unknown(name: str) -> NotFound:
    return NotFound(f"There is no search service {name!r}; GET /api/web/services lists them.")


def _is_fixed(setting: str) -> Conflict:
    return Conflict(f"The settings file says {setting}; change it there (`eclair config` says where).")
