"""Emergency reads: administrators read nobody's conversations, unless a second person agrees and the owner is told."""

from __future__ import annotations

import time
from typing import Final

from eclair.errors import Conflict, InvalidInput
from eclair.schema.ids import Clock, new_id
from eclair.schema.messages import Conversation, Message
from eclair.schema.principal import Principal
from eclair.storage.emergency_reads import EmergencyRead, EmergencyReadStore
from eclair.storage.people import PeopleStore

HOUR_MS: Final = 3_600_000
READING_MS: Final = HOUR_MS
"""The time for which an approved request lets two people read."""
DECISION_MS: Final = 7 * 24 * HOUR_MS
"""After this time, a request that nobody decided can't be approved any more."""
MIN_REASON_CHARS: Final = 10
MAX_REASON_CHARS: Final = 1000


class EmergencyReads:
    """Requests to read somebody's conversations, decisions on them, and the reading itself."""

    def __init__(self, store: EmergencyReadStore, people: PeopleStore, clock: Clock = time.time) -> None:
        self._store = store
        self._people = people
        self._clock = clock

    async def request(self, principal: Principal, person: str, reason: str) -> EmergencyRead:
        """Ask to read somebody's conversations. Raises InvalidInput, and NotFound for the person."""
        reason = " ".join(reason.split())
        if not MIN_REASON_CHARS <= len(reason) <= MAX_REASON_CHARS:
            raise InvalidInput(
                f"Say why in {MIN_REASON_CHARS} to {MAX_REASON_CHARS:,} characters; the person will read it.",
                param="reason",
            )
        if person == principal.id:
            raise InvalidInput("These are your own conversations; open them in the list.", param="person")
        owner = await self._people.get_person(person)
        made = EmergencyRead(
            id=new_id("emr", self._clock),
            owner=owner.id,
            reason=reason,
            status="requested",
            requester=principal.id,
            requested=self._now(),
        )
        await self._store.add_request(principal, made)
        return made

    async def decide(self, principal: Principal, id: str, *, approves: bool) -> EmergencyRead:
        """Approve or refuse a request of somebody else. Raises NotFound, Conflict and Forbidden."""
        request, now = await self._store.get_request(id), self._now()
        if approves and now - request.requested >= DECISION_MS:
            raise Conflict("This request is older than a week; have a new one made.")
        return await self._store.decide_request(principal, id, now, now + READING_MS if approves else None)

    async def list_conversations(self, principal: Principal, id: str) -> list[Conversation]:
        """List what an approved request opens. Raises NotFound and Forbidden."""
        return await self._store.list_conversations(principal, id, self._now())

    async def read(self, principal: Principal, id: str, conversation: str) -> tuple[Conversation, list[Message]]:
        """Read a conversation, which its owner is told of. Raises NotFound and Forbidden."""
        return await self._store.read_conversation(principal, id, conversation, self._now())

    async def acknowledge(self, principal: Principal, id: str) -> None:
        """Take note of a request to read one's own conversations. Raises NotFound."""
        await self._store.acknowledge(principal, id, self._now())

    def _now(self) -> int:
        return int(self._clock() * 1000)
