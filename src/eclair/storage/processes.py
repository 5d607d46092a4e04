"""Port of the processes that share the storage: leases and changes."""

from __future__ import annotations

from typing import Protocol


class ProcessStore(Protocol):
    @property
    def current(self) -> str:
        """The name under which this process writes runs."""
        ...

    async def is_alive(self, process: str) -> bool:
        """Return True while that process holds its lease."""
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
