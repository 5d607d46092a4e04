"""Port of the audit log: who did what. Acts are added, and never changed or deleted.

An act that goes with a write of another store is added in that write's transaction, by the implementation. The personal
values of an act can be erased; the act stays, and the erasing is an act itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from eclair.schema.audit import ActDetails, ActFilter, AuditAct, AuditAction, AuditCheckpoint, AuditOutcome
from eclair.schema.principal import Principal
from eclair.storage.audit_chain import AuditRow

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PersonalValue:
    """A personal value of an act, with its salt. Both are None where it was erased, by the act numbered `erased`."""

    field: str
    salt: bytes | None
    value: str | None
    erased: int | None


@dataclass(frozen=True, slots=True)
class ChainedRow:
    """A row with the hash that is stored for it, and its personal values."""

    row: AuditRow
    hash: bytes
    values: tuple[PersonalValue, ...]


@dataclass(frozen=True, slots=True)
class AuditContents:
    """All that the log holds, as of one moment, to be checked.

    `rows` are in order of their numbers; `strays` counts the personal values of rows that aren't there. `digest_calls`
    returns number and digest of the calls of the egress log from one id to another, None where a URL isn't the one
    that was stored.
    """

    rows: Iterator[ChainedRow]
    strays: int
    checkpoints: list[AuditCheckpoint]
    digest_calls: Callable[[int, int], tuple[int, str] | None]


Sign = Callable[[int, bytes, int], str]
"""Signs size, root and moment of the log as a note."""


class AuditStore(Protocol):
    """The audit log of the whole installation: who may read it is up to the caller."""

    async def add_act(
        self,
        principal: Principal,
        action: AuditAction,
        object: str | None = None,
        outcome: AuditOutcome = "success",
        details: ActDetails | None = None,
    ) -> int:
        """Add an act that has no write of its own, and return its number."""
        ...

    async def list_acts(self, matching: ActFilter, limit: int, before: int | None = None) -> list[AuditAct]:
        """List matching acts, newest first; with `before`, only those with a lower number."""
        ...

    async def list_acts_after(self, number: int, limit: int, matching: ActFilter | None = None) -> list[AuditAct]:
        """List the acts with a higher number, oldest first."""
        ...

    async def erase_person(self, principal: Principal, person: str) -> int:
        """Erase what acts say of a person: who they are, their keys and addresses. Return how many values that is.

        `principal` is who erases.
        """
        ...

    async def erase_values(self, before: int) -> int:
        """Erase the personal values of all acts before millisecond `before`; return how many that is."""
        ...

    async def add_checkpoint(self, key: str, sign: Sign) -> AuditCheckpoint | None:
        """Seal the egress log's finished calls, then add a checkpoint; None where nothing has happened since the last.

        `key` is the public key of the log, as base64; a new one is added as the last act, and `sign` signs with it, or
        with the one before.
        """
        ...

    async def has_news(self) -> bool:
        """Tell whether an act or a finished call is in no checkpoint yet."""
        ...

    async def get_last_checkpoint(self) -> AuditCheckpoint | None:
        """Return the newest checkpoint."""
        ...

    async def list_checkpoints(self, after: int = 0) -> list[AuditCheckpoint]:
        """List the checkpoints of more than `after` acts, oldest first."""
        ...

    async def read_whole(self, work: Callable[[AuditContents], T]) -> T:
        """Return what `work`, which runs in another thread, makes of the whole log as of one moment."""
        ...

    async def get_delivered(self, destination: str) -> int:
        """Return the number of the last act that a destination has been sent."""
        ...

    async def set_delivered(self, destination: str, number: int) -> None:
        """Note that a destination has been sent all acts up to `number`."""
        ...
