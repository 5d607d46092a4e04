"""Questions are answered from the small internet: the switch, what is said of sources, and the page that is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.axe import AXE
from tests.browser.conftest import Opening
from tests.browser.internet import Outside, outside
from tests.browser.test_chat import answer, finished, send
from tests.browser.test_web import beside, choose_web, switch
from tests.browser.test_writing import press
from tests.web.questions import Question


@pytest.fixture
def plain(beyond: Outside) -> Question:
    return beyond.question("plain")


@pytest.fixture
def desk(opening: Opening, beyond: Outside, plain: Question) -> Iterator[Page]:
    """The model says what the right page says."""
    beyond.model.says = beyond.told(plain)
    page = opening(beyond).new_page()
    page.goto("/")
    yield page
    beyond.model.says = "OK"


def kept(page: Page) -> str | None:
    """The switch of the conversation, as the server has it."""
    return page.request.get(f"/api/conversations/{page.url.rsplit('/', 1)[1]}").json()["conversation"]["web"]


def test_the_switch_is_kept_with_its_conversation(desk: Page, beyond: Outside, plain: Question) -> None:
    choose_web(desk, "On")
    expect(desk.get_by_text("Searching with: Finder")).to_be_visible()
    send(desk, plain.text)
    finished(desk)
    first = desk.url
    assert kept(desk) == "on"
    asked = len(beyond.finder.asked)
    desk.goto("/")
    choose_web(desk, "Off")
    send(desk, plain.text)
    finished(desk)
    assert (kept(desk), len(beyond.finder.asked)) == ("off", asked)
    desk.goto(first)
    expect(switch(desk)).to_have_accessible_name("Web: On")


def test_auto_looks_by_itself_says_why_and_can_be_undone(desk: Page, beyond: Outside) -> None:
    choose_web(desk, "When needed")
    send(desk, "Why is the sky blue?")
    finished(desk)
    expect(answer(desk).locator("[data-code=web_auto]")).to_have_count(0)
    send(desk, "What is the latest news from Harrowmere?")
    finished(desk)
    expect(answer(desk).locator("[data-code=web_auto]")).to_contain_text("the question asks for what is new")
    asked = len(beyond.finder.asked)
    press(desk, "Answer without the web")
    expect(answer(desk).locator("[data-code=web_auto]")).to_have_count(0)
    expect(answer(desk).get_by_role("group", name="2 of 2")).to_be_visible()
    finished(desk)
    assert len(beyond.finder.asked) == asked


def test_off_says_so_where_the_web_is_needed_and_offers_it(desk: Page, plain: Question) -> None:
    send(desk, "What is the latest news from Harrowmere?")
    finished(desk)
    expect(answer(desk).get_by_text("Web search is off")).to_be_visible()
    press(desk, "Answer with the web")
    expect(answer(desk).get_by_text("pages read")).to_be_visible()
    finished(desk)


def test_a_citation_opens_the_page_as_it_was_kept(desk: Page, beyond: Outside, plain: Question) -> None:
    choose_web(desk, "On")
    send(desk, plain.text)
    finished(desk)
    newest = beyond.world.today
    expect(answer(desk).get_by_text(f"Newest source: {newest.day} {newest:%B %Y}")).to_be_visible()
    answer(desk).locator("sup button:not(.doubt)").first.click()
    pane = beside(desk)
    expect(pane.locator("mark")).to_have_text(beyond.told(plain))
    original = pane.get_by_role("link", name="Open original")
    expect(original).to_have_attribute("href", plain.pages[0])
    expect(original).to_have_attribute("rel", "noopener noreferrer")
    desk.keyboard.press("Escape")
    expect(pane).to_have_count(0)


def test_sources_that_contradict_each_other_open_side_by_side(desk: Page, beyond: Outside) -> None:
    choose_web(desk, "On")
    send(desk, beyond.question("contradicted").text)
    finished(desk)
    said = answer(desk).locator("[data-code=contradicted]")
    expect(said).to_contain_text("Sources contradict each other")
    said.get_by_role("button").last.click()
    expect(beside(desk).locator("mark").first).to_be_visible()


def test_what_is_older_than_the_question_needs_is_said_first(opening: Opening, tmp_path: Path) -> None:
    with outside(tmp_path, days=400) as later:
        plain = later.question("plain")
        later.model.says = later.told(plain)
        page = opening(later).new_page()
        page.goto("/")
        choose_web(page, "On")
        send(page, f"{plain.text} What is the latest news?")
        finished(page)
        stale = answer(page).locator("[data-code=stale]")
        expect(stale).to_contain_text(f"the newest source is of {later.world.today}")
        above = stale.bounding_box()
        words = answer(page).get_by_text(later.told(plain)[:30]).first.bounding_box()
        assert above is not None
        assert words is not None
        assert above["y"] < words["y"]
        page.close()


def test_nothing_found_is_said(desk: Page) -> None:
    choose_web(desk, "On")
    send(desk, "Xylophagous quibblefish zymurgy?")
    finished(desk)
    expect(answer(desk).get_by_text("Nothing was found on the web that fits the question.")).to_be_visible()


def test_a_web_that_cannot_be_reached_is_said(opening: Opening, tmp_path: Path) -> None:
    with outside(tmp_path, finds=False) as unplugged:
        page = opening(unplugged).new_page()
        page.goto("/")
        choose_web(page, "On")
        expect(page.get_by_text("Searching with: Wikipedia (US)")).to_be_visible()
        send(page, "Who leads the council of Harrowmere?")
        finished(page)
        expect(answer(page).get_by_text("No search service and no page could be reached.")).to_be_visible()
        expect(answer(page)).not_to_contain_text("Nothing was found")
        page.close()


@pytest.mark.parametrize("width", [1400, 390])
def test_everyone_can_use_it(opening: Opening, beyond: Outside, plain: Question, width: int) -> None:
    beyond.model.says = beyond.told(plain)
    context = opening(beyond, viewport={"width": width, "height": 844})
    context.add_init_script(path=AXE)
    page = context.new_page()
    page.goto("/")
    page.evaluate("localStorage.setItem('eclair.web', 'on')")
    page.goto("/")
    send(page, beyond.question("contradicted").text)
    finished(page)
    axe.check(page)
    answer(page).locator("[data-code=contradicted]").get_by_role("button").first.click()
    expect(beside(page).locator("mark").first).to_be_visible()
    axe.check(page)
