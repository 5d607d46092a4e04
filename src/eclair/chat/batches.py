"""Batches: requests from a file that run in the background, while nobody waits for an answer.

Each person's run one at a time, and those of several people side by side.

Each reply is stored once, as it comes, so that a killed process loses at most the request it was at, which the next one
sends again. A request that is stopped for an answer is sent again later; one at a server elsewhere is left to finish.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

import orjson

from eclair.accounts.absent_principals import AbsentPrincipals
from eclair.chat.batch_lines import BatchInput, BatchLine
from eclair.errors import BudgetExceeded, DataDamaged, EclairError, NotFound, StoreError
from eclair.llm.registry import Registry
from eclair.network.gate import PRINCIPAL
from eclair.schema.ids import new_id
from eclair.schema.principal import Principal
from eclair.storage.batches import UNFINISHED_STATUSES, BatchFault, BatchFile, BatchStatus, BatchStore, StoredBatch
from eclair.storage.jobs import JobStore, free_dead_claims
from eclair.storage.processes import ProcessStore
from eclair.util.background import IN_BACKGROUND, IdleScheduler

CHECK_INTERVAL_S = 15.0
"""Between two looks for batches that other processes added or left, and for expired files."""
WATCH_INTERVAL_S = 1.0
"""Between two looks at whether the batch at work was erased, or cancelled by another process."""
RETRY_DELAY_S = 5.0
"""After a failure of the database."""
BUSY_STATUSES = (429, 502, 503)
BUSY_PAUSES_S = (1.0, 5.0, 30.0, 120.0)
"""Pauses before a request is sent again whose engine was busy or away."""
BUDGET_PAUSE_S = 60.0
"""Between two looks whether a budget that is used up has refilled."""
MAX_CONCURRENT_BATCHES = 8
"""Of different people."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SentReply:
    """The reply to a request: its status, and its body, which is JSON."""

    status: int
    body: bytes


SendRequest = Callable[[Principal, str, bytes], Awaitable[SentReply]]
"""Sends a body to a path of the API on behalf of a principal."""


