"""Port of batches: requests that run in the background, line by line, and the files that they read and write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from eclair.schema.principal import Principal

BatchStatus = Literal["validating", "failed", "in_progress", "completed", "expired", "cancelling", "cancelled"]
UNFINISHED_STATUSES: tuple[BatchStatus, ...] = ("validating", "in_progress", "cancelling")


@dataclass(frozen=True, slots=True)
class BatchFault:
    """A line of the input that is wrong, counted from 1, and why; a `line` of None is the file as a whole."""

    message: str
    line: int | None
    code: str = "invalid_request"
    param: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDetails:
    """Everything about a batch but its owner and status. Times are in milliseconds.

    It was begun with the API key of id `key`, if with any. `lines` is the number of its requests, known once it was
    validated. `keep_output_s` is how long its output is kept,
    None for as long as nobody deletes it.
    """

    endpoint: str
    input_file: str
    window: str
    expires: int
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    keep_output_s: int | None = None
    lines: int = 0
    begun: int | None = None
    cancelled: int | None = None
    ended: int | None = None
    output_file: str | None = None
    error_file: str | None = None
    faults: tuple[BatchFault, ...] = ()
    key: str | None = None


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch. `replies` counts its answered lines, `failures` those among them that failed."""

    id: str
    owner: str
    created: int
    status: BatchStatus
    details: BatchDetails
    replies: int = 0
    failures: int = 0

    @property
    def is_finished(self) -> bool:
        """True once no more lines will be answered."""
        return self.status not in UNFINISHED_STATUSES


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFile:
    """A file of requests, or of the replies of a `batch`: of those that failed, or the others.

    `size` is in bytes; times are in milliseconds. It is gone once it `expires`.
    """

    id: str
    owner: str
    name: str
    created: int
    size: int
    expires: int | None = None
    batch: str | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class KeptBatches:
    """Numbers of a principal's batches and of their files."""

    batches: int
    files: int


class BatchStore(Protocol):
    async def add_file(self, principal: Principal, file: BatchFile, parts: Sequence[bytes]) -> None:
        """Add a file of requests with its bytes, in parts."""
        ...

    async def get_file(self, principal: Principal, id: str) -> BatchFile:
        """Return a file. Raises NotFound."""
        ...

    async def list_files(self, principal: Principal) -> list[BatchFile]:
        """List the files, newest first."""
        ...

    async def read_part(self, principal: Principal, id: str, number: int) -> bytes | None:
        """Return a part of a file, counted from 0; None after the last. Raises NotFound."""
        ...

    async def delete_file(self, principal: Principal, id: str) -> None:
        """Erase a file with its bytes. Raises NotFound, and Conflict for the input of a batch that isn't finished."""
        ...

    async def erase_expired_files(self, now: int) -> None:
        """Erase everyone's files that have expired, unless a batch still needs them."""
        ...

    async def add_batch(self, principal: Principal, batch: StoredBatch) -> None:
        """Add a batch. Raises NotFound for its input file."""
        ...

    async def get_batch(self, principal: Principal, id: str) -> StoredBatch:
        """Return a batch. Raises NotFound."""
        ...

    async def list_batches(self, principal: Principal, limit: int, after: str | None = None) -> list[StoredBatch]:
        """List batches, newest first, from the one after `after` on. Raises NotFound for that one."""
        ...

    async def find_next_batch(self, except_of: Sequence[str] = ()) -> StoredBatch | None:
        """Return the oldest unfinished batch of anybody but some owners; those to be cancelled come first.

        Owners whose batches a process has claimed (`jobs`, by the owner) are left out, and damaged batches too.
        """
        ...

    async def get_status(self, id: str) -> BatchStatus | None:
        """Return the status of anyone's batch; None if it is gone."""
        ...

    async def begin_batch(self, id: str, lines: int, now: int) -> None:
        """Note that a batch was validated and has so many lines; nothing changes if it was cancelled meanwhile."""
        ...

    async def cancel_batch(self, principal: Principal, id: str, now: int) -> StoredBatch:
        """Ask for a batch to be cancelled; a finished one stays as it is. Raises NotFound."""
        ...

    async def count_kept(self, principal: Principal) -> KeptBatches:
        """Count the principal's batches and their files."""
        ...

    async def delete_all(self, principal: Principal) -> None:
        """Erase the principal's batches, unfinished ones too, with their files and replies."""
        ...

    async def add_reply(self, batch: str, line: int, body: bytes, *, failed: bool) -> None:
        """Add the reply to a line; the first one stays. That to a batch which is gone is dropped."""
        ...

    async def list_answered_lines(self, batch: str) -> set[int]:
        """Return the lines of a batch that have a reply."""
        ...

    async def finish_batch(
        self, id: str, status: BatchStatus, now: int, files: Sequence[BatchFile] = (), faults: Sequence[BatchFault] = ()
    ) -> None:
        """End a batch and add those of the files that have replies, in one transaction; nothing if it is gone."""
        ...
