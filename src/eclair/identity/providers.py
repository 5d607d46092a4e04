"""The identity providers of an installation, built from its settings."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from eclair.accounts.sign_in import JoinPolicy, PasswordCheck
from eclair.errors import NotFound, SettingsError
from eclair.identity_settings import LdapSettings, OidcSettings, ProviderSettings, SamlSettings
from eclair.network.gate import OutboundGate
from eclair.schema.ids import Clock
from eclair.settings import Settings

if TYPE_CHECKING:
    from eclair.identity.ldap import LdapDirectory
    from eclair.identity.oidc import OidcProvider
    from eclair.identity.saml import SamlProvider


@dataclass(frozen=True, slots=True)
class ProviderWay:
    """A way to sign in at a provider: its id in addresses, and its name for people."""

    kind: Literal["oidc", "saml"]
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class IdentityProviders:
    """All providers by id, each opened."""

    settings: Mapping[str, ProviderSettings] = field(default_factory=dict[str, ProviderSettings])
    oidc: Mapping[str, OidcProvider] = field(default_factory=dict[str, "OidcProvider"])
    saml: Mapping[str, SamlProvider] = field(default_factory=dict[str, "SamlProvider"])
    ldap: Mapping[str, LdapDirectory] = field(default_factory=dict[str, "LdapDirectory"])

    @classmethod
    def open(cls, settings: Settings, gate: OutboundGate, clock: Clock = time.time) -> IdentityProviders:
        """Open the providers that the settings name. Blocks. Raises SettingsError."""
        oidc: dict[str, OidcProvider] = {}
        saml: dict[str, SamlProvider] = {}
        ldap: dict[str, LdapDirectory] = {}
        for id, each in settings.identity.items():
            name = each.name or id
            match each:
                case OidcSettings():
                    from eclair.identity.oidc import OidcProvider

                    secret = _read_secret(name, "client_secret", each.client_secret, each.client_secret_file)
                    oidc[id] = OidcProvider(name, each, secret, gate, clock)
                case LdapSettings():
                    from eclair.identity.ldap import LdapDirectory

                    secret = _read_secret(name, "bind_password", each.bind_password, each.bind_password_file)
                    ldap[id] = LdapDirectory(name, each, secret, gate)
                case SamlSettings():
                    if not settings.saml:
                        raise SettingsError(
                            f"{name} speaks SAML, whose checks nobody from outside has reviewed yet; set `saml = true` "
                            "to use it all the same, or take it out."
                        )
                    from eclair.identity.saml import SamlProvider

                    saml[id] = SamlProvider.open(name, each, clock)
        return cls(settings.identity, oidc, saml, ldap)

    @property
    def ways(self) -> list[ProviderWay]:
        """The providers to which people are sent, in the order of the settings. Directories take passwords here."""
        return [
            ProviderWay("oidc" if id in self.oidc else "saml", id, each.name or id)
            for id, each in self.settings.items()
            if id in self.oidc or id in self.saml
        ]

    def join_policy(self, id: str) -> JoinPolicy:
        """Return the worth of a provider's word here. Raises NotFound."""
        settings = self.settings.get(id)
        if settings is None:
            raise NotFound(f"There is no identity provider {id[:60]!r}.")
        return JoinPolicy(settings.join, settings.link_by_email, settings.link_by_scim, settings.default_role)

    @property
    def directories(self) -> list[tuple[PasswordCheck, JoinPolicy]]:
        """The directories that know passwords, in the order of the settings."""
        return [(directory.check, self.join_policy(id)) for id, directory in self.ldap.items()]

    def find_by_issuer(self, issuer: str) -> str | None:
        """Return the id of the provider of OpenID Connect that a session began with."""
        found = (
            id for id, each in self.oidc.items() if f"oidc:{each.settings.issuer}".rstrip("/") == issuer.rstrip("/")
        )
        return next(found, None)

    async def close(self) -> None:
        for provider in self.oidc.values():
            await provider.close()


def _read_secret(name: str, setting: str, value: str | None, file: Path | None) -> str | None:
    if file is None:
        return value
    if value is not None:
        raise SettingsError(f"{name} has both `{setting}` and `{setting}_file`; keep one of them.")
    try:
        secret = file.expanduser().read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it isn't UTF-8 text"
        raise SettingsError(f"{file} cannot be read: {reason}; check `{setting}_file` of {name}.") from error
    if not secret:
        raise SettingsError(f"{file} is empty; write the secret of {name} into it.")
    return secret
