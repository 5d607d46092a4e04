"""Schedules in the settings: made with plain choices, run, switched off, deleted, and told of in the list."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.browser import axe
from tests.browser.conftest import Opening, Starting

PHONE: ViewportSize = {"width": 320, "height": 640}


@pytest.fixture
def page(opening: Opening, starting: Starting) -> Page:
    context = opening(starting(), timezone_id="Europe/Berlin")
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto("/settings/schedules")
    return page


def item(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name="Schedules").get_by_role("listitem").filter(has_text=name)


def make(page: Page, question: str, name: str) -> None:
    page.get_by_role("button", name="New schedule").click()
    form = page.get_by_role("form", name="New schedule")
    expect(form.get_by_label("Question", exact=True)).to_be_focused()
    form.get_by_label("Question", exact=True).fill(question)
    form.get_by_label("Name", exact=True).fill(name)
    form.get_by_role("button", name="Save").click()
    expect(item(page, name)).to_contain_text("Next:")


def stored(page: Page) -> list[dict[str, object]]:
    return list(page.request.get("/api/schedules").json()["schedules"])


def test_a_schedule_is_made_with_plain_choices_changed_and_deleted(page: Page) -> None:
    expect(page.get_by_text("Nothing is scheduled yet.")).to_be_visible()
    axe.check(page)
    make(page, "script: words=3", "Morning news")
    assert [(each["cron"], each["zone"]) for each in stored(page)] == [("0 7 * * 1-5", "Europe/Berlin")]
    expect(page.get_by_role("button", name="New schedule")).to_be_focused()
    axe.check(page)
    page.get_by_role("button", name="Change “Morning news”").click()
    form = page.get_by_role("form", name="Change “Morning news”")
    form.get_by_label("How often").select_option(label="Every month")
    form.get_by_label("Day of the month").select_option(label="Last day")
    form.get_by_label("Time of day").fill("18:30")
    form.get_by_role("radio", name="The same conversation each time").check()
    expect(form.get_by_role("status")).to_contain_text(re.compile("Next: .*06:30 PM|Next: .*18:30"))
    axe.check(page)
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Change “Morning news”")).to_be_focused()
    assert [(each["cron"], each["keeps"]) for each in stored(page)] == [("30 18 L * *", "same")]
    page.get_by_role("switch", name="“Morning news” is on").uncheck()
    expect(item(page, "Morning news")).not_to_contain_text("Next:")
    page.get_by_role("button", name="Delete “Morning news”").click()
    page.get_by_role("button", name=re.compile("^(Delete|Yes)")).last.click()
    expect(page.get_by_text("Nothing is scheduled yet.")).to_be_visible()
    assert stored(page) == []


def test_a_cron_line_says_its_mistakes_and_its_next_times(page: Page) -> None:
    page.get_by_role("button", name="New schedule").click()
    form = page.get_by_role("form", name="New schedule")
    form.get_by_label("Question", exact=True).fill("script: words=3")
    form.get_by_label("How often").select_option(label="Cron line")
    line = form.get_by_label("Cron line")
    expect(line).to_have_value("0 7 * * 1-5")
    line.fill("*/5 * * * *")
    expect(form.get_by_role("status")).to_contain_text("15 minutes")
    line.fill("0 7 * * MON")
    expect(form.get_by_role("status")).to_contain_text("Next: Mon")
    form.get_by_role("button", name="Save").click()
    expect(item(page, "script: words=3")).to_contain_text("Next:")


def test_an_assistant_and_tools_are_chosen_from_lists(page: Page) -> None:
    cook = page.request.post("/api/assistants", data={"name": "Cook", "instructions": "Answer with a recipe."}).json()
    tool = {"name": "add", "title": "Add a card", "call_name": "board__add", "read_only": False}
    board = {"name": "board", "approved": {"tools": [tool, {**tool, "call_name": "board__list", "read_only": True}]}}
    page.route("**/api/mcp-servers", lambda route: route.fulfill(json={"servers": [board], "may_add_commands": True}))
    page.reload()
    page.get_by_role("button", name="New schedule").click()
    form = page.get_by_role("form", name="New schedule")
    form.get_by_label("Question", exact=True).fill("script: words=3")
    form.get_by_label("Assistant").select_option(label="Cook")
    tools = form.get_by_role("group", name="Tools that may act without asking")
    expect(tools.get_by_role("checkbox")).to_have_count(2)
    tools.get_by_role("checkbox", name="Add a card (board)").check()
    axe.check(page)
    form.get_by_role("button", name="Save").click()
    expect(item(page, "script: words=3")).to_contain_text("Next:")
    assert [(each["assistant"], each["tools"]) for each in stored(page)] == [(cook["id"], ["board__add"])]
    page.unroute("**/api/mcp-servers")
    page.get_by_role("button", name="Change “script: words=3”").click()
    form = page.get_by_role("form", name="Change “script: words=3”")
    expect(form.get_by_label("Assistant")).to_have_value(cook["id"])
    gone = form.get_by_role("checkbox", name="board__add")
    expect(gone).to_be_checked()
    gone.uncheck()
    form.get_by_label("Assistant").select_option(label="No assistant")
    form.get_by_role("button", name="Save").click()
    expect(form).to_have_count(0)
    assert [(each["assistant"], each["tools"]) for each in stored(page)] == [(None, [])]


def test_an_answer_is_marked_until_it_is_opened(page: Page) -> None:
    make(page, "script: words=3", "Morning news")
    page.get_by_role("button", name="Run “Morning news” now").click()
    expect(item(page, "Morning news")).to_contain_text("answered")
    expect(page.get_by_text("“Morning news” has an answer.")).to_be_visible()
    row = page.get_by_role("link", name=re.compile("Morning news, 20"))
    expect(row.get_by_role("img", name="Not read yet")).to_be_visible()
    axe.check(page)
    page.get_by_role("button", name="Open the answer").click()
    expect(page).to_have_url(re.compile("/c/conv_"))
    expect(page.get_by_role("img", name="Not read yet")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("link", name=re.compile("Morning news, 20"))).to_be_visible()
    expect(page.get_by_role("img", name="Not read yet")).to_have_count(0)


def test_a_phone_and_the_keyboard_are_enough(page: Page) -> None:
    page.set_viewport_size(PHONE)
    button = page.get_by_role("button", name="New schedule")
    button.focus()
    page.keyboard.press("Enter")
    page.keyboard.type("script: words=3")
    form = page.get_by_role("form", name="New schedule")
    axe.check(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    form.get_by_role("button", name="Save").press("Enter")
    expect(item(page, "script: words=3")).to_contain_text("Next:")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_role("switch", name="“script: words=3” is on").press("Space")
    expect(item(page, "script: words=3")).not_to_contain_text("Next:")
