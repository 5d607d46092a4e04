"""Port of emergency reads: two people decide that somebody's conversations may be read for a time, and who did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from eclair.schema.messages import Conversation, Message
from eclair.schema.principal import Principal

EmergencyStatus = Literal["requested", "approved", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyRead:
    """A request to read the conversations of `owner`, and what the second person decided. Times are in milliseconds.

    `expires` is when an approved one ends, `acknowledged` when the owner took note of it.
    """

    id: str
    owner: str
    reason: str
    status: EmergencyStatus
    requester: str
    requested: int
    decider: str | None = None
    decided: int | None = None
    expires: int | None = None
    acknowledged: int | None = None


@dataclass(frozen=True, slots=True)
class EmergencyReading:
    """A conversation that was read, by whom, and when last in milliseconds; `title` is None once it is gone."""

    conversation: str
    title: str | None
    reader: str
    moment: int


class EmergencyReadStore(Protocol):
    async def add_request(self, principal: Principal, request: EmergencyRead) -> None:
        """Add a request of the principal's."""
        ...

    async def get_request(self, id: str) -> EmergencyRead:
        """Return a request. Raises NotFound."""
        ...

    async def list_requests(self, limit: int) -> list[EmergencyRead]:
        """List the newest requests of the house, newest first."""
        ...

    async def decide_request(self, principal: Principal, id: str, now: int, expires: int | None) -> EmergencyRead:
        """Approve a request until `expires`, or refuse it.

        Raises NotFound, Conflict where it was decided before, and Forbidden for whoever made it or is its owner.
        """
        ...

    async def list_conversations(self, principal: Principal, id: str, now: int) -> list[Conversation]:
        """List the conversations that an approved request opens. Raises as `read_conversation` does."""
        ...

    async def read_conversation(
        self, principal: Principal, id: str, conversation: str, now: int
    ) -> tuple[Conversation, list[Message]]:
        """Return a conversation that an approved request opens, and note in the same transaction that it was read.

        Raises NotFound, and Forbidden unless the principal is one of the two and the time has not run out.
        """
        ...

    async def list_readings(self, id: str) -> list[EmergencyReading]:
        """List what was read by a request, in order."""
        ...

    async def list_untold(self, principal: Principal) -> list[EmergencyRead]:
        """List approved requests to read the principal's conversations of which they have not taken note, in order."""
        ...

    async def acknowledge(self, principal: Principal, id: str, now: int) -> None:
        """Note that the owner has taken note of a request. Raises NotFound."""
        ...
