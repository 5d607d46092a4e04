"""Web search is set up in the settings: services, keys, a SearXNG of one's own, and what may be contacted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import check
from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.served import Served

KEY = "s3cret-of-mojeek"


@pytest.fixture
def page(opening: Opening, mortal: Served) -> Page:
    page = opening(mortal).new_page()
    page.goto("/settings/web")
    expect(services(page).first).to_be_visible()
    return page


def services(page: Page) -> Locator:
    return page.get_by_role("list", name="Search services").get_by_role("listitem")


def service(page: Page, title: str) -> Locator:
    return services(page).filter(has=page.get_by_role("switch", name=title))


def saved(page: Page) -> dict[str, Any]:
    return page.request.get("/api/web/settings").json()


def test_a_service_is_switched_and_stays_where_it_is(page: Page) -> None:
    titles = services(page).locator("label").all_inner_texts()
    wikipedia, gdelt = (page.get_by_role("switch", name=name) for name in ("Wikipedia", "GDELT"))
    expect(wikipedia).to_be_checked()
    wikipedia.click()
    expect(wikipedia).not_to_be_checked()
    gdelt.click()
    expect(gdelt).to_be_checked()
    assert services(page).locator("label").all_inner_texts() == titles
    page.reload()
    expect(gdelt).to_be_checked()
    expect(wikipedia).not_to_be_checked()
    assert [each["name"] for each in saved(page)["services"] if each["used"]] == ["newsroom", "gdelt"]


def test_the_last_service_stays_on(page: Page, watches: list[Watch]) -> None:
    watches[-1].forgive("400 (Bad Request)")
    page.get_by_role("switch", name="Wikipedia").click()
    expect(page.get_by_role("switch", name="Wikipedia")).not_to_be_checked()
    news = page.get_by_role("switch", name="News feeds")
    news.click()
    expect(page.get_by_role("alert")).to_contain_text("At least one service stays on")
    expect(news).to_be_checked()


def test_a_test_asks_the_service_and_says_what_came_back(page: Page) -> None:
    replies = iter(
        [
            {"outcome": "done", "hits": 10, "milliseconds": 412.0, "fault": None},
            {
                "outcome": "failed",
                "hits": 0,
                "milliseconds": 30.0,
                "fault": "Wikipedia is overloaded; try again later.",
            },
        ]
    )
    page.route("**/api/web/services/wikipedia/test", lambda route: route.fulfill(json=next(replies)))
    test = service(page, "Wikipedia").get_by_role("button", name="Test “Wikipedia”")
    expect(test).to_have_text("Test")
    test.click()
    expect(service(page, "Wikipedia").get_by_role("status")).to_have_text("10 results · 412 ms")
    test.click()
    expect(service(page, "Wikipedia")).to_contain_text("Wikipedia is overloaded; try again later.")
    expect(service(page, "Wikipedia").get_by_role("status")).to_be_empty()


def test_a_service_that_is_not_set_up_says_so_when_tested(page: Page) -> None:
    service(page, "SearXNG").get_by_role("button", name="Test “SearXNG”").click()
    expect(service(page, "SearXNG")).to_contain_text("SearXNG isn't set up; enter its address first.")


def test_a_key_is_set_and_never_shown_again(page: Page) -> None:
    row = service(page, "Mojeek")
    expect(row).to_contain_text("No key")
    row.get_by_role("button", name="Key: Mojeek").click()
    field = row.get_by_label("Key: Mojeek", exact=True).and_(page.locator("input"))
    expect(field).to_be_focused()
    field.fill(KEY)
    page.keyboard.press("Enter")
    expect(row).to_contain_text("Key set")
    expect(row.get_by_role("button", name="Key: Mojeek")).to_be_focused()
    assert KEY not in page.content()
    assert KEY not in str(saved(page))


def test_the_address_of_a_searxng_and_the_policy_are_saved(page: Page, watches: list[Watch]) -> None:
    watches[-1].forgive("400 (Bad Request)")
    field = page.get_by_role("textbox", name="Address of your SearXNG")
    field.fill("ftp://x")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("That isn't an address")
    field.fill("http://127.0.0.1:9")
    field.press("Enter")
    expect(page.get_by_role("switch", name="SearXNG")).to_be_checked()
    page.get_by_role("radio", name="EU and EEA only").check()
    hosts = page.get_by_role("textbox", name="Hosts that may be contacted as well")
    hosts.fill("Example.org, example.eu")
    hosts.press("Enter")
    expect(hosts).to_have_value("example.org, example.eu")
    page.reload()
    expect(page.get_by_role("radio", name="EU and EEA only")).to_be_checked()
    expect(hosts).to_have_value("example.org, example.eu")
    expect(field).to_have_value("http://127.0.0.1:9")
    page.get_by_role("link", name="Outgoing connections").last.click()
    expect(page.get_by_text("Listed hosts: example.org, example.eu")).to_be_visible()


def test_what_the_settings_file_says_cannot_be_changed(starting: Starting, opening: Opening) -> None:
    page = opening(starting(ECLAIR_EGRESS="eu", ECLAIR_WEB_SEARCH="wikipedia")).new_page()
    page.goto("/settings/web")
    expect(page.get_by_role("switch", name="Wikipedia")).to_be_disabled()
    expect(page.get_by_role("radio", name="Any server")).to_have_count(0)
    expect(page.get_by_text("Set in the settings file").first).to_be_visible()


@pytest.mark.parametrize("width", [1200, 320])
def test_everyone_can_use_it(look: Callable[..., Page], width: int) -> None:
    page = look(width)
    page.goto("/settings/web")
    service(page, "Mojeek").get_by_role("button", name="Key: Mojeek").click()
    service(page, "SearXNG").get_by_role("button", name="Test “SearXNG”").click()
    expect(service(page, "SearXNG")).to_contain_text("isn't set up")
    check(page)
