"""One-time codes: for the first account, for invitations, and for choosing a new password."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass, replace

from eclair.accounts.people import People, normal_display_name, normal_email, normal_name
from eclair.errors import Conflict, Gone, InvalidInput
from eclair.schema.ids import Clock, new_id
from eclair.schema.people import Person
from eclair.schema.principal import LOCAL_PRINCIPAL, PersonRole, Principal
from eclair.storage.groups import GroupStore
from eclair.storage.people import CodePurpose, OneTimeCode, PeopleStore

SETUP_HOURS = 24
PASSWORD_HOURS = 24
INVITATION_DAYS = 14
MAX_INVITATION_DAYS = 365
CODE_LETTERS = 20
"""100 random bits, in groups of five."""
GROUP = 5
HOUR_MS = 3_600_000

_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_SPENT = "This code has been used, has ended or never was; ask for a new one."


@dataclass(frozen=True, slots=True)
class NewCode:
    """A code as it is shown once, and as it is stored."""

    code: str
    stored: OneTimeCode


class OneTimeCodes:
    """The one-time codes in a storage."""

    def __init__(self, store: PeopleStore, people: People, groups: GroupStore, clock: Clock = time.time) -> None:
        self._store = store
        self._people = people
        self._groups = groups
        self._clock = clock

    async def make_setup_code(self) -> NewCode:
        """Make the code that lets the first administrator in. Raises Conflict where there is one already."""
        if await self._people.has_administrator():
            raise Conflict("There is an administrator already; sign in, or set a new password for that account.")
        return await self._add(LOCAL_PRINCIPAL, "setup", SETUP_HOURS * HOUR_MS)

    async def invite(
        self,
        principal: Principal,
        name: str = "",
        display_name: str = "",
        *,
        email: str | None = None,
        role: PersonRole = "member",
        groups: tuple[str, ...] = (),
        days: int = INVITATION_DAYS,
    ) -> NewCode:
        """Invite somebody, who chooses a password by the code, and a name where none is given.

        Raises InvalidInput, Conflict for a name that is taken, and NotFound for a group that doesn't exist.
        """
        if not 1 <= days <= MAX_INVITATION_DAYS:
            raise InvalidInput(f"An invitation ends after 1 to {MAX_INVITATION_DAYS} days.", param="days")
        if name and await self._store.find_by_name(normal_name(name)) is not None:
            raise Conflict(f"There is an account {normal_name(name)!r} already; choose another name.")
        for group in groups:
            await self._groups.get_group(group)
        body = OneTimeCode(
            id="",
            digest=b"",
            purpose="invitation",
            created=0,
            expires=0,
            name=normal_name(name) if name else "",
            display_name=normal_display_name(display_name) if display_name else "",
            email=normal_email(email) if email else None,
            role=role,
            groups=groups,
        )
        return await self._add(principal, "invitation", days * 24 * HOUR_MS, body)

    async def make_password_code(self, principal: Principal, person: str) -> NewCode:
        """Make a code by which a person chooses a new password. Raises NotFound."""
        found = await self._store.get_person(person)
        body = OneTimeCode(
            id="", digest=b"", purpose="password", created=0, expires=0, person=found.id, name=found.name
        )
        return await self._add(principal, "password", PASSWORD_HOURS * HOUR_MS, body)

    async def find(self, code: str) -> OneTimeCode:
        """Return what a code is for. Raises Gone for one that isn't good any more."""
        stored = await self._store.find_code(_digest(code))
        if stored is None or stored.expires <= self._clock() * 1000:
            raise Gone(_SPENT)
        if stored.purpose == "setup" and await self._people.has_administrator():
            raise Gone(_SPENT)
        return stored

    async def redeem(self, code: str, password: str, name: str = "", display_name: str = "") -> Person:
        """Make the account that a code is for, or set its password; the code is spent.

        Raises Gone, Conflict for a name that is taken, and InvalidInput for a bad name or a weak password.
        """
        stored = await self.find(code)
        if stored.purpose == "password":
            assert stored.person is not None
            person = await self._store.get_person(stored.person)
            await self._people.set_password(Principal(person.id, role=person.role), person, password)
            await self._store.take_code(stored.digest)
            return person
        is_setup = stored.purpose == "setup"
        id = LOCAL_PRINCIPAL.id if is_setup else new_id("person", self._clock)
        person = await self._people.add(
            Principal(id, role="admin" if is_setup else stored.role),
            stored.name or name,
            display_name or stored.display_name,
            role="admin" if is_setup else stored.role,
            email=stored.email,
            password=password,
            id=id,
        )
        await self._store.take_code(stored.digest)
        for group in stored.groups:
            await self._groups.add_members(Principal(id), group, [id])
        return person

    async def list_invitations(self) -> list[OneTimeCode]:
        """List the invitations that are good, newest first."""
        now = self._clock() * 1000
        return [code for code in await self._store.list_codes("invitation") if code.expires > now]

    async def withdraw(self, principal: Principal, id: str) -> None:
        """Delete an invitation. Raises NotFound."""
        await self._store.delete_code(principal, id)

    async def _add(
        self, principal: Principal, purpose: CodePurpose, lifetime_ms: int, body: OneTimeCode | None = None
    ) -> NewCode:
        now = int(self._clock() * 1000)
        code = "-".join("".join(secrets.choice(_ALPHABET) for _ in range(GROUP)) for _ in range(CODE_LETTERS // GROUP))
        blank = body or OneTimeCode(id="", digest=b"", purpose=purpose, created=0, expires=0)
        stored = replace(
            blank, id=new_id("code", self._clock), digest=_digest(code), created=now, expires=now + lifetime_ms
        )
        await self._store.add_code(principal, stored)
        return NewCode(code, stored)


def _digest(code: str) -> bytes:
    """Return the SHA-256 of a code, however it was typed."""
    return hashlib.sha256("".join(code.upper().replace("-", "").split()).encode("utf-8", "surrogatepass")).digest()
