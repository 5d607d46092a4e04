"""`/api/changes`: a live stream of changes to what is the caller's."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, nullcontext
from typing import Annotated

import orjson
from fastapi import APIRouter, Query

from eclair.app import App
from eclair.errors import StoreError
from eclair.schema.ids import ID_PATTERN
from eclair.schema.messages import Change
from eclair.schema.principal import Principal
from eclair.server.principal import Caller
from eclair.server.sse import EventStream

log = logging.getLogger(__name__)


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["changes"])

    @api.get("/changes", response_class=EventStream)
    async def follow_changes(
        principal: Caller, conversation: Annotated[str | None, Query(pattern="^conv_" + ID_PATTERN)] = None
    ) -> EventStream:
        """Follow changes. `conversation` is the one that is open meanwhile; others to whom it is shown may see that."""
        is_shown = conversation is not None and await app.presence.may_see(principal, conversation)
        if is_shown:
            await app.preferences.read(principal)  # another process may have changed them
        return EventStream(_events(app, principal, conversation, is_shown))

    return api


async def _events(
    app: App, principal: Principal, conversation: str | None, is_shown: bool
) -> AsyncGenerator[bytes, None]:
    here = app.presence.here(principal, conversation) if is_shown and conversation is not None else nullcontext()
    with here:
        async with aclosing(app.changes.follow(principal, conversation)) as followed:
            async for batch in followed:
                try:
                    told = [change for change in batch if await _concerns(app, principal, change)]
                except StoreError as error:
                    log.warning("a stream of changes ends: %s", error.message)
                    return  # whoever connects again reads everything
                if told:
                    yield b"".join(b"data: %s\n\n" % orjson.dumps(change) for change in told)


async def _concerns(app: App, principal: Principal, change: Change) -> bool:
    if change.kind != "presence" or change.conversation is None:
        return True
    return await app.presence.may_see(principal, change.conversation)
