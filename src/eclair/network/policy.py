"""The outbound policy: which hosts may be called, and for what purpose.

`gate` applies it to each call. Addresses that no policy may open are the business of `ssrf`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from eclair.errors import Refused, SettingsError
from eclair.network.countries import EU_EEA_COUNTRIES, find_country, find_organization
from eclair.network.ssrf import DEFAULT_PORTS, PrivateServices, check_url, parse_private_service
from eclair.settings import Settings
from eclair.util import loopback

PolicyMode = Literal["offline", "listed", "eu", "open"]
Purpose = Literal[
    "engine", "model", "search", "page", "feed", "robots", "trace", "audit", "identity", "mcp", "mail", "storage"
]
"""Purposes of a call.

An answer, a download, web search, a page, a feed, robots.txt, traces for a collector, the audit log, the sign-in of a
person, tools of an MCP server, a mail to a person, or files in a bucket.
"""

OWN_PURPOSES = ("engine", "trace", "audit", "identity", "mcp", "mail", "storage")
"""Purposes of calls to servers that the owner set up by address."""

_LOCAL = (".local", ".lan", ".internal", ".home.arpa", ".intranet", ".localdomain")

_KEYS = re.compile(r"([?&](?:api_?key|key|(?:access_)?token)=)[^&#]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class OutboundPolicy:
    """A policy mode, the `hosts` it lists, and the `private` services that every mode allows."""

    mode: PolicyMode = "offline"
    hosts: tuple[str, ...] = ()
    private: PrivateServices = field(default_factory=frozenset[tuple[str, int]])

    @classmethod
    def from_settings(cls, settings: Settings) -> OutboundPolicy:
        """Build the policy that the settings describe. Raises SettingsError."""
        try:
            private = frozenset(map(parse_private_service, settings.private_addresses))
        except ValueError as error:
            raise SettingsError(f"`private_addresses`: {error}.") from None
        return cls(settings.egress, settings.egress_hosts, private)

    @property
    def description(self) -> str:
        """The policy in one sentence."""
        hosts = f" and {', '.join(self.hosts)}" if self.hosts else ""
        match self.mode:
            case "offline":
                return "Policy `offline`: only this machine and `private_addresses` are called."
            case "listed":
                return f"Policy `listed`: only the engines you set up{hosts} are called."
            case "eu":
                return f"Policy `eu`: only hosts in the EU or EEA{hosts} are called."
            case "open":
                return "Policy `open`: any host is called when needed, and every call is recorded."

    def refusal(self, url: str, purpose: Purpose, country: str | None = None) -> str | None:
        """Explain in a sentence why `url` may not be called, and what to do; None where it may.

        `country` is what else is known of the host's; an engine's is only stated, and counts where none is known.
        """
        host, port = host_and_port(url)
        if is_loopback_url(url) or (host, port) in self.private:
            return None
        match self.mode:
            case "open":
                return None
            case "offline":
                return (
                    f"{host} may not be called: the policy is `offline`. Choose another policy with `egress`, or add "
                    f"{host}:{port} to `private_addresses` if the service is yours."
                )
            case "listed":
                if purpose in OWN_PURPOSES or self._lists(host):
                    return None
                return f"{host} may not be called: the policy is `listed`. To allow it, add {host} to `egress_hosts`."
            case "eu":
                where = country_of_call(host, purpose, country)
                own = purpose in OWN_PURPOSES and is_local_network(host)
                if own or where in EU_EEA_COUNTRIES or self._lists(host):
                    return None
                known = f"the host belongs to {where}" if where else "the country of the host isn't known"
                return (
                    f"{host} may not be called: the policy is `eu` and {known}. To allow it, add {host} to "
                    "`egress_hosts`."
                )

    def may_lead(self, source: str, target: str) -> bool:
        """Tell whether what the URL `source` sends may lead to `target`.

        Only a private service's own host may lead to it.
        """
        try:
            found = check_url(target, self.private)
        except Refused:
            return True  # whoever calls it is told why not
        return (found.host, found.port) not in self.private or host_and_port(source)[0] == found.host

    def _lists(self, host: str) -> bool:
        return any(host == name or host.endswith(f".{name}") for name in self.hosts)


def is_loopback_url(url: str) -> bool:
    """Tell whether `url` names this machine."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host.endswith(".localhost") or loopback.is_loopback(host)


def country_for(host: str, purpose: Purpose) -> str | None:
    """Return the country of a host. For an engine, only the organization that runs it counts, not its domain."""
    if purpose != "engine":
        return find_country(host)
    runs = find_organization(host)
    return runs.country if runs is not None else None


def country_of_call(host: str, purpose: Purpose, given: str | None) -> str | None:
    """Return the country that a call goes to.

    `given` is the provider's own, or what an engine's owner states: that doesn't outweigh what is known of the host.
    """
    if purpose == "engine":
        return country_for(host, purpose) or given
    return given or country_for(host, purpose)


def is_local_network(host: str) -> bool:
    """Tell whether a host is a private address, or a name that only exists on a local network."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.endswith(_LOCAL) or "." not in host
    return address.is_private or address.is_link_local


def host_and_port(url: str) -> tuple[str, int]:
    """Return the host and port of a URL; an empty name and 0 where it has none."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").rstrip("."), parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", 0


def strip_login(url: str) -> str:
    """Return the URL without user name and password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.rpartition("@")[2]
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def strip_secrets(url: str) -> str:
    """Return the URL without user name, password, or a key given as a parameter."""
    return _KEYS.sub(r"\1…", strip_login(url))
