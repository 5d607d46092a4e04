"""What left the machine, as the page shows it: pages that were read, calls that were refused, and files of both."""

from __future__ import annotations

import csv
import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import axe
from tests.browser.axe import AXE
from tests.browser.conftest import Opening
from tests.browser.internet import Outside
from tests.browser.test_chat import finished, send
from tests.browser.test_web import choose_web

CLOSED = "10.11.12.13"
"""An address of a private network, which nobody may call."""


@pytest.fixture
def ledger(opening: Opening, beyond: Outside) -> Page:
    """The ledger after one page was read and one refused."""
    page = opening(beyond).new_page()
    page.goto("/")
    choose_web(page, "On")
    for address in (beyond.question("plain").pages[0], f"http://{CLOSED}/"):
        send(page, f"What does {address} say?")
        finished(page)
    page.goto("/connections")
    expect(rows(page).first).to_be_visible()
    return page


def rows(page: Page) -> Locator:
    return page.get_by_role("table", name="Outgoing connections").locator("tbody").get_by_role("row")


def search(page: Page, host: str) -> None:
    with page.expect_response(lambda reply: f"host={host}" in reply.url):
        page.get_by_role("searchbox", name="Host").fill(host)


def test_a_row_for_each_call_and_for_each_that_was_refused(ledger: Page, beyond: Outside) -> None:
    host = beyond.question("plain").pages[0].split("/")[2].split(":")[0]
    search(ledger, host)
    expect(rows(ledger).first).to_contain_text(host)
    expect(rows(ledger).filter(has_text="Page").first).to_contain_text("Allowed 200")
    search(ledger, CLOSED)
    expect(rows(ledger).first).to_contain_text("Blocked")
    expect(rows(ledger).first).to_contain_text("/robots.txt")
    expect(rows(ledger).first).to_contain_text("isn't on the open web")


@pytest.mark.parametrize("width", [1366, 390])
def test_when_a_call_was_made_is_seen_without_scrolling(ledger: Page, width: int) -> None:
    ledger.set_viewport_size({"width": width, "height": 800})
    time = rows(ledger).first.get_by_role("cell").first
    expect(time).to_have_text(re.compile(r"^\d\d/\d\d/\d{4}, \d\d:\d\d:\d\d$"))
    expect(time).to_be_in_viewport(ratio=1)


def test_rows_are_filtered_and_taken_out_as_filtered(ledger: Page) -> None:
    ledger.get_by_role("combobox", name="Outcome").select_option("refused")
    expect(rows(ledger).filter(has_text="Allowed")).to_have_count(0)
    expect(rows(ledger).first).to_contain_text(CLOSED)
    with ledger.expect_download() as download:
        ledger.get_by_role("button", name="Export as CSV").click()
    with download.value.path().open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert {row["verdict"] for row in found} == {"refused"}
    assert CLOSED in {row["host"] for row in found}
    ledger.get_by_role("combobox", name="Outcome").select_option("")
    ledger.get_by_role("combobox", name="Purpose").select_option("page")
    expect(rows(ledger).filter(has_text="Robots.txt")).to_have_count(0)
    with ledger.expect_download() as download:
        ledger.get_by_role("button", name="Export as JSON").click()
    calls: list[dict[str, object]] = json.loads(download.value.path().read_text("utf-8"))
    assert {call["purpose"] for call in calls} == {"page"}


@pytest.mark.parametrize("width", [1200, 390])
def test_everyone_can_use_it(opening: Opening, ledger: Page, beyond: Outside, width: int) -> None:
    context = opening(beyond, viewport={"width": width, "height": 844})
    context.add_init_script(path=AXE)
    page = context.new_page()
    page.goto("/connections")
    expect(rows(page).first).to_be_visible()
    axe.check(page)
