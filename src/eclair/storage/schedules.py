"""Port of schedules: questions asked by themselves at due times, and what became of each time."""

from __future__ import annotations

from typing import Protocol

from eclair.schema.principal import Principal
from eclair.schema.schedules import Occurrence, PauseReason, Schedule


class ScheduleStore(Protocol):
    """Schedules and their occurrences.

    Methods without a Principal serve the process that asks the questions of everyone's schedules.
    """

    async def add_schedule(self, principal: Principal, schedule: Schedule) -> Schedule:
        """Add a schedule. Raises Conflict where the id is taken, or the principal has MAX_SCHEDULES."""
        ...

    async def list_schedules(self, principal: Principal) -> list[Schedule]:
        """List the schedules by name, ignoring case."""
        ...

    async def get_schedule(self, principal: Principal, id: str) -> Schedule:
        """Return a schedule. Raises NotFound."""
        ...

    async def edit_schedule(self, principal: Principal, schedule: Schedule) -> Schedule:
        """Replace a schedule, except its conversation. Raises NotFound."""
        ...

    async def delete_schedule(self, principal: Principal, id: str) -> None:
        """Erase a schedule with its occurrences; their conversations stay. Raises NotFound."""
        ...

    async def list_occurrences(self, principal: Principal, id: str) -> list[Occurrence]:
        """List the occurrences that are kept of a schedule, newest first. Raises NotFound."""
        ...

    async def begin_now(self, principal: Principal, occurrence: Occurrence) -> Occurrence:
        """Add an occurrence at once. Raises NotFound, and Conflict while another is open."""
        ...

    async def list_due(self, now: int) -> list[Schedule]:
        """List everyone's schedules that are on and due."""
        ...

    async def get_next_due(self, after: int) -> int | None:
        """Return the next moment after one at which a schedule is due; None without any that is on then."""
        ...

    async def claim_due(self, schedule: Schedule, next_due: int, occurrence: Occurrence) -> Occurrence | None:
        """Take the due time of a schedule as `occurrence`, and set its next; None if somebody was faster.

        The occurrence is skipped while another is open.
        """
        ...

    async def list_open(self) -> list[tuple[Schedule, Occurrence]]:
        """List everyone's occurrences that have not ended, oldest first; without damaged ones, or of such schedules."""
        ...

    async def take_over(self, occurrence: Occurrence, process: str) -> bool:
        """Give an open occurrence of a dead process to another; return False if somebody was faster."""
        ...

    async def note_run(self, occurrence: Occurrence) -> bool:
        """Store run, conversation and status of an open occurrence of its process.

        Returns False if it has ended, or another process has taken it over. The conversation of a schedule that keeps
        to one is noted with it.
        """
        ...

    async def end_occurrence(self, occurrence: Occurrence, schedule: Schedule) -> bool:
        """Store the end of an occurrence, and the failures, state and reason of its schedule as they are then.

        Its conversation becomes unread. Returns False if it has ended already, or as above.
        """
        ...

    async def pause_schedule(self, id: str, reason: PauseReason) -> bool:
        """Pause a schedule that is on; return False if it isn't."""
        ...
