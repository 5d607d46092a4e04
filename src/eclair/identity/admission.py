"""Admission: who of a provider's people may come in, and with which role."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from eclair.accounts.people import MAX_DISPLAY_CHARS, normal_email
from eclair.errors import InvalidInput, NotAdmitted
from eclair.identity_settings import ProviderSettings
from eclair.schema.people import ProvidedIdentity
from eclair.schema.principal import ROLES

SECOND_STEP_VALUES = frozenset(
    {
        "mfa",
        "phr",
        "phrh",
        "http://schemas.microsoft.com/claims/multipleauthn",
        "http://schemas.openid.net/pape/policies/2007/06/multi-factor",
        "https://refeds.org/profile/mfa",
        "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract",
    }
)
"""Standard names of a sign-in with more than a password: RFC 8176, OpenID's EAP and PAPE, REFEDS, SAML, and Entra's."""


def has_second_step(settings: ProviderSettings, told: Iterable[str | None]) -> bool:
    """Tell whether a provider asked for a second step, by what it says of how somebody signed in."""
    known = SECOND_STEP_VALUES.union(settings.second_step_values)
    return settings.trust_second_step or not known.isdisjoint(told)


def admit(
    name: str,
    settings: ProviderSettings,
    identity: ProvidedIdentity,
    names: Collection[str],
    fold: Callable[[str], str] = str,
    *,
    is_told: bool = True,
) -> ProvidedIdentity:
    """Return an identity with its role, where the settings give one. Raises NotAdmitted.

    `names` are the person's groups and roles at the provider `name`; `fold` makes those equal that mean the same.
    Unless the provider has told them all, whoever is known keeps their role.
    """
    identity = _clean(identity)
    held = {fold(each) for each in names}
    if settings.allowed_groups and held.isdisjoint(map(fold, settings.allowed_groups)):
        raise NotAdmitted(f"{name} knows you, but only some of its groups may use Éclair; ask your administrator.")
    if settings.allowed_domains:
        domain = (identity.email or "").rpartition("@")[2].lower()
        if not identity.email_verified or domain not in settings.allowed_domains:
            raise NotAdmitted(
                f"{name} knows you, but only addresses of some domains may use Éclair; ask your administrator."
            )
    if not is_told or (not settings.roles and settings.default_role == "member"):
        return identity
    fitting = (role for role in ROLES if not held.isdisjoint(map(fold, settings.roles.get(role, ()))))
    return replace(identity, role=next(fitting, settings.default_role))


def _clean(identity: ProvidedIdentity) -> ProvidedIdentity:
    """Return an identity whose name and address an account may have: they are for people to read, and may be cut."""
    printable = "".join(letter for letter in identity.display_name if letter.isprintable())
    display_name = " ".join(printable.split())[:MAX_DISPLAY_CHARS].strip() or identity.name[:MAX_DISPLAY_CHARS]
    try:
        email = None if identity.email is None else normal_email(identity.email)
    except InvalidInput:
        email = None
    verified = identity.email_verified and email is not None
    return replace(identity, display_name=display_name, email=email, email_verified=verified)
