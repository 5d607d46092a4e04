"""Sessions: begins, lists and ends those of people. A session is known by a secret that only its browser holds."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass

from eclair.accounts.principals import DAY_MS, Principals
from eclair.live_settings import LiveSettings
from eclair.schema.ids import Clock, new_id
from eclair.schema.people import Person, PersonSession
from eclair.schema.principal import Principal
from eclair.settings import Settings
from eclair.storage.sessions import SessionStore

SECRET_BYTES = 32
MAX_DEVICE_CHARS = 300


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who wants to come in: the address, and the name that the browser gives itself."""

    address: str
    device: str = ""


@dataclass(frozen=True, slots=True)
class BegunSession:
    """A session with its secret, which is shown once."""

    session: PersonSession
    person: Person
    secret: str


class Sessions:
    """The sessions in a storage."""

    def __init__(
        self, store: SessionStore, principals: Principals, settings: LiveSettings, clock: Clock = time.time
    ) -> None:
        self._store = store
        self._principals = principals
        self._clock = clock
        settings.follow(self._apply)

    def _apply(self, settings: Settings) -> None:
        self._days = settings.session_days
        self._idle_days = settings.session_idle_days

    async def begin(
        self, person: Person, visitor: Visitor, issuer: str | None = None, provider_session: str | None = None
    ) -> BegunSession:
        """Begin a session of a person, and delete those that have ended."""
        now = int(self._clock() * 1000)
        await self._store.delete_ended(now, now - self._idle_days * DAY_MS)
        secret = secrets.token_urlsafe(SECRET_BYTES)
        session = PersonSession(
            id=new_id("session", self._clock),
            person=person.id,
            created=now,
            seen=now,
            expires=now + self._days * DAY_MS,
            device=visitor.device[:MAX_DEVICE_CHARS],
            address=visitor.address,
            issuer=issuer,
            provider_session=provider_session,
        )
        principal = Principal(person.id, role=person.role, session=session.id, address=visitor.address)
        await self._store.add_session(principal, session, hashlib.sha256(secret.encode()).digest())
        return BegunSession(session, person, secret)

    async def list_sessions(self, person: str) -> list[PersonSession]:
        return await self._store.list_sessions(person)

    async def end(self, principal: Principal, person: str, id: str) -> None:
        """End a session of a person at once. Raises NotFound."""
        await self._store.end_session(principal, person, id)
        self._principals.forget()

    async def end_all(self, principal: Principal, person: str, keep: str | None = None) -> int:
        """End a person's sessions but for the one to keep; return how many."""
        count = await self._store.end_sessions(principal, person, keep)
        self._principals.forget()
        return count

    async def end_by_provider(self, issuer: str, provider_session: str | None, person: str | None) -> int:
        """End the sessions that an identity provider asks to end, and return how many."""
        count = await self._store.end_provider_sessions(Principal(issuer), issuer, provider_session, person)
        self._principals.forget()
        return count
