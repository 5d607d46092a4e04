"""Comparisons in `/api/conversations`: follow all answers that are being written, and keep one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from fastapi import APIRouter

from eclair.app import App
from eclair.chat.live_run import Batch
from eclair.chat.runs import Runs
from eclair.schema.messages import Message
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.sse import EventStream
from eclair.storage.runs import RunRecord

MAX_WAITING_BATCHES = 64
"""Batches of events that a slow client hasn't taken yet."""


class KeptAnswer(RequestBody):
    """The answer to keep."""

    answer: str


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/conversations", tags=["conversations"])

    @api.get("/{id}/events", response_class=EventStream)
    async def follow_answers(principal: Caller, id: str) -> EventStream:
        _, messages = await app.storage.conversations.get_tree(principal, id)
        open_runs = [message.run for message in messages if message.is_open and message.run is not None]
        runs = [await app.storage.runs.get_run(principal, run) for run in open_runs]
        return EventStream(merge_runs(app.runs, runs))

    @api.put("/{id}/comparisons/{message}")
    async def keep_answer(principal: Caller, id: str, message: str, body: KeptAnswer) -> Message:
        return await app.comparisons.keep(principal, id, message, body.answer)

    return api


async def merge_runs(runs: Runs, records: Sequence[RunRecord]) -> AsyncGenerator[bytes, None]:
    """Yield all events of several runs as they come, until the last one ends; each frame names its run."""
    waiting = asyncio.Queue[tuple[RunRecord, Batch | None]](MAX_WAITING_BATCHES)

    async def follow(run: RunRecord) -> None:
        try:
            async with aclosing(runs.follow(run, 0)) as batches:
                async for batch in batches:
                    await waiting.put((run, batch))
        finally:
            await waiting.put((run, None))

    followers = [asyncio.create_task(follow(run), name=f"follow {run.id}") for run in records]
    try:
        remaining = len(followers)
        while remaining:
            run, batch = await waiting.get()
            if batch is None:
                remaining -= 1
            else:
                yield _frames(run, batch)
    finally:
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)


def _frames(run: RunRecord, batch: Batch) -> bytes:
    name = run.id.encode()
    head = b"event: reset\ndata: %b\n\n" % name if batch.reset else b""
    return head + b"".join(b"event: %b\ndata: %b\n\n" % (name, line) for line in batch.lines)
