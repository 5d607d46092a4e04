"""The port of pages of the web on SQLite. What its methods do stands in `statements/`."""

from __future__ import annotations

import asyncio

from eclair.schema.web import WebPage
from eclair.storage.database import Database
from eclair.storage.encoding import packed_pages, unpacked_pages
from eclair.storage.statements import web


class SQLWeb:
    """Implements `WebStore`; see there for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_page(self, owner: str, id: str, conversation: str, page: WebPage) -> None:
        packed = await asyncio.to_thread(packed_pages, page.pages)
        await self._database.write(lambda db: web.add(db, owner, id, conversation, page, packed))

    async def page(self, owner: str, id: str) -> WebPage:
        page, packed = await self._database.read(lambda db: web.owned(db, owner, id))
        return page(await asyncio.to_thread(unpacked_pages, packed))
