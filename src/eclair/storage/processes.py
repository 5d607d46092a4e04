"""Port of the processes that share the storage: leases, writes, and notices of what pages show."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from eclair.schema.messages import Change
from eclair.util.histogram import Histogram

NOTICE_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


@dataclass(frozen=True, slots=True)
class ChangeNotice:
    """A change that one process tells the others of; `owner` is whom it concerns, None for everybody."""

    owner: str | None
    change: Change


UNNAMED = ChangeNotice(None, Change(None, "changed"))
"""A notice that something was changed, nobody knows what."""


@dataclass(frozen=True, slots=True)
class LeaseReport:
    """State of the lease of this process and of its notices, since the start.

    `age_s` is the time since the lease was renewed, and `clock_offset_s` that by which the clock of this machine was
    ahead of the database's then; None where it is held without that, and before. `notice_s` are the seconds
    that notices of writes and changes took, measured by one clock: this process hears them as the others do.
    """

    age_s: float | None = None
    clock_offset_s: float | None = None
    failed_renewals: int = 0
    notice_s: Histogram = field(default_factory=lambda: Histogram(NOTICE_BOUNDS_S))


class ProcessStore(Protocol):
    @property
    def current(self) -> str:
        """The name under which this process writes runs."""
        ...

    async def list_dead(self, processes: Iterable[str]) -> set[str]:
        """Return those of the processes that no longer hold their lease."""
        ...

    def clock(self) -> float:
        """Return the time in seconds since 1970 (UTC) by the clock that counts for all: that of the database."""
        ...

    async def check(self) -> None:
        """Write a row and read it back. Raises StoreError, with the reason, where either fails."""
        ...

    async def wait_for_write(self, seconds: float, version: int | None = None) -> int | None:
        """Wait until another process has written something, as far as that is told, and no longer than so long.

        With a foreign version, something that was written since that one. Return the version by then; None where
        nobody is told of writes.
        """
        ...

    async def get_foreign_version(self) -> int:
        """Return a number that changes when another process writes, and only then."""
        ...

    @property
    def losses(self) -> int:
        """Count how often the storage may have lost what was written last, as where a standby took over."""
        ...

    @property
    def lease(self) -> LeaseReport:
        """Report on the lease of this process."""
        ...

    def name_changes(self) -> None:
        """Promise that this process tells of every change that pages show, so that its writes alone are no news."""
        ...

    def tell(self, notice: ChangeNotice) -> None:
        """Tell other processes of a change, soon."""
        ...

    def follow_notices(self) -> AsyncGenerator[list[ChangeNotice]]:
        """Yield what other processes tell from now on, UNNAMED where it isn't known. Raises StoreError."""
        ...
