"""Assistants in the page: set up, found, begun with, changed, exported, imported and deleted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import Route as PageRoute

from tests.browser import axe
from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.test_chat import answer, composer, finished, send

COOK = {
    "name": "Cook",
    "emoji": "🍲",
    "description": "Knows recipes",
    "instructions": "Answer with a recipe.",
    "web": "off",
    "starters": ["What can I cook with leeks?", "What keeps for a week?"],
}


@pytest.fixture
def page(opening: Opening, starting: Starting) -> Page:
    context = opening(starting(), accept_downloads=True)
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto("/")
    return page


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name="Assistants").get_by_role("article", name=name, exact=True)


def serve_mcp(page: Page) -> None:
    """Have the page see two MCP servers that are on, one of which isn't offered by the chat's assistant."""

    def server(name: str, *tools: str, offered: bool = True) -> dict[str, object]:
        listed = [{"name": tool, "title": tool, "call_name": f"{name}__{tool}", "read_only": True} for tool in tools]
        states = {"state": "ready", "on": True, "offered": offered, "prompts": False, "resources": name == "board"}
        return {"id": name, "name": name, "approved": {"tools": listed}, **states}

    def answer_with(servers: list[dict[str, object]]) -> Callable[[PageRoute], None]:
        return lambda route: route.fulfill(json={"servers": servers, "may_add_commands": True})

    board = server("board", "add", "list")
    page.route("**/api/mcp-servers", answer_with([board, server("files", "read")]))
    page.route("**/api/mcp-servers?assistant=*", answer_with([board, server("files", "read", offered=False)]))
    page.route("**/api/mcp-servers/board/resources", lambda route: route.fulfill(json={"resources": []}))
    page.reload()


def test_an_assistant_is_set_up_and_a_chat_begins_with_it(page: Page, watches: list[Watch], tmp_path: Path) -> None:
    watches[-1].forgive("404")  # the assistant is deleted at the end
    serve_mcp(page)
    page.get_by_role("link", name="Assistants").click()
    expect(page.get_by_text("No assistants yet.")).to_be_visible()
    page.get_by_role("button", name="New assistant").click()
    form = page.get_by_role("dialog", name="New assistant")
    form.get_by_label("Name", exact=True).fill("Cook")
    form.get_by_label("Emoji").fill("🍲")
    form.get_by_label("Description").fill("Knows recipes")
    form.get_by_label("Instructions").fill("Answer with a recipe.")
    form.get_by_label("Starter questions").fill("What can I cook with leeks?\n\nWhat keeps for a week?")
    form.get_by_label("All tools").uncheck()
    form.get_by_label("Python").check()
    form.get_by_label("Calculating").check()
    form.get_by_role("group", name="MCP servers").get_by_role("checkbox", name="board").check()
    form.get_by_role("button", name="Add files").press("Enter")
    form = page.get_by_role("dialog", name="Edit “Cook”")
    files = form.get_by_role("group", name="Files", exact=True)
    expect(files).to_have_accessible_description(
        "Searched for every question. Everyone it’s shared with can read them."
    )
    expect(files.get_by_role("button", name="Add files")).to_be_focused()
    recipe = tmp_path / "leeks.txt"
    recipe.write_text("Leeks go well with cream.", encoding="utf-8")
    files.locator("input").first.set_input_files(recipe)
    expect(files.get_by_role("list", name="Files of Cook").get_by_text("ready · Pages: 1")).to_be_visible(
        timeout=60_000
    )
    expect(form.get_by_role("checkbox", name="@Cook")).to_have_count(0)
    axe.check(page)
    form.get_by_role("button", name="Save").click()
    expect(form).to_have_count(0)
    expect(card(page, "Cook")).to_contain_text("Knows recipes")
    axe.check(page)
    page.get_by_role("button", name="New chat with Cook").click()
    expect(page.get_by_role("heading", name="Cook", level=1)).to_be_visible()
    axe.check(page)
    starters = page.get_by_role("list", name="Starter questions").get_by_role("button")
    expect(starters).to_have_text(["What can I cook with leeks?", "What keeps for a week?"])
    page.get_by_role("button", name="MCP servers").click()
    servers = page.get_by_role("dialog", name="MCP servers")
    expect(servers.get_by_role("checkbox", name="“board” in this conversation")).to_be_checked()
    other = servers.get_by_role("checkbox", name="“files” in this conversation")
    expect(other).to_be_disabled()
    expect(other).not_to_be_checked()
    expect(servers.get_by_text("The assistant or project of this chat doesn’t offer its tools.")).to_be_visible()
    axe.check(page)
    page.keyboard.press("Escape")
    starters.first.click()
    expect(composer(page)).to_be_focused()
    expect(composer(page)).to_have_value("What can I cook with leeks?")
    send(page, "script: say=Leeks")  # a word of the file: its meaning may not be known yet
    finished(page)
    expect(page.get_by_text("Show passages (1)")).to_be_visible()
    shown = page.locator("main p").filter(has_text="Cook")
    expect(shown).to_be_visible()
    (found,) = page.request.get("/api/assistants").json()["assistants"]
    own = ["run_python", "calculate", "calculate_dates"]
    assert found["tools"] == [*own, "board__add", "board__list", "board__resources"]
    (stored,) = page.request.get("/api/conversations").json()["conversations"]
    assert stored["assistant_id"] == found["id"]
    page.reload()
    expect(answer(page)).to_contain_text("Leeks")
    expect(shown).to_be_visible()
    page.request.delete(f"/api/assistants/{found['id']}")
    expect(page.get_by_text("The assistant of this chat no longer exists.")).to_be_visible()


def test_it_is_found_changed_exported_and_deleted(page: Page, watches: list[Watch], tmp_path: Path) -> None:
    watches[-1].forgive("409", "400")  # a name is taken, and a file is none of an assistant
    for each in (COOK, {"name": "Lawyer", "description": "Reads laws"}):
        assert page.request.post("/api/assistants", data=each).status == 201
    page.goto("/assistants")
    page.get_by_label("Search assistants").fill("recipes")
    expect(page.get_by_role("list", name="Assistants").get_by_role("article")).to_have_count(1)
    page.get_by_label("Search assistants").fill("zebra")
    expect(page.get_by_text("No assistant matches these words.")).to_be_visible()
    page.get_by_label("Search assistants").fill("")
    card(page, "Cook").get_by_role("button", name="Options for Cook").click()
    page.get_by_role("menuitem", name="Edit").click()
    form = page.get_by_role("dialog", name="Edit “Cook”")
    form.get_by_label("Name", exact=True).fill("Lawyer")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("There is an assistant")
    form.get_by_label("Name", exact=True).fill("Chef")
    form.get_by_role("button", name="Save").click()
    expect(card(page, "Chef")).to_be_visible()
    card(page, "Chef").get_by_role("button", name="Options for Chef").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="Download").click()
    file = tmp_path / "chef.json"
    download.value.save_as(file)
    assert json.loads(file.read_text("utf-8"))["instructions"] == "Answer with a recipe."
    card(page, "Chef").get_by_role("button", name="Options for Chef").click()
    page.get_by_role("menuitem", name="Delete").click()
    card(page, "Chef").get_by_role("button", name="Delete").click()
    expect(card(page, "Chef")).to_have_count(0)
    page.locator("main input[type=file]").set_input_files(file)
    expect(page.get_by_role("status").get_by_text("“Chef” imported.")).to_be_visible()
    expect(card(page, "Chef")).to_be_visible()
    gpt = tmp_path / "gpt.json"
    gpt.write_text(json.dumps({"name": "Foreign", "instructions": "x", "actions": [{"domain": "a.example"}]}))
    page.locator("main input[type=file]").set_input_files(gpt)
    expect(page.get_by_text("Not imported: actions.")).to_be_visible()
    gpt.write_text("not json")
    page.locator("main input[type=file]").set_input_files(gpt)
    expect(page.get_by_role("alert")).to_contain_text("is no JSON")


def test_all_of_it_works_by_keyboard_and_on_a_phone(page: Page) -> None:
    cook = page.request.post("/api/assistants", data=COOK).json()["id"]
    library = page.request.put(f"/api/assistants/{cook}/library").json()["library"]
    assert page.request.post(f"/api/files?name=leeks.txt&library={library}", data=b"Leeks and cream.").status == 201
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto("/assistants")
    expect(card(page, "Cook")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    begin = page.get_by_role("button", name="New chat with Cook")
    options = page.get_by_role("button", name="Options for Cook")
    options.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Edit")).to_be_focused()
    page.keyboard.press("Enter")
    form = page.get_by_role("dialog", name="Edit “Cook”")
    expect(form.get_by_label("Instructions")).to_have_value("Answer with a recipe.")
    files = form.get_by_role("list", name="Files of Cook")
    expect(files.get_by_text("leeks.txt")).to_be_visible()
    files.get_by_role("button", name="Delete “leeks.txt”").press("Enter")
    expect(files.get_by_text("leeks.txt")).to_have_count(0)
    expect(form.get_by_role("button", name="Add files")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)
    begin.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Cook", level=1)).to_be_visible()
    expect(page).to_have_url(re.compile("/$"))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
