"""Where an address belongs, as far as that is certain: this machine, this network, a known provider's country.

The providers are data, in `providers.toml`; which hosts are whose, and in which country, is in
`network/countries.toml`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, TypeAdapter

from eclair.network.countries import find_organization, organizations
from eclair.network.policy import is_local_network, is_loopback

LocationKind = Literal["machine", "network", "country", "unknown"]


@dataclass(frozen=True, slots=True)
class ModelProvider:
    """Who serves models. `url` is the usual address; `hosts` and `country` are its organisation's, by name."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    url: Annotated[str | None, Field(pattern="^https?://[^/]")] = None
    hosts: tuple[str, ...] = ()
    country: Annotated[str | None, Field(pattern="^[A-Z]{2}$")] = None


@dataclass(frozen=True, slots=True)
class ServerLocation:
    """Where a server is. `country` (an ISO code) is known for `country` alone, `provider` where its name is known;
    `stated` says that it is the owner's word."""

    kind: LocationKind
    country: str | None = None
    provider: str | None = None
    stated: bool = False

    @property
    def code(self) -> str:
        """As a `Model` has it."""
        return self.country or self.kind

    @property
    def text(self) -> str:
        """In a few words, such as `FR (Mistral)`."""
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
    """Those that Éclair knows, local servers first."""
    text = (resources.files("eclair.llm.servers") / "providers.toml").read_text("utf-8")
    rows = TypeAdapter(tuple[ModelProvider, ...]).validate_python(tomllib.loads(text)["provider"])
    known = {row.name: row for row in organizations()}
    return tuple(
        replace(row, hosts=known[row.name].hosts, country=known[row.name].country) if row.name in known else row
        for row in rows
    )


def locate(url: str, stated: str | None = None) -> ServerLocation:
    """Where `url` belongs. What the owner `stated` goes before what is known of a name."""
    if is_loopback(url):
        return ServerLocation("machine")
    host = (urlsplit(url).hostname or "").rstrip(".")
    known = find_organization(host)
    if stated is not None:
        return ServerLocation("country", stated, known.name if known else None, stated=True)
    if known is not None:
        return ServerLocation("country", known.country, known.name)
    return ServerLocation("network" if is_local_network(host) else "unknown")
