"""`/api/web/pages`: web pages as they were read for an answer."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from eclair.app import App
from eclair.schema.documents import Wall
from eclair.schema.web import WebPage
from eclair.server.api.files import PageBody, page_body
from eclair.server.principal import Caller
from eclair.storage.documents import StoredPage


class WebPageBody(BaseModel):
    """A web page. `fetched` is in milliseconds since 1970, `published` an ISO 8601 date.

    `wall` says why only a part could be read. `pages` are like those of a file.
    """

    id: str
    url: str
    title: str
    site: str
    media: str
    fetched: int
    published: str | None
    language: str | None
    author: str | None
    wall: Wall | None
    pages: list[PageBody]

    @classmethod
    def from_page(cls, id: str, page: WebPage) -> WebPageBody:
        pages: list[PageBody] = []
        start = 0
        for sheet in page.pages:
            pages.append(page_body(StoredPage(start, sheet), None))
            start += len(sheet.text) + 1
        return cls(
            id=id,
            url=page.url,
            title=page.title,
            site=page.site,
            media=page.media,
            fetched=page.fetched,
            published=page.published.isoformat() if page.published is not None else None,
            language=page.language,
            author=page.author,
            wall=page.wall,
            pages=pages,
        )


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/web", tags=["web"])

    @api.get("/pages/{id}")
    async def show_page(principal: Caller, id: str) -> WebPageBody:
        return WebPageBody.from_page(id, await app.storage.web.get_page(principal, id))

    return api
