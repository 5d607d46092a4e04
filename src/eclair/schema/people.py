"""People, their groups and sessions, and what an identity provider says about a person: plain values."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.schema.principal import PersonRole

LOCAL_ORIGIN = "local"
"""The origin of groups that were made here, not by an identity provider."""


SCIM_ORIGIN = "scim"
"""The origin of groups that a directory provisions, and the issuer of its own ids of people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An account. `name` is what they sign in with, in lower case.

    `created` and `locked`, since when they may not come in, are in milliseconds; `seen` is the last day (ISO 8601)
    on which they did.
    """

    id: str
    name: str
    display_name: str
    email: str | None
    role: PersonRole
    created: int
    locked: int | None = None
    seen: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonChange:
    """New values of a person; None leaves one as it is, and an empty `email` removes it."""

    name: str | None = None
    display_name: str | None = None
    email: str | None = None
    role: PersonRole | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonGroup:
    """A group of people. `origin` is `local`, or the issuer whose groups it is one of and that alone may change it."""

    id: str
    name: str
    origin: str
    created: int
    members: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvidedIdentity:
    """An identity provider's word on somebody who signs in.

    `issuer` is such as `oidc:https://id.example.org`, and `subject` the provider's own unchanging name for the person.
    `name`, `display_name` and `email` are for people to read. `groups` and `role` are None where the provider doesn't
    tell, which changes nothing; no groups at all means that the person is in none. `provider_session` is the
    provider's id of this session, by which it may end it. `used_second_step` says that the provider asked for more than
    a password.
    """

    issuer: str
    subject: str
    name: str
    display_name: str
    email: str | None = None
    email_verified: bool = False
    groups: tuple[str, ...] | None = None
    role: PersonRole | None = None
    provider_session: str | None = None
    used_second_step: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonSession:
    """A session of a person's browser or program. Times are in milliseconds; `seen` is written once a minute at most.

    `device` is what it calls itself (User-Agent), `issuer` the identity provider that it began with, if any.
    """

    id: str
    person: str
    created: int
    seen: int
    expires: int
    device: str
    address: str
    issuer: str | None = None
    provider_session: str | None = None
