"""The search services: one file each, and a line here.

`known` is what there is to choose from, `chosen` what is asked. Some, such as the newsroom, are `given` by what builds
them.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Sequence

from eclair.errors import SettingsError
from eclair.network.client import WebClient
from eclair.settings import Settings
from eclair.web.providers.base import HTTPService, SearchService
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

SERVICES: tuple[type[HTTPService], ...] = (
    Wikipedia,
    Marginalia,
    Staan,
    Mojeek,
    Linkup,
    Brave,
    Kagi,
    GDELT,
)
"""Those at a fixed address, in the order in which they are shown."""

GIVEN = ("newsroom",)
"""Those that are no part of this package, but can be named in the settings like any other."""

DEFAULT = ("newsroom", "wikipedia")
"""Those that are asked without being set up: neither needs a key, neither earns by what it is asked."""

ALONE = (GDELT.name,)
"""Those that are asked only where `web_search` names them: it may be called every 5 seconds."""

RETIRED = ("wikinews",)
"""Those that settings may still name, and that are gone: Wikinews has been closed to new articles since May 2026."""


def known(settings: Settings, browser: WebClient, given: Sequence[SearchService] = ()) -> list[SearchService]:
    """All that there is, in the order in which it is shown. Raises SettingsError for a setting that names none."""
    keys, described = settings.search_keys, settings.opensearch
    keyed = [service.name for service in SERVICES if service.needs_key]
    names = [*GIVEN, SearXNG.name, *(service.name for service in SERVICES)]
    _check("search_keys", keys, keyed)
    _check("web_search", [name for name in settings.web_search if name not in RETIRED], [*names, *described])
    for name, key in keys.items():
        if not (key.isascii() and key.isprintable()):
            raise SettingsError(f"search_keys.{name} has characters that no key has; copy it once more.")
    for name in described:
        if name in names:
            raise SettingsError(f"opensearch has the name {name}, which another service has; choose another.")
    return [
        *given,
        SearXNG(browser, settings.searxng),
        *(OpenSearch(browser, name, url) for name, url in described.items()),
        *(service(browser, key=keys.get(service.name, "")) for service in SERVICES),
    ]


def chosen(settings: Settings, services: Sequence[SearchService]) -> list[SearchService]:
    """Those that are asked: the ones that the owner named, in that order, or else the default ones and all that the
    owner set up."""
    by_name: dict[str, SearchService] = {}
    for service in services:
        by_name.setdefault(service.name, service)  # of two of one name the first, which was given
    named = [name for name in settings.web_search if name not in RETIRED]
    if len(named) < len(settings.web_search):
        log.warning("`web_search` names %s, which is no longer offered; remove it.", " and ".join(RETIRED))
    set_up = {*DEFAULT, *settings.search_keys, *settings.opensearch, *([SearXNG.name] if settings.searxng else [])}
    names = named or [name for name in by_name if name in set_up]
    return [by_name[name] for name in dict.fromkeys(names) if name in by_name]


def markdown() -> str:
    """The table of docs/browsing.md."""
    rows = [
        (service.name, service.title, service.jurisdiction, "yes" if service.needs_key else "no", service.terms)
        for service in SERVICES
    ]
    rows.insert(0, (SearXNG.name, SearXNG.title, "where it runs", "no; its address in `searxng`", SearXNG.terms))
    rows.insert(0, ("newsroom", "Newsroom", "this machine", "no", ""))
    rows.append(("as you call it", "any OpenSearch site", "where it is", "no; its description in `opensearch`", ""))
    lines = ["| name | service | law of | key | asked by itself | terms |", "| --- | --- | --- | --- | --- | --- |"]
    for name, title, where, key, terms in rows:
        asked = "yes" if name in DEFAULT else "no" if name in ALONE else "once set up"
        lines.append(f"| {name} | {title} | {where} | {key} | {asked} | {terms} |")
    return "\n".join(lines) + "\n"


def _check(setting: str, named: Iterable[str], names: Sequence[str]) -> None:
    for name in named:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)[0]
            raise SettingsError(f"{setting} names {name!r}, which is no search service; did you mean {near}?")
