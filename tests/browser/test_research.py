"""A research in the page: its plan is made, changed and looked into, and its report is read, stopped and taken out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from eclair.research import search_agent
from eclair.web import session
from tests.browser import axe
from tests.browser.axe import AXE
from tests.browser.conftest import Opening, Watch
from tests.browser.internet import Outside
from tests.browser.test_chat import answer, composer
from tests.browser.test_web import beside, switch

REQUEST = "What is new in the towns?"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for pages that were found however busy the machine is."""
    monkeypatch.setattr(session, "PAGE_TIMEOUT_S", 60.0)
    monkeypatch.setattr(session, "BEST_PAGES_GRACE_S", 60.0)


@pytest.fixture
def asked(beyond: Outside) -> tuple[str, str]:
    """Two questions whose answers stand in the small internet; the model proposes them as a plan."""
    found = (beyond.question("plain").text, beyond.question("contradicted").text)
    beyond.model.says = "\n".join(f"{number}. {text}" for number, text in enumerate(found, 1))
    return found


@pytest.fixture
def desk(opening: Opening, beyond: Outside, asked: tuple[str, str]) -> Iterator[Page]:
    page = opening(beyond).new_page()
    page.goto("/")
    yield page
    beyond.model.says = "OK"


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Research")


def lines(page: Page) -> Locator:
    return dialog(page).get_by_role("textbox", name="Question")


def planned(page: Page, request: str = REQUEST) -> None:
    """Ask for a plan as a command."""
    composer(page).fill(f"/research {request}")
    page.keyboard.press("Enter")
    expect(lines(page)).to_have_count(2)


def begin(page: Page, beyond: Outside) -> None:
    beyond.model.says = beyond.told(beyond.question("plain"))
    dialog(page).get_by_role("button", name="Write the report").click()
    expect(dialog(page)).to_have_count(0)


def written(page: Page) -> None:
    expect(answer(page).get_by_role("button", name="Edit the plan")).to_be_enabled(timeout=30_000)


def test_a_plan_is_changed_by_keys_and_buttons_and_becomes_a_report(
    desk: Page, beyond: Outside, asked: tuple[str, str]
) -> None:
    planned(desk)
    expect(dialog(desk).get_by_label("What should the report be about?")).to_have_value(REQUEST)
    expect(lines(desk).first).to_have_value(asked[0])
    expect(lines(desk).first).to_be_focused()
    desk.keyboard.press("Alt+ArrowDown")
    expect(lines(desk).last).to_have_value(asked[0])
    expect(lines(desk).last).to_be_focused()
    expect(dialog(desk).get_by_text("Question 2 of 2")).to_be_attached()
    desk.keyboard.press("Enter")
    expect(lines(desk).nth(2)).to_be_focused()
    desk.keyboard.type("Xylophagous quibblefish zymurgy?")
    desk.keyboard.press("Enter")
    expect(lines(desk)).to_have_count(4)
    desk.keyboard.press("Backspace")
    expect(lines(desk)).to_have_count(3)
    expect(lines(desk).nth(2)).to_be_focused()
    dialog(desk).get_by_role("button", name=f"Move up: “{asked[0]}”").click()
    expect(lines(desk).first).to_have_value(asked[0])
    begin(desk, beyond)
    expect(desk.get_by_role("article").first).to_contain_text(REQUEST)
    written(desk)
    expect(composer(desk)).to_have_value("")
    report = answer(desk)
    expect(report.get_by_role("heading", name=REQUEST)).to_be_visible()
    expect(report.get_by_text("Contents", exact=True)).to_be_visible()
    expect(report.get_by_role("heading", name=f"1. {asked[0]}")).to_be_visible()
    expect(report.get_by_text("No source was found for this.")).to_be_visible()
    expect(report.get_by_role("table").get_by_role("link").first).to_have_attribute(
        "href", beyond.question("plain").pages[0]
    )
    report.get_by_text("3 questions").click()
    report.get_by_role("button", name=asked[1]).click()
    expect(report.get_by_role("heading", name=f"2. {asked[1]}")).to_be_focused()
    report.get_by_role("link", name=asked[0]).click()
    expect(report.get_by_role("heading", name=f"1. {asked[0]}")).to_be_focused()


def test_a_citation_of_a_report_opens_the_copy(desk: Page, beyond: Outside) -> None:
    planned(desk)
    begin(desk, beyond)
    written(desk)
    answer(desk).locator("sup button:not(.doubt)").first.click()
    expect(beside(desk).locator("mark")).to_contain_text(beyond.told(beyond.question("plain"))[:30])
    expect(beside(desk).get_by_role("link", name="Open original")).to_be_visible()


