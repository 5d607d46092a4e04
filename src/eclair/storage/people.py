"""Port of people: accounts, and how each may sign in. Concerns the installation; only `accounts/` calls it.

Where a method takes a principal, that is who does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from eclair.schema.people import Person, PersonChange
from eclair.schema.principal import PersonRole, Principal

CodePurpose = Literal["setup", "invitation", "password"]
"""The use of a one-time code: the first account, a further one, or a new password for one that exists."""


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """The secret of a person's authenticator, encrypted. `used` is the last time step whose code was taken.

    It counts once it is `confirmed`, at a time in milliseconds.
    """

    secret: bytes
    confirmed: int | None
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTimeCode:
    """A code that lets somebody in once, kept by its SHA-256.

    An invitation says who is invited: a name, what people read, an address, a role and local groups. `created` and
    `expires` are in milliseconds.
    """

    id: str
    digest: bytes
    purpose: CodePurpose
    created: int
    expires: int
    person: str | None = None
    name: str = ""
    display_name: str = ""
    email: str | None = None
    role: PersonRole = "member"
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PrincipalFacts:
    """A person and the ids of their groups, as each request needs them."""

    person: Person
    groups: frozenset[str]


class PeopleStore(Protocol):
    async def add_person(self, principal: Principal, person: Person, *, password: str | None = None) -> None:
        """Add a person, with the hash of a password. Raises Conflict where the name is taken."""
        ...

    async def get_person(self, id: str) -> Person:
        """Return a person. Raises NotFound."""
        ...

    async def find_by_name(self, name: str) -> Person | None:
        """Return the person who signs in with a name."""
        ...

    async def find_by_email(self, email: str) -> list[Person]:
        """Return the people with an address, whatever its case."""
        ...

    async def find_facts(self, id: str) -> PrincipalFacts | None:
        """Return a person and their groups, None where there is nobody of that id."""
        ...

    async def list_people(self, limit: int, query: str = "", after: str | None = None) -> list[Person]:
        """List people by name whose name, display name or address has `query` in it, from the one after `after`."""
        ...

    async def count_people(self) -> dict[PersonRole, int]:
        """Count people who are not locked, by role."""
        ...

    async def list_roles(self) -> dict[str, PersonRole]:
        """Return the roles of all people who are not locked, by their ids."""
        ...

    async def change_person(self, principal: Principal, id: str, change: PersonChange) -> Person:
        """Change a person and return them. Raises NotFound, and Conflict for a taken name or the last administrator."""
        ...

    async def lock_person(self, principal: Principal, id: str, at: int | None) -> Person:
        """Lock a person, or unlock them, and end their sessions. Raises NotFound, and Conflict as above."""
        ...

    async def delete_person(self, principal: Principal, id: str) -> None:
        """Delete an account; what its owner kept stays. Raises NotFound, and Conflict for the last administrator."""
        ...

    async def mark_seen(self, id: str, day: str) -> None:
        """Set the last day on which a person came in."""
        ...

    async def find_identity(self, issuer: str, subject: str) -> str | None:
        """Return the id of the person whom an identity provider knows by that name."""
        ...

    async def link_identity(self, principal: Principal, person: str, issuer: str, subject: str) -> None:
        """Let a person sign in by an identity provider. Raises Conflict where it leads to somebody else."""
        ...

    async def list_identities(self, person: str) -> list[tuple[str, str]]:
        """List issuers and subjects by which a person may sign in."""
        ...

    async def get_password(self, person: str) -> str | None:
        """Return the hash of a person's password."""
        ...

    async def set_password(self, principal: Principal, person: str, hash: str | None) -> None:
        """Set or remove the hash of a person's password. Raises NotFound."""
        ...

    async def get_second_factor(self, person: str) -> SecondFactor | None: ...

    async def set_second_factor(self, principal: Principal, person: str, secret: bytes | None) -> None:
        """Set a new secret, not confirmed yet, or remove the one there is with its recovery codes."""
        ...

    async def use_second_factor(self, person: str, step: int) -> bool:
        """Note that the code of a time step was taken; False where it, or a later one, was taken before."""
        ...

    async def confirm_second_factor(self, principal: Principal, person: str, recovery_codes: Sequence[bytes]) -> None:
        """Let the second factor count, and keep the SHA-256 of its recovery codes."""
        ...

    async def use_recovery_code(self, person: str, digest: bytes) -> bool:
        """Delete a recovery code; False where there is none such."""
        ...

    async def add_code(self, principal: Principal, code: OneTimeCode) -> None:
        """Keep a one-time code; one for the set-up or of a person's password replaces those before it."""
        ...

    async def find_code(self, digest: bytes) -> OneTimeCode | None: ...

    async def take_code(self, digest: bytes) -> bool:
        """Delete a one-time code; False where there is none any more."""
        ...

    async def list_codes(self, purpose: CodePurpose) -> list[OneTimeCode]:
        """List one-time codes, newest first."""
        ...

    async def delete_code(self, principal: Principal, id: str) -> None:
        """Delete a one-time code. Raises NotFound."""
        ...
