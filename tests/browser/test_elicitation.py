"""Questions that MCP servers ask in the middle of calls: forms and pages to visit, in the answer."""

from __future__ import annotations

import re
import sys

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import axe
from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.test_chat import answer, finished, send
from tests.mcp_servers.asking_server import Era
from tests.server.test_elicitation import ASKING


@pytest.fixture
def page(opening: Opening, starting: Starting) -> Page:
    context = opening(starting())
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto("/")
    return page


def add_asking(page: Page, era: Era) -> None:
    """Add a server that asks, and allow its tools."""
    command = [sys.executable, "-P", str(ASKING), era]
    added = page.request.post("/api/mcp-servers", data={"name": "asking", "command": command})
    assert added.status == 201, added.text()
    path = f"/api/mcp-servers/{added.json()['id']}"
    seen = page.request.post(f"{path}/check").json()
    assert page.request.post(f"{path}/approve", data={"fingerprint": seen["seen"]["fingerprint"]}).ok
    assert page.request.put(f"{path}/switch", data={"on": True}).ok


def asked(page: Page, call: str, message: str) -> Locator:
    """Have a call made that asks something; return the form."""
    send(page, f"script: tool=asking__{call}")
    answer(page).get_by_role("button", name="Once").click()
    return answer(page).get_by_role("form", name=f"The MCP server “asking” asks you: {message}")


@pytest.mark.parametrize("era", ["new", "old"])
def test_a_form_is_filled_in_across_reload_and_tabs(page: Page, era: Era) -> None:
    add_asking(page, era)
    form = asked(page, 'book{"place":"Brest"}', "Who stays in Brest?")
    expect(form).to_contain_text("Never enter a password here.")
    page.reload()
    expect(form.get_by_label("Day")).to_have_value("2026-12-24")
    expect(form.get_by_label("Room")).to_have_value("v")
    axe.check(page)
    page.set_viewport_size({"width": 320, "height": 700})
    form.get_by_role("button", name="Decline").scroll_into_view_if_needed()
    expect(form.get_by_role("button", name="Cancel")).to_be_in_viewport()
    page.set_viewport_size({"width": 1200, "height": 800})
    other = page.context.new_page()
    other.goto(page.url)
    form.get_by_role("button", name="Submit").click()
    expect(form.get_by_label("Name")).to_be_focused()  # which is required
    page.keyboard.type("Anna")
    form.get_by_label("E-mail").fill("anna@example.org")
    form.get_by_label("Room").select_option("Quiet")
    form.get_by_label("bicycle").check()
    form.get_by_role("button", name="Submit").press("Enter")
    finished(page)
    expect(form).to_have_count(0)
    step = answer(page).get_by_text(re.compile("Use “book” of the MCP server asking"))
    step.click()
    expect(answer(page)).to_contain_text("You answered:")
    expect(answer(page)).to_contain_text("'who': 'Anna'")
    expect(answer(other).get_by_text(re.compile("Use “book” of the MCP server asking"))).to_be_visible()
    expect(other.get_by_role("form", name=re.compile("asks you"))).to_have_count(0)
    axe.check(page)


def test_a_page_is_opened_by_a_click_alone_and_a_question_is_declined(page: Page, watches: list[Watch]) -> None:
    watches[-1].forgive("foreign request: https://pay.example.org/")
    page.context.route("https://pay.example.org/**", lambda route: route.fulfill(body="the till"))
    add_asking(page, "new")
    form = asked(page, 'pay{"amount":3}', "Pay 3 euros.")
    expect(form).to_contain_text("https://pay.example.org/till?id=7")
    expect(form.get_by_role("button", name="Continue")).to_be_disabled()
    axe.check(page)
    with page.expect_popup() as opened:
        form.get_by_role("link", name="Open pay.example.org").click()
    expect(opened.value.get_by_text("the till")).to_be_visible()
    assert opened.value.evaluate("window.opener") is None
    opened.value.close()
    form.get_by_role("button", name="Continue").click()
    finished(page)
    answer(page).get_by_text(re.compile("Use “pay” of the MCP server asking")).click()
    expect(answer(page)).to_contain_text("paid: accept")
    form = asked(page, 'book{"place":"Brest"}', "Who stays in Brest?")
    form.get_by_role("button", name="Decline").click()
    finished(page)
    answer(page).get_by_text(re.compile("Use “book” of the MCP server asking")).click()
    expect(answer(page)).to_contain_text("You declined:")
    expect(answer(page)).to_contain_text("decline: None")
