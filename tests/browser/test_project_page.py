"""The page of a project: its conversations, instructions and settings, for everybody on any screen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.conftest import Opening, Watch
from tests.browser.served import Served
from tests.browser.test_projects import make_project, nav, project


@pytest.fixture
def shelf(opening: Opening, mortal: Served) -> Page:
    page = opening(mortal).new_page()
    page.goto("/")
    return page


def open_project(page: Page, name: str) -> None:
    project(page, name).hover()
    nav(page).get_by_role("button", name=f"Actions for “{name}”").click()
    page.get_by_role("menuitem", name="Open project").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_focused()


def test_a_project_is_set_up_and_a_chat_begun_in_it(shelf: Page) -> None:
    tool = {"name": "add", "title": "Add a card", "call_name": "board__add", "read_only": False}
    states = {"state": "ready", "offered": True, "prompts": False, "resources": False}
    servers = [
        {"id": name, "name": name, "on": is_on, "approved": approved, **states}
        for name, is_on, approved in (("board", False, {"tools": [tool]}), ("unseen", True, None))
    ]
    shelf.route("**/api/mcp-servers", lambda route: route.fulfill(json={"servers": servers, "may_add_commands": True}))
    make_project(shelf, "Baking")
    open_project(shelf, "Baking")
    field = shelf.get_by_role("textbox", name="Project instructions")
    field.fill("Answer as a baker.")
    shelf.get_by_role("button", name="Save", exact=True).click()
    expect(shelf.get_by_text("Saved", exact=True)).to_be_visible()
    shelf.get_by_role("group", name="Web search").get_by_role("radio", name="Off").check()
    shelf.get_by_role("radio", name="Only these").check()
    images = shelf.get_by_role("checkbox", name="Making images")
    expect(images).to_be_checked()
    with shelf.expect_response(re.compile("/api/projects/")) as saved:
        images.uncheck()
    body = saved.value.json()
    assert (body["instructions"], body["web"]) == ("Answer as a baker.", "off")
    assert "draw_picture" not in body["tools"]
    assert "run_python" in body["tools"]
    given = shelf.get_by_role("group", name="MCP servers").get_by_role("checkbox")
    expect(given).to_have_count(1)
    expect(given).not_to_be_checked()
    with shelf.expect_response(re.compile("/api/projects/")) as saved:
        given.check()
    assert saved.value.json()["tools"] == [*body["tools"], "board__add"]
    shelf.reload()
    expect(given).to_be_checked()
    expect(images).not_to_be_checked()
    expect(field).to_have_value("Answer as a baker.")
    shelf.get_by_role("button", name="New chat in this project").click()
    expect(shelf.get_by_role("link", name="Project: Baking")).to_be_visible()
    shelf.reload()
    expect(shelf.get_by_role("link", name="Project: Baking")).to_be_visible()
    nav(shelf).get_by_role("link", name="Projects", exact=True).click()
    shelf.go_back()
    expect(shelf.get_by_role("link", name="Project: Baking")).to_be_visible()
    shelf.get_by_role("textbox", name="Message").fill("script: words=1")
    shelf.keyboard.press("Enter")
    expect(nav(shelf).get_by_role("list", name="Baking").get_by_role("listitem")).to_have_count(1)
    shelf.get_by_role("link", name="Project: Baking").click()
    expect(shelf.get_by_role("main").get_by_role("list", name="Conversations").get_by_role("link")).to_have_count(1)


def test_a_new_chat_is_in_no_project_unless_it_was_begun_there(shelf: Page) -> None:
    make_project(shelf, "Baking")
    open_project(shelf, "Baking")
    shelf.get_by_role("button", name="New chat in this project").click()
    link = shelf.get_by_role("link", name="Project: Baking")
    expect(link).to_be_visible()
    nav(shelf).get_by_role("button", name="New chat").first.click()
    expect(link).to_have_count(0)
    shelf.reload()
    expect(project(shelf, "Baking")).to_be_visible()
    expect(link).to_have_count(0)


def test_a_project_has_files_and_a_memory_of_its_own(shelf: Page, watches: list[Watch], tmp_path: Path) -> None:
    watches[-1].forgive("404")  # the page may ask for the files of a project that is deleted at that moment
    make_project(shelf, "Baking")
    open_project(shelf, "Baking")
    assert shelf.request.post("/api/libraries", data={"name": "handbook"}).ok
    shelf.get_by_role("button", name="Add files").click()
    group = shelf.get_by_role("group", name="Add files")
    expect(group).to_be_visible()
    file = tmp_path / "rye.txt"
    file.write_text("Rye rises slowly.", encoding="utf-8")
    group.locator("input").first.set_input_files(file)
    listed = shelf.get_by_role("list", name="Files of Baking")
    expect(listed.get_by_text("rye.txt")).to_be_visible()
    expect(listed.get_by_text("ready · Pages: 1")).to_be_visible(timeout=60_000)
    shelf.get_by_role("searchbox", name="Search this project").fill("slowly")
    shelf.get_by_role("list", name="Search this project").get_by_role("button", name="rye.txt").click()
    expect(shelf.get_by_role("complementary", name="rye.txt").get_by_text("Rye rises slowly.")).to_be_visible()
    shelf.get_by_role("searchbox", name="Search this project").fill("nowhere")
    expect(shelf.get_by_text("Nothing found for “nowhere”.")).to_be_visible()
    with shelf.expect_response(re.compile("/api/projects/")) as saved:
        shelf.get_by_role("checkbox", name="@handbook").check()
    assert len(saved.value.json()["libraries"]) == 1
    shelf.get_by_role("textbox", name="New memory").fill("Flour comes from the mill")
    shelf.keyboard.press("Enter")
    kept = shelf.get_by_role("list", name="Memory").get_by_role("listitem")
    expect(kept).to_have_count(1)
    with shelf.expect_response(re.compile("/api/projects/")) as changed:
        shelf.get_by_role("radio", name="This project’s and your own").check()
    assert changed.value.json()["memory"] == "both"
    expect(kept.get_by_role("link")).to_have_count(0)
    address = shelf.url
    shelf.goto("/settings/memory")
    expect(kept.get_by_role("link", name="Project: Baking")).to_be_visible()
    kept.get_by_role("link", name="Project: Baking").click()
    expect(shelf).to_have_url(address)
    project(shelf, "Baking").hover()
    nav(shelf).get_by_role("button", name="Actions for “Baking”").click()
    shelf.get_by_role("menuitem", name="Delete").click()
    expect(project(shelf, "Baking")).to_have_count(0)
    expect(shelf.get_by_text("This project isn’t here")).to_be_visible()
    shelf.get_by_role("button", name="Undo").click()
    expect(project(shelf, "Baking")).to_be_visible()
    expect(listed.get_by_text("rye.txt")).to_be_visible()
    expect(kept).to_have_count(1)


def test_projects_are_listed_and_begun_by_keyboard(shelf: Page) -> None:
    nav(shelf).get_by_role("link", name="Projects", exact=True).focus()
    shelf.keyboard.press("Enter")
    expect(shelf.get_by_role("heading", name="Projects", level=1)).to_be_focused()
    expect(shelf.get_by_text("There are no projects yet.")).to_be_visible()
    shelf.get_by_role("textbox", name="New project").focus()
    shelf.keyboard.type("Rye")
    shelf.keyboard.press("Enter")
    expect(shelf.get_by_role("heading", name="Rye", level=1)).to_be_focused()
    nav(shelf).get_by_role("link", name="Projects", exact=True).click()
    expect(shelf.get_by_role("list", name="Projects").get_by_role("link")).to_have_text([re.compile("Rye")])
    shelf.goto("/projects/proj_none")
    expect(shelf.get_by_text("This project isn’t here")).to_be_visible()


@pytest.mark.parametrize("width", [1366, 320])
def test_everybody_can_use_the_page(opening: Opening, mortal: Served, width: int) -> None:
    context = opening(mortal, viewport={"width": width, "height": 800})
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto("/")
    made = page.request.post("/api/projects", data={"name": "A project with quite a long name"}).json()
    changes = {"tools": ["run_python"], "instructions": "Be brief."}
    assert page.request.patch(f"/api/projects/{made['id']}", data=changes).ok
    kept = page.request.post("/api/conversations", data={"title": "Wheat", "project_id": made["id"]})
    assert kept.ok
    page.goto(f"/projects/{made['id']}")
    expect(page.get_by_role("main").get_by_role("link", name="Wheat")).to_be_visible()
    axe.check(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("main").get_by_role("link", name="Wheat").click()
    expect(page.get_by_role("link", name=f"Project: {made['name']}")).to_be_visible()
    axe.check(page)
