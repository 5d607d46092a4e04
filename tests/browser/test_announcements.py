"""Announcements: written in the administration, shown in the reader's language, closed for good."""

from __future__ import annotations

import time

from playwright.sync_api import expect

from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening
from tests.browser.served import Served

HOUR_MS = 3_600_000


def test_an_announcement_is_written_and_shown_in_ones_own_language(opening: Opening, mortal: Served) -> None:
    context = opening(mortal, viewport={"width": 390, "height": 800})
    context.add_init_script(path=AXE)
    page = context.new_page()
    page.goto("/admin/announcements")
    german = opening(mortal, locale="de").new_page()
    german.goto("/")
    expect(german.get_by_role("textbox", name="Ihre Nachricht")).to_be_visible()
    page.get_by_role("button", name="New announcement").click()
    form = page.get_by_role("form", name="New announcement")
    expect(form.get_by_label("Text in English")).to_be_focused()
    page.keyboard.type("Closed on Monday")
    form.get_by_label("Add a language").select_option("Deutsch")
    expect(form.get_by_label("Text in Deutsch")).to_be_focused()
    page.keyboard.type("Montag geschlossen")
    form.get_by_label("Level").select_option("Urgent")
    form.get_by_label("Shown from").fill("2026-01-02T08:00")
    form.get_by_label("Shown until").fill("2026-01-01T08:00")
    form.get_by_role("button", name="Save").click()
    assert form.get_by_label("Shown until").evaluate("field => field.validationMessage") == (
        "The end must be after the start."
    )
    form.get_by_label("Shown until").fill("2099-01-01T08:00")
    check(page)
    form.get_by_role("button", name="Save").click()
    listed = page.get_by_role("list", name="Announcements").get_by_role("listitem")
    expect(listed).to_contain_text("Shown now")
    expect(page.get_by_role("status").filter(has_text="Closed on Monday")).to_be_visible()
    check(page)
    banner = german.get_by_role("status").filter(has_text="Montag geschlossen")
    expect(banner).to_be_visible()
    banner.get_by_role("button").click()
    expect(banner).to_have_count(0)
    german.reload()
    expect(german.get_by_role("textbox", name="Ihre Nachricht")).to_be_visible()
    expect(banner).to_have_count(0)
    page.get_by_role("button", name="Change “Closed on Monday”").click()
    page.get_by_label("Text in Deutsch").fill("Dienstag geschlossen")
    page.get_by_role("button", name="Save").click()
    expect(german.get_by_role("status").filter(has_text="Dienstag geschlossen")).to_be_visible()
    page.get_by_role("button", name="Delete “Closed on Monday”").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No announcements.")).to_be_visible()
    expect(german.get_by_role("status").filter(has_text="geschlossen")).to_have_count(0)


def test_one_that_may_not_be_closed_ends_by_itself(opening: Opening, mortal: Served) -> None:
    page = opening(mortal).new_page()
    body = {"texts": {"en": "Back in a moment"}, "closable": False, "ends": int(time.time() * 1000) + HOUR_MS}
    assert page.request.post("/api/announcements", data=body).status == 201
    page.clock.install()
    page.goto("/")
    banner = page.get_by_text("Back in a moment")
    expect(banner).to_be_visible()
    expect(page.get_by_role("button", name="Dismiss")).to_have_count(0)
    page.clock.fast_forward("01:00:01")
    expect(banner).to_have_count(0)
