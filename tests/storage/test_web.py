from __future__ import annotations

from datetime import date

import pytest

from eclair.errors import NotFound
from eclair.schema.documents import Block, Page
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.schema.web import WebPage
from eclair.storage.base import Storage
from tests.storage.helpers import SOMEONE
from tests.support import conversation

PAGE = WebPage(
    url="https://tagblatt.example/a?b=1",
    fetched=1_700_000_000_000,
    title="Größe",
    site="tagblatt.example",
    pages=(
        Page(1, "Größe\nEin Absatz.", (Block("heading", 0, 5, 1), Block("paragraph", 6, 17))),
        Page(2, "a | b", (Block("table", 0, 5),), label="ii"),
    ),
    author="Selma Aydin",
    language="de",
    published=date(2026, 9, 14),
    wall="pay",
)


async def test_a_page_is_kept_as_it_was_read(storage: Storage) -> None:
    await conversation(storage)
    for _ in range(2):
        await storage.web.add_page(LOCAL_PRINCIPAL, "page_1", "conv_a", PAGE)
    assert await storage.web.get_page(LOCAL_PRINCIPAL, "page_1") == PAGE


async def test_what_is_another_owners_is_not_there(storage: Storage) -> None:
    await conversation(storage)
    with pytest.raises(NotFound):
        await storage.web.add_page(SOMEONE, "page_1", "conv_a", PAGE)
    await storage.web.add_page(LOCAL_PRINCIPAL, "page_1", "conv_a", PAGE)
    for owner, id in (("someone", "page_1"), ("local", "page_2")):
        with pytest.raises(NotFound):
            await storage.web.get_page(Principal(owner), id)


async def test_a_page_goes_with_its_conversation(storage: Storage) -> None:
    await conversation(storage)
    await storage.web.add_page(LOCAL_PRINCIPAL, "page_1", "conv_a", PAGE)
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a", forever=True)
    with pytest.raises(NotFound):
        await storage.web.get_page(LOCAL_PRINCIPAL, "page_1")
    await storage.conversations.erase_deleted(1 << 60)
    await conversation(storage)
    with pytest.raises(NotFound):
        await storage.web.get_page(LOCAL_PRINCIPAL, "page_1")
