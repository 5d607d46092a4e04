from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import NotFound
from eclair.schema.feeds import FeedEntry
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.feeds import EntryHit, StoredFeed
from tests.storage.helpers import ME, SOMEONE


def feed(name: str = "a", owner: str = "me", due: int = 10, host: str = "news.example") -> StoredFeed:
    return StoredFeed(
        id=f"feed_{owner}_{name}",
        owner=owner,
        url=f"https://{host}/{name}",
        host=host,
        title=name,
        created=1,
        due=due,
    )


def entry(key: str, title: str = "Bread", published: int | None = None) -> FeedEntry:
    return FeedEntry(key=key, url=f"https://news.example/page/{key}", title=title, published=published)


async def save(storage: Storage, feed: StoredFeed, *entries: FeedEntry, now: int = 100, max_entries: int = 999) -> int:
    await storage.feeds.add_feeds(Principal(feed.owner), [feed])
    return await storage.feeds.save_fetch(feed, entries, now, max_entries)


async def keys(storage: Storage, since: int = 0, owner: str = "me") -> list[str]:
    """The keys of the owner's entries, newest first."""
    return [hit.entry.key for hit in await storage.feeds.list_newest_entries(Principal(owner), 99, None, since)]


async def test_an_address_is_added_once_for_each_owner(storage: Storage) -> None:
    full = replace(
        feed(),
        site="https://news.example/",
        language="fr",
        active=False,
        gone=True,
        taken=3,
        checked=4,
        brought=5,
        failures=6,
        fault="It timed out.",
        etag='"x"',
        modified="yesterday",
        digest=b"\x00\x01",
    )
    again = replace(feed("b"), url=full.url)
    assert await storage.feeds.add_feeds(ME, [full, again, feed("c")]) == [full, feed("c")]
    assert await storage.feeds.add_feeds(ME, [again]) == []
    assert await storage.feeds.add_feeds(SOMEONE, [feed(owner="someone")]) == [feed(owner="someone")]
    assert await storage.feeds.get_feed(ME, full.id) == full


async def test_entries_are_read_newest_first_page_by_page(storage: Storage) -> None:
    await save(storage, feed("a"), entry("1", published=30), entry("2"), entry("3"), now=20)
    await save(storage, feed("b"), entry("4", published=25), now=20)
    await save(storage, feed("c", "someone"), entry("5", published=40))
    first = await storage.feeds.list_entries(ME, 2)
    assert [(each.entry.key, each.source, each.at) for each in first] == [("1", "a", 30), ("4", "b", 25)]
    rest = await storage.feeds.list_entries(ME, 9, (first[-1].at, first[-1].number))
    assert [(each.entry.key, each.feed) for each in rest] == [("3", feed("a").id), ("2", feed("a").id)]
    assert await storage.feeds.list_entries(ME, 9, (rest[-1].at, rest[-1].number)) == []
    assert [each.entry.key for each in await storage.feeds.list_entries(ME, 9, feed=feed("b").id)] == ["4"]
    assert await storage.feeds.list_entries(ME, 9, feed=feed("c", "someone").id) == []


async def test_feeds_are_listed_by_title_with_the_number_of_their_entries(storage: Storage) -> None:
    await save(storage, feed("b"), entry("1"), entry("2"))
    await storage.feeds.add_feeds(ME, [feed("C"), feed("a")])
    await save(storage, feed("d", "someone"), entry("1"))
    listed = await storage.feeds.list_feeds(ME)
    assert [(each.feed.title, each.entries) for each in listed] == [("a", 0), ("b", 2), ("C", 0)]


async def test_a_feed_of_another_owner_is_not_there(storage: Storage) -> None:
    await save(storage, feed(), entry("1"))
    before = await storage.feeds.list_feeds(ME)
    for owner, id in ((SOMEONE, feed().id), (ME, "feed_none")):
        for call in (
            storage.feeds.get_feed(owner, id),
            storage.feeds.set_active(owner, id, 5, active=False),
            storage.feeds.delete_feed(owner, id),
            storage.feeds.mark_due(owner, 5, id),
        ):
            with pytest.raises(NotFound):
                await call
    assert await storage.feeds.list_feeds(SOMEONE) == []
    assert await storage.feeds.mark_due(SOMEONE, 5) == []
    assert await storage.feeds.search_entries(SOMEONE, "bread", 9) == []
    assert await keys(storage, owner="someone") == []
    assert await storage.feeds.find_entry(SOMEONE, entry("1").url) is None
    assert await storage.feeds.list_feeds(ME) == before


