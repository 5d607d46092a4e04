"""Pages of the web: added and read. They go with their conversation, by the foreign key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import apsw

from eclair.errors import NotFound
from eclair.schema.documents import Page
from eclair.schema.web import WebPage
from eclair.storage.statements.conversations import owned as conversation_of
from eclair.storage.statements.rows import first


def add(db: apsw.Connection, owner: str, id: str, conversation: str, page: WebPage, packed: bytes) -> None:
    conversation_of(db, owner, conversation)
    db.execute(
        "INSERT INTO web_page (id, conversation, url, fetched, title, site, author, language, published, media, wall,"
        " pages) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
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


def owned(db: apsw.Connection, owner: str, id: str) -> tuple[Callable[[tuple[Page, ...]], WebPage], bytes]:
    """What makes the page once its sheets are unpacked, and those as they are packed."""
    row = first(
        db,
        "SELECT url, fetched, web_page.title, site, author, language, published, media, wall, pages FROM web_page"
        " JOIN conversation ON conversation.id = web_page.conversation"
        " WHERE web_page.id = ? AND owner = ? AND deleted IS NULL",
        (id, owner),
    )
    if row is None:
        raise NotFound(f"There is no page {id!r}.")
    url, fetched, title, site, author, language, published, media, wall, packed = row

    def page(pages: tuple[Page, ...]) -> WebPage:
        return WebPage(
            url=url,
            fetched=fetched,
            title=title,
            site=site,
            pages=pages,
            media=media,
            author=author,
            language=language,
            published=date.fromisoformat(published) if published is not None else None,
            wall=wall,
        )

    return page, packed
