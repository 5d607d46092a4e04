"""Sign-in: lets people in by a password, or by what an identity provider says of them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import date

from eclair.accounts.passkeys import Passkeys
from eclair.accounts.passwords import PasswordHasher
from eclair.accounts.pending_sign_ins import MissingStep, PendingSignIn, PendingSignIns, SecondStep
from eclair.accounts.people import People, name_from, normal_email, normal_name
from eclair.accounts.principals import Principals
from eclair.accounts.second_factor import NewSecondFactor, SecondFactors
from eclair.accounts.sessions import BegunSession, Sessions, Visitor
from eclair.accounts.sign_in_throttle import SignInThrottle
from eclair.errors import (
    AccountLocked,
    Conflict,
    EmailShared,
    InvalidInput,
    NotAdmitted,
    NotInvited,
    SecondFactorNeeded,
    SignInDenied,
    WrongCredentials,
)
from eclair.live_settings import LiveSettings
from eclair.schema.ids import Clock
from eclair.schema.people import SCIM_ORIGIN, Person, PersonChange, ProvidedIdentity
from eclair.schema.principal import NOBODY, PersonRole, Principal
from eclair.settings import Settings
from eclair.storage.audit import AuditStore
from eclair.storage.groups import GroupStore
from eclair.storage.people import PeopleStore

WRONG_CODE = "This code is wrong, has passed or was used; enter the one that shows now."
MAX_GROUPS = 10_000
"""Groups of one person that an identity provider may name."""

PasswordCheck = Callable[[str, str], Awaitable[ProvidedIdentity | None]]
"""Looks a name and a password up in a directory such as LDAP; None where it knows no such person or password."""

SignInResult = BegunSession | MissingStep
"""A session, or the step that it lacks."""


@dataclass(frozen=True, slots=True)
class JoinPolicy:
    """The weight of an identity provider's word.

    With `may_join` people get an account at their first sign-in. With `links_by_email` a verified address leads to the
    account that has it, and with `links_by_provisioning` the subject to the person whom a directory calls so in SCIM.
    `first_role` is that of people whose role the provider doesn't tell.
    """

    may_join: bool = True
    links_by_email: bool = False
    links_by_provisioning: bool = False
    first_role: PersonRole = "member"


class SignIn:
    """Lets people in, and begins their sessions."""

    def __init__(
        self,
        store: PeopleStore,
        groups: GroupStore,
        people: People,
        sessions: Sessions,
        principals: Principals,
        hasher: PasswordHasher,
        second_factors: SecondFactors,
        passkeys: Passkeys,
        audit: AuditStore,
        pending: PendingSignIns,
        settings: LiveSettings,
        clock: Clock = time.time,
    ) -> None:
        self._store = store
        self._groups = groups
        self._people = people
        self._sessions = sessions
        self._principals = principals
        self._hasher = hasher
        self._second_factors = second_factors
        self._passkeys = passkeys
        self._audit = audit
        self._clock = clock
        self._throttle = SignInThrottle()
        self.pending = pending
        settings.follow(self._apply)
        self.directories: list[tuple[PasswordCheck, JoinPolicy]] = []
        """Directories that know passwords, asked for names that have none here."""

    def _apply(self, settings: Settings) -> None:
        self._requires_second_step = settings.second_step == "required"

    async def with_password(self, name: str, password: str, visitor: Visitor, code: str = "") -> SignInResult:
        """Let a person in by name and password, and a code of the second factor where they have one.

        Raises WrongCredentials, SecondFactorNeeded, AccountLocked, and TooBusy after many wrong attempts. Nobody learns
        from it which names exist.
        """
        try:
            name = normal_name(name)
        except InvalidInput:
            await self._hasher.verify(password, None)
            await self._note_failure(None, visitor, "password")
            raise WrongCredentials from None
        self._throttle.check(name)
        person = await self._store.find_by_name(name)
        hash = None if person is None else await self._store.get_password(person.id)
        is_right = await self._hasher.verify(password, hash)
        if not is_right or person is None:
            if hash is None and password and (begun := await self._ask_directories(name, password, visitor, code)):
                self._throttle.note_success(name)
                return begun
            self._throttle.note_failure(name)
            await self._note_failure(person, visitor, "password")
            raise WrongCredentials
        has_shown = await self._check_second_factor(person, name, code, visitor)
        self._throttle.note_success(name)
        return await self.admit(person, visitor, used_second_step=has_shown)

    async def check_password(self, person: Person, password: str) -> None:
        """Raise WrongCredentials unless this is a person's password, and TooBusy after many wrong ones."""
        self._throttle.check(person.name)
        if not await self._hasher.verify(password, await self._store.get_password(person.id)):
            self._throttle.note_failure(person.name)
            raise WrongCredentials
        self._throttle.note_success(person.name)

    async def check_code(self, person: Person, code: str) -> None:
        """Raise SecondFactorNeeded unless this is a person's code, and TooBusy after many wrong ones."""
        self._throttle.check(person.name)
        if not await self._second_factors.takes(person.id, code):
            self._throttle.note_failure(person.name)
            raise SecondFactorNeeded(WRONG_CODE)
        self._throttle.note_success(person.name)

    async def with_identity(
        self, identity: ProvidedIdentity, visitor: Visitor, policy: JoinPolicy | None = None
    ) -> SignInResult:
        """Let in whom an identity provider vouches for, and take over what it says of names, groups and role.

        Raises NotInvited for whom it may not bring along, EmailShared, and AccountLocked.
        """
        person = await self._take_over(identity, policy or JoinPolicy())
        return await self.admit(
            person,
            visitor,
            identity.issuer,
            identity.provider_session,
            used_second_step=identity.used_second_step,
        )

    async def admit(
        self,
        person: Person,
        visitor: Visitor,
        issuer: str | None = None,
        provider_session: str | None = None,
        *,
        used_second_step: bool = False,
    ) -> SignInResult:
        """Begin a session of somebody whose first step is done, or say which step they lack. Raises AccountLocked."""
        step = None if used_second_step or person.locked is not None else await self._find_missing_step(person)
        if step is None:
            return await self.begin(person, visitor, issuer, provider_session)
        return await self.pending.add(person.id, step, issuer, provider_session)

    async def with_code(self, secret: str, code: str, visitor: Visitor) -> BegunSession:
        """End a pending sign-in by a code of the second factor.

        Raises SignInExpired, SecondFactorNeeded for a wrong code, AccountLocked, and TooBusy after many wrong ones.
        """
        pending = await self.pending.require(secret, "code")
        person = await self._store.get_person(pending.person)
        self._throttle.check(person.name)
        await self._check_second_factor(person, person.name, code, visitor)
        self._throttle.note_success(person.name)
        return await self._end_pending(secret, pending, person, visitor)

    async def prepare_second_step(self, secret: str) -> NewSecondFactor:
        """Make a second factor for a pending sign-in that needs one. Raises SignInExpired and Conflict."""
        pending = await self.pending.require(secret, "setup")
        person = await self._store.get_person(pending.person)
        return await self._second_factors.prepare(Principal(person.id, role=person.role), person)

    async def with_new_factor(self, secret: str, code: str, visitor: Visitor) -> tuple[BegunSession, list[str]]:
        """End a pending sign-in by the first code of its new factor; return the recovery codes, too.

        Raises SignInExpired, InvalidInput for a wrong code, AccountLocked, and TooBusy after many wrong ones.
        """
        pending = await self.pending.require(secret, "setup")
        person = await self._store.get_person(pending.person)
        self._throttle.check(person.name)
        try:
            codes = await self._second_factors.confirm(Principal(person.id, role=person.role), person, code)
        except InvalidInput:
            self._throttle.note_failure(person.name)
            raise
        return await self._end_pending(secret, pending, person, visitor), codes

    async def update_from(self, identity: ProvidedIdentity, person: Person) -> Person:
        """Take over what an identity provider says of a person, and return them.

        A role that would leave nobody to administer the house is not taken over.
        """
        acting = Principal(person.id, role=person.role)
        change = PersonChange(display_name=identity.display_name or None, role=identity.role)
        if identity.email is not None and identity.email.lower() != person.email:
            change = PersonChange(display_name=change.display_name, role=change.role, email=identity.email)
        try:
            person = await self._people.change(acting, person.id, change)
        except Conflict:
            person = await self._people.change(acting, person.id, PersonChange(display_name=change.display_name))
        if identity.groups is not None:
            names = list(dict.fromkeys(name[:200] for name in identity.groups if name.strip()))[:MAX_GROUPS]
            if await self._groups.sync_groups(acting, person.id, identity.issuer, names, int(self._clock() * 1000)):
                self._principals.forget()
        return person

    async def begin(
        self, person: Person, visitor: Visitor, issuer: str | None = None, provider_session: str | None = None
    ) -> BegunSession:
        """Begin a session of somebody who has shown who they are. Raises AccountLocked."""
        if person.locked is not None:
            await self._note_failure(person, visitor, "locked")
            raise AccountLocked
        begun = await self._sessions.begin(person, visitor, issuer, provider_session)
        await self._store.mark_seen(person.id, date.fromtimestamp(self._clock()).isoformat())
        return begun

    async def reset_second_step(self, principal: Principal, person: str) -> None:
        """Take the second factor of somebody who lost it away; where they have none, the passkeys that are theirs."""
        if await self._second_factors.is_on(person):
            await self._second_factors.remove(principal, person)
            return
        for passkey in await self._passkeys.list_passkeys(person):
            await self._passkeys.remove(principal, person, passkey.id)

    async def _end_pending(self, secret: str, pending: PendingSignIn, person: Person, visitor: Visitor) -> BegunSession:
        await self.pending.remove(secret)
        return await self.begin(person, visitor, pending.issuer, pending.provider_session)

    async def _find_missing_step(self, person: Person) -> SecondStep | None:
        """Return the step that a person must take after the first one; None where that is enough."""
        if await self._second_factors.is_on(person.id):
            return "code"
        if not self._requires_second_step:
            return None
        return "passkey" if await self._passkeys.list_passkeys(person.id) else "setup"

    async def _take_over(self, identity: ProvidedIdentity, policy: JoinPolicy) -> Person:
        """Return the person that an identity is of, with what the provider says of them now."""
        id = await self._store.find_identity(identity.issuer, identity.subject)
        person = await self._join(identity, policy) if id is None else await self._store.get_person(id)
        return await self.update_from(identity, person)

    async def _join(self, identity: ProvidedIdentity, policy: JoinPolicy) -> Person:
        person = await self._find_provisioned(identity) if policy.links_by_provisioning else None
        if person is None and policy.links_by_email:
            person = await self._find_by_email(identity)
        if person is None:
            if not policy.may_join:
                raise NotInvited
            person = await self._people.add(
                Principal(identity.issuer),
                await self._free_name(identity),
                identity.display_name or identity.name,
                role=identity.role or policy.first_role,
                email=identity.email,
            )
        await self._store.link_identity(Principal(person.id), person.id, identity.issuer, identity.subject)
        return person

    async def _find_provisioned(self, identity: ProvidedIdentity) -> Person | None:
        id = await self._store.find_identity(SCIM_ORIGIN, identity.subject)
        return None if id is None else await self._store.get_person(id)

    async def _find_by_email(self, identity: ProvidedIdentity) -> Person | None:
        """Return the person with the identity's address, which must be verified. Raises EmailShared for several."""
        if identity.email is None or not identity.email_verified:
            return None
        found = await self._store.find_by_email(normal_email(identity.email))
        if len(found) > 1:
            raise EmailShared("Several accounts have your address; ask an administrator to leave it to one of them.")
        return found[0] if found else None

    async def _free_name(self, identity: ProvidedIdentity) -> str:
        """Return the name that a provider gives, with a number where somebody else has it."""
        name = wanted = name_from(identity.name)
        number = 1
        while await self._store.find_by_name(name) is not None:
            number += 1
            name = normal_name(f"{wanted}-{number}")
        return name

    async def _ask_directories(self, name: str, password: str, visitor: Visitor, code: str) -> SignInResult | None:
        for check, policy in self.directories:
            try:
                identity = await check(name, password)
            except (SignInDenied, NotAdmitted):
                self._throttle.note_failure(name)
                await self._note_failure(None, visitor, "directory")
                raise
            if identity is None:
                continue
            person = await self._take_over(identity, policy)
            has_shown = identity.used_second_step or await self._check_second_factor(person, name, code, visitor)
            return await self.admit(person, visitor, identity.issuer, used_second_step=has_shown)
        return None

    async def _note_failure(self, person: Person | None, visitor: Visitor, why: str) -> None:
        """Record that somebody wasn't let in. The name that was typed isn't kept: it may be a password."""
        known = None if person is None else person.id
        nobody = replace(NOBODY, address=visitor.address)
        await self._audit.add_act(nobody, "sign_in.failed", known, "failure", {"why": why})

    async def _check_second_factor(self, person: Person, name: str, code: str, visitor: Visitor) -> bool:
        """Return False for somebody without a second factor. Raises SecondFactorNeeded."""
        if not await self._second_factors.is_on(person.id):
            return False
        if not code:
            raise SecondFactorNeeded
        if not await self._second_factors.takes(person.id, code):
            self._throttle.note_failure(name)
            await self._note_failure(person, visitor, "code")
            raise SecondFactorNeeded(WRONG_CODE)
        return True