async def test_an_inactive_feed_is_neither_fetched_nor_searched(storage: Storage) -> None:
    await save(storage, feed(), entry("1"))
    stopped = await storage.feeds.set_active(ME, feed().id, 20, active=False)
    assert not stopped.active
    assert await storage.feeds.claim_due(1_000, 2_000) is None
    assert await storage.feeds.get_next_due() is None
    assert await storage.feeds.mark_due(ME, 1_000) == []
    assert await storage.feeds.search_entries(ME, "bread", 9) == []
    assert await keys(storage) == []
    assert await storage.feeds.set_active(ME, feed().id, 30, active=True) == replace(feed(), due=30)
    assert await storage.feeds.get_next_due() == 30
    assert await keys(storage) == ["1"]


async def test_a_feed_is_erased_with_its_entries(storage: Storage) -> None:
    await save(storage, feed(), *(entry(str(number)) for number in range(450)))
    await save(storage, feed("b"), entry("other"))
    await storage.feeds.delete_feed(ME, feed().id)
    assert [each.feed.id for each in await storage.feeds.list_feeds(ME)] == [feed("b").id]
    assert await keys(storage) == ["other"]
    assert len(await storage.feeds.search_entries(ME, "bread", 999)) == 1
    with pytest.raises(NotFound):
        await storage.feeds.get_feed(ME, feed().id)


async def test_feeds_are_claimed_longest_due_first_by_one_process_at_a_time(storage: Storage, other: Storage) -> None:
    assert await storage.feeds.claim_due(100, 200) is None
    assert await storage.feeds.get_next_due() is None
    await storage.feeds.add_feeds(ME, [feed("a", due=30), feed("b", due=10, host="slow.example"), feed("c", due=150)])
    await storage.feeds.add_feeds(SOMEONE, [feed("d", "someone", due=20)])
    assert await storage.feeds.get_next_due() == 10
    assert await storage.feeds.claim_due(9, 200) is None
    claimed = [await storage.feeds.claim_due(100, 200, ["slow.example"]), await other.feeds.claim_due(100, 300)]
    assert claimed == [
        replace(feed("d", "someone", due=20), taken=200),
        replace(feed("b", due=10, host="slow.example"), taken=300),
    ]
    assert await other.feeds.claim_due(100, 300) == replace(feed("a", due=30), taken=300)
    assert await storage.feeds.claim_due(100, 300) is None
    assert await storage.feeds.get_next_due() == 150
    assert await storage.feeds.claim_due(200, 400, ["news.example"]) is None
    again = await storage.feeds.claim_due(200, 400)
    assert again == replace(feed("d", "someone", due=20), taken=400)


async def test_feeds_become_due_together_or_one_alone(storage: Storage) -> None:
    gone, stopped = replace(feed("b", due=500), gone=True), replace(feed("c", due=500), active=False)
    await storage.feeds.add_feeds(ME, [feed("a", due=500), gone, stopped])
    await storage.feeds.add_feeds(SOMEONE, [feed("d", "someone", due=500)])
    assert await storage.feeds.mark_due(ME, 50) == [feed("a").id]
    assert [each.feed.due for each in await storage.feeds.list_feeds(ME)] == [50, 500, 500]
    assert (await storage.feeds.get_feed(SOMEONE, feed("d", "someone").id)).due == 500
    assert await storage.feeds.mark_due(ME, 60, gone.id) == [gone.id]
    assert await storage.feeds.get_feed(ME, gone.id) == replace(gone, gone=False, due=60)


async def test_a_fetch_adds_updates_and_keeps_the_newest_entries(storage: Storage) -> None:
    full = FeedEntry(
        key="1",
        url="https://news.example/page/1",
        title="Bread",
        summary="A loaf",
        text="Flour, water",
        published=7,
        author="Ada",
        language="fr",
    )
    assert await save(storage, feed(), full, entry("2"), now=5) == 2
    assert await storage.feeds.find_entry(ME, full.url) == EntryHit(full, "a", 7, 1.0, 0.0)
    assert await storage.feeds.save_fetch(feed(), [entry("2", "Cake"), entry("3")], 9, 99) == 1
    updated = await storage.feeds.find_entry(ME, entry("2").url)
    assert updated is not None
    assert (updated.entry.title, updated.at) == ("Cake", 5)
    assert await storage.feeds.save_fetch(feed(), [entry("4")], 8, 3) == 1
    assert await keys(storage) == ["3", "4", "1"]


