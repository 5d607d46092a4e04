"""MCP servers in the settings: added, looked at, allowed, switched on, called, and held when they change."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
from mcp.shared.auth import OAuthClientInformationFull
from playwright.sync_api import Page, expect
from pydantic import AnyUrl

from tests.browser import axe
from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.test_chat import answer, answers, composer, finished, send
from tests.mcp_servers.oauth_server import Authorizing, authorizing_beside
from tests.mcp_servers.test_mcp_service import ODD
from tests.server.test_mcp_sign_in import DESCRIPTION, id_token

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


@pytest.fixture
def chat(page: Page) -> Page:
    """A new chat, with the server `odd` allowed and on."""
    add_odd(page)
    page.goto("/")
    return page


def add_odd(page: Page) -> str:
    """Add the server `odd` and allow its tools; return its address."""
    body = {"name": "odd", "command": [sys.executable, "-P", str(ODD), "well"]}
    added = page.request.post("/api/mcp-servers", data=body)
    assert added.status == 201, added.text()
    path = f"/api/mcp-servers/{added.json()['id']}"
    seen = page.request.post(f"{path}/check").json()
    assert page.request.post(f"{path}/approve", data={"fingerprint": seen["seen"]["fingerprint"]}).ok
    assert page.request.put(f"{path}/switch", data={"on": True}).ok
    return path


def test_a_resource_is_attached_from_the_composer(chat: Page) -> None:
    page = chat
    page.get_by_role("button", name="MCP servers").click()
    dialog = page.get_by_role("dialog", name="MCP servers")
    expect(dialog.get_by_role("checkbox", name="Models may call “odd” in this conversation")).to_be_checked()
    tower = dialog.get_by_role("button", name="The tower")
    expect(tower).to_be_visible(timeout=30_000)
    axe.check(page)
    dialog.get_by_role("searchbox", name="Find something to attach").fill("nothing like it")
    expect(dialog.get_by_text("There is nothing of that kind to attach.")).to_be_visible()
    dialog.get_by_role("searchbox", name="Find something to attach").fill("TOWER")
    tower.click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_text("tower.md")).to_be_visible()
    page.get_by_role("button", name="MCP servers").click()
    dialog.get_by_role("button", name="A day").click()
    form = dialog.get_by_role("form", name="Fill in “A day”")
    axe.check(page)
    form.get_by_label("day").fill("friday")
    form.get_by_role("button", name="Attach").click()
    expect(page.get_by_text("A day.md")).to_be_visible()
    send(page, "How high is the tower?")
    finished(page)
    expect(page.get_by_role("article").first.get_by_text("tower.md")).to_be_visible()


def test_a_prompt_of_a_server_is_written_into_the_message(chat: Page) -> None:
    page = chat
    composer(page).press_sequentially("/gre")
    option = page.get_by_role("option", name="/odd:greet")
    expect(option).to_be_visible(timeout=30_000)
    axe.check(page)
    option.click()
    form = page.get_by_role("form", name="Fill in “Greet somebody”")
    expect(form.get_by_label("who")).to_be_focused()
    form.get_by_label("who").fill("Ada")
    axe.check(page)
    form.get_by_role("button", name="Insert").click()
    expect(composer(page)).to_have_value("Greet Ada in Brest.")
    composer(page).fill("")
    composer(page).press_sequentially("/odd:pl")
    expect(page.get_by_role("option", name="/odd:plain")).to_be_visible()
    composer(page).press("Enter")
    expect(composer(page)).to_have_value("A plain text.")


def test_a_server_is_switched_off_for_one_conversation(chat: Page) -> None:
    page, call = chat, 'script: tool=odd__read{"text":"hello"}'
    page.get_by_role("button", name="MCP servers").click()
    here = page.get_by_role("checkbox", name="Models may call “odd” in this conversation")
    here.uncheck()
    page.keyboard.press("Escape")
    send(page, call)
    finished(page)
    expect(answer(page).get_by_text("Use “read” of the MCP server odd")).to_have_count(0)
    page.reload()
    composer(page).press_sequentially("/mcp")
    composer(page).press("Enter")
    expect(here).not_to_be_checked()
    here.check()
    expect(here).to_be_checked()
    page.keyboard.press("Escape")
    send(page, call)
    expect(answers(page)).to_have_count(2)
    finished(page)
    expect(answer(page).get_by_text("Use “read” of the MCP server odd")).to_be_visible()


def test_a_phone_has_the_servers_in_its_sheet(opening: Opening, starting: Starting) -> None:
    context = opening(starting(), viewport={"width": 320, "height": 700})
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto("/")
    path = add_odd(page)
    page.reload()
    page.get_by_role("button", name="Files and tools").click()
    page.get_by_role("button", name="MCP servers").click()
    dialog = page.get_by_role("dialog", name="MCP servers")
    expect(dialog.get_by_role("button", name="The tower")).to_be_visible(timeout=30_000)
    axe.check(page)
    dialog.get_by_role("checkbox").uncheck()
    expect(dialog.get_by_role("button", name="The tower")).to_have_count(0)
    page.keyboard.press("Escape")
    page.request.delete(path)


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


def test_a_client_registered_by_hand_signs_in_and_the_page_says_as_whom(
    opening: Opening, starting: Starting, watches: list[Watch]
) -> None:
    provider = Authorizing()
    with authorizing_beside(provider) as address:
        context = opening(starting())
        watches[-1].forgive("foreign request")  # the page where one signs in is of the other host
        context.add_init_script(path=axe.AXE)
        page = context.new_page()
        page.goto(SETTINGS)
        provider.clients["eclair at home"] = OAuthClientInformationFull(
            client_id="eclair at home",
            client_secret="a secret",
            redirect_uris=[AnyUrl(page.url)],
            token_endpoint_auth_method="client_secret_post",
        )
        provider.lies = {
            DESCRIPTION: {
                "registration_endpoint": None,
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            },
            "/token": {"id_token": id_token(sub="7", email="ada@example.org")},
        }
        page.get_by_role("button", name="Add an MCP server").click()
        form = page.get_by_role("form", name="Add an MCP server")
        form.get_by_label("Name", exact=True).fill("notes")
        form.get_by_label("Address or command").fill(address)
        expect(form.get_by_text(f"Register this there as the redirect address: {page.url}")).to_be_visible()
        expect(form.get_by_label("OAuth client secret")).to_have_count(0)
        form.get_by_label("OAuth client ID").fill("eclair at home")
        form.get_by_label("OAuth client secret").fill("a secret")
        axe.check(page)
        form.get_by_role("button", name="Save").click()
        card = page.get_by_role("article", name="notes")
        card.get_by_role("button", name="Sign in").click(timeout=30_000)
        expect(card.get_by_text("Signed in as ada@example.org", exact=True)).to_be_visible(timeout=30_000)
        axe.check(page)
