"""Port of web pages as they were read for an answer."""

from __future__ import annotations

from typing import Protocol

from eclair.schema.principal import Principal
from eclair.schema.web import WebPage


class WebStore(Protocol):
    async def add_page(self, principal: Principal, id: str, conversation: str, page: WebPage) -> None:
        """Add a page to a conversation; an `id` stands for one content and is stored once.

        Raises NotFound where the principal has no such conversation.
        """
        ...

    async def get_page(self, principal: Principal, id: str) -> WebPage:
        """Return a page. Raises NotFound, also while its conversation is deleted."""
        ...
