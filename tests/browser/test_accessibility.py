"""The page by keyboard, by ear, on a phone, behind a key; and its API reference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Opening, Watch
from tests.browser.served import Served
from tests.browser.test_chat import answer, composer, finished, send, until_longer

UNNAMED = """() => [...document.querySelectorAll("button, a[href], input, textarea, select, summary, [role=button]")]
  .filter(e => e.checkVisibility({ visibilityProperty: true }))
  .filter(e => !(e.getAttribute("aria-label") || e.textContent || e.labels?.[0]?.textContent || "").trim())
  .map(e => e.outerHTML)"""

FAINT = """() => {
  const part = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const colour = text => text.match(/[\\d.]+/g).map(Number);
  const ground = e => {
    for (; e; e = e.parentElement) {
      const c = colour(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0.99) return c;
    }
    return colour(getComputedStyle(document.body).backgroundColor);
  };
  const seen = { opacityProperty: true, visibilityProperty: true };
  const texts = [...document.querySelectorAll("body *")].filter(e => e.checkVisibility(seen)
    && !e.matches(".visually-hidden, :disabled, .skip, :disabled *")
    && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  return texts.map(e => {
    const [a, b] = [light(colour(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), e.outerHTML.slice(0, 120)];
  }).filter(([ratio]) => ratio < 4.5);
}"""


def test_a_conversation_by_keyboard_alone(page: Page) -> None:
    skip = page.get_by_role("link", name="Skip to the conversation")
    expect(composer(page)).to_be_focused()
    for _ in range(300):
        page.keyboard.press("Shift+Tab")
        if skip.evaluate("e => e === document.activeElement"):
            break
    expect(skip).to_be_visible()
    page.keyboard.press("Enter")
    for _ in range(8):
        if composer(page).evaluate("e => e === document.activeElement"):
            break
        page.keyboard.press("Tab")
    expect(composer(page)).to_be_focused()
    page.keyboard.type("script: say=by hand")
    page.keyboard.press("Enter")
    finished(page, "by hand")
    expect(composer(page)).to_be_focused()
    again = answer(page).get_by_role("button", name="Answer again")
    for _ in range(6):
        page.keyboard.press("Shift+Tab")
        if again.evaluate("e => e === document.activeElement"):
            break
    expect(again).to_be_focused()
    page.keyboard.press("Enter")
    finished(page, "2/2")


def test_the_answer_is_announced_by_the_sentence(page: Page) -> None:
    log = page.get_by_role("log")
    send(page, "script: words=150 rate=40")
    expect(log).not_to_be_empty()
    first = log.inner_text()
    assert first.endswith((".", "!", "?"))
    finished(page)
    expect(log).to_contain_text("Answer finished.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 320])
def test_every_control_has_a_name_and_every_word_can_be_read(
    opening: Opening, shared: Served, scheme: str, width: int
) -> None:
    page = opening(shared, color_scheme=scheme, viewport={"width": width, "height": 800}).new_page()
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    _check(page)
    send(page, "script: reasoning=5 say=**bold** `code` [link](https://example.org) and more")
    finished(page)
    answer(page).get_by_role("button", name="Answer again").click()
    finished(page, "2/2")
    _check(page)
    send(page, "script: words=30 fail=5")
    finished(page)
    _check(page)


def _check(page: Page) -> None:
    assert page.evaluate(UNNAMED) == []
    assert page.evaluate(FAINT) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_on_a_phone_the_list_is_a_drawer(opening: Opening, shared: Served) -> None:
    page = opening(shared, viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True).new_page()
    page.goto("/")
    composer(page).fill("script: say=in the pocket")
    page.get_by_role("button", name="Send").tap()
    finished(page, "in the pocket")
    nav = page.get_by_role("navigation", name="Conversations")
    expect(nav).to_be_hidden()
    menu = page.get_by_role("button", name="Conversations")
    menu.tap()
    expect(nav).to_be_visible()
    page.keyboard.press("Escape")
    expect(nav).to_be_hidden()
    expect(menu).to_be_focused()
    menu.tap()
    nav.get_by_role("button", name="New chat", exact=True).tap()
    expect(nav).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_the_end_stays_in_view_when_there_is_more_room_for_it(page: Page) -> None:
    page.set_viewport_size({"width": 900, "height": 600})
    pane = page.get_by_role("region", name="Conversation")
    pane.evaluate("e => setInterval(() => e.scrollHeight, 1)")  # others may have the page laid out at any time
    send(page, "script: words=900 rate=300")
    until_longer(page, 1500)
    for _ in range(3):
        composer(page).fill("several\nlines\nof\nwords\n" * 2)
        page.wait_for_timeout(100)
        composer(page).fill("")
        page.wait_for_timeout(100)
    finished(page)
    assert pane.evaluate("e => e.scrollHeight - e.scrollTop - e.clientHeight < 60")


def test_the_end_stays_in_view_only_while_the_person_is_there(page: Page) -> None:
    page.set_viewport_size({"width": 900, "height": 500})
    send(page, "script: words=900 rate=300")
    until_longer(page, 1500)
    pane = page.get_by_role("region", name="Conversation")
    assert pane.evaluate("e => e.scrollHeight - e.scrollTop - e.clientHeight < 60")
    pane.hover()
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(150)
    before = pane.evaluate("e => e.scrollTop")
    finished(page)
    assert abs(pane.evaluate("e => e.scrollTop") - before) < 5
    page.get_by_role("button", name="Jump to the latest message").click()
    assert pane.evaluate("e => e.scrollHeight - e.scrollTop - e.clientHeight < 60")


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path, ECLAIR_API_KEY="open-sesame")
    served.start()
    yield served
    served.close()


def test_a_key_is_asked_for_once_in_a_browser(locked: Served, opening: Opening, watches: list[Watch]) -> None:
    context = opening(locked)
    page = context.new_page()
    page.goto("/")
    watches[0].forgive("401")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Key", exact=True).fill("wrong")
    dialog.get_by_role("button", name="Continue").click()
    expect(dialog).to_contain_text("That key was not accepted.")
    dialog.get_by_label("Key", exact=True).fill("open-sesame")
    dialog.get_by_role("button", name="Continue").click()
    expect(dialog).to_be_hidden()
    send(page, "script: say=inside")
    finished(page, "inside")
    page.reload()
    finished(page, "inside")
    expect(dialog).to_be_hidden()
    other = context.new_page()
    other.goto(page.url)
    finished(other, "inside")
    expect(other.get_by_role("dialog")).to_have_count(0)
    stored = other.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")
    assert "open-sesame" not in stored, "no script can read the key"
    other.goto("/settings#data")
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_role("dialog").get_by_label("Key", exact=True)).to_be_visible()
    page.reload()
    expect(dialog.get_by_label("Key", exact=True)).to_be_visible()


def test_the_api_reference_lists_the_calls(opening: Opening, shared: Served) -> None:
    page = opening(shared).new_page()
    page.goto("/docs")
    for group, call in (("conversations", "/api/conversations/{id}/turns"), ("OpenAI", "/v1/chat/completions")):
        page.get_by_role("link", name=group, exact=True).click(timeout=60_000)
        expect(page.get_by_text(call).first).to_be_visible()
