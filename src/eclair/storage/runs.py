"""Port of runs: opening turn, append-only event log, end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from eclair.schema.messages import CallDecision, Conversation, Message, Status
from eclair.schema.principal import Principal


@dataclass(frozen=True, slots=True)
class EventChunk:
    """Consecutive events of a run as JSON lines without a final newline; `last` is the last one's number.

    Chunks of a log may overlap, where nobody knew whether the first of them was committed.
    """

    run: str
    last: int
    lines: bytes

    def lines_after(self, number: int) -> list[bytes]:
        """Return the lines of the events after that number."""
        lines = self.lines.split(b"\n")
        first = self.last - len(lines) + 1
        return lines[max(0, number + 1 - first) :]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as it is stored. `process` names the process that writes it; see `ProcessStore.list_dead`."""

    id: str
    conversation: str
    message: str
    process: str
    status: Status


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A request that a run be stopped, or finished, or one sub-agent of it, with what was read so far."""

    run: str
    is_stop: bool
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class LogPlace:
    """A place in the log of a run: behind event number `after`."""

    run: str
    after: int


@dataclass(frozen=True, slots=True)
class NewEvents:
    """Events behind a place, and the run as it was when they were read; None where it is gone."""

    run: RunRecord | None
    chunks: Sequence[EventChunk]


@dataclass(frozen=True, slots=True)
class TakenUpRun:
    """A run that waited and is this process' now: its owner, the turn's options, and the decisions on its calls."""

    run: RunRecord
    owner: Principal
    options: str | None
    decisions: Mapping[str, CallDecision]


@dataclass(frozen=True, slots=True)
class FoldedRun:
    """An ended run whose log was folded away: its message, and the number of events that the log had."""

    message: Message
    last: int


@dataclass(frozen=True, slots=True)
class NewAnswer:
    """An answer beside the first one to a question: pending answer, run, and the first chunk of the run's log."""

    answer: Message
    run: RunRecord
    first: EventChunk


@dataclass(frozen=True, slots=True)
class NewTurn:
    """All that one turn adds: question, pending answer, run, and the first chunk of the run's log.

    `question` is None when an older one is answered again. `title` names a conversation that has no title yet;
    `begins` is a conversation to create with the turn unless it exists. `options` are the turn's, for whoever takes up
    a run that waited. Further answers to the question are written `beside` this one.
    """

    principal: Principal
    question: Message | None
    answer: Message
    run: RunRecord
    first: EventChunk
    title: str
    begins: Conversation | None = None
    options: str | None = None
    beside: tuple[NewAnswer, ...] = ()


class RunStore(Protocol):
    """Runs and their logs.

    Methods without a Principal serve the process that writes or follows a run. It has the run from `open_turn` or
    `get_run`, which check the principal, or from `list_running`, which is for background work on everyone's runs; so
    an id that comes from outside passes `get_run` first.
    """

    async def open_turn(self, turn: NewTurn) -> RunRecord:
        """Add a turn, or return the existing run if the conversation has a question of that id.

        Raises Conflict while another run is at work or where an id is another's, NotFound for a missing conversation
        or parent.
        """
        ...

    async def append_events(self, chunks: Sequence[EventChunk]) -> None:
        """Append to the logs of any runs.

        Drops what is of runs that are no longer this process's, or would leave a gap; see `ProcessStore.losses`.
        """
        ...

    async def list_last_events(self, runs: Sequence[str]) -> dict[str, int]:
        """Return the number of the last event that is stored of each run; runs that are gone are left out."""
        ...

    async def append_safely(self, chunk: EventChunk) -> bool:
        """Append to the log of a run; return once that survives a power cut.

        False where the run is no longer this process's. Raises StoreError where it would leave a gap.
        """
        ...

    async def park_run(self, run: RunRecord, message: Message, rest: EventChunk) -> Principal | None:
        """Store the rest of the log of a run that waits for a decision, and its message; no process has it then.

        Returns the owner of its conversation, None where that is gone, or the run has ended or is another process's.
        Raises StoreError where the log would have a gap.
        """
        ...

    async def take_up_run(self, run: str) -> TakenUpRun | None:
        """Give a waiting run to this process; None where it doesn't wait, or another process was faster."""
        ...

    async def list_decided_runs(self) -> list[RunRecord]:
        """List everyone's waiting runs with decisions that no process has taken up."""
        ...

    async def list_waiting_runs(self, since: int) -> list[RunRecord]:
        """List everyone's runs that have waited since millisecond `since` or longer."""
        ...

    async def decide_call(self, principal: Principal, run: str, call: str, decision: CallDecision) -> bool:
        """Store a decision on a call of a run; False where there is one. Raises NotFound for a missing run."""
        ...

    async def finish_run(self, run: RunRecord, message: Message, rest: EventChunk | None) -> Principal | None:
        """Store the rest of the log, the status, the folded message and its usage.

        Leaves a run as it is that has ended, or that another process than the record's has by now. Returns the owner of
        its conversation, None where that is gone. Raises StoreError where the log would have a gap.
        """
        ...

    async def request_stop(self, run: str) -> None:
        """Ask the process that writes a run to stop it; see `take_requests`."""
        ...

    async def request_finish(self, run: str, agent: str | None) -> None:
        """Ask the process that writes a run to finish it, or one sub-agent, with what was read so far."""
        ...

    async def take_requests(self) -> list[RunRequest]:
        """Take what is asked of this process; that a run be stopped is asked until it has ended."""
        ...

    async def get_run(self, principal: Principal, id: str) -> RunRecord:
        """Return a run. Raises NotFound."""
        ...

    async def list_events(self, run: str, after: int) -> list[EventChunk]:
        """List the chunks of a run's log from the one that contains event `after + 1`; none of a folded run."""
        ...

    async def list_new_events(self, places: Sequence[LogPlace]) -> list[NewEvents]:
        """List what is new behind each of the places, with its run as of the same moment. Raises DataDamaged."""
        ...

    async def find_folded(self, run: str) -> FoldedRun | None:
        """Return a run whose log was folded away; None for others."""
        ...

    async def fold_logs(self, before: int, limit: int) -> int:
        """Erase the logs of up to `limit` runs that ended before millisecond `before`; return how many.

        Their messages stay. Serves background work on everyone's runs.
        """
        ...

    async def get_status(self, run: str) -> Status | None:
        """Return the status of a run; None where it is gone."""
        ...

    async def list_running(self, conversation: str | None = None) -> list[RunRecord]:
        """List everyone's unfinished runs: at work here, in another process, or left behind by a dead one."""
        ...
