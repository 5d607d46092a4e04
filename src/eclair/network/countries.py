"""Which country a host belongs to, as far as that is certain: its organisation's seat, or else where its name is
registered.

The organisations are data, in `countries.toml`. Nothing is looked up in any network.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter

EU_EEA_COUNTRIES = frozenset(
    (
        "AT",
        "BE",
        "BG",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "EU",
        "FI",
        "FR",
        "GR",
        "HR",
        "HU",
        "IE",
        "IS",
        "IT",
        "LI",
        "LT",
        "LU",
        "LV",
        "MT",
        "NL",
        "NO",
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
    )
)
"""Where the GDPR itself holds: the European Union (EU is its own name) and the European Economic Area."""

_ELSEWHERE = {"uk": "GB", "el": "GR", "ax": "FI"}
"""What ISO 3166 calls a country whose names end otherwise."""

_REGIONS = {
    "DE": "bayern berlin cologne hamburg koeln nrw ruhr saarland",
    "FR": "alsace bzh corsica paris gf gp mq re yt pm",
    "AT": "tirol wien",
    "BE": "brussels gent vlaanderen",
    "NL": "amsterdam frl",
    "ES": "barcelona cat eus gal madrid",
    "SE": "stockholm",
    "FI": "helsinki",
}
_OF_REGION = {name: country for country, names in _REGIONS.items() for name in names.split()}

_ANYWHERE = frozenset(
    (
        "ac",
        "ag",
        "ai",
        "as",
        "bz",
        "cc",
        "cd",
        "co",
        "dj",
        "fm",
        "gg",
        "gl",
        "im",
        "io",
        "la",
        "ly",
        "me",
        "ms",
        "mu",
        "nu",
        "pw",
        "sc",
        "sh",
        "so",
        "st",
        "tk",
        "to",
        "tv",
        "vc",
        "vg",
        "ws",
    )
)
"""Countries whose names are sold as words, so that they tell nothing."""


@dataclass(frozen=True, slots=True)
class Organization:
    """Whose `hosts` these are, with every name under them; `brands` are its names under any country's ending. `country`
    is the ISO code of its seat."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    hosts: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()


@cache
def organizations() -> tuple[Organization, ...]:
    """Those that Éclair knows."""
    text = (resources.files("eclair.network") / "countries.toml").read_text("utf-8")
    return TypeAdapter(tuple[Organization, ...]).validate_python(tomllib.loads(text)["organisation"])


def find_organization(host: str) -> Organization | None:
    """Whose host it is, where that is known."""
    labels = host.lower().rstrip(".").split(".")
    hosts, brands = _known()
    for at in range(len(labels)):
        found = hosts.get(".".join(labels[at:]))
        if found is not None:
            return found
    return brands.get(_brand(labels))


def find_country(host: str) -> str | None:
    """The ISO code of the country, `EU` where only that is known, or None."""
    found = find_organization(host)
    if found is not None:
        return found.country
    ending = host.lower().rstrip(".").rpartition(".")[2]
    if ending in _OF_REGION:
        return _OF_REGION[ending]
    if len(ending) != 2 or not ending.isalpha() or ending in _ANYWHERE:
        return None
    return _ELSEWHERE.get(ending, ending.upper())


def _brand(labels: list[str]) -> str:
    """What stands before a country's ending, such as `amazon` in amazon.de and amazon.co.uk."""
    if len(labels) >= 3 and len(labels[-1]) == 2 and labels[-2] in ("co", "com"):
        return labels[-3]
    return labels[-2] if len(labels) >= 2 and len(labels[-1]) == 2 else ""


@cache
def _known() -> tuple[dict[str, Organization], dict[str, Organization]]:
    rows = organizations()
    return (
        {host: row for row in rows for host in row.hosts},
        {brand: row for row in rows for brand in row.brands},
    )
