"""`/api/changes`: a live stream of changes to what is the caller's."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import orjson
from fastapi import APIRouter

from eclair.app import App
from eclair.schema.principal import Principal
from eclair.server.principal import Caller
from eclair.server.sse import EventStream
from eclair.storage.change_feed import ChangeFeed


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["changes"])

    @api.get("/changes", response_class=EventStream)
    async def follow_changes(principal: Caller) -> EventStream:
        return EventStream(_events(app.changes, principal))

    return api


async def _events(changes: ChangeFeed, principal: Principal) -> AsyncGenerator[bytes, None]:
    async with aclosing(changes.follow(principal)) as followed:
        async for batch in followed:
            yield b"".join(b"data: %s\n\n" % orjson.dumps(change) for change in batch)
