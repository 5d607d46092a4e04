"""The feed service over a publisher on loopback: what it fetches, how politely, and what it finds."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from eclair.errors import Conflict, Forbidden, InvalidInput, NotFound, UpstreamError
from eclair.network.client import WebClient
from eclair.network.gate import OutboundGate
from eclair.network.policy import OutboundPolicy
from eclair.schema.feeds import FeedEntry, FeedOutline
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.schema.web import WebQuery
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.feeds import StoredFeed
from eclair.storage.open import open_storage
from eclair.web.feeds.service import FeedService, RefreshProgress
from tests.web.publisher import Press, printing, rss, status

DAY = 86_400


class Time:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now


@pytest_asyncio.fixture
async def press() -> AsyncGenerator[Press]:
    async with printing() as press:
        yield press


@pytest.fixture
def clock() -> Time:
    return Time()


@contextlib.asynccontextmanager
async def opened(storage: Storage, press: Press, clock: Time, *, offline: bool = False) -> AsyncGenerator[FeedService]:
    browser = WebClient(OutboundGate(OutboundPolicy(private=frozenset({("127.0.0.1", press.port)}))))
    newsroom = FeedService(
        storage.feeds, browser, ChangeFeed(storage.processes), is_offline=lambda: offline, pause=0, clock=clock
    )
    try:
        yield newsroom
    finally:
        await newsroom.close()
        await browser.close()


@pytest_asyncio.fixture
async def newsroom(storage: Storage, press: Press, clock: Time) -> AsyncGenerator[FeedService]:
    async with opened(storage, press, clock) as newsroom:
        yield newsroom


async def refreshed(newsroom: FeedService, *ids: str) -> list[RefreshProgress]:
    newsroom.start(after=0)
    return [step async for step in newsroom.refresh(LOCAL_PRINCIPAL, ids)]


async def feed(newsroom: FeedService) -> StoredFeed:
    (listed,) = await newsroom.list_feeds(LOCAL_PRINCIPAL)
    return listed.feed


async def test_a_feed_is_added_found_and_cited(newsroom: FeedService, press: Press, clock: Time) -> None:
    press.answers["/feed"] = rss(
        ("Hochwasser in Passau", "Die Donau steigt."), ("Bahn", "Neue Züge."), at=clock.now - 60
    )
    added = await newsroom.add(LOCAL_PRINCIPAL, press.url("/feed"))
    assert (added.title, added.language, newsroom.get_state(added)) == ("Stadtanzeiger", "de", "ready")
    (hit,) = await newsroom.search(LOCAL_PRINCIPAL, WebQuery("Hochwasser Passau"), 8)
    assert hit.title == "Hochwasser in Passau"
    assert hit.snippet == "Die Donau steigt."
    assert hit.published == date(2026, 11, 25)
    assert hit.providers == ("newsroom",)
    assert hit.url == press.url("/0")
    page = await newsroom.find_page(LOCAL_PRINCIPAL, hit.url)
    assert page is not None
    assert (page.text, page.site) == ("Die Donau steigt.\n", "127.0.0.1")
    assert await newsroom.find_page(Principal("another"), hit.url) is None
    assert await newsroom.search(Principal("another"), WebQuery("Hochwasser Passau"), 8) == []


async def test_a_site_is_asked_for_its_feed(newsroom: FeedService, press: Press) -> None:
    press.answers["/news"] = rss(("a", "b"))
    head = '<html><head><link rel="alternate" type="application/rss+xml" href="/news"></head><body>Hello</body></html>'
    press.answers["/"] = head
    assert (await newsroom.add(LOCAL_PRINCIPAL, press.url("/"))).url == press.url("/news")
    with pytest.raises(Conflict, match="listed already"):
        await newsroom.add(LOCAL_PRINCIPAL, press.url("/"))


async def test_what_cannot_be_added_is_said(newsroom: FeedService, press: Press) -> None:
    press.answers["/page"] = "<html><body>No feed</body></html>"
    with pytest.raises(InvalidInput, match="is not a feed and links to none"):
        await newsroom.add(LOCAL_PRINCIPAL, press.url("/page"))
    with pytest.raises(UpstreamError, match=r"answers 404 \(Not Found\)"):
        await newsroom.add(LOCAL_PRINCIPAL, press.url("/missing"))
    with pytest.raises(Forbidden):
        await newsroom.add(LOCAL_PRINCIPAL, "http://127.0.0.1:9/feed")
    for address in ("", "ftp://x.example/", "http://me:pw@x.example/", "http:///x", "a b"):
        with pytest.raises(InvalidInput, match="isn't the address"):
            await newsroom.add(LOCAL_PRINCIPAL, address)
    assert await newsroom.list_feeds(LOCAL_PRINCIPAL) == []


async def test_the_guard_stands_before_every_feed(storage: Storage, press: Press, clock: Time) -> None:
    press.answers["/feed"] = rss(("a", "b"))
    browser = WebClient(OutboundGate(OutboundPolicy("open")))
    newsroom = FeedService(storage.feeds, browser, ChangeFeed(storage.processes), clock=clock)
    with pytest.raises(Forbidden):
        await newsroom.add(LOCAL_PRINCIPAL, press.url("/feed"))
    assert press.asked == []
    await browser.close()


async def test_what_has_not_changed_is_not_sent_again(newsroom: FeedService, press: Press, clock: Time) -> None:
    press.answers["/feed"] = rss(("a", "first"))
    await newsroom.add(LOCAL_PRINCIPAL, press.url("/feed"))
    await refreshed(newsroom)
    assert "If-None-Match" in press.asked[1][1]
    before = (await feed(newsroom)).brought
    clock.now += DAY
    await refreshed(newsroom)
    assert (await feed(newsroom)).brought == before
    press.answers["/feed"] = rss(("a", "second"), ("b", "third"))
    await refreshed(newsroom)
    assert press.count("/feed") == 4
    (listed,) = await newsroom.list_feeds(LOCAL_PRINCIPAL)
    assert (listed.entries, listed.feed.brought) == (2, int(clock.now * 1000))
    assert await newsroom.search(LOCAL_PRINCIPAL, WebQuery("first"), 8) == []
    assert [hit.title for hit in await newsroom.search(LOCAL_PRINCIPAL, WebQuery("second"), 8)] == ["a"]


async def test_who_fails_is_asked_less_and_less(newsroom: FeedService, press: Press, clock: Time) -> None:
    press.answers["/feed"] = rss(("a", "b"))
    await newsroom.add(LOCAL_PRINCIPAL, press.url("/feed"))
    press.answers["/feed"] = status(500)
    waits: list[float] = []
    failing = await feed(newsroom)
    for _ in range(8):
        await refreshed(newsroom)
        failing = await feed(newsroom)
        assert newsroom.get_state(failing) == "failing"
        waits.append(failing.due / 1000 - clock.now)
    assert failing.fault == f"{press.url('/feed')} answers 500 (Internal Server Error)."
    assert waits[0] < 2100
    assert waits[1] > 1.5 * waits[0]
    assert waits[7] == pytest.approx(DAY, rel=0.11)
    press.answers["/feed"] = rss(("a", "c"))
    await refreshed(newsroom)
    assert (await feed(newsroom)).failures == 0
    (listed,) = await newsroom.list_feeds(LOCAL_PRINCIPAL)
    assert listed.entries == 1


async def test_a_server_says_how_long_it_wants_to_be_left_alone(
    newsroom: FeedService, press: Press, clock: Time
) -> None:
    await newsroom.import_outlines(LOCAL_PRINCIPAL, [FeedOutline(press.url("/feed"))])
    press.answers["/feed"] = status(429, Retry_After="86400")
    await refreshed(newsroom)
    assert (await feed(newsroom)).due / 1000 - clock.now > 0.89 * DAY
    press.answers["/feed"] = status(503, Retry_After="Sat, 28 Nov 2026 12:00:00 GMT")
    await refreshed(newsroom)
    assert (await feed(newsroom)).due / 1000 - clock.now > 0.89 * 3 * DAY


async def test_what_is_gone_is_asked_no_more(newsroom: FeedService, press: Press, clock: Time) -> None:
    await newsroom.import_outlines(LOCAL_PRINCIPAL, [FeedOutline(press.url("/feed"), "Alt")])
    press.answers["/feed"] = status(410)
    await refreshed(newsroom)
    gone = await feed(newsroom)
    assert newsroom.get_state(gone) == "gone"
    assert "is gone for good (410)" in (gone.fault or "")
    clock.now += 30 * DAY
    assert [step.total for step in await refreshed(newsroom)] == [0]
    press.answers["/feed"] = rss(("back", "again"))
    await refreshed(newsroom, gone.id)
    assert newsroom.get_state(await feed(newsroom)) == "ready"


async def test_what_has_moved_for_good_is_asked_there(newsroom: FeedService, press: Press) -> None:
    press.answers["/feed"] = status(301, Location="/new")
    press.answers["/new"] = status(302, Location="/today")
    press.answers["/today"] = rss(("a", "b"))
    await newsroom.import_outlines(LOCAL_PRINCIPAL, [FeedOutline(press.url("/feed"))])
    await refreshed(newsroom)
    assert (await feed(newsroom)).url == press.url("/new")


async def test_a_move_to_what_is_no_feed_changes_nothing(newsroom: FeedService, press: Press) -> None:
    press.answers["/feed"] = status(301, Location="/login")
    press.answers["/login"] = "<html><body>Log in</body></html>"
    await newsroom.import_outlines(LOCAL_PRINCIPAL, [FeedOutline(press.url("/feed"))])
    await refreshed(newsroom)
    kept = await feed(newsroom)
    assert kept.url == press.url("/feed")
    assert kept.fault is not None


async def test_a_move_to_a_feed_that_is_listed_is_no_second_one(newsroom: FeedService, press: Press) -> None:
    press.answers["/feed"] = status(301, Location="/new")
    press.answers["/new"] = rss(("a", "b"))
    await newsroom.import_outlines(LOCAL_PRINCIPAL, [FeedOutline(press.url("/feed")), FeedOutline(press.url("/new"))])
    await refreshed(newsroom)
    assert {each.feed.url for each in await newsroom.list_feeds(LOCAL_PRINCIPAL)} == {
        press.url("/feed"),
        press.url("/new"),
    }


async def test_too_large_a_feed_is_cut_off(newsroom: FeedService, press: Press) -> None:
    press.answers["/feed"] = rss(("a", "b" * 6_000_000))
    await newsroom.import_outlines(LOCAL_PRINCIPAL, [FeedOutline(press.url("/feed"))])
    await refreshed(newsroom)
    assert "more than 5 MB" in ((await feed(newsroom)).fault or "")


async def test_offline_nothing_is_fetched(storage: Storage, press: Press, clock: Time) -> None:
    press.answers["/feed"] = rss(("a", "b"))
    async with opened(storage, press, clock, offline=True) as newsroom:
        await newsroom.import_outlines(LOCAL_PRINCIPAL, [FeedOutline(press.url("/feed"))])
        newsroom.start(after=0)
        with pytest.raises(Forbidden, match="offline"):
            await newsroom.refresh_soon(LOCAL_PRINCIPAL)
        with pytest.raises(Forbidden, match="offline"):
            await newsroom.add(LOCAL_PRINCIPAL, press.url("/feed"))
    assert press.asked == []


async def test_two_processes_fetch_each_feed_once(tmp_path: Path, press: Press, clock: Time) -> None:
    paths = [f"/{number}" for number in range(12)]
    press.answers |= {path: rss((path, path)) for path in paths}
    first, second = open_storage(tmp_path / "data"), open_storage(tmp_path / "data")
    async with opened(first, press, clock) as one, opened(second, press, clock) as two:
        await one.import_outlines(LOCAL_PRINCIPAL, [FeedOutline(press.url(path)) for path in paths])
        one.start(after=0)
        two.start(after=0)
        _ = [step async for step in one.refresh(LOCAL_PRINCIPAL)]
    await first.close()
    await second.close()
    assert sorted(path for path, _ in press.asked) == sorted(paths)


async def test_a_host_is_asked_by_one_call_at_a_time(newsroom: FeedService, press: Press) -> None:
    paths = [f"/{number}" for number in range(6)]
    press.answers |= {path: rss((path, path)) for path in paths}
    await newsroom.import_outlines(LOCAL_PRINCIPAL, [FeedOutline(press.url(path)) for path in paths])
    steps = await refreshed(newsroom)
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert (steps[-1].done, steps[-1].total) == (6, 6)
    assert sum(len(step.feeds) for step in steps) == 6


async def test_switching_off_and_erasing(newsroom: FeedService, press: Press, storage: Storage) -> None:
    press.answers["/feed"] = rss(("Alpha", "geheim"))
    added = await newsroom.add(LOCAL_PRINCIPAL, press.url("/feed"))
    await newsroom.set_active(LOCAL_PRINCIPAL, added.id, active=False)
    assert await newsroom.search(LOCAL_PRINCIPAL, WebQuery("Alpha"), 8) == []
    assert not await newsroom.has_feeds(LOCAL_PRINCIPAL)
    assert [step.total for step in await refreshed(newsroom)] == [0]
    await newsroom.set_active(LOCAL_PRINCIPAL, added.id, active=True)
    assert len(await newsroom.search(LOCAL_PRINCIPAL, WebQuery("Alpha"), 8)) == 1
    with pytest.raises(NotFound):
        await newsroom.delete(Principal("another"), added.id)
    await newsroom.delete(LOCAL_PRINCIPAL, added.id)
    assert await newsroom.list_feeds(LOCAL_PRINCIPAL) == []
    assert await storage.feeds.find_entry(LOCAL_PRINCIPAL, press.url("/0")) is None


def stored(id: str = "feed_1", owner: str = "local") -> StoredFeed:
    return StoredFeed(
        id=id, owner=owner, url=f"https://{id}.example/f", host="example", title=id, created=0, due=0, language="de"
    )


async def kept(storage: Storage, clock: Time, *entries: tuple[str, str, int]) -> None:
    """Entries of a title, a text, and days of age."""
    now = int(clock.now * 1000)
    await storage.feeds.add_feeds(LOCAL_PRINCIPAL, [stored()])
    brought = [
        FeedEntry(
            key=f"{number}",
            url=f"https://e.example/{number}",
            title=title,
            summary=text,
            published=now - age * DAY * 1000,
        )
        for number, (title, text, age) in enumerate(entries)
    ]
    await storage.feeds.save_fetch(stored(), brought, now, 1000)


async def found(newsroom: FeedService, text: str, days: int | None = None) -> list[str]:
    return [hit.title for hit in await newsroom.search(LOCAL_PRINCIPAL, WebQuery(text, days=days), 8)]


async def test_words_are_folded_as_those_of_documents(newsroom: FeedService, storage: Storage, clock: Time) -> None:
    await kept(
        storage, clock, ("Müllers Straßenbahnlinie", "", 1), ("L'élection à Évry", "", 1), ("Etwas anderes", "", 1)
    )
    for query in ("muellers strassenbahn", "Straßenbahnlinien", "MÜLLERS"):
        assert await found(newsroom, query) == ["Müllers Straßenbahnlinie"]
    assert await found(newsroom, "election evry") == ["L'élection à Évry"]


async def test_of_two_that_fit_the_newer_is_first(newsroom: FeedService, storage: Storage, clock: Time) -> None:
    await kept(
        storage,
        clock,
        ("Streik bei der Bahn", "", 40),
        ("Streik bei der Bahn beendet", "", 1),
        ("Streik im Hafen", "", 0),
        ("Wetter", "", 0),
        ("Markt", "", 0),
        ("Kino", "", 0),
        ("Sport", "", 0),
    )
    assert (await found(newsroom, "Streik Bahn"))[:2] == ["Streik bei der Bahn beendet", "Streik bei der Bahn"]
    assert await found(newsroom, "Streik Bahn", days=7) == ["Streik bei der Bahn beendet"]
    assert await found(newsroom, "Streik Bahn Quantenphysik Schwerkraft Teilchenbeschleuniger") == []


@pytest.mark.parametrize(
    "query", ["Nachrichten heute", "What is the latest news?", "les actualités", "noticias de hoy"]
)
async def test_who_asks_for_nothing_but_news_gets_the_newest(
    newsroom: FeedService, storage: Storage, clock: Time, query: str
) -> None:
    await kept(storage, clock, ("Gestern", "", 1), ("Eben", "", 0), ("Vorige Woche", "", 8))
    assert await found(newsroom, query) == ["Eben", "Gestern"]


async def test_entries_are_kept_for_their_days_and_up_to_their_number(storage: Storage, clock: Time) -> None:
    now = int(clock.now * 1000)
    await storage.feeds.add_feeds(LOCAL_PRINCIPAL, [stored()])
    many = [
        FeedEntry(key=str(number), url=f"https://e.example/{number}", title=f"T{number}", published=now - number * 1000)
        for number in range(30)
    ]
    assert await storage.feeds.save_fetch(stored(), many, now, 20) == 30
    assert (await storage.feeds.list_feeds(LOCAL_PRINCIPAL))[0].entries == 20
    assert await storage.feeds.find_entry(LOCAL_PRINCIPAL, "https://e.example/25") is None
    assert await storage.feeds.erase_entries(now - 9_500) == 10
    assert (await storage.feeds.list_feeds(LOCAL_PRINCIPAL))[0].entries == 10


async def test_what_is_older_than_its_days_is_not_taken_in(newsroom: FeedService, press: Press, clock: Time) -> None:
    press.answers["/feed"] = rss(("alt", "alt"), at=clock.now - 90 * DAY)
    await newsroom.add(LOCAL_PRINCIPAL, press.url("/feed"))
    assert [listed.entries for listed in await newsroom.list_feeds(LOCAL_PRINCIPAL)] == [0]


async def test_opml_in(newsroom: FeedService) -> None:
    data = b"<opml version='2.0'><body><outline xmlUrl='https://a.example/f'/><outline xmlUrl='https://b.example/'/></body></opml>"
    taken = await newsroom.import_opml(LOCAL_PRINCIPAL, data, "mine.opml")
    assert (len(taken.added), taken.already_listed) == (2, 0)
    assert (await newsroom.import_opml(LOCAL_PRINCIPAL, data, "mine.opml")).already_listed == 2
    with pytest.raises(InvalidInput, match=r"^mine.opml names no feed"):
        await newsroom.import_opml(LOCAL_PRINCIPAL, b"<opml/>", "mine.opml")
    with pytest.raises(InvalidInput, match=r"^mine.opml is not OPML"):
        await newsroom.import_opml(LOCAL_PRINCIPAL, b"?", "mine.opml")
