"""The news feeds in the settings: feeds by address, from a list and of those that come along; fetched, and erased."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import axe
from tests.browser.axe import AXE
from tests.browser.conftest import Opening
from tests.browser.internet import Outside


@pytest.fixture
def room(opening: Opening, beyond: Outside) -> Iterator[Page]:
    page = opening(beyond).new_page()
    page.goto("/news#feeds")
    expect(page.get_by_label("Address of a feed or website")).to_be_visible()
    yield page
    for feed in page.request.get("/api/feeds").json():
        page.request.delete(f"/api/feeds/{feed['id']}")


@pytest.fixture
def papers(beyond: Outside) -> list[str]:
    """The feeds of the small internet."""
    return sorted(page.url for page in beyond.world.pages.values() if page.kind == "feed")


def feeds(page: Page) -> Locator:
    return page.get_by_role("list", name="News feeds").get_by_role("article")


def add(page: Page, url: str) -> None:
    page.get_by_label("Address of a feed or website").fill(url)
    page.keyboard.press("Enter")


def test_a_feed_is_listed_fetched_switched_off_and_erased(room: Page, beyond: Outside, papers: list[str]) -> None:
    add(room, papers[0])
    name = beyond.world.pages[papers[0]].title
    expect(room.get_by_role("status").get_by_text(f"“{name}” added.")).to_be_visible()
    expect(feeds(room)).to_contain_text("Entries: 20")
    expect(feeds(room)).to_contain_text("next")
    feeds(room).get_by_role("checkbox").uncheck()
    expect(feeds(room)).to_contain_text("off")
    feeds(room).get_by_role("checkbox").check()
    expect(feeds(room)).not_to_contain_text("· off")
    feeds(room).get_by_role("button", name=f"Delete “{name}”").click()
    room.get_by_role("button", name="Delete", exact=True).click()
    expect(room.get_by_role("status").get_by_text(f"“{name}” deleted.")).to_be_visible()
    expect(room.get_by_text("No feeds yet.")).to_be_visible()
    expect(room.get_by_label("Address of a feed or website")).to_be_focused()


def test_an_address_that_may_not_be_called_is_refused(room: Page, watches: list[object]) -> None:
    watches[0].forgive("403")  # pyright: ignore[reportAttributeAccessIssue]
    add(room, "http://10.11.12.13/feed.xml")
    expect(room.get_by_role("alert")).to_contain_text("isn't on the open web")
    expect(feeds(room)).to_have_count(0)


def test_a_list_is_taken_in_and_out(room: Page, papers: list[str], tmp_path: Path) -> None:
    listed = "".join(f'<outline type="rss" text="{at}" xmlUrl="{url}"/>' for at, url in enumerate(papers[:2]))
    file = tmp_path / "feeds.opml"
    file.write_text(f'<opml version="2.0"><head/><body>{listed}</body></opml>', "utf-8")
    room.locator("input[type=file][accept*=opml]").set_input_files(file)
    expect(room.get_by_role("status").get_by_text("Feeds added: 2")).to_be_visible()
    expect(feeds(room)).to_have_count(2)
    expect(feeds(room).filter(has_text="Entries: 20")).to_have_count(2)
    with room.expect_download() as download:
        room.get_by_role("button", name="Export as OPML").click()
    assert all(url in download.value.path().read_text("utf-8") for url in papers[:2])


def test_one_of_those_that_come_along_is_switched_on(room: Page) -> None:
    room.get_by_text("Suggested European feeds").click()
    along = room.get_by_role("list", name="Suggested European feeds").get_by_role("listitem")
    expect(along.first.get_by_role("button", name="Add")).to_be_visible()
    along.first.get_by_role("button", name="Add").click()
    expect(along.first.get_by_role("button", name="Added")).to_be_visible()
    expect(feeds(room)).to_have_count(1)


@pytest.mark.parametrize("width", [1200, 390])
def test_everyone_can_use_it(opening: Opening, room: Page, beyond: Outside, papers: list[str], width: int) -> None:
    add(room, papers[0])
    expect(feeds(room)).to_contain_text("Entries: 20")
    context = opening(beyond, viewport={"width": width, "height": 844})
    context.add_init_script(path=AXE)
    page = context.new_page()
    page.goto("/news#feeds")
    expect(feeds(page)).to_contain_text("Entries: 20")
    page.get_by_text("Suggested European feeds").click()
    feeds(page).get_by_role("button", name="Delete").click()
    axe.check(page)


def test_what_the_feeds_bring_is_read_newest_first(room: Page, beyond: Outside, papers: list[str]) -> None:
    room.goto("/news")
    expect(room.get_by_text("Entries from your feeds will appear here.")).to_be_visible()
    room.get_by_role("link", name="Add feeds").click()
    for paper in papers[:2]:
        add(room, paper)
        expect(room.get_by_role("status").get_by_text(f"“{beyond.world.pages[paper].title}” added.")).to_be_visible()
    room.get_by_role("navigation", name="News").get_by_role("link", name="Read").click()
    entries = room.get_by_role("main").get_by_role("listitem")
    expect(entries).to_have_count(40)
    times = entries.locator("time").evaluate_all("all => all.map(e => Date.parse(e.dateTime))")
    assert times == sorted(times, reverse=True)
    first = beyond.world.pages[papers[0]].title
    room.get_by_role("combobox", name="News from").select_option(label=first)
    expect(entries).to_have_count(20)
    expect(entries.filter(has_text=first)).to_have_count(20)
    link = entries.first.get_by_role("link")
    expect(link).to_have_attribute("target", "_blank")
    expect(link).to_have_attribute("rel", "noreferrer noopener")
    room.evaluate(AXE.read_text())
    axe.check(room)


def test_more_news_is_shown_on_request(room: Page, beyond: Outside, papers: list[str]) -> None:
    for paper in papers[:3]:
        add(room, paper)
        expect(room.get_by_role("status").get_by_text(f"“{beyond.world.pages[paper].title}” added.")).to_be_visible()
    room.goto("/news")
    entries = room.get_by_role("main").get_by_role("listitem")
    expect(entries).to_have_count(50)
    room.get_by_role("button", name="Show older").click()
    expect(entries).to_have_count(60)
    expect(entries.nth(50).get_by_role("link")).to_be_focused()
    expect(room.get_by_role("button", name="Show older")).to_have_count(0)
