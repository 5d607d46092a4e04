"""Search providers: one file each, and a line here."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Sequence

from eclair.errors import SettingsError
from eclair.network.client import WebClient
from eclair.settings import Settings
from eclair.web.providers.base import HttpProvider, SearchProvider
from eclair.web.providers.brave import Brave
from eclair.web.providers.gdelt import GDELT
from eclair.web.providers.kagi import Kagi
from eclair.web.providers.linkup import Linkup
from eclair.web.providers.marginalia import Marginalia
from eclair.web.providers.mojeek import Mojeek
from eclair.web.providers.opensearch import OpenSearch
from eclair.web.providers.searxng import SearXNG
from eclair.web.providers.staan import Staan
from eclair.web.providers.wikipedia import Wikipedia

log = logging.getLogger(__name__)

PROVIDERS: tuple[type[HttpProvider], ...] = (Wikipedia, Marginalia, Staan, Mojeek, Linkup, Brave, Kagi, GDELT)
"""Providers at a fixed address, in the order in which they are shown."""

LOCAL_PROVIDERS = ("newsroom",)
"""Providers that the caller builds, but that the settings can name like any other."""

DEFAULT_PROVIDERS = ("newsroom", "wikipedia")
"""Used without being set up: neither needs a key, neither makes money from queries."""

OPT_IN_PROVIDERS = (GDELT.name,)
"""Used only where `web_search` names them: GDELT allows one call every 5 seconds."""

RETIRED_PROVIDERS = ("wikinews",)
"""No longer offered, but older settings may name them: Wikinews closed to new articles in May 2026."""


def available_providers(
    settings: Settings, client: WebClient, local: Sequence[SearchProvider] = ()
) -> list[SearchProvider]:
    """List all providers in the order in which they are shown. Raises SettingsError for a setting that names none."""
    keys, described = settings.search_keys, settings.opensearch
    keyed = [provider.name for provider in PROVIDERS if provider.needs_key]
    names = [*LOCAL_PROVIDERS, SearXNG.name, *(provider.name for provider in PROVIDERS)]
    _check("search_keys", keys, keyed)
    _check("web_search", _configured_names(settings), [*names, *described])
    for name, key in keys.items():
        if not (key.isascii() and key.isprintable()):
            raise SettingsError(f"search_keys.{name} contains characters that no key has; copy it again.")
    for name in described:
        if name in names:
            raise SettingsError(f"The name {name} in `opensearch` is taken by another provider; choose another.")
    return [
        *local,
        SearXNG(client, settings.searxng),
        *(OpenSearch(client, name, url) for name, url in described.items()),
        *(provider(client, key=keys.get(provider.name, "")) for provider in PROVIDERS),
    ]


def list_provider_names(settings: Settings) -> dict[str, bool]:
    """Return the names of all providers, and whether each needs a key."""
    keyless = [*LOCAL_PROVIDERS, SearXNG.name, *settings.opensearch]
    return {**dict.fromkeys(keyless, False), **{each.name: each.needs_key for each in PROVIDERS}}


def select_providers(settings: Settings, providers: Sequence[SearchProvider]) -> list[SearchProvider]:
    """Select the providers to use: those named in `web_search`, else the defaults and those that were set up."""
    by_name: dict[str, SearchProvider] = {}
    for provider in providers:
        by_name.setdefault(provider.name, provider)  # a local one replaces one of the same name
    named = _configured_names(settings)
    if len(named) < len(settings.web_search):
        log.warning("`web_search` names %s, which is no longer offered; remove it.", " and ".join(RETIRED_PROVIDERS))
    configured = {*settings.search_keys, *settings.opensearch, *([SearXNG.name] if settings.searxng else [])}
    names = named or [name for name in by_name if name in {*DEFAULT_PROVIDERS, *configured}]
    return [by_name[name] for name in dict.fromkeys(names) if name in by_name]


def providers_table() -> str:
    """Write the table of docs/web-search.md."""
    rows = [
        (provider.name, provider.title, provider.jurisdiction, "yes" if provider.needs_key else "no", provider.terms)
        for provider in PROVIDERS
    ]
    rows.insert(0, (SearXNG.name, SearXNG.title, "where it runs", "no; its address in `searxng`", SearXNG.terms))
    rows.insert(0, ("newsroom", "News feeds", "this machine", "no", ""))
    rows.append(("your choice", "any OpenSearch site", "where it runs", "no; its description in `opensearch`", ""))
    lines = ["| name | service | law of | key | used by default | terms |", "| --- | --- | --- | --- | --- | --- |"]
    for name, title, where, key, terms in rows:
        used = "yes" if name in DEFAULT_PROVIDERS else "no" if name in OPT_IN_PROVIDERS else "once set up"
        lines.append(f"| {name} | {title} | {where} | {key} | {used} | {terms} |")
    return "\n".join(lines) + "\n"


def _configured_names(settings: Settings) -> list[str]:
    return [name for name in settings.web_search if name not in RETIRED_PROVIDERS]


def _check(setting: str, named: Iterable[str], names: Sequence[str]) -> None:
    for name in named:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)[0]
            raise SettingsError(f"{setting} names {name!r}, which isn't a search provider; did you mean {near}?")
