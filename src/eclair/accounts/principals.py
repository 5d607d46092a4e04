"""Principals of people: for whom a session or a key acts, looked up at each request and remembered for a moment."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from datetime import date
from typing import Final

from eclair.live_settings import LiveSettings
from eclair.schema.ids import Clock
from eclair.schema.people import PersonSession
from eclair.schema.principal import Principal
from eclair.settings import Settings
from eclair.storage.people import PeopleStore, PrincipalFacts
from eclair.storage.sessions import SessionStore
from eclair.util.lru import LruCache

RECALL_S: Final = 2.0
"""The time for which what was found is believed; another process's change is seen after it, one of this at once."""
RECHECK_S: Final = 5.0
"""The time after which somebody whose stream is open is looked up again."""
TOUCH_MS = 60_000
DAY_MS = 86_400_000
MAX_REMEMBERED = 20_000


class Principals:
    """Finds for whom sessions and keys act. People who are locked are nobody."""

    def __init__(
        self, people: PeopleStore, sessions: SessionStore, settings: LiveSettings, clock: Clock = time.time
    ) -> None:
        self._people = people
        self._sessions = sessions
        self._clock = clock
        self._by_digest: LruCache[bytes, tuple[PersonSession, PrincipalFacts, float]] = LruCache(MAX_REMEMBERED)
        self._by_person: LruCache[str, tuple[PrincipalFacts | None, float]] = LruCache(MAX_REMEMBERED)
        self._changed = asyncio.Event()
        settings.follow(self._apply)

    def _apply(self, settings: Settings) -> None:
        self._idle_ms = settings.session_idle_days * DAY_MS

    def forget(self) -> None:
        """Look everything up again, since something has changed."""
        self._by_digest = LruCache(MAX_REMEMBERED)
        self._by_person = LruCache(MAX_REMEMBERED)
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for_change(self) -> None:
        """Wait until something may have changed: at once where it was here, else a few seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), RECHECK_S)

    async def find_by_session(self, secret: bytes, address: str) -> Principal | None:
        """Return for whom a session acts; None where it has ended, or its person is locked."""
        found = await self._find_session(hashlib.sha256(secret).digest())
        if found is None:
            return None
        session, facts = found
        now = int(self._clock() * 1000)
        if now >= session.expires or now - session.seen > self._idle_ms or facts.person.locked is not None:
            return None
        return _principal(facts, address, session=session.id)

    async def find_by_person(self, id: str, address: str, key: str | None = None) -> Principal | None:
        """Return a person as a principal; None where there is none, or they are locked."""
        now = self._clock()
        found = self._by_person.get(id)
        if found is None or not 0 <= now - found[1] < RECALL_S:
            found = await self._people.find_facts(id), now
            self._by_person.put(id, found)
        facts = found[0]
        return None if facts is None or facts.person.locked is not None else _principal(facts, address, key=key)

    async def _find_session(self, digest: bytes) -> tuple[PersonSession, PrincipalFacts] | None:
        now = self._clock()
        remembered = self._by_digest.get(digest)
        if remembered is not None and 0 <= now - remembered[2] < RECALL_S:
            return remembered[:2]
        found = await self._sessions.find_session(digest)
        if found is None:
            self._by_digest.remove(digest)
            return None
        session, facts = found
        self._by_digest.put(digest, (session, facts, now))
        is_live = session.seen + self._idle_ms >= now * 1000 and session.expires > now * 1000
        if is_live and now * 1000 - session.seen > TOUCH_MS:
            await self._sessions.touch_session(session.id, int(now * 1000))
            today = date.fromtimestamp(now).isoformat()
            if facts.person.seen != today:
                await self._people.mark_seen(facts.person.id, today)
        return session, facts


def _principal(facts: PrincipalFacts, address: str, *, key: str | None = None, session: str | None = None) -> Principal:
    return Principal(
        facts.person.id, key=key, role=facts.person.role, groups=facts.groups, session=session, address=address
    )
