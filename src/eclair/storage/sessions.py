"""Port of sessions: signed-in browsers and programs, known by the hash of their secret.

Where a method takes a principal, that is who does it.
"""

from __future__ import annotations

from typing import Protocol

from eclair.schema.people import PersonSession
from eclair.schema.principal import Principal
from eclair.storage.people import PrincipalFacts


class SessionStore(Protocol):
    async def add_session(self, principal: Principal, session: PersonSession, digest: bytes) -> None: ...

    async def find_session(self, digest: bytes) -> tuple[PersonSession, PrincipalFacts] | None:
        """Return the session whose secret has that SHA-256, with its person."""
        ...

    async def touch_session(self, id: str, seen: int) -> None:
        """Set when a session was last used. One that has ended meanwhile stays so."""
        ...

    async def list_sessions(self, person: str) -> list[PersonSession]:
        """List a person's sessions, the one used last first."""
        ...

    async def end_session(self, principal: Principal, person: str, id: str) -> None:
        """End one of a person's sessions. Raises NotFound."""
        ...

    async def end_sessions(self, principal: Principal, person: str, keep: str | None = None) -> int:
        """End a person's sessions, but for the one to keep; return how many."""
        ...

    async def end_provider_sessions(
        self, principal: Principal, issuer: str, provider_session: str | None, person: str | None
    ) -> int:
        """End the sessions that an identity provider names by its id of the session or the person; return how many."""
        ...

    async def delete_ended(self, now: int, idle_since: int) -> int:
        """Delete the sessions that have expired or were last used before `idle_since`; return how many."""
        ...
