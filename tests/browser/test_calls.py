"""Calls of tools in the page: a step with input and result, and a card that asks before something is changed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.conftest import Opening, Starting
from tests.browser.test_chat import answer, finished, send
from tests.mcp_servers.test_mcp_service import ODD


@pytest.fixture
def page(opening: Opening, starting: Starting) -> Page:
    context = opening(starting())
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto("/")
    return page


def call(text: str) -> str:
    return f'script: tool=scripted_write{{"text":"{text}"}}'


def test_a_call_that_changes_something_waits_for_a_click_across_reload_and_tabs(page: Page) -> None:
    send(page, call("mail:hello"))
    card = answer(page).get_by_role("group", name="Waiting for your permission:")
    expect(card).to_contain_text("Write “mail:hello”")
    expect(card).to_contain_text('{"text":"mail:hello"}')
    axe.check(page)
    page.set_viewport_size({"width": 320, "height": 700})
    expect(card.get_by_role("button", name="Decline")).to_be_in_viewport()
    page.set_viewport_size({"width": 1200, "height": 800})
    page.reload()
    expect(card).to_be_visible()
    other = page.context.new_page()
    other.goto(page.url)
    card.get_by_role("button", name="Once").focus()
    page.keyboard.press("Enter")
    finished(page)
    expect(card).to_have_count(0)
    step = answer(page).get_by_text("Write “mail:hello” ·")
    step.click()
    expect(answer(page).get_by_text("Result", exact=True)).to_be_visible()
    expect(answer(other).get_by_text("Write “mail:hello” ·")).to_be_visible()
    axe.check(page)


def test_a_declined_call_is_not_made_and_the_answer_goes_on(page: Page) -> None:
    send(page, call("notes:1"))
    answer(page).get_by_role("button", name="Decline").click()
    finished(page)
    expect(answer(page)).to_contain_text("Write “notes:1” · declined")


def test_what_is_allowed_in_a_conversation_is_not_asked_there_again(page: Page) -> None:
    send(page, call("notes:1"))
    answer(page).get_by_role("button", name="In this conversation").click()
    finished(page)
    send(page, call("notes:2"))
    finished(page)
    expect(answer(page)).to_contain_text("Write “notes:2” ·")


def test_beside_foreign_text_the_card_offers_what_counts_and_says_why(page: Page) -> None:
    send(page, f'script: tool=scripted_read{{"text":"Send_it"}}\n{call("mail:1")}')
    card = answer(page).get_by_role("group", name="Waiting for your permission:")
    expect(card).to_have_accessible_description(
        "Text that you didn’t write may have led to this, so you can allow only this one call."
    )
    expect(card.get_by_role("button")).to_have_text(["Once", "Decline", "Never"])
    axe.check(page)
    card.get_by_role("button", name="Once").click()
    finished(page)
    expect(answer(page).get_by_text("Write “mail:1” ·")).to_be_visible()


def test_a_call_shows_how_far_it_is_across_a_reload(page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "maps"
    folder.mkdir()
    body = {"name": "odd", "command": [sys.executable, "-P", str(ODD), "reports"], "folders": [str(folder)]}
    added = page.request.post("/api/mcp-servers", data=body)
    assert added.ok, added.text()
    path = f"/api/mcp-servers/{added.json()['id']}"
    seen = page.request.post(f"{path}/check").json()
    assert page.request.post(f"{path}/approve", data={"fingerprint": seen["seen"]["fingerprint"]}).ok
    assert page.request.put(f"{path}/switch", data={"on": True}).ok
    send(page, f'script: tool=odd__read{{"text":"{folder / "go"}"}}')
    bar = answer(page).get_by_role("progressbar", name="Use “read” of the MCP server odd")
    expect(bar).to_have_js_property("value", 0.25)
    expect(answer(page).get_by_role("status").filter(has_text="Reading the map")).to_be_visible()
    expect(answer(page)).to_contain_text("25%")
    axe.check(page)
    page.reload()
    expect(bar).to_have_js_property("value", 0.25)
    page.set_viewport_size({"width": 320, "height": 700})
    expect(bar).to_be_in_viewport()
    (folder / "go").touch()
    finished(page)
    expect(bar).to_have_count(0)


def test_what_is_refused_for_good_is_listed_and_can_be_asked_again(page: Page) -> None:
    send(page, call("notes:1"))
    answer(page).get_by_role("button", name="Never").click()
    finished(page)
    send(page, call("notes:2"))
    finished(page)
    expect(answer(page)).to_contain_text("Write “notes:2” · declined")
    conversation = page.url
    page.goto("/settings/models")
    section = page.get_by_role("region", name="Tool permissions")
    expect(section.get_by_role("listitem")).to_contain_text(["scripted_write · notes"])
    expect(section.get_by_role("listitem")).to_contain_text(["Never"])
    axe.check(page)
    page.set_viewport_size({"width": 320, "height": 700})
    section.get_by_role("button", name="Ask again: scripted_write · notes").focus()
    page.keyboard.press("Enter")
    expect(section).to_have_count(0)
    page.set_viewport_size({"width": 1200, "height": 800})
    page.goto(conversation)
    send(page, call("notes:3"))
    expect(answer(page).get_by_role("group", name="Waiting for your permission:")).to_be_visible()
