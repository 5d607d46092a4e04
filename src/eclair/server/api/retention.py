"""`/api/retention`: for how long conversations are kept, and what a limit would erase now."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from eclair.app import App
from eclair.server.principal import Caller

MAX_DAYS = 36_500


class RetentionPreview(BaseModel):
    """The conversations that would be erased now if they were kept for `days` after their last message.

    `oldest` and `newest` are the times of those messages in milliseconds; `pinned` ones that are as old stay.
    """

    days: int
    conversations: int
    oldest: int | None
    newest: int | None
    pinned: int


class Retention(BaseModel):
    """The setting in force, 0 for no limit, and a preview of the days that were asked for, or else of the setting."""

    keep_days: int
    preview: RetentionPreview | None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/retention", tags=["conversations"])

    @api.get("")
    async def read_retention(
        principal: Caller, days: Annotated[int | None, Query(ge=1, le=MAX_DAYS)] = None
    ) -> Retention:
        keep_days = app.settings.keep_days
        chosen = days or keep_days
        if not chosen:
            return Retention(keep_days=0, preview=None)
        found = await app.conversations.preview_expiry(principal, chosen)
        preview = RetentionPreview(
            days=chosen,
            conversations=found.conversations,
            oldest=found.oldest,
            newest=found.newest,
            pinned=found.pinned,
        )
        return Retention(keep_days=keep_days, preview=preview)

    return api
