"""`/api/feeds`, over a publisher on loopback that the settings name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from eclair.network.client import CallContext
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.schema.web import WebQuery
from eclair.settings import Settings
from eclair.web.providers.feed_entries import FeedProvider
from tests.support import Server, serving
from tests.web.publisher import Press, printing, rss, status

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def press() -> AsyncGenerator[Press]:
    async with printing() as press:
        yield press


@pytest_asyncio.fixture(loop_scope="module")
async def room(settings: Settings, press: Press) -> AsyncGenerator[Server]:
    press.answers.clear()
    async with serving(replace(settings, private_addresses=(press.place,))) as server:
        server.app.feeds.start(after=0)
        yield server


async def settled(server: Server) -> list[dict[str, Any]]:
    """The list once nothing is fetched."""
    async with asyncio.timeout(20):
        while True:
            feeds: list[dict[str, Any]] = (await server.get("/api/feeds")).body
            if not any(each["state"] in ("waiting", "fetching") for each in feeds):
                return feeds
            await asyncio.sleep(0.05)


async def test_a_feed_is_added_listed_switched_and_erased(room: Server, press: Press) -> None:
    press.answers["/feed"] = rss(("Hafen", "Der Hafen ist offen."))
    added = await room.post("/api/feeds", {"url": press.url("/feed")})
    assert added.status == 201
    assert added.body | {"checked": 0, "brought": 0, "due": 0} == {
        "id": added.body["id"],
        "url": press.url("/feed"),
        "title": "Stadtanzeiger",
        "site": "https://example.org/",
        "language": "de",
        "active": True,
        "state": "ready",
        "entries": 1,
        "checked": 0,
        "brought": 0,
        "due": 0,
        "fault": None,
    }
    path = f"/api/feeds/{added.body['id']}"
    off = await room.call("PATCH", path, {"active": False})
    assert (off.body["state"], off.body["due"]) == ("off", None)
    assert (await room.call("PATCH", path, {"active": True})).body["active"] is True
    assert (await settled(room))[0]["state"] == "ready"
    assert (await room.call("DELETE", path)).status == 204
    assert (await room.get("/api/feeds")).body == []
    assert (await room.call("DELETE", path)).status == 404


async def test_feeds_are_refreshed_and_say_what_is_wrong(room: Server, press: Press) -> None:
    press.answers["/good"] = rss(("Hafen", "Der Hafen ist offen."))
    press.answers["/bad"] = status(500)
    outlines = "".join(f"<outline xmlUrl='{press.url(path)}'/>" for path in ("/good", "/bad"))
    opml = f"<opml><body>{outlines}</body></opml>".encode()
    taken = await room.post("/api/feeds/opml?name=mine.opml", data=opml)
    assert (taken.status, taken.body) == (201, {"added": 2, "known": 0})
    feeds = {each["url"]: each for each in await settled(room)}
    assert feeds[press.url("/good")]["state"] == "ready"
    assert feeds[press.url("/bad")]["state"] == "failing"
    assert "answers 500" in feeds[press.url("/bad")]["fault"]
    press.answers["/bad"] = rss(("Bahn", "Die Bahn kommt."))
    assert (await room.post("/api/feeds/refresh")).body == {"feeds": 2}
    assert [each["entries"] for each in await settled(room)] == [1, 1]
    one = feeds[press.url("/bad")]["id"]
    assert (await room.post(f"/api/feeds/refresh?id={one}")).body == {"feeds": 1}
    assert (await room.post("/api/feeds/refresh?id=feed_x")).status == 404
    hits = await FeedProvider(room.app.feeds).search(WebQuery("Bahn"), 5, CallContext(LOCAL_PRINCIPAL, "search"), 1.0)
    assert [hit.title for hit in hits] == ["Bahn"]
    written = await room.get("/api/feeds/opml")
    assert written.headers["Content-Type"].startswith("text/x-opml")
    assert press.url("/good").encode() in written.raw
    for each in feeds.values():
        await room.call("DELETE", f"/api/feeds/{each['id']}")
    assert (await room.post("/api/feeds/opml", data=written.raw)).body == {"added": 2, "known": 0}


async def test_entries_are_read_newest_first(room: Server, press: Press) -> None:
    press.answers["/one"] = rss(*((f"Nummer {number}", "Der Hafen ist offen.") for number in range(5)))
    press.answers["/two"] = rss(("Bahn", "Die Bahn kommt."))
    one, two = [(await room.post("/api/feeds", {"url": press.url(path)})).body["id"] for path in ("/one", "/two")]
    first = (await room.get("/api/feeds/entries?limit=4")).body
    rest = (await room.get(f"/api/feeds/entries?limit=4&before={first['next']}")).body
    found = first["entries"] + rest["entries"]
    assert rest["next"] is None
    assert sorted(each["title"] for each in found) == ["Bahn", *(f"Nummer {number}" for number in range(5))]
    assert [each["at"] for each in found] == sorted((each["at"] for each in found), reverse=True)
    assert {each["source"] for each in found} == {"Stadtanzeiger"}
    (bahn,) = (await room.get(f"/api/feeds/entries?feed={two}")).body["entries"]
    assert (bahn["title"], bahn["summary"], bahn["feed"]) == ("Bahn", "Die Bahn kommt.", two)
    assert one != two
    assert (await room.get("/api/feeds/entries?feed=feed_x")).status == 404
    assert (await room.get("/api/feeds/entries?before=yesterday")).status == 400


async def test_followers_hear_of_feeds(room: Server, press: Press) -> None:
    press.answers["/feed"] = rss(("Hafen", "Offen"))
    async with room.open("/api/changes") as stream:
        await stream.content.readuntil(b"\n\n")
        await room.post("/api/feeds", {"url": press.url("/feed")})
        async with asyncio.timeout(5):
            while b'"feeds"' not in await stream.content.readuntil(b"\n\n"):
                pass


async def test_the_starter_list_is_off_until_it_is_switched_on(server: Server) -> None:
    starters = (await server.get("/api/feeds/starter")).body
    assert not any(each["listed"] for each in starters)
    assert (await server.get("/api/feeds")).body == []
    nothing = await server.post("/api/feeds/starter", {"urls": ["https://x.example/"]})
    assert nothing.status == 400
    assert "starter list" in nothing.error["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "message"),
    [
        ("POST", "/api/feeds", {"url": "not one"}, 400, "isn't the address"),
        ("POST", "/api/feeds", {}, 400, "'url' is missing"),
        ("POST", "/api/feeds", {"url": "http://169.254.169.254/feed"}, 403, ""),
        ("PATCH", "/api/feeds/feed_x", {"active": True}, 404, "no feed 'feed_x'"),
        ("POST", "/api/feeds/opml", {"no": "opml"}, 400, "is not OPML"),
        ("POST", "/api/feeds/starter", {"language": "deutsch"}, 400, "'language'"),
    ],
)
async def test_bad_input_is_said(server: Server, method: str, path: str, body: Any, code: int, message: str) -> None:
    reply = await server.call(method, path, body)
    assert reply.status == code
    assert message in reply.error["message"]


async def test_a_list_that_is_too_large_is_refused(server: Server) -> None:
    reply = await server.post("/api/feeds/opml?name=big.opml", data=b"x" * (6 << 20))
    assert reply.status == 413
    assert reply.error["message"].startswith("big.opml is larger than 5 MB")
