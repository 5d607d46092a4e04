"""Settings of identity providers: the tables `[identity.NAME]`, one class for each kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

RoleSetting = Literal["admin", "auditor", "member", "guest"]
ProviderText = Annotated[str, Field(min_length=1)]
MailDomain = Annotated[str, Field(pattern=r"^[a-z0-9_-]+(\.[a-z0-9_-]+)*$")]
"""The part of an address after the @, in lower case."""

_WEB_URL = r"^https?://[^/?#@\s]+[^?#@\s]*$"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """Settings that all kinds share.

    `name` is what people read. `allowed_groups` and `allowed_domains` say who may come in; without them everybody may
    whom the provider lets in. `roles` gives a role to the groups and roles of the provider's that it lists, and
    `default_role` to people who are in none of them. Without `join`, only those come in who have an account already.
    With `link_by_email` a verified address leads to the account that has it; `verified_emails` says that every address
    of this provider's is verified. With `link_by_scim` the subject is the `externalId` that a directory gives in SCIM.

    `second_step_values` are what the provider calls a sign-in with a second step, besides the standard names, and
    `trust_second_step` says that each of its sign-ins has one.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: ProviderText | None = None
    allowed_groups: tuple[ProviderText, ...] = ()
    allowed_domains: tuple[MailDomain, ...] = ()
    roles: dict[RoleSetting, tuple[ProviderText, ...]] = field(
        default_factory=dict[RoleSetting, tuple[ProviderText, ...]]
    )
    default_role: RoleSetting = "member"
    join: bool = True
    link_by_email: bool = False
    link_by_scim: bool = False
    verified_emails: bool = False
    second_step_values: tuple[ProviderText, ...] = ()
    trust_second_step: bool = False

    @property
    def needs_groups(self) -> bool:
        """True where a person's groups decide on access or role."""
        return bool(self.allowed_groups or self.roles)


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings(ProviderSettings):
    """A provider of OpenID Connect.

    `groups_claim` and `roles_claim` are names of claims, or paths such as `realm_access.roles`; without the first the
    provider's groups aren't taken over. Where a claim is missing, the person is in none (`none`), or their groups and
    role stay as they are (`keep`), as `missing_claims` says. `ca_file` has further certificate authorities (PEM).
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    kind: Literal["oidc"]
    issuer: Annotated[str, Field(pattern=_WEB_URL)]
    client_id: ProviderText
    client_secret: ProviderText | None = None
    client_secret_file: Path | None = None
    scopes: tuple[ProviderText, ...] = ("openid", "profile", "email")
    name_claim: ProviderText = "preferred_username"
    groups_claim: ProviderText | None = None
    roles_claim: ProviderText | None = None
    missing_claims: Literal["none", "keep"] = "none"
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapSettings(ProviderSettings):
    """A directory that speaks LDAP, such as Active Directory or OpenLDAP.

    `bind_dn` may read the directory; without it, that happens anonymously. `user_filter` finds a person by `{name}`,
    and `group_filter` their groups by `{dn}`, where `memberOf` doesn't list them all. Groups count if they are beneath
    `group_base_dn`. `ldap://` is encrypted by StartTLS unless `start_tls` is false.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    kind: Literal["ldap"]
    url: Annotated[str, Field(pattern=r"^ldaps?://(\[[0-9a-f:.]+\]|[A-Za-z0-9._-]+)(:[1-9][0-9]{0,4})?/?$")]
    base_dn: ProviderText
    bind_dn: ProviderText | None = None
    bind_password: ProviderText | None = None
    bind_password_file: Path | None = None
    user_filter: ProviderText = "(|(uid={name})(sAMAccountName={name})(userPrincipalName={name}))"
    group_base_dn: ProviderText | None = None
    group_filter: ProviderText | None = None
    start_tls: bool = True
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlSettings(ProviderSettings):
    """A provider of SAML 2.0, as its `metadata_file` describes it.

    Attributes are known by the names that the usual providers give them, unless another is set. `subject_attribute`
    identifies people in place of the NameID.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    kind: Literal["saml"]
    metadata_file: Path
    entity_id: ProviderText | None = None
    subject_attribute: ProviderText | None = None
    name_attribute: ProviderText | None = None
    email_attribute: ProviderText | None = None
    groups_attribute: ProviderText | None = None


IdentitySettings = Annotated[OidcSettings | LdapSettings | SamlSettings, Field(discriminator="kind")]
