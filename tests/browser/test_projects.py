"""Projects in the list of conversations, and what is done with several at once."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import axe
from tests.browser.conftest import Opening
from tests.browser.served import Served
from tests.browser.test_chat import choose

TITLES = ["Bread", "Rye", "Wheat"]


def nav(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Conversations")


def project(page: Page, name: str) -> Locator:
    return nav(page).get_by_role("button", name=re.compile(f"^{name}"))


def link(page: Page, title: str) -> Locator:
    return nav(page).get_by_role("link", name=title, exact=True)


@pytest.fixture
def shelf(opening: Opening, mortal: Served) -> Page:
    """A page with three conversations."""
    page = opening(mortal).new_page()
    page.goto("/")
    for title in TITLES:
        assert page.request.post("/api/conversations", data={"title": title}).ok
    expect(link(page, "Wheat")).to_be_visible()
    return page


def make_project(page: Page, name: str) -> None:
    nav(page).get_by_role("button", name="New project").click()
    page.get_by_role("textbox", name="Project name").fill(name)
    page.keyboard.press("Enter")
    expect(project(page, name)).to_have_attribute("aria-expanded", "true")


def members(page: Page, name: str) -> Locator:
    return nav(page).get_by_role("list", name=name, exact=True).get_by_role("listitem")


def test_a_project_is_made_filled_closed_renamed_and_deleted(shelf: Page) -> None:
    make_project(shelf, "Baking")
    choose(shelf, "Rye", "Move to project…")
    shelf.get_by_role("dialog", name="Move to project").get_by_role("button", name="Baking").click()
    expect(members(shelf, "Baking")).to_have_count(1)
    expect(link(shelf, "Rye")).to_have_count(1)
    second = shelf.context.new_page()
    second.goto("/")
    expect(members(second, "Baking")).to_have_count(1)
    project(shelf, "Baking").click()
    expect(link(shelf, "Rye")).to_have_count(0)
    shelf.reload()
    expect(project(shelf, "Baking")).to_have_attribute("aria-expanded", "false")
    project(shelf, "Baking").hover()
    nav(shelf).get_by_role("button", name="Actions for “Baking”").click()
    shelf.get_by_role("menuitem", name="Rename").click()
    shelf.get_by_role("textbox", name="Project name").fill("Kitchen")
    shelf.keyboard.press("Enter")
    expect(project(second, "Kitchen")).to_be_visible()
    project(shelf, "Kitchen").hover()
    nav(shelf).get_by_role("button", name="Actions for “Kitchen”").click()
    shelf.get_by_role("menuitem", name="Delete").click()
    expect(shelf.get_by_text("Project “Kitchen” deleted. Its conversations were kept.")).to_be_visible()
    expect(link(shelf, "Rye")).to_be_visible()
    expect(project(second, "Kitchen")).to_have_count(0)


def test_a_conversation_is_dragged_into_a_project_and_out(shelf: Page) -> None:
    make_project(shelf, "Baking")
    link(shelf, "Bread").drag_to(project(shelf, "Baking"))
    expect(members(shelf, "Baking")).to_have_text([re.compile("Bread")])
    shelf.get_by_role("button", name="Undo").click()
    expect(members(shelf, "Baking")).to_have_count(0)
    link(shelf, "Bread").drag_to(project(shelf, "Baking"))
    expect(members(shelf, "Baking")).to_have_count(1)
    link(shelf, "Bread").drag_to(link(shelf, "Rye"))
    expect(members(shelf, "Baking")).to_have_count(0)


def test_several_are_selected_moved_archived_exported_and_deleted(shelf: Page, tmp_path: Path) -> None:
    choose(shelf, "Wheat", "Select")
    wheat, bread = (shelf.get_by_role("checkbox", name=name) for name in ("Wheat", "Bread"))
    expect(wheat).to_be_checked()
    expect(wheat).to_be_focused()
    bread.click(modifiers=["Shift"])
    bar = shelf.get_by_role("toolbar", name="Select")
    expect(bar).to_contain_text("Selected: 3")
    shelf.get_by_role("checkbox", name="Rye").uncheck()
    expect(bar).to_contain_text("Selected: 2")
    with shelf.expect_download() as download:
        bar.get_by_role("button", name="Export…").click()
    download.value.save_as(tmp_path / "some.zip")
    with zipfile.ZipFile(io.BytesIO((tmp_path / "some.zip").read_bytes())) as archive:
        assert len([name for name in archive.namelist() if name.startswith("json/")]) == 2
    expect(bar).to_have_count(0)
    for name in ("Wheat", "Bread"):
        if name == "Wheat":
            choose(shelf, name, "Select")
        else:
            shelf.get_by_role("checkbox", name=name).check()
    bar.get_by_role("button", name="Move to project").click()
    shelf.get_by_role("textbox", name="New project").fill("Grain")
    shelf.keyboard.press("Enter")
    expect(members(shelf, "Grain")).to_have_count(2)
    choose(shelf, "Rye", "Select")
    shelf.get_by_role("checkbox", name="Wheat").check()
    bar.get_by_role("button", name="Delete").click()
    expect(shelf.get_by_text("Conversations deleted: 2")).to_be_visible()
    expect(link(shelf, "Rye")).to_have_count(0)
    shelf.get_by_role("button", name="Undo").last.click()
    for name in ("Rye", "Wheat"):  # rows below each one move as it comes back
        expect(link(shelf, name)).to_be_visible()
    choose(shelf, "Rye", "Select")
    bar.get_by_role("button", name="Archive").click()
    expect(shelf.get_by_text("Conversations archived: 1")).to_be_visible()
    expect(link(shelf, "Rye")).to_have_count(0)


def test_selecting_is_worked_by_keyboard(shelf: Page) -> None:
    link(shelf, "Wheat").focus()
    choose(shelf, "Wheat", "Select")
    shelf.keyboard.press("ArrowDown")
    shelf.keyboard.press("Space")
    expect(shelf.get_by_role("toolbar")).to_contain_text("Selected: 2")
    shelf.keyboard.press("Escape")
    expect(shelf.get_by_role("toolbar")).to_have_count(0)
    expect(link(shelf, "Rye")).to_be_visible()


@pytest.mark.parametrize("width", [1366, 320])
def test_everybody_can_use_them(opening: Opening, mortal: Served, width: int) -> None:
    context = opening(mortal, viewport={"width": width, "height": 800})
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto("/")
    made = page.request.post(
        "/api/projects", data={"name": "A project with quite a long name for a narrow list"}
    ).json()
    kept = [page.request.post("/api/conversations", data={"title": title}).json() for title in TITLES]
    assert page.request.patch(f"/api/conversations/{kept[-1]['id']}", data={"project_id": made["id"]}).ok
    if width < 500:
        page.get_by_role("button", name="Conversations").click()
    project(page, "A project").click()
    expect(link(page, "Wheat")).to_be_visible()
    axe.check(page)
    choose(page, "Rye", "Select")
    expect(page.get_by_role("toolbar")).to_be_visible()
    axe.check(page)
