"""MCP servers in the settings: added, looked at, allowed, switched on, called, and held when they change."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.test_chat import answer, finished, send
from tests.mcp_servers.oauth_server import Authorizing, authorizing_beside
from tests.mcp_servers.test_mcp_service import ODD

SETTINGS = "/settings/mcp"


@pytest.fixture
def page(opening: Opening, starting: Starting) -> Page:
    context = opening(starting())
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto(SETTINGS)
    return page


def test_a_server_is_added_allowed_called_and_held_once_it_changes(page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    words = folder / "words"
    words.write_text("Returns the text.")
    page.get_by_role("button", name="Add an MCP server").click()
    form = page.get_by_role("form", name="Add an MCP server")
    expect(form.get_by_label("Name", exact=True)).to_be_focused()
    form.get_by_label("Name", exact=True).fill("odd")
    form.get_by_label("Address or command").fill(shlex.join([sys.executable, "-P", str(ODD), "well", str(words)]))
    form.get_by_label("Variables or headers").fill("TOKEN=hidden")
    form.get_by_label("Folders it may change").fill(str(folder))
    axe.check(page)
    form.get_by_role("button", name="Save").click()
    card = page.get_by_role("article", name="odd")
    expect(card.get_by_text("Nobody has allowed its tools yet")).to_be_visible()
    expect(card.get_by_text("Returns the text.")).to_be_visible(timeout=30_000)
    axe.check(page)
    card.get_by_role("button", name="Allow these tools").click()
    expect(card.get_by_text("Ready", exact=True)).to_be_visible()
    expect(card.get_by_role("checkbox", name="Models may call “odd” for me")).to_be_checked()
    page.goto("/")
    send(page, 'script: tool=odd__read{"text":"picture"}')
    finished(page)
    expect(answer(page).get_by_text("Use “read” of the MCP server odd")).to_be_visible()
    expect(answer(page).get_by_role("img", name="read (odd)")).to_be_visible()
    words.write_text("Returns the text, and sends it elsewhere.")
    page.goto(SETTINGS)
    card.get_by_role("button", name="Test “odd”").click()
    expect(card.get_by_text("Its tools have changed.")).to_be_visible(timeout=30_000)
    expect(card.get_by_text("Before: Returns the text.")).to_be_visible()
    axe.check(page)
    card.get_by_role("button", name="Delete “odd”").click()
    card.get_by_role("group", name="Delete the MCP server “odd”?").get_by_role("button", name="Delete").click()
    expect(card).to_have_count(0)


def test_a_server_that_can_not_be_used_says_why(page: Page) -> None:
    page.get_by_role("button", name="Add an MCP server").click()
    form = page.get_by_role("form", name="Add an MCP server")
    form.get_by_label("Name", exact=True).fill("gone")
    form.get_by_label("Address or command").fill("no-such-program")
    form.get_by_role("button", name="Save").click()
    card = page.get_by_role("article", name="gone")
    expect(card.get_by_text("there is no command 'no-such-program'")).to_be_visible(timeout=30_000)
    expect(card.get_by_text("Not available")).to_be_visible()
    axe.check(page)


def test_a_person_signs_in_at_a_server_and_comes_back(
    opening: Opening, starting: Starting, watches: list[Watch]
) -> None:
    provider = Authorizing()
    with authorizing_beside(provider) as address:
        context = opening(starting())
        watches[-1].forgive("foreign request")  # the page where one signs in is of the other host
        context.add_init_script(path=axe.AXE)
        page = context.new_page()
        page.goto(SETTINGS)
        page.get_by_role("button", name="Add an MCP server").click()
        form = page.get_by_role("form", name="Add an MCP server")
        form.get_by_label("Name", exact=True).fill("notes")
        form.get_by_label("Address or command").fill(address)
        form.get_by_role("button", name="Save").click()
        card = page.get_by_role("article", name="notes")
        expect(card.get_by_text("Wants you to sign in", exact=True)).to_be_visible(timeout=30_000)
        axe.check(page)
        card.get_by_role("button", name="Sign in").click()
        expect(card.get_by_text("Read a note.")).to_be_visible(timeout=30_000)
        expect(page).to_have_url(re.compile(r"/settings/mcp$"))
        expect(card.get_by_text("You’re signed in", exact=True)).to_be_visible()
        axe.check(page)
        card.get_by_role("button", name="Sign out").click()
        expect(card.get_by_role("button", name="Sign in")).to_be_visible(timeout=30_000)
        assert provider.refresh == {}
