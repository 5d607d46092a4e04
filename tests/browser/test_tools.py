"""The tools of the composer: in words at first, what is on at a glance, whole by keyboard and on a phone."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import axe
from tests.browser.conftest import Opening
from tests.browser.served import Served
from tests.browser.test_chat import composer, finished, model_button, send
from tests.browser.test_languages import WORDS as TEXTS

WORDS = ["Web", "Research", "Libraries", "Image", "Think"]
FIRST_CONVERSATIONS = 5


def row(page: Page) -> Locator:
    return page.locator("form", has=composer(page))


def word(page: Page, text: str) -> Locator:
    return row(page).locator("button").get_by_text(text, exact=True)


@pytest.mark.parametrize("language", ["de", "el", "fi", "lt"])  # those with long words
def test_the_words_of_tools_leave_room_for_one_line(opening: Opening, shared: Served, language: str) -> None:
    texts = json.loads((TEXTS / f"{language}.json").read_text(encoding="utf-8"))
    page = opening(shared, locale=language, viewport={"width": 1280, "height": 640}).new_page()
    page.goto("/")
    for name in ("attach", "dictate", "voiceTalk", "send"):
        expect(page.get_by_role("button", name=texts[name], exact=True)).to_be_visible()
    expect(page.locator("form .word").get_by_text(texts["toolWeb"], exact=True)).to_be_visible()
    tops = page.locator("form .face, form [type=submit]").evaluate_all(
        "all => all.filter((e) => e.offsetParent !== null).map((e) => e.getBoundingClientRect().top)"
    )
    assert len(tops) >= 7
    assert max(tops) - min(tops) < 20


def test_tools_are_named_in_words_until_a_few_conversations_were_begun(page: Page) -> None:
    for text in WORDS:
        expect(word(page, text).first).to_be_visible()
    for _ in range(FIRST_CONVERSATIONS):
        page.keyboard.press("Control+Shift+O")
        send(page, "Hello")
        finished(page)
    page.keyboard.press("Control+Shift+O")
    expect(page).to_have_url(re.compile(r"/$"))
    for text in WORDS:
        expect(word(page, text).first).to_be_hidden()
    page.keyboard.press("Control+/")
    expect(word(page, "Web: When needed")).to_be_visible()


def test_a_tip_says_what_a_tool_does_on_hover_and_focus(page: Page) -> None:
    button = page.get_by_role("button", name="Libraries", exact=True)
    expect(button).to_have_accessible_description("Search my documents")
    tip = button.get_by_text("Search my documents")
    expect(tip).to_be_hidden()
    button.hover()
    expect(tip).to_be_visible()
    composer(page).hover()
    expect(tip).to_be_hidden()
    page.get_by_role("button", name="Research", exact=True).focus()
    page.keyboard.press("Tab")
    expect(button).to_be_focused()
    expect(tip).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("[role^=menuitem]:visible").first).to_be_focused()  # a library, if there is one
    expect(tip).to_be_hidden()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()


def test_nothing_says_auto_twice_and_the_model_is_as_wide_as_its_name(page: Page) -> None:
    assert row(page).inner_text().count("Auto") <= 1
    box, words = model_button(page).bounding_box(), model_button(page).locator("span").bounding_box()
    assert box is not None
    assert words is not None
    assert box["width"] - words["width"] < 48


@pytest.mark.parametrize("width", [1366, 390, 320])
def test_everybody_can_use_them(opening: Opening, shared: Served, width: int) -> None:
    context = opening(shared, viewport={"width": width, "height": 800})
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto("/")
    if width > 500:
        page.get_by_role("button", name="Web: Off").click()
        expect(page.get_by_role("menuitemradio", name="Off")).to_be_focused()
        axe.check(page)
        page.get_by_role("menuitemradio", name="On").click()
        page.get_by_role("button", name="Image", exact=True).click()
        expect(page.get_by_role("button", name="Image", exact=True)).to_have_attribute("aria-pressed", "true")
    else:
        page.get_by_role("button", name="Files and tools").click()
        axe.check(page)
        page.keyboard.press("Escape")
    axe.check(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
