"""The country of a host, if certain: by organization or country-code domain.

Organizations are listed in `countries.toml`. Nothing is looked up on the network.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter

# fmt: off
EU_EEA_COUNTRIES = frozenset((
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "EU", "FI", "FR", "GR", "HR", "HU", "IE",
    "IS", "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
))
# fmt: on
"""Countries in which the GDPR applies: the European Union (EU is a name of its own) and the European Economic Area."""

_ISO_CODES = {"uk": "GB", "el": "GR", "ax": "FI"}
"""ISO 3166 codes of countries whose top-level domain differs."""

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
_REGION_COUNTRIES = {name: country for country, names in _REGIONS.items() for name in names.split()}

# fmt: off
_GENERIC = frozenset((
    "ac", "ag", "ai", "as", "bz", "cc", "cd", "co", "dj", "fm", "gg", "gl", "im", "io", "la", "ly",
    "me", "ms", "mu", "nu", "pw", "sc", "sh", "so", "st", "tk", "to", "tv", "vc", "vg", "ws",
))
# fmt: on
"""Country codes sold to anyone, which tell nothing about a host."""


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization with its `hosts` (subdomains included), and `brands`, its names under any country-code domain.

    `country` is the ISO code of its seat.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    hosts: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()


@cache
def organizations() -> tuple[Organization, ...]:
    """Load the organizations that Éclair knows."""
    text = (resources.files("eclair.network") / "countries.toml").read_text("utf-8")
    return TypeAdapter(tuple[Organization, ...]).validate_python(tomllib.loads(text)["organization"])


def find_organization(host: str) -> Organization | None:
    """Return the organization that runs a host, if known."""
    labels = host.lower().rstrip(".").split(".")
    hosts, brands = _known()
    for at in range(len(labels)):
        found = hosts.get(".".join(labels[at:]))
        if found is not None:
            return found
    return brands.get(_brand(labels))


def find_country(host: str) -> str | None:
    """Return the ISO code of a host's country, `EU` where only that is known, or None."""
    found = find_organization(host)
    if found is not None:
        return found.country
    ending = host.lower().rstrip(".").rpartition(".")[2]
    if ending in _REGION_COUNTRIES:
        return _REGION_COUNTRIES[ending]
    if len(ending) != 2 or not ending.isalpha() or ending in _GENERIC:
        return None
    return _ISO_CODES.get(ending, ending.upper())


def _brand(labels: list[str]) -> str:
    """Return the label before a country-code domain, such as `amazon` in amazon.de and amazon.co.uk."""
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