class BatchService:
    """Runs batches once `start` was called with a way to send requests. Call `close` at the end."""

    def __init__(
        self,
        store: BatchStore,
        jobs: JobStore,
        processes: ProcessStore,
        registry: Registry,
        idle: IdleScheduler,
        principals: AbsentPrincipals,
    ) -> None:
        self._principals = principals
        self._store = store
        self._jobs = jobs
        self._processes = processes
        self._registry = registry
        self._idle = idle
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._current: dict[str, asyncio.Task[SentReply | None]] = {}
        self._attempts: set[str] = set()
        self._claimed = 0
        self._is_draining = False

    def start(self, send: SendRequest) -> None:
        """Run what is unfinished, and each new batch."""
        self._wake.set()
        self._task = asyncio.create_task(self._run_forever(send), name="batches")

    @property
    def is_busy(self) -> bool:
        """True while batches are at work."""
        return self._claimed > 0

    def drain(self) -> None:
        """Send no further request. Those that wait for their turn are left to other processes, or the next start."""
        self._is_draining = True
        for batch, sending in self._current.items():
            if batch not in self._attempts:
                sending.cancel()
        self._wake.set()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def add(self, principal: Principal, batch: StoredBatch) -> None:
        """Add a batch, which begins once those before it have ended. Raises NotFound for its input file."""
        await self._store.add_batch(principal, batch)
        self._wake.set()

    async def cancel(self, principal: Principal, id: str) -> StoredBatch:
        """Ask for a batch to be cancelled; the request that it is at is stopped. Raises NotFound."""
        batch = await self._store.cancel_batch(principal, id, self._now())
        if (sending := self._current.get(id)) is not None:
            sending.cancel()
        self._wake.set()
        return batch

    async def _run_forever(self, send: SendRequest) -> None:
        IN_BACKGROUND.set(True)
        while not self._is_draining:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_INTERVAL_S):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await free_dead_claims(self._jobs, self._processes)
                await self._run_pending(send)
                await self._store.erase_expired_files(self._now())
            except StoreError as error:
                log.warning("batches wait: %s", error.message)
                asyncio.get_running_loop().call_later(RETRY_DELAY_S, self._wake.set)

    async def _run_pending(self, send: SendRequest) -> None:
        """Run batches until other processes have the rest: of each person one at a time, of several together.

        Who has one that can't be ended, since it is damaged, waits for the next look.
        """
        running: dict[str, asyncio.Task[bool]] = {}
        damaged: set[str] = set()
        try:
            while True:
                self._wake.clear()
                while len(running) < MAX_CONCURRENT_BATCHES and not self._is_draining:
                    batch = await self._store.find_next_batch((*running, *damaged))
                    if batch is None:
                        break
                    running[batch.owner] = asyncio.create_task(self._run_claimed(batch, send), name=batch.id)
                if not running:
                    return
                await self._wait_for_any(running.values())
                for owner, task in [*running.items()]:
                    if task.done():
                        del running[owner]
                        if not task.result():
                            damaged.add(owner)
        finally:
            for task in running.values():
                task.cancel()
            if running:
                await asyncio.wait(running.values())

    async def _wait_for_any(self, tasks: Iterable[asyncio.Task[bool]]) -> None:
        """Wait until one of the tasks has ended, or there may be a new batch."""
        waking = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait([*tasks, waking], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()
            await asyncio.wait([waking])

    async def _run_claimed(self, batch: StoredBatch, send: SendRequest) -> bool:
        """Run a batch unless another process runs one of that person; False where it is damaged and can't be ended."""
        self._claimed += 1
        try:
            async with self._jobs.hold("batches", batch.owner) as ours:
                status = await self._store.get_status(batch.id) if ours else None
                if status in UNFINISHED_STATUSES:  # no other process has just ended it
                    await self._run(replace(batch, status=status), send)
            return True
        except DataDamaged as error:
            log.error("the batch %s: %s", batch.id, error.message)
            return False
        finally:
            self._claimed -= 1

    async def _run(self, batch: StoredBatch, send: SendRequest) -> None:
        """Run a batch to its end; it fails without its input file or whoever began it, and by faults of its own."""
        try:
            principal = await self._principals.find(batch.owner, batch.details.key)
            if principal is None:
                raise NotFound("Whoever began this batch, or their key, is locked or gone; begin it again.")
            await self._run_for(principal, batch, send)
        except (NotFound, DataDamaged) as error:
            await self._finish(batch, "failed", error.message)
        except StoreError:
            raise
        except Exception as error:  # which those of others need not wait for
            log.exception("the batch %s failed", batch.id)
            await self._finish(batch, "failed", f"Internal error ({type(error).__name__}); see the log.")

    async def _run_for(self, principal: Principal, batch: StoredBatch, send: SendRequest) -> None:
        details = batch.details
        PRINCIPAL.set(principal)
        requests = BatchInput(self._store, principal, details.input_file, details.endpoint)
        if batch.status == "validating":
            lines, faults = await requests.check()
            if faults:
                await self._store.finish_batch(batch.id, "failed", self._now(), faults=faults)
                return
            await self._store.begin_batch(batch.id, lines, self._now())
        status = await self._send_lines(batch, requests, principal, send)
        if status is not None:
            await self._finish(batch, status)

    async def _send_lines(
        self, batch: StoredBatch, requests: BatchInput, principal: Principal, send: SendRequest
    ) -> BatchStatus | None:
        """Send the requests that have no reply; return the status to end with.

        None stands for a batch that was erased, or is left to other processes.
        """
        answered = await self._store.list_answered_lines(batch.id)
        is_expired = False
        async with contextlib.aclosing(requests.lines()) as lines:
            async for line in lines:
                while line.number not in answered:
                    if self._is_draining:
                        return None
                    status = await self._store.get_status(batch.id)
                    if status in (None, "cancelling"):
                        return "cancelled" if status else None
                    left_s = (batch.details.expires - self._now()) / 1000
                    is_expired = is_expired or left_s <= 0
                    if is_expired:
                        await self._add_reply(batch, line, None)
                        answered.add(line.number)
                    elif (reply := await self._send(batch, line, principal, send, left_s)) is not None:
                        await self._add_reply(batch, line, reply)
                        answered.add(line.number)
        return "expired" if is_expired else "completed"

    async def _send(
        self, batch: StoredBatch, line: BatchLine, principal: Principal, send: SendRequest, left_s: float
    ) -> SentReply | None:
        """Send a request while nobody waits for an answer.

        Returns None if the batch was cancelled or expired, or is gone, or if this process is about to end.
        """
        body = orjson.dumps(line.body)

        async def attempt() -> SentReply:
            self._attempts.add(batch.id)
            try:
                return await send(principal, batch.details.endpoint, body)
            finally:
                self._attempts.discard(batch.id)

        task = asyncio.create_task(self._send_patiently(attempt, line), name=f"line {line.number} of {batch.id}")
        self._current[batch.id] = task
        try:
            until = time.monotonic() + left_s
            while (left_s := until - time.monotonic()) > 0:
                done, _ = await asyncio.wait([task], timeout=min(left_s, WATCH_INTERVAL_S))
                if done or await self._store.get_status(batch.id) != "in_progress":
                    break
        finally:
            del self._current[batch.id]
            task.cancel()
            await asyncio.wait([task])
        return None if task.cancelled() else task.result()

    async def _send_patiently(self, attempt: Callable[[], Awaitable[SentReply]], line: BatchLine) -> SentReply | None:
        """Send a request, and again after a pause while its engine is busy or away, or the budget used up.

        Returns None if it isn't to be sent again because this process is about to end.
        """
        can_interrupt = await self._runs_here(line)
        pauses = [*BUSY_PAUSES_S]
        while not self._is_draining:
            reply = await self._send_when_idle(attempt, can_interrupt=can_interrupt)
            if reply is None:  # an answer went first
                continue
            is_over_budget = _is_over_budget(reply)
            if not is_over_budget and (reply.status not in BUSY_STATUSES or not pauses):
                return reply
            if not self._is_draining:
                await asyncio.sleep(BUDGET_PAUSE_S if is_over_budget else pauses.pop(0))
        return None

    async def _send_when_idle(
        self, attempt: Callable[[], Awaitable[SentReply]], *, can_interrupt: bool
    ) -> SentReply | None:
        """Send a request while nobody waits for an answer; None if it waited in vain or was stopped for one."""

        async def nothing() -> bool:
            return True

        if can_interrupt:
            return await self._idle.run_once(attempt)
        # another machine does the work, and would have to be paid again
        return None if await self._idle.run_once(nothing) is None else await attempt()

    async def _runs_here(self, line: BatchLine) -> bool:
        """Tell whether a request takes this machine's time."""
        model = line.body.get("model")
        try:
            return not isinstance(model, str) or (await self._registry.resolve(model))[1].location == "machine"
        except EclairError:
            return True

    async def _add_reply(self, batch: StoredBatch, line: BatchLine, reply: SentReply | None) -> None:
        """Store the reply to a line; None stands for one that came too late."""
        is_failed = reply is None or reply.status != 200
        row = {
            "id": new_id("batch_req"),
            "custom_id": line.custom_id,
            "response": None if reply is None else _response(reply),
            "error": {"code": "batch_expired", "message": "The batch expired first."} if reply is None else None,
        }
        await self._store.add_reply(batch.id, line.number, orjson.dumps(row) + b"\n", failed=is_failed)

    async def _finish(self, batch: StoredBatch, status: BatchStatus, fault: str | None = None) -> None:
        now, keep_s = self._now(), batch.details.keep_output_s
        expires = None if keep_s is None else now + keep_s * 1000
        files = [
            BatchFile(
                id=new_id("file"),
                owner=batch.owner,
                name=f"{batch.id}_{'error' if failed else 'output'}.jsonl",
                created=now,
                size=0,
                expires=expires,
                batch=batch.id,
                failed=failed,
            )
            for failed in (False, True)
        ]
        faults = [] if fault is None else [BatchFault(fault, None)]
        await self._store.finish_batch(batch.id, status, now, files, faults)

    def _now(self) -> int:
        return int(self._processes.clock() * 1000)


def _is_over_budget(reply: SentReply) -> bool:
    return reply.status == BudgetExceeded.status and BudgetExceeded.code.encode() in reply.body


def _response(reply: SentReply) -> dict[str, object]:
    return {"status_code": reply.status, "request_id": new_id("req"), "body": orjson.Fragment(reply.body)}
