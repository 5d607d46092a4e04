"""Connections that stores send SQL to, whichever database it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from eclair.errors import HeldBack, TemporaryOnly
from eclair.storage.sql.damage import DamageRecord

if TYPE_CHECKING:
    from eclair.storage.sql.chunk_vectors import ChunkVectors
    from eclair.storage.sql.text_index import TextIndex

T = TypeVar("T")
Work = Callable[["Connection"], T]


LEGAL_HOLD = "legal hold"
TEMPORARY_ONLY = "temporary chats only"
"""Messages of the triggers that keep what is held, and let nothing in where a rule says so."""


class Connection(Protocol):
    """A connection within a transaction, or one that only reads.

    Parameters are `?`, or `?1` where one is used again. Both databases take the same SQL, so it keeps to what they
    share: `ON CONFLICT` rather than `INSERT OR`, `true` and `false` for columns that are one or the other, and
    `CAST(? AS TEXT)` where nothing else gives a parameter its type.
    """

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Iterator[Any]:
        """Run one statement and iterate over its rows."""
        ...

    def executemany(self, statement: str, values: Iterable[Sequence[Any]], /) -> object:
        """Run a statement once for each of the values."""
        ...

    def changes(self) -> int:
        """Return the number of rows that the last statement changed, without what cascades and triggers changed."""
        ...

    def total_changes(self) -> int:
        """Return the number of rows that this connection has changed."""
        ...


class Eraser(Protocol):
    """Removes what was erased from where the database still has a copy of it."""

    async def erase(self) -> None:
        """Remove it; return once that was tried."""
        ...

    def request(self) -> None:
        """Have it removed soon."""
        ...


class Database(Protocol):
    """A database that is open. Each method runs a function on a connection and raises what that raises."""

    damage: DamageRecord

    @property
    def eraser(self) -> Eraser: ...

    @property
    def text_index(self) -> TextIndex: ...

    @property
    def chunk_vectors(self) -> ChunkVectors: ...

    @property
    def row_lock(self) -> str:
        """The end of a SELECT whose rows nobody else may change within the transaction; empty if nobody can."""
        ...

    async def read(self, work: Work[T], *, is_brief: bool = False, is_planned: bool = False) -> T:
        """Run `work` on a connection that sees every finished write.

        What `is_brief`, which takes little time of this process, may run where the caller waits for it. If it
        `is_planned`, its statements are planned for the values they have.
        """
        ...

    async def search(self, work: Work[T]) -> T:
        """Run `work`, which may take long, as `read` does. Cancellation ends it."""
        ...

    def write(
        self, work: Work[T], *, is_synced: bool = False, is_concurrent: bool = False, is_brief: bool = False
    ) -> Awaitable[T]:
        """Run `work` in a transaction of its own, as if no other were at work. If `is_synced`, it survives a power cut.

        If `is_concurrent`, others may be at work: each statement sees what has been committed by then, and `work` locks
        the rows by which it decides, with `row_lock` or by changing them. What `is_brief` may run as with `read`.
        """
        ...


def find_refusal(message: str) -> HeldBack | TemporaryOnly | None:
    """Return the error that a trigger's message stands for; None for any other message."""
    if TEMPORARY_ONLY in message:
        return TemporaryOnly("Only temporary chats are allowed here, of which nothing is stored; start one of those.")
    if LEGAL_HOLD in message:
        return HeldBack("This is under a legal hold, so it can't be deleted; ask an administrator.")
    return None
