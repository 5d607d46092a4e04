"""Port of the database's integrity: checks of the whole, and the damage that they or reads have found."""

from __future__ import annotations

from typing import Protocol


class IntegrityStore(Protocol):
    """Without a Principal, as a damaged page may hold anyone's rows."""

    @property
    def has_ended_uncleanly(self) -> bool:
        """True from the death of a process that had the storage open until a check has ended."""
        ...

    @property
    def is_check_due(self) -> bool:
        """True after an unclean end, or a day after the last check."""
        ...

    @property
    def damage(self) -> str | None:
        """A sentence that says what is damaged, what can be saved and how; None where no damage is known."""
        ...

    async def check(self) -> None:
        """Read the whole database and set `damage`. Writes nothing, and blocks no other reader or writer.

        Where it is cancelled, the next call continues with what is left.
        """
        ...