def test_it_goes_on_through_a_reload_and_is_stopped(
    desk: Page, beyond: Outside, asked: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_agent, "SEARCH_TIMEOUT_S", 120.0)
    slow = beyond.world.mood("/silent")
    planned(desk)
    lines(desk).first.fill(f"What does {slow} say?")
    begin(desk, beyond)
    progress = answer(desk).get_by_role("progressbar")
    expect(progress).to_be_visible()
    expect(answer(desk).get_by_text("Questions looked into: 1 of 2")).to_be_visible(timeout=20_000)
    desk.reload()
    expect(answer(desk).get_by_text("Questions looked into: 1 of 2")).to_be_visible()
    desk.get_by_role("button", name="Stop", exact=True).click()
    expect(answer(desk)).to_contain_text("You stopped this answer.")
    expect(answer(desk).get_by_role("button", name="Continue")).to_be_enabled()
    answer(desk).get_by_role("button", name="Edit the plan").click()
    expect(lines(desk).first).to_have_value(f"What does {slow} say?")
    dialog(desk).get_by_role("button", name=f"Remove: “What does {slow} say?”").click()
    expect(lines(desk)).to_have_count(1)
    begin(desk, beyond)
    written(desk)
    expect(answer(desk).get_by_role("heading", name=f"1. {asked[1]}")).to_be_visible()
    expect(desk.get_by_role("group", name="2 of 2")).to_be_visible()


def test_escape_keeps_what_was_asked_and_how_the_plan_was_changed(desk: Page) -> None:
    composer(desk).fill(REQUEST)
    desk.get_by_role("button", name="Research", exact=True).click()
    expect(lines(desk)).to_have_count(2)
    lines(desk).first.fill("Something else?")
    desk.keyboard.press("Escape")
    expect(dialog(desk)).to_have_count(0)
    expect(composer(desk)).to_have_value(REQUEST)
    expect(desk.get_by_role("button", name="Research", exact=True)).to_be_focused()
    desk.keyboard.press("Enter")
    expect(lines(desk).first).to_have_value("Something else?")


def test_without_a_request_it_asks_for_one(desk: Page) -> None:
    composer(desk).press_sequentially("/rese")
    expect(desk.get_by_role("option", name="/research")).to_be_visible()
    desk.keyboard.press("Enter")
    on = dialog(desk).get_by_label("What should the report be about?")
    expect(on).to_be_focused()
    desk.keyboard.type(REQUEST)
    desk.keyboard.press("Enter")
    expect(lines(desk)).to_have_count(2)
    expect(dialog(desk).get_by_text("Searching with: Finder (EU)")).to_be_visible()


def test_a_temporary_chat_says_why_it_has_none(desk: Page) -> None:
    desk.goto("/temporary")
    composer(desk).fill("/research a thing")
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("status").get_by_text("Research isn’t available in a temporary chat")).to_be_visible()
    expect(composer(desk)).to_have_value("/research a thing")


def test_a_plan_that_cannot_be_made_says_why(desk: Page, watches: list[object]) -> None:
    desk.route(
        "**/api/research/plan",
        lambda route: route.fulfill(
            status=422,
            json={"error": {"code": "invalid_input", "message": "Nothing may leave this machine.", "param": None}},
        ),
    )
    watches[0].forgive("422")  # pyright: ignore[reportAttributeAccessIssue]
    composer(desk).fill("/research a thing")
    desk.keyboard.press("Enter")
    expect(dialog(desk).get_by_role("alert")).to_have_text("Nothing may leave this machine.")


def test_a_report_is_exported_with_its_table(desk: Page, beyond: Outside) -> None:
    planned(desk)
    begin(desk, beyond)
    written(desk)
    address = desk.url.rsplit("/", 1)[1]
    markdown = desk.request.get(f"/api/conversations/{address}/export?format=markdown").text()
    assert "**Contents**" in markdown
    url = beyond.question("plain").pages[0]
    assert f"]({url})" in markdown
    page = desk.context.new_page()
    page.set_content(desk.request.get(f"/api/conversations/{address}/export?format=html").text())
    expect(page.get_by_role("table").get_by_role("link").first).to_have_attribute("href", url)
    page.close()


@pytest.mark.parametrize("width", [1200, 390])
def test_everyone_can_use_it(opening: Opening, beyond: Outside, asked: tuple[str, str], width: int) -> None:
    context = opening(beyond, viewport={"width": width, "height": 844})
    context.add_init_script(path=AXE)
    page = context.new_page()
    page.goto("/")
    planned(page)
    axe.check(page)
    lines(page).last.fill(f"What does {beyond.world.mood('/silent')} say?")
    begin(page, beyond)
    expect(answer(page).get_by_role("progressbar")).to_be_visible()
    page.mouse.move(0, 0)  # where the pointer was, a button showed its tip, which axe takes for a part of its name
    axe.check(page)
    written(page)
    answer(page).get_by_text("2 questions").click()
    axe.check(page)
    assert switch(page)


def test_an_error_in_the_dialog_has_the_button_that_helps(
    opening: Opening, beyond: Outside, watches: list[Watch]
) -> None:
    page = opening(beyond, locale="de-DE").new_page()
    watches[-1].forgive("404")
    message = "There is no model 'gone'; `eclair models` lists them."
    refused = {"code": "model_missing", "message": message, "param": None}
    page.route("**/api/research/plan", lambda route: route.fulfill(status=404, json={"error": refused}))
    page.goto("/")
    page.locator("#composer").fill(f"/research {REQUEST}")
    page.keyboard.press("Enter")
    shown = page.get_by_role("dialog", name="Recherche")
    alert = shown.get_by_role("alert")
    expect(alert.get_by_role("button", name="Modelle")).to_be_visible()
    expect(alert.get_by_text(message)).to_be_hidden()
    alert.get_by_role("button", name="Modelle").click()
    expect(shown).to_have_count(0)
    expect(page.get_by_role("heading", name="Modelle", exact=True).first).to_be_visible()
