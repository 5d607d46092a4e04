"""The rights of a key: everything, `/v1` alone, or reading alone; from some networks, until a day."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from eclair.errors import Forbidden, InvalidInput, Unauthorized
from eclair.storage.api_keys import KEY_SCOPES, KeyScope, StoredApiKey

MAX_NETWORKS = 50
MAX_DAYS = 3660

_PROGRAM_PATHS = re.compile(r"/v1/|/api/(?:chat|generate|embed|embeddings|version|tags|ps|show)$")
"""Paths that clients of OpenAI, Anthropic and Ollama use."""


@dataclass(frozen=True, slots=True)
class KeyRights:
    """The rights that a new key gets. Raises InvalidInput.

    Without `networks` it may be used from everywhere, without `days` for good.
    """

    scope: KeyScope = "all"
    networks: tuple[str, ...] = ()
    days: int | None = None

    def __post_init__(self) -> None:
        if self.scope not in KEY_SCOPES:
            raise InvalidInput(f"A key is for one of {', '.join(KEY_SCOPES)}; choose one.", param="scope")
        if self.days is not None and not 1 <= self.days <= MAX_DAYS:
            raise InvalidInput(f"A key ends after 1 to {MAX_DAYS:,} days; choose a number of them.", param="days")
        object.__setattr__(self, "networks", _normal_networks(self.networks))


def check_use(key: StoredApiKey, method: str, path: str, address: str, now: int) -> None:
    """Raise Unauthorized for a key that has ended, and Forbidden for what it may not do; `now` is in milliseconds."""
    if key.expires is not None and now >= key.expires:
        day = datetime.fromtimestamp(key.expires / 1000, UTC).date().isoformat()
        raise Unauthorized(f"The key {key.name!r} ended on {day}; have a new one made.")
    if key.networks and not _is_in(address, key.networks):
        raise Forbidden(f"The key {key.name!r} may not be used from {address or 'here'}.")
    if key.scope == "v1" and not _PROGRAM_PATHS.match(path):
        raise Forbidden(f"The key {key.name!r} is for programs under /v1; use a key for everything.")
    is_provisioning = path.startswith("/scim/")
    if key.scope == "scim" and not is_provisioning:
        raise Forbidden(f"The key {key.name!r} is for a directory under /scim; use a key for everything.")
    if is_provisioning and key.scope != "scim":
        raise Forbidden("Only a key that was made for SCIM may be used here; have an administrator make one.")
    if key.scope == "read" and method not in ("GET", "HEAD"):
        raise Forbidden(f"The key {key.name!r} may read only; use a key for everything.")


def _normal_networks(networks: Iterable[str]) -> tuple[str, ...]:
    """Return networks such as 10.0.0.0/24 in their usual form. Raises InvalidInput."""
    found: dict[str, None] = {}
    for each in networks:
        try:
            found[str(ipaddress.ip_network(each.strip(), strict=False))] = None
        except ValueError:
            raise InvalidInput(
                f"{each!r} is no address and no network; write one such as 10.0.0.0/24.", param="networks"
            ) from None
    if len(found) > MAX_NETWORKS:
        raise InvalidInput(f"A key names at most {MAX_NETWORKS} networks; name fewer.", param="networks")
    return tuple(found)


def _is_in(address: str, networks: Iterable[str]) -> bool:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in ipaddress.ip_network(network) for network in networks)


FULL_RIGHTS = KeyRights()
