"""Web pages in SQL. They go with their conversation, by the foreign key."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

from eclair.errors import NotFound
from eclair.schema.principal import Principal
from eclair.schema.web import WebPage
from eclair.storage.sql import conversations
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.encoding import packed_pages, unpacked_pages
from eclair.storage.sql.store import SQLStore, first_row, read, write
from eclair.storage.sql.stored_rows import row_decoder


class SQLWebStore(SQLStore):
    """Implements `WebStore`."""

    async def add_page(self, principal: Principal, id: str, conversation: str, page: WebPage) -> None:
        packed = await asyncio.to_thread(packed_pages, page.pages)
        await self._insert(principal, id, conversation, page, packed)

    async def get_page(self, principal: Principal, id: str) -> WebPage:
        return await self._select(principal, id)

    @write
    def _insert(
        self, db: Connection, principal: Principal, id: str, conversation: str, page: WebPage, packed: bytes
    ) -> None:
        conversations.find(db, principal, conversation)
        db.execute(
            "INSERT INTO web_page (id, conversation, url, fetched, title, site, author, language, published, media,"
            " wall, pages) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            (
                id,
                conversation,
                page.url,
                page.fetched,
                page.title,
                page.site,
                page.author,
                page.language,
                page.published.isoformat() if page.published is not None else None,
                page.media,
                page.wall,
                packed,
            ),
        )

    @read
    def _select(self, db: Connection, principal: Principal, id: str) -> WebPage:
        row = first_row(
            db,
            "SELECT url, fetched, web_page.title, site, author, language, published, media, wall, pages FROM web_page"
            " JOIN conversation ON conversation.id = web_page.conversation"
            " WHERE web_page.id = ? AND owner = ? AND deleted IS NULL",
            (id, principal.id),
        )
        if row is None:
            raise NotFound(f"There is no page {id!r}.")
        return _page(row)


@row_decoder
def _page(row: tuple[Any, ...]) -> WebPage:
    url, fetched, title, site, author, language, published, media, wall, packed = row
    return WebPage(
        url=url,
        fetched=fetched,
        title=title,
        site=site,
        pages=unpacked_pages(packed),
        media=media,
        author=author,
        language=language,
        published=date.fromisoformat(published) if published is not None else None,
        wall=wall,
    )
