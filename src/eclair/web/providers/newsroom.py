"""The newsroom as a search service: what the owner's feeds brought, without asking anybody."""

from __future__ import annotations

import asyncio

from eclair.errors import StoreError
from eclair.network.client import CallContext
from eclair.schema.web import Hit, Query
from eclair.web.feeds.service import Newsroom
from eclair.web.providers.base import ServiceFailed


class NewsroomService:
    """Searches one newsroom."""

    name = "newsroom"
    title = "Newsroom"
    jurisdiction = "machine"
    needs_key = False
    terms = ""

    def __init__(self, newsroom: Newsroom) -> None:
        self._newsroom = newsroom

    async def find(self, query: Query, limit: int, context: CallContext, within: float) -> list[Hit]:
        """The owner's entries, best first. Raises ServiceFailed."""
        try:
            async with asyncio.timeout(within):
                return await self._newsroom.find(context.principal, query, limit)
        except TimeoutError as error:
            raise ServiceFailed("late", "The newsroom did not answer in time.") from error
        except StoreError as error:
            raise ServiceFailed("failed", error.message) from error
