"""Locates a server: this machine, this network, or a known provider's country.

Providers are listed in `providers.toml`; their hosts and countries in `network/countries.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, TypeAdapter

from eclair.network.countries import find_organization, organizations
from eclair.network.policy import is_local_network, is_loopback_url

LocationKind = Literal["machine", "network", "country", "unknown"]

DISTANCES: Mapping[LocationKind, int] = {"machine": 0, "network": 1}
"""Kinds of locations by distance; all others are farther."""


@dataclass(frozen=True, slots=True)
class ModelProvider:
    """A provider of models. `url` is its usual address.

    `hosts` and `country` come from the organization of the same name.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    url: Annotated[str | None, Field(pattern="^https?://[^/]")] = None
    hosts: tuple[str, ...] = ()
    country: Annotated[str | None, Field(pattern="^[A-Z]{2}$")] = None


@dataclass(frozen=True, slots=True)
class ServerLocation:
    """The location of a server. `country` (an ISO code) is set only for the kind `country`.

    `provider` is set if its name is known; with `stated` the owner stated the country.
    """

    kind: LocationKind
    country: str | None = None
    provider: str | None = None
    stated: bool = False

    @property
    def code(self) -> str:
        """The location as in `Model.location`."""
        return self.country or self.kind

    @property
    def text(self) -> str:
        """The location in a few words, such as `FR (Mistral)`."""
        match self.kind:
            case "machine":
                return "this machine"
            case "network":
                return "this network"
            case "unknown":
                return "unknown"
            case "country":
                details = [self.provider, "as stated" if self.stated else None]
                detail = ", ".join(text for text in details if text)
                return f"{self.country} ({detail})" if detail else str(self.country)


@cache
def known_providers() -> tuple[ModelProvider, ...]:
    """List the providers that Éclair knows, local servers first."""
    text = (resources.files("eclair.llm.servers") / "providers.toml").read_text("utf-8")
    rows = TypeAdapter(tuple[ModelProvider, ...]).validate_python(tomllib.loads(text)["provider"])
    known = {row.name: row for row in organizations()}
    return tuple(
        replace(row, hosts=known[row.name].hosts, country=known[row.name].country) if row.name in known else row
        for row in rows
    )


def locate(url: str, stated: str | None = None) -> ServerLocation:
    """Locate `url`. A country `stated` by the owner counts where none is known."""
    if is_loopback_url(url):
        return ServerLocation("machine")
    host = (urlsplit(url).hostname or "").rstrip(".")
    known = find_organization(host)
    if known is not None:
        return ServerLocation("country", known.country, known.name)
    if stated is not None:
        return ServerLocation("country", stated, stated=True)
    return ServerLocation("network" if is_local_network(host) else "unknown")


def farthest(locations: Sequence[ServerLocation]) -> ServerLocation:
    """Return the location that is farthest away; unknown where several are as far."""
    distance = max(DISTANCES.get(each.kind, 2) for each in locations)
    found = {each for each in locations if DISTANCES.get(each.kind, 2) == distance}
    return found.pop() if len(found) == 1 else ServerLocation("unknown")
