"""What may leave this machine, by the owner's settings: to whom, and what for. It says yes or why not; `door` asks it.

What no policy opens, such as an address of this network, is `guard`'s affair.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from eclair.errors import SettingsError
from eclair.network.countries import EU_EEA_COUNTRIES, find_country, find_organization
from eclair.network.ssrf import DEFAULT_PORTS, PrivateServices, parse_private_service
from eclair.settings import Settings
from eclair.util import loopback

PolicyMode = Literal["offline", "listed", "eu", "open"]
Purpose = Literal["engine", "model", "search", "page", "feed", "robots"]
"""What a call is for: an answer, a model or program to be stored, the web's search services, pages and feeds."""

_LOCAL = (".local", ".lan", ".internal", ".home.arpa", ".intranet", ".localdomain")

_KEYS = re.compile(r"([?&](?:api_?key|key|(?:access_)?token)=)[^&#]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class OutboundPolicy:
    """The policy, the `hosts` that it lists, and the `private` services that may be called in any. The default lets
    nothing out."""

    mode: PolicyMode = "offline"
    hosts: tuple[str, ...] = ()
    private: PrivateServices = field(default_factory=frozenset[tuple[str, int]])

    @classmethod
    def from_settings(cls, settings: Settings) -> OutboundPolicy:
        """Raises SettingsError."""
        try:
            private = frozenset(map(parse_private_service, settings.private_addresses))
        except ValueError as error:
            raise SettingsError(f"`private_addresses` has an entry that is {error}.") from None
        return cls(settings.egress, settings.egress_hosts, private)

    @property
    def description(self) -> str:
        """The policy in a sentence."""
        hosts = f" and {', '.join(self.hosts)}" if self.hosts else ""
        match self.mode:
            case "offline":
                return "Policy `offline`: nothing leaves this machine, but to `private_addresses`."
            case "listed":
                return f"Policy `listed`: only the engines that you set up{hosts} are called."
            case "eu":
                return f"Policy `eu`: only who belongs to the EU or EEA{hosts} is called."
            case "open":
                return "Policy `open`: whoever is needed is called, and every call is recorded."

    def refusal(self, url: str, purpose: Purpose, country: str | None = None) -> str | None:
        """Why `url` may not be called, in a sentence that says what to do; None where it may. `country` is what the
        owner knows better than the address tells."""
        host, port = host_and_port(url)
        if is_loopback(url) or (host, port) in self.private:
            return None
        match self.mode:
            case "open":
                return None
            case "offline":
                return (
                    f"{host} is not called: the policy is `offline`; set `egress` to another, or name {host}:{port} in "
                    "`private_addresses` if it is your own."
                )
            case "listed":
                if purpose == "engine" or self._lists(host):
                    return None
                return f"{host} is not called: the policy is `listed`; add {host} to `egress_hosts` to allow it."
            case "eu":
                where = country or country_for(host, purpose)
                own = purpose == "engine" and is_local_network(host)
                if own or where in EU_EEA_COUNTRIES or self._lists(host):
                    return None
                known = f"it belongs to {where}" if where else "nobody knows which country it belongs to"
                return (
                    f"{host} is not called: the policy is `eu` and {known}; add {host} to `egress_hosts` to allow it."
                )

    def _lists(self, host: str) -> bool:
        return any(host == name or host.endswith(f".{name}") for name in self.hosts)


def is_loopback(url: str) -> bool:
    """Whether `url` names this very machine."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host.endswith(".localhost") or loopback.is_loopback(host)


def country_for(host: str, purpose: Purpose) -> str | None:
    """The country of a host. Of an engine it is that of the organisation that runs it, whatever its name ends in."""
    if purpose != "engine":
        return find_country(host)
    runs = find_organization(host)
    return runs.country if runs is not None else None


def is_local_network(host: str) -> bool:
    """Whether an address, or a name that only a local network has, is not of the internet. A name with dots can lead
    anywhere."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.endswith(_LOCAL) or "." not in host
    return address.is_private or address.is_link_local


def host_and_port(url: str) -> tuple[str, int]:
    """The host and the port that a URL names; empty and 0 where it names none."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").rstrip("."), parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", 0


def strip_login(url: str) -> str:
    """The URL without a user and a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.rpartition("@")[2]
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def strip_secrets(url: str) -> str:
    """The URL without a user, a password, or the key that some services want as a parameter."""
    return _KEYS.sub(r"\1…", strip_login(url))