async def test_a_fetch_saves_the_feed_but_for_what_its_owner_decides(storage: Storage) -> None:
    await storage.feeds.add_feeds(ME, [feed(), feed("b")])
    await storage.feeds.set_active(ME, feed().id, 20, active=False)
    fetched = replace(feed(), title="News", url="https://news.example/new", due=99, checked=5, etag='"x"', digest=b"x")
    assert await storage.feeds.save_fetch(fetched, [], 5, 99) == 0
    assert await storage.feeds.get_feed(ME, feed().id) == replace(fetched, active=False)
    moved = replace(fetched, title="Newer", url=feed("b").url)
    await storage.feeds.save_fetch(moved, [], 5, 99)
    assert await storage.feeds.get_feed(ME, feed().id) == replace(moved, active=False, url=fetched.url)


async def test_nothing_is_kept_of_a_feed_that_was_deleted_meanwhile(storage: Storage) -> None:
    await storage.feeds.add_feeds(ME, [feed()])
    await storage.feeds.delete_feed(ME, feed().id)
    assert await storage.feeds.save_fetch(feed(), [entry("1")], 5, 99) == 0
    assert await storage.feeds.list_feeds(ME) == []
    assert await storage.feeds.find_entry(ME, entry("1").url) is None


async def test_old_entries_are_erased_whoever_owns_them(storage: Storage) -> None:
    await save(storage, feed(), *(entry(str(number), published=number) for number in range(450)))
    await save(storage, feed("b", "someone"), entry("1", published=1))
    assert await storage.feeds.erase_entries(448) == 449
    assert await keys(storage) == ["449", "448"]
    assert await keys(storage, owner="someone") == []
    assert await storage.feeds.erase_entries(448) == 0


async def test_entries_are_found_best_share_first(storage: Storage) -> None:
    await save(
        storage,
        feed(),
        FeedEntry(key="1", url="https://news.example/1", title="Bakers", text="Sourdough for beginners", published=10),
        entry("2", "Sourdough bakers", 20),
        entry("3", "Bakers strike", 30),
        *(entry(f"harbor {number}", "Harbor", 40) for number in range(20)),
    )
    await save(storage, feed("b", "someone"), entry("5", "Sourdough bakers", 50))
    found = await storage.feeds.search_entries(ME, "sourdough bakers", 9)
    assert [hit.entry.key for hit in found] == ["2", "1", "3"]
    assert [hit.share for hit in found[:2]] == pytest.approx([1.0, 1.0])
    assert 0 < found[2].share < 0.5
    assert found[0].titled == pytest.approx(1.0)
    assert found[1].titled == pytest.approx(found[2].share)
    assert (found[0].feed, found[0].at) == ("a", 20)
    assert await storage.feeds.search_entries(ME, "sourdough bakers", 1) == found[:1]
    assert await storage.feeds.search_entries(ME, "sourdough bakers", 9, min_share=0.5) == found[:2]
    assert await storage.feeds.search_entries(ME, "sourdough bakers", 9, since=20) == [found[0], found[2]]
    assert await storage.feeds.search_entries(ME, "zeppelin", 9) == []


async def test_the_newest_entries_are_listed_in_one_language_if_given(storage: Storage) -> None:
    await save(
        storage,
        replace(feed(), language="fr"),
        entry("1", published=10),
        replace(entry("2", published=20), language="de"),
    )
    await save(storage, feed("b"), entry("3", published=30))
    newest = await storage.feeds.list_newest_entries(ME, 9, None, 0)
    assert [(hit.entry.key, hit.share) for hit in newest] == [("3", 1.0), ("2", 1.0), ("1", 1.0)]
    assert await storage.feeds.list_newest_entries(ME, 2, None, 0) == newest[:2]
    assert await storage.feeds.list_newest_entries(ME, 9, None, 20) == newest[:2]
    assert await storage.feeds.list_newest_entries(ME, 9, "fr", 0) == newest[2:]
    assert await storage.feeds.list_newest_entries(ME, 9, "de", 0) == newest[1:2]


async def test_the_latest_entry_of_a_page_is_found(storage: Storage) -> None:
    page = entry("1", "Old", 10)
    await save(storage, feed(), page)
    await save(storage, feed("b"), replace(page, key="2", title="New", published=20))
    found = await storage.feeds.find_entry(ME, page.url)
    assert found is not None
    assert (found.entry.title, found.feed) == ("New", "b")
    assert await storage.feeds.find_entry(ME, "https://news.example/none") is None
