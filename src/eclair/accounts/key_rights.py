"""The rights of a key: everything, `/v1` alone, or reading alone; from some networks, until a day."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from eclair.errors import Forbidden, InvalidInput, Unauthorized
from eclair.schema.principal import KeyLimits, Principal
from eclair.storage.api_keys import KEY_SCOPES, KeyScope, StoredApiKey

MAX_NETWORKS = 50
MAX_DAYS = 3660
MAX_MODELS = 200
MAX_PER_MINUTE = 100_000
MAX_AT_ONCE = 1000

_PROGRAM_PATHS = re.compile(r"/v1/|/mcp$|/api/(?:chat|generate|embed|embeddings|version|tags|ps|show)$")
"""Paths that clients of OpenAI, Anthropic, Ollama and MCP use."""


@dataclass(frozen=True, slots=True)
class KeyRights:
    """The rights that a new key gets. Raises InvalidInput.

    Without `networks` it may be used from everywhere, without `days` for good, without `models` for all. It may ask
    `per_minute` times a minute, and have `at_once` answers under way.
    """

    scope: KeyScope = "all"
    networks: tuple[str, ...] = ()
    days: int | None = None
    models: tuple[str, ...] = ()
    per_minute: int | None = None
    at_once: int | None = None

    def __post_init__(self) -> None:
        if self.scope not in KEY_SCOPES:
            raise InvalidInput(f"A key is for one of {', '.join(KEY_SCOPES)}; choose one.", param="scope")
        if self.days is not None and not 1 <= self.days <= MAX_DAYS:
            raise InvalidInput(f"A key ends after 1 to {MAX_DAYS:,} days; choose a number of them.", param="days")
        _check_limit("per_minute", self.per_minute, MAX_PER_MINUTE, "asks {} times a minute")
        _check_limit("at_once", self.at_once, MAX_AT_ONCE, "has {} answers at once")
        models = tuple(dict.fromkeys(name.strip() for name in self.models if name.strip()))
        if len(models) > MAX_MODELS:
            raise InvalidInput(f"A key names at most {MAX_MODELS} models; name fewer.", param="models")
        object.__setattr__(self, "models", models)
        object.__setattr__(self, "networks", _normal_networks(self.networks))


def limits_of(key: StoredApiKey) -> KeyLimits:
    """Return the limits of a key, as whoever comes with it has them."""
    limits = (key.networks, key.expires, key.models, key.per_minute, key.at_once)
    is_unlimited = key.scope == "all" and not any(limits)
    return KeyLimits(key.name, frozenset(key.models), key.per_minute, key.at_once, is_unlimited)


def check_model(principal: Principal, *names: str) -> None:
    """Raise Forbidden where the key of a principal may not ask a model, which may go by several names."""
    limits = principal.limits
    if limits is not None and limits.models and limits.models.isdisjoint(names):
        allowed = ", ".join(sorted(limits.models))
        raise Forbidden(f"The key {limits.name!r} may not ask {names[0]}; it may ask {allowed}.", param="model")


def check_use(key: StoredApiKey, method: str, path: str, address: str, now: int) -> None:
    """Raise Unauthorized for a key that has ended, and Forbidden for what it may not do; `now` is in milliseconds."""
    if key.expires is not None and now >= key.expires:
        day = datetime.fromtimestamp(key.expires / 1000, UTC).date().isoformat()
        raise Unauthorized(f"The key {key.name!r} ended on {day}; have a new one made.")
    if key.networks and not _is_in(address, key.networks):
        raise Forbidden(f"The key {key.name!r} may not be used from {address or 'here'}.")
    if key.scope == "v1" and not _PROGRAM_PATHS.match(path):
        raise Forbidden(f"The key {key.name!r} is for programs under /v1 and /mcp; use a key for everything.")
    is_provisioning = path.startswith("/scim/")
    if key.scope == "scim" and not is_provisioning:
        raise Forbidden(f"The key {key.name!r} is for a directory under /scim; use a key for everything.")
    if is_provisioning and key.scope != "scim":
        raise Forbidden("Only a key that was made for SCIM may be used here; have an administrator make one.")
    if key.scope == "read" and method not in ("GET", "HEAD"):
        raise Forbidden(f"The key {key.name!r} may read only; use a key for everything.")


def _check_limit(param: str, value: int | None, most: int, phrase: str) -> None:
    if value is not None and not 1 <= value <= most:
        raise InvalidInput(f"A key {phrase.format(f'1 to {most:,}')}; choose a number of them.", param=param)


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
