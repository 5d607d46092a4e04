"""Checks of identity providers: that each answers, is set up as the settings say, and agrees on the time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from eclair.errors import EclairError, IdentityUnavailable, Refused
from eclair.identity.providers import IdentityProviders

CLOCK_SKEW_NOTE_S = 30
"""Half of what is borne."""
CERTIFICATE_NOTE_S = 30 * 86_400

ProviderKind = Literal["oidc", "ldap", "saml"]
ProviderFault = Literal["unreachable", "misconfigured", "clock", "certificate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCheck:
    """A finding about a provider, in one sentence; `fault` is None where all is well.

    `seconds` is by how much its clock is ahead of ours, `expires` when a certificate of it ends, in milliseconds.
    """

    id: str
    name: str
    kind: ProviderKind
    detail: str
    fault: ProviderFault | None = None
    seconds: int | None = None
    expires: int | None = None

    @property
    def is_broken(self) -> bool:
        return self.fault in ("unreachable", "misconfigured")


async def check_providers(providers: IdentityProviders, now: float) -> list[ProviderCheck]:
    """Check all providers at once, in the order of the settings."""
    return list(await asyncio.gather(*(_check(providers, id, now) for id in providers.settings)))


async def _check(providers: IdentityProviders, id: str, now: float) -> ProviderCheck:
    name = providers.settings[id].name or id
    kind: ProviderKind = "oidc" if id in providers.oidc else "ldap" if id in providers.ldap else "saml"
    try:
        if id in providers.oidc:
            keys, ahead = await providers.oidc[id].probe()
            detail = f"answers, and signs with {keys} key{'' if keys == 1 else 's'}"
            if ahead is not None and abs(ahead) > CLOCK_SKEW_NOTE_S:
                detail = (
                    f"answers, but its clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this one"
                )
                return ProviderCheck(id=id, name=name, kind=kind, detail=detail, fault="clock", seconds=round(ahead))
            return ProviderCheck(id=id, name=name, kind=kind, detail=detail)
        if id in providers.ldap:
            await providers.ldap[id].probe()
            return ProviderCheck(id=id, name=name, kind=kind, detail="answers, and can be searched")
        return _check_certificate(id, name, providers.saml[id].expires, now)
    except IdentityUnavailable as error:
        return ProviderCheck(id=id, name=name, kind=kind, detail=error.message, fault="unreachable")
    except (EclairError, Refused) as error:
        return ProviderCheck(id=id, name=name, kind=kind, detail=error.message, fault="misconfigured")


def _check_certificate(id: str, name: str, expires: float, now: float) -> ProviderCheck:
    """Check until when the metadata and the certificate in it count: the provider itself is only asked by browsers."""
    left = expires - now
    day = f"{max(left, 0) // 86_400:.0f} days"
    if left > CERTIFICATE_NOTE_S:
        return ProviderCheck(id=id, name=name, kind="saml", detail=f"its metadata counts for {day} more")
    detail = f"its metadata or certificate ends in {day}" if left > 0 else "its metadata or certificate has ended"
    fault: ProviderFault = "certificate" if left > 0 else "misconfigured"
    moment = int(expires * 1000)
    return ProviderCheck(id=id, name=name, kind="saml", detail=detail, fault=fault, expires=moment)
