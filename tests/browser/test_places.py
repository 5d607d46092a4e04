"""The settings and the places of the sidebar are pages with addresses, reached from everywhere and left by Back."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import check
from tests.browser.conftest import Opening
from tests.browser.navigation import visit
from tests.browser.served import Served
from tests.browser.test_chat import composer

PAGES = {
    "general": "General",
    "appearance": "Appearance",
    "models": "Models",
    "speech": "Speech",
    "instructions": "Custom instructions",
    "memory": "Memory",
    "schedules": "Schedules",
    "prompts": "Prompts",
    "skills": "Skills",
    "servers": "Servers",
    "mcp": "MCP servers",
    "keys": "API keys",
    "web": "Web search",
    "keyboard": "Keyboard",
    "data": "Your data",
    "compliance": "AI Act and data protection",
    "about": "About",
}
PLACES = {
    "assistants": "Assistants",
    "libraries": "Libraries",
    "news": "News",
    "pictures": "Images",
    "usage": "Usage",
    "connections": "Outgoing connections",
}
MOVED = {
    "language": "/settings/general",
    "writing": "/settings/general",
    "model": "/settings/models",
    "models": "/settings/models",
    "engines": "/settings/servers",
    "about": "/settings/about",
    "libraries": "/libraries",
    "feeds": "/news#feeds",
    "usage": "/usage",
    "egress": "/connections",
}


def title(page: Page, name: str) -> Locator:
    return page.get_by_role("heading", name=name, exact=True)


def listed(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Settings").get_by_role("link")


def sidebar(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Conversations")


def test_each_page_of_the_settings_has_an_address_and_back_works(page: Page) -> None:
    page.get_by_role("link", name="Settings").click()
    expect(listed(page)).to_have_text(list(PAGES.values()))
    for address, name in PAGES.items():
        listed(page).filter(has_text=re.compile(f"^{name}$")).click()
        expect(page).to_have_url(re.compile(f"/settings/{address}$"))
        expect(page).to_have_title(f"{name} · Éclair")
        expect(title(page, name)).to_be_focused()
        expect(listed(page).and_(page.locator("[aria-current=page]"))).to_have_text(name)
        expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()
    page.go_back()
    expect(title(page, "AI Act and data protection")).to_be_focused()
    page.reload()
    expect(title(page, "AI Act and data protection")).to_be_focused()
    page.get_by_role("button", name="Back to the conversation").click()
    expect(composer(page)).to_be_visible()


@pytest.mark.parametrize(("section", "address"), MOVED.items())
def test_old_addresses_of_the_settings_lead_to_the_page(page: Page, section: str, address: str) -> None:
    page.goto(f"/settings#{section}")
    expect(page).to_have_url(re.compile(f"{address}$"))
    expect(page.locator("[aria-current=page]").last).to_be_visible()
    page.go_back()
    expect(composer(page)).to_be_visible()


@pytest.mark.parametrize("place", PLACES)
def test_a_place_is_reached_from_the_sidebar_and_the_palette(page: Page, place: str) -> None:
    link = sidebar(page).get_by_role("link", name=PLACES[place], exact=True)
    more = sidebar(page).get_by_role("button", name="More", exact=True)
    if place in ("usage", "connections"):
        expect(link).to_have_count(0)
        more.click()
        expect(more).to_have_attribute("aria-expanded", "true")
    link.click()
    expect(page).to_have_url(re.compile(f"/{place}$"))
    expect(page).to_have_title(f"{PLACES[place]} · Éclair")
    expect(page.get_by_role("heading", name=PLACES[place], level=1)).to_be_focused()
    expect(link).to_have_attribute("aria-current", "page")
    page.reload()
    expect(link).to_have_attribute("aria-current", "page")
    page.go_back()
    expect(composer(page)).to_be_visible()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Command palette")).to_be_focused()
    page.keyboard.type(PLACES[place])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=PLACES[place], level=1)).to_be_focused()


def test_a_place_gets_a_shortcut(opening: Opening, mortal: Served) -> None:
    page = opening(mortal).new_page()
    page.goto("/settings/keyboard")
    page.get_by_role("button", name="change the shortcut for “News”").click()
    page.keyboard.press("Alt+w")
    page.get_by_role("button", name="Alt+W: change the shortcut for “News”").click()
    page.keyboard.press("Escape")
    page.goto("/")
    expect(composer(page)).to_be_focused()
    page.keyboard.press("Alt+w")
    expect(page.get_by_role("heading", name="News", level=1)).to_be_focused()


def test_on_a_phone_the_list_of_settings_leads_to_a_page_and_back(opening: Opening, shared: Served) -> None:
    page = opening(shared, viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True).new_page()
    page.goto("/settings")
    expect(listed(page)).to_have_text(list(PAGES.values()))
    expect(page.get_by_role("region", name="General")).to_have_count(0)
    listed(page).get_by_text("Appearance").tap()
    expect(title(page, "Appearance")).to_be_focused()
    expect(listed(page)).to_have_count(0)
    page.get_by_role("main").get_by_role("link", name="Settings").tap()
    expect(listed(page)).to_have_text(list(PAGES.values()))
    page.goto("/settings#about")
    expect(title(page, "About")).to_be_focused()


def test_a_page_of_the_settings_is_loaded_when_it_is_opened(page: Page) -> None:
    scripts: list[str] = []
    page.on("request", lambda request: scripts.append(request.url.rsplit("/", 1)[-1].split("-")[0]))
    page.goto("/settings/about")
    expect(title(page, "About")).to_be_focused()
    expect(page.get_by_role("table")).to_be_visible()
    assert "About" in scripts
    assert not {"Keyboard", "Data", "Prompts", "Engines", "ModelSettings", "Gallery"} & set(scripts)


def test_the_instructions_have_room_and_grow(opening: Opening, mortal: Served) -> None:
    page = opening(mortal).new_page()
    page.goto("/settings/instructions")
    field = page.get_by_role("textbox", name="Custom instructions")
    empty = field.evaluate("e => e.offsetHeight")
    assert empty > 100
    field.fill("\n".join(f"Rule {number}" for number in range(20)))
    assert field.evaluate("e => e.offsetHeight") > 2 * empty
    assert field.evaluate("e => e.scrollHeight <= e.clientHeight")


@pytest.mark.parametrize("width", [1200, 320])
def test_every_page_is_accessible(look: Callable[..., Page], width: int) -> None:
    page = look(width)
    page.goto("/")
    expect(composer(page)).to_be_visible()
    for address in [*(f"settings/{name}" for name in PAGES), "settings", *PLACES]:
        visit(page, f"/{address}")
        expect(page.get_by_role("main").get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_role("main").get_by_role("button").or_(page.get_by_role("link")).first).to_be_visible()
        check(page)
        assert page.evaluate("[...document.querySelectorAll('main > div')].every(e => e.scrollWidth <= e.clientWidth)")


def test_the_sidebar_is_hidden_remembered_and_brought_back(page: Page) -> None:
    expect(sidebar(page)).to_be_visible()
    page.get_by_role("button", name="Hide the sidebar").click()
    expect(sidebar(page)).to_be_hidden()
    show = page.get_by_role("button", name="Show the sidebar")
    expect(show).to_be_focused()
    page.reload()
    expect(show).to_be_visible()
    expect(sidebar(page)).to_be_hidden()
    page.get_by_role("button", name="New chat").click()
    expect(composer(page)).to_be_focused()
    page.keyboard.press("Control+Shift+s")
    expect(sidebar(page)).to_be_visible()
    expect(composer(page)).to_be_focused()
    page.keyboard.press("Control+Shift+s")
    expect(sidebar(page)).to_be_hidden()
    page.keyboard.press("Control+Shift+f")
    expect(page.get_by_role("searchbox", name="Search conversations")).to_be_focused()
    page.keyboard.press("Control+Shift+s")
    expect(show).to_be_focused()
    show.click()
    expect(page.get_by_role("button", name="Hide the sidebar")).to_be_focused()


def test_a_hidden_sidebar_is_still_a_drawer_on_a_small_screen(look: Callable[..., Page]) -> None:
    page = look(1200)
    page.goto("/")
    page.get_by_role("button", name="Hide the sidebar").click()
    check(page)
    page.set_viewport_size({"width": 390, "height": 780})
    expect(page.get_by_role("button", name="Show the sidebar")).to_be_hidden()
    page.get_by_role("button", name="Conversations").click()
    expect(sidebar(page)).to_be_visible()
