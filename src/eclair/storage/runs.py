"""Port of runs: the turn that opens one, the append-only log of its events, its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from eclair.schema.messages import Conversation, Message, Status
from eclair.schema.principal import Principal


@dataclass(frozen=True, slots=True)
class EventChunk:
    """Consecutive events of a run as JSON lines without a final newline; `last` is the last one's number."""

    run: str
    last: int
    lines: bytes


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as it is stored. `process` names the process that writes it; see `ProcessStore.is_alive`."""

    id: str
    conversation: str
    message: str
    process: str
    status: Status


@dataclass(frozen=True, slots=True)
class NewTurn:
    """Everything that one turn adds: question, pending answer, run, and the first chunk of the run's log.

    `question` is None when an older one is answered again. `title` names a conversation that has no title yet;
    `begins` is a conversation to create with the turn unless it exists.
    """

    principal: Principal
    question: Message | None
    answer: Message
    run: RunRecord
    first: EventChunk
    title: str
    begins: Conversation | None = None


class RunStore(Protocol):
    async def open_turn(self, turn: NewTurn) -> RunRecord:
        """Add a turn. If the question's id exists in the conversation, nothing is added; its run is returned.

        Raises Conflict while another run is at work or where an id is another's, NotFound for a missing conversation
        or parent.
        """
        ...

    async def append_events(self, chunks: Sequence[EventChunk]) -> None:
        """Append to run logs; chunks of runs that were deleted meanwhile are dropped."""
        ...

    async def finish_run(self, run: RunRecord, message: Message, rest: EventChunk | None) -> None:
        """Store the rest of the log, the status, the folded message, and its usage. No-op on a finished run."""
        ...

    async def get_run(self, principal: Principal, id: str) -> RunRecord:
        """Raises NotFound."""
        ...

    async def list_events(self, run: str, after: int) -> list[EventChunk]:
        """The log from the chunk on that contains event `after + 1`."""
        ...

    async def list_running(self, conversation: str | None = None) -> list[RunRecord]:
        """Runs that are not finished: at work here, in another process, or left behind by a dead one."""
        ...
