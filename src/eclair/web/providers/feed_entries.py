"""The person's own feeds as a search provider; it calls nobody."""

from __future__ import annotations

import asyncio

from eclair.errors import StoreError
from eclair.network.client import CallContext
from eclair.schema.principal import Principal
from eclair.schema.web import WebHit, WebQuery
from eclair.web.feeds.service import FeedService
from eclair.web.providers.base import ProviderError


class FeedProvider:
    """Searches the entries of feeds."""

    name = "newsroom"
    title = "News feeds"
    jurisdiction = "machine"
    needs_key = False
    terms = ""
    is_ready = True
    is_local = True

    def __init__(self, feeds: FeedService) -> None:
        self._feeds = feeds

    async def serves(self, principal: Principal) -> bool:
        """Return whether the person has feeds with entries; a damaged store fails in the search."""
        try:
            return await self._feeds.has_feeds(principal)
        except StoreError:
            return True

    async def search(self, query: WebQuery, limit: int, context: CallContext, timeout_s: float) -> list[WebHit]:
        """Return the owner's entries, best first. Raises ProviderError."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._feeds.search(context.principal, query, limit)
        except TimeoutError as error:
            raise ProviderError("late", "The news feeds did not answer in time.") from error
        except StoreError as error:
            raise ProviderError("failed", error.message) from error
