"""Memory in the page: what a message asks to remember, what answers use, and the list of it all."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.conftest import Opening, Starting
from tests.browser.test_chat import answer, finished, send

SETTINGS = "/settings/memory"


@pytest.fixture
def page(opening: Opening, starting: Starting) -> Page:
    context = opening(starting(), accept_downloads=True)
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto("/")
    return page


def add(page: Page, text: str) -> None:
    page.get_by_label("New memory").fill(text)
    page.get_by_role("button", name="Remember", exact=True).click()
    expect(page.get_by_role("list", name="Memory").get_by_text(text, exact=True)).to_be_visible()


def test_a_message_asks_to_remember_something_and_the_person_takes_it_back(page: Page) -> None:
    send(page, "Remember that my office is in Lyon.\nscript: words=3")
    finished(page)
    chip = answer(page).get_by_text("Remembered: My office is in Lyon.")
    expect(chip).to_be_visible()
    axe.check(page)
    first = page.url
    page.keyboard.press("Control+Shift+O")
    send(page, "Where is my office?\nscript: words=3")
    finished(page)
    used = answer(page).get_by_text("Memories used: 1")
    used.click()
    expect(answer(page).get_by_role("listitem").filter(has_text="My office is in Lyon.")).to_be_visible()
    axe.check(page)
    page.goto(first)
    answer(page).get_by_role("button", name="Undo").click()
    expect(answer(page).get_by_text("No longer remembered.")).to_be_visible()
    expect(chip).to_have_count(0)
    assert page.request.get("/api/memories").json() == {"memories": []}


def test_what_may_be_sensitive_leads_to_the_page_where_it_can_be_written(page: Page) -> None:
    send(page, "Remember that I am diabetic.\nscript: words=3")
    finished(page)
    expect(answer(page)).to_contain_text("so it wasn't remembered")
    answer(page).get_by_role("button", name="Open memory").click()
    expect(page).to_have_url(re.compile(f"{SETTINGS}$"))
    expect(page.get_by_text("Nothing is remembered yet.")).to_be_visible()


def test_the_list_is_written_searched_edited_exported_and_emptied_by_keyboard(page: Page, tmp_path: Path) -> None:
    page.goto(SETTINGS)
    for text in ("I live in Gent", "My dog is called Rex", "I like tea", "Fact four", "Fact five", "Fact six"):
        add(page, text)
    axe.check(page)
    page.get_by_role("searchbox", name="Search memory").fill("DOG")
    expect(page.get_by_role("list", name="Memory").get_by_role("listitem")).to_have_count(1)
    page.get_by_role("button", name="Edit: My dog is called Rex").press("Enter")
    page.keyboard.press("Control+A")
    page.keyboard.type("My dog is called Max")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Edit: My dog is called Max")).to_be_focused()
    page.get_by_role("searchbox", name="Search memory").fill("zebra")
    expect(page.get_by_text("No memory matches these words.")).to_be_visible()
    page.get_by_role("searchbox", name="Search memory").fill("")
    page.get_by_role("button", name="Delete: Fact four").press("Enter")
    expect(page.get_by_role("button", name="Delete: Fact four")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Delete: Fact four")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export memories").click()
    file = tmp_path / "memories.json"
    download.value.save_as(file)
    assert {each["text"] for each in json.loads(file.read_text())} >= {"My dog is called Max", "Fact four"}
    page.get_by_role("button", name="Delete all memories").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("Nothing is remembered yet.")).to_be_visible()


def test_memory_is_switched_off_for_all_and_for_one_conversation(page: Page) -> None:
    page.goto(SETTINGS)
    add(page, "I live in Gent")
    page.get_by_role("radio", name="Off").check()
    expect(page.get_by_text("Saved")).to_be_visible()
    page.goto("/")
    send(page, "Hello\nscript: words=3")
    finished(page)
    expect(answer(page).get_by_text("Memories used")).to_have_count(0)
    page.keyboard.press("Control+Shift+O")
    page.get_by_role("textbox").first.press_sequentially("/answers")
    page.keyboard.press("Enter")
    form = page.get_by_role("dialog", name="Conversation settings")
    form.get_by_role("radio", name="On").check()
    axe.check(page)
    form.get_by_role("button", name="Save").click()
    send(page, "Hello\nscript: words=3")
    finished(page)
    expect(answer(page).get_by_text("Memories used: 1")).to_be_visible()


def test_a_temporary_chat_remembers_nothing(page: Page) -> None:
    page.goto("/temporary")
    send(page, "Remember that my office is in Lyon.\nscript: words=3")
    finished(page)
    expect(answer(page).get_by_text("Remembered")).to_have_count(0)
    assert page.request.get("/api/memories").json() == {"memories": []}


def test_the_list_fits_a_phone(opening: Opening, starting: Starting) -> None:
    context = opening(starting(), viewport={"width": 320, "height": 700})
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto(SETTINGS)
    add(page, "A long sentence with a verylongwordthatneverends" + "x" * 60 + " in it")
    axe.check(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
