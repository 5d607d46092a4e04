"""Port of background work: claims on it, and the processes that do it.

A claim is the process's for as long as that holds its lease (`processes`); `release_dead` frees those of the dead.
Times are by the clock of the database, so that the clocks of machines may differ.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from eclair.errors import StoreError
from eclair.schema.jobs import BackgroundWorker, ClaimKind, Job, JobQueue
from eclair.storage.chunks import SearchScope
from eclair.storage.processes import ProcessStore
from eclair.util.tasks import cancel_and_wait

RETRY_DELAY_S = 5.0
"""By which each attempt after a process's death waits longer."""


HOLD_INTERVAL_S = 0.1
"""Between two attempts to hold what another process has."""
LISTING_INTERVAL_S = 5.0
"""Between two looks of a worker whether it is listed."""

log = logging.getLogger(__name__)


class JobStore(Protocol):
    """Jobs of everybody. Of several processes that want to claim something, one gets it."""

    def hold(self, kind: ClaimKind, subject: str) -> AbstractAsyncContextManager[bool]:
        """Claim a subject for the block, and finish the claim after it; False where another process has it."""
        ...

    async def claim_reading(self, *, min_priority: int = 0) -> Job | None:
        """Claim the document to be read next: by priority, then the oldest. Its subject is the SHA-256."""
        ...

    async def claim_embedding(
        self, embedder: str, asked: SearchScope | None = None, without: Collection[str] = ()
    ) -> Job | None:
        """Claim the document to be embedded next, in the order of `ChunkStore.list_unembedded`."""
        ...

    async def has_unread(self) -> bool:
        """Tell whether `claim_reading` would find a document."""
        ...

    async def has_unembedded(self, embedder: str, without: Collection[str] = ()) -> bool:
        """Tell whether `claim_embedding` would find a document."""
        ...

    async def finish(self, job: Job) -> None:
        """End a claim whose work is done. One that another process has by now is left to it, as below."""
        ...

    async def put_back(self, job: Job, delay_s: float = 0) -> None:
        """Give a claim back so that it is tried again after a delay. The attempt doesn't count."""
        ...

    def put_back_later(self, job: Job) -> None:
        """Have a claim given back by the next `put_left_back`, since the database can't be reached now."""
        ...

    async def put_left_back(self) -> None:
        """Give back what couldn't be given back before."""
        ...

    async def fail(self, job: Job, fault: str, delay_s: float) -> None:
        """Give a claim back after a failure of the work itself, which counts."""
        ...

    async def release_dead(self, process: str, delay_s: float) -> int:
        """Free the claims of a process that is dead, and forget it as a worker; return how many claims it had.

        Each attempt after the first delays the next one by so long.
        """
        ...

    @property
    def freed(self) -> int:
        """Count the claims of dead processes that this one has freed."""
        ...

    async def list_processes(self) -> list[str]:
        """List the processes that have claims, or are workers."""
        ...

    async def list_queues(self, embedder: str | None) -> list[JobQueue]:
        """Count the documents to be read, and those to be embedded if there is an embedder."""
        ...

    async def add_worker(self, worker: BackgroundWorker) -> None:
        """Note that a process does background work."""
        ...

    async def remove_worker(self, process: str) -> None:
        """Forget a process that does no more background work."""
        ...

    async def list_workers(self) -> list[BackgroundWorker]:
        """List the processes that do background work, the oldest first."""
        ...


async def free_dead_claims(jobs: JobStore, processes: ProcessStore) -> None:
    """Free the claims of processes that are dead, and give back what this one still has to. Raises StoreError."""
    await jobs.put_left_back()
    for process in await processes.list_dead(await jobs.list_processes()):
        await jobs.release_dead(process, RETRY_DELAY_S)


@asynccontextmanager
async def listed_worker(jobs: JobStore, worker: BackgroundWorker) -> AsyncGenerator[None]:
    """List a process as a worker within the block, also after others took it for dead. Raises StoreError."""
    await jobs.add_worker(worker)
    listing = asyncio.create_task(_stay_listed(jobs, worker), name="stay listed as a worker")
    try:
        yield
    finally:
        await cancel_and_wait(listing)
        try:
            await jobs.remove_worker(worker.process)
        except StoreError as error:  # others see it by the lease
            log.warning("the end of background work here could not be stored: %s", error.message)


async def _stay_listed(jobs: JobStore, worker: BackgroundWorker) -> None:
    while True:
        await asyncio.sleep(LISTING_INTERVAL_S)
        with contextlib.suppress(StoreError):  # the next look may succeed
            if worker.process not in {each.process for each in await jobs.list_workers()}:
                await jobs.add_worker(worker)


@asynccontextmanager
async def hold_when_free(
    jobs: JobStore, processes: ProcessStore, kind: ClaimKind, subject: str, timeout_s: float
) -> AsyncGenerator[bool]:
    """Claim a subject for the block once no other process has it; False where one still does after so long.

    Raises StoreError.
    """
    until = time.monotonic() + timeout_s
    while True:
        async with jobs.hold(kind, subject) as ours:
            if ours or time.monotonic() > until:
                yield ours
                return
        await processes.wait_for_write(HOLD_INTERVAL_S)
        await free_dead_claims(jobs, processes)
