"""The port of pages of the web that were read for an answer: kept as they were read, and gone with its conversation."""

from __future__ import annotations

from typing import Protocol

from eclair.schema.web import WebPage


class WebStore(Protocol):
    async def add_page(self, owner: str, id: str, conversation: str, page: WebPage) -> None:
        """Keep a page for a conversation, once: an `id` stands for one content. Raises NotFound where the owner has no
        such conversation."""
        ...

    async def page(self, owner: str, id: str) -> WebPage:
        """Raises NotFound where there is none, or the conversation is deleted."""
        ...
