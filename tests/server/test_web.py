"""Pages of the web that were kept for a conversation, through the HTTP door."""

from __future__ import annotations

import pytest

from eclair.schema.principal import LOCAL_PRINCIPAL
from tests.storage.test_web import PAGE
from tests.support import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_kept_page_is_shown_with_its_places_in_the_whole_text(server: Server) -> None:
    conversation = await server.begin()
    await server.app.storage.web.add_page(LOCAL_PRINCIPAL, "page_1", conversation, PAGE)
    reply = await server.get("/api/web/pages/page_1")
    assert reply.status == 200
    body = reply.body
    assert {
        name: body[name] for name in ("url", "title", "site", "media", "published", "language", "author", "wall")
    } == {
        "url": PAGE.url,
        "title": "Größe",
        "site": "tagblatt.example",
        "media": "text/html",
        "published": "2026-09-14",
        "language": "de",
        "author": "Selma Aydin",
        "wall": "pay",
    }
    assert [page["text"] for page in body["pages"]] == [sheet.text for sheet in PAGE.pages]
    for page in body["pages"]:
        assert PAGE.text[page["start"] :].startswith(page["text"])
        assert page["picture"] is None
    assert body["pages"][0]["blocks"][0] == {"kind": "heading", "start": 0, "end": 5, "level": 1, "ref": None}


async def test_a_page_is_gone_with_its_conversation_and_others_never_were(server: Server) -> None:
    conversation = await server.begin()
    await server.app.storage.web.add_page(LOCAL_PRINCIPAL, "page_2", conversation, PAGE)
    await server.call("DELETE", f"/api/conversations/{conversation}")
    for id in ("page_2", "page_3"):
        reply = await server.get(f"/api/web/pages/{id}")
        assert (reply.status, reply.error["code"]) == (404, "not_found")
