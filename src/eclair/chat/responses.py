"""Keeps the responses of the Responses API for some days, and runs those in the background.

A background response is a task of its own: the client that asked may leave. Its events are kept in memory for
followers and written in batches, as those of runs are. The events themselves are made by whoever speaks the API.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

from eclair.chat.conversations import DAY_S
from eclair.chat.response_log import CUT_OFF, JSONObject, LiveResponse, fold_cut_log
from eclair.errors import INTERNAL_ERROR, Conflict, DataDamaged, EclairError, StoreError
from eclair.live_settings import LiveSettings
from eclair.schema.ids import Clock
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.responses import KeptCount, ResponseEvents, StoredItem, StoredResponse

FLUSH_INTERVAL_S = 0.05
POLL_INTERVAL_S = 0.2
REAP_INTERVAL_S = 5.0
END_TIMEOUT_S = 5.0
RETRY_INTERVAL_S = 1.0

log = logging.getLogger(__name__)


class ResponseProducer(Protocol):
    """Produces the events of a background response, in the form that clients get."""

    def events(self) -> AsyncGenerator[list[JSONObject], None]:
        """Yield the events from the first on, without those that end the response.

        Closing the generator stops the engine.
        """
        ...

    def end(self, error: EclairError | None, *, is_cancelled: bool) -> list[JSONObject]:
        """Return the events that end the response: well, by an error, or as it was cancelled."""
        ...

    def outcome(self, response: StoredResponse) -> tuple[StoredResponse, list[StoredItem]]:
        """Return the response as it has ended, and its output."""
        ...


class ResponseService:
    """The responses that are kept. Call `start` before use; `close` ends what is under way."""

    def __init__(self, settings: LiveSettings, storage: Storage, clock: Clock = time.time) -> None:
        self._settings = settings
        self._storage = storage
        self._clock = clock
        self._live: dict[str, LiveResponse] = {}
        self._has_live = asyncio.Event()
        self._writing = asyncio.Lock()
        self._losses = storage.processes.losses
        self._background: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """End the responses of dead processes, and start to write."""
        await self._reap_all()
        self._background = [
            asyncio.create_task(self._flush_periodically(), name="flush background responses"),
            asyncio.create_task(self._reap_periodically(), name="end responses of dead processes"),
        ]

    async def close(self) -> None:
        """End the responses under way as failed, and store that."""
        lives = list(self._live.values())
        tasks = [live.task for live in lives if live.task is not None]
        for live in lives:
            live.stop("interrupted")
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=END_TIMEOUT_S)
            for task in late:
                task.cancel()
                log.error("The end of %s cannot be saved.", task.get_name())
        for task in self._background:
            task.cancel()
        if self._background:
            await asyncio.wait(self._background)

    @property
    def days(self) -> int:
        """The days that responses are kept after their last use; 0 if none are."""
        settings = self._settings.current
        limits = [days for days in (settings.response_days, settings.keep_days) if days]
        return min(limits) if settings.response_days else 0

    @property
    def since(self) -> int:
        """The millisecond before which something must have been used last to have expired."""
        return self.now() - int(self.days * DAY_S * 1000) if self.days else self.now() + 1

    def now(self) -> int:
        return int(self._clock() * 1000)

    async def start_background(
        self,
        principal: Principal,
        response: StoredResponse,
        inputs: Sequence[StoredItem],
        producer: ResponseProducer,
    ) -> None:
        """Store a response at work and start to make it."""
        await self._storage.responses.add_response(principal, response, inputs)
        live = LiveResponse(response.id)
        self._live[response.id] = live
        self._has_live.set()
        live.task = asyncio.create_task(self._run(live, response, producer), name=response.id)

    async def get(self, principal: Principal, id: str) -> tuple[StoredResponse, list[StoredItem]]:
        """Return a response and its output. Raises NotFound."""
        response, output = await self._storage.responses.get_response(principal, id, self.since)
        if response.status == "in_progress" and await self._reap(response):
            return await self._storage.responses.get_response(principal, id, self.since)
        return response, output

    async def follow(self, response: StoredResponse, after: int) -> AsyncGenerator[bytes, None]:
        """Yield the events after number `after`, one line of JSON each, until the last.

        Whoever has seen as many events as there are gets the last one again, since a process that died may have lost
        the others.
        """
        live = self._live.get(response.id)
        lines = self._follow_stored(response, after) if live is None else _follow_live(live, after)
        async with aclosing(lines):
            async for line in lines:
                yield line

    async def cancel(self, response: StoredResponse) -> None:
        """Stop the engine and end the response; return once that is stored. Does nothing if it has ended.

        Raises Conflict if another process writes it and doesn't stop.
        """
        live = self._live.get(response.id)
        if live is not None and live.task is not None:
            live.stop("cancelled")
            await asyncio.wait([live.task], timeout=END_TIMEOUT_S)
        elif response.status == "in_progress":
            await self._cancel_elsewhere(response)

    async def delete(self, principal: Principal, id: str) -> None:
        """Erase a response; one at work is cancelled first. Raises NotFound."""
        response, _ = await self.get(principal, id)
        await self.cancel(response)
        await self._storage.responses.delete_response(principal, id, self.since)

    async def delete_all(self, principal: Principal) -> None:
        """Erase everything that the API keeps for a principal; what is at work is cancelled."""
        await self._storage.responses.delete_all(principal)
        await self._cancel_requested()

    async def count(self, principal: Principal) -> KeptCount:
        return await self._storage.responses.count_kept(principal, self.since)

    async def expire(self) -> None:
        """Erase everyone's responses and conversations of the API that have expired."""
        count = await self._storage.responses.expire(self.since)
        if count:
            log.info("%d responses and conversations of the API have expired and were erased.", count)

    async def _run(self, live: LiveResponse, response: StoredResponse, producer: ResponseProducer) -> None:
        """Make the response, then store its end, however it ends."""
        error: EclairError | None = None
        try:
            live.is_being_made = live.ending is None
            if live.is_being_made:
                await _collect(live, producer)
        except asyncio.CancelledError:
            live.ending = live.ending or "interrupted"
        except EclairError as failure:
            error = failure
        except Exception:
            log.exception("response %s failed", response.id)
            error = EclairError(INTERNAL_ERROR)
        live.is_being_made = False
        if live.ending == "interrupted":
            error = EclairError(CUT_OFF)
        last = producer.end(error, is_cancelled=live.ending == "cancelled")
        await self._finish(live, response, producer, last)

    async def _finish(
        self, live: LiveResponse, response: StoredResponse, producer: ResponseProducer, last: list[JSONObject]
    ) -> None:
        """Store the end, then show it to followers: they may continue the response."""
        ended, output = producer.outcome(response)
        while True:
            try:
                async with self._writing:
                    await self._storage.responses.finish_response(ended, output, live.chunk(last))
                break
            except StoreError as error:
                log.error("response %s cannot be saved yet: %s", response.id, error.message)
            await asyncio.sleep(RETRY_INTERVAL_S)
            with contextlib.suppress(StoreError):  # which the next attempt says
                async with self._writing:
                    await self._look_for_losses()
        del self._live[response.id]
        if not self._live:
            self._has_live.clear()
        live.append(last)
        live.end()

    async def _flush_periodically(self) -> None:
        while await self._has_live.wait():
            await asyncio.sleep(FLUSH_INTERVAL_S)
            try:
                await self._flush()
                await self._cancel_requested()
            except StoreError as error:
                log.error("background responses cannot be saved yet: %s", error.message)
                await asyncio.sleep(RETRY_INTERVAL_S)

    async def _flush(self) -> None:
        async with self._writing:
            chunks = [(live, chunk) for live in self._live.values() if (chunk := live.chunk()) is not None]
            await self._storage.responses.append_events([chunk for _, chunk in chunks])
            for live, chunk in chunks:
                live.stored_lines = chunk.last + 1
            if (losses := self._storage.processes.losses) != self._losses:
                await self._look_for_losses()
                self._losses = losses

    async def _look_for_losses(self) -> None:
        """See how much of the logs is stored, so that what the database lost is stored again. Raises StoreError."""
        stored = await self._storage.responses.list_last_events([*self._live])
        for live in self._live.values():
            live.stored_lines = stored.get(live.id, -1) + 1

    async def _cancel_requested(self) -> None:
        """Cancel what another process wants cancelled, and what was erased."""
        for id in await self._storage.responses.list_cancelled(list(self._live)):
            if (live := self._live.get(id)) is not None and live.ending is None:
                live.stop("cancelled")

    async def _cancel_elsewhere(self, response: StoredResponse) -> None:
        """Have the process that writes the response cancel it."""
        await self._storage.responses.request_cancel(response.id)
        try:
            async with asyncio.timeout(END_TIMEOUT_S):
                while await self._storage.responses.is_running(response.id) and not await self._reap(response):
                    await self._storage.processes.wait_for_write(POLL_INTERVAL_S)
        except TimeoutError:
            raise Conflict(
                "Another Éclair writes this response and does not stop; end that one, and try again."
            ) from None

    async def _follow_stored(self, response: StoredResponse, after: int) -> AsyncGenerator[bytes, None]:
        """Follow a response of another process, or one that has ended, through the storage."""
        sent = False
        while True:
            is_running = await self._storage.responses.is_running(response.id)  # asked before the log is read
            for line in _lines(await self._storage.responses.list_events(response.id, after), after):
                yield line
                after += 1
                sent = True
            if not is_running:
                break
            if not await self._reap(response):
                await self._storage.processes.wait_for_write(POLL_INTERVAL_S)
        if not sent:
            for line in _lines(await self._storage.responses.list_events(response.id, -1), -1)[-1:]:
                yield line

    async def _reap_periodically(self) -> None:
        while True:
            await asyncio.sleep(REAP_INTERVAL_S)
            try:
                await self._reap_all()
            except StoreError as error:
                log.warning("responses of processes that died cannot be ended yet: %s", error.message)

    async def _reap_all(self) -> None:
        await self._reap(*await self._storage.responses.list_running())

    async def _reap(self, *responses: StoredResponse) -> bool:
        """End the responses whose process died; return whether there were any."""
        others = [each for each in responses if each.id not in self._live]
        processes = await self._storage.processes.list_dead(each.process for each in others)
        dead = [each for each in others if each.process in processes]
        for each in dead:
            await self._end_dead(each)
        return bool(dead)

    async def _end_dead(self, response: StoredResponse) -> None:
        """End a response as failed; its text so far is kept."""
        try:
            lines: list[bytes] = _lines(await self._storage.responses.list_events(response.id, -1), -1)
            body, output, end = fold_cut_log(lines, response.body)
        except (DataDamaged, AttributeError, LookupError, TypeError, ValueError) as error:
            log.error("the log of response %s is damaged: %s", response.id, error)
            body, output, end = fold_cut_log((), response.body)
        live = LiveResponse(response.id)
        live.stored_lines = end["sequence_number"]
        ended = replace(response, status="failed", body=body)
        await self._storage.responses.finish_response(ended, output, live.chunk([end]))


def _lines(chunks: Sequence[ResponseEvents], after: int) -> list[bytes]:
    """Return the lines of the events after number `after`, one event each."""
    found: list[bytes] = []
    for chunk in chunks:
        found += chunk.lines.split(b"\n")[max(0, after + 1 - chunk.first) :]
        after = chunk.last
    return found


async def _collect(live: LiveResponse, producer: ResponseProducer) -> None:
    async with aclosing(producer.events()) as batches:
        async for events in batches:
            live.append(events)


async def _follow_live(live: LiveResponse, after: int) -> AsyncGenerator[bytes, None]:
    sent = False
    while lines := await live.next(after):
        for line in lines:
            yield line
        after += len(lines)
        sent = True
    if not sent:
        yield live.lines[-1]
