"""Sub-agents of a research in the page: their progress, budget and notes; one is stopped, or the report wanted now."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from eclair.llm.base import Request
from eclair.llm.scripted import ScriptedEngine
from eclair.web import session
from tests.browser import axe
from tests.browser.axe import AXE
from tests.browser.conftest import Opening
from tests.browser.internet import Outside, outside
from tests.browser.test_chat import answer, composer
from tests.browser.test_research import dialog, lines
from tests.browser.test_web import beside
from tests.researching import Researcher, searching


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    with outside(tmp_path_factory.mktemp("agents"), scripted=True) as found:
        yield found


@pytest.fixture
def model(there: Outside, monkeypatch: pytest.MonkeyPatch) -> Iterator[Researcher]:
    """A model that looks into two questions, the second of which it is held at."""
    for seconds in ("PAGE_TIMEOUT_S", "BEST_PAGES_GRACE_S"):  # however busy the machine is
        monkeypatch.setattr(session, seconds, 60.0)
    first, second = (there.question(sort) for sort in ("plain", "contradicted"))
    acts = {each.text: searching(each.text, notes=[there.told(each)]) for each in (first, second)}
    model = Researcher(acts, says=there.told(first))
    held = model.hold(second.text)

    def stream(engine: ScriptedEngine, request: Request) -> object:
        return model.stream(request)

    monkeypatch.setattr(ScriptedEngine, "stream", stream)
    yield model
    held.set()


def begin(page: Page) -> None:
    """Begin a research in a conversation with the scripted model."""
    begun = page.request.post("/api/conversations", data={"model": "scripted"})
    page.goto(f"/c/{begun.json()['id']}")
    composer(page).fill("/research What is new in the towns?")
    page.keyboard.press("Enter")
    expect(lines(page)).to_have_count(2)
    dialog(page).get_by_role("button", name="Write the report").click()
    expect(dialog(page)).to_have_count(0)
    expect(answer(page).get_by_text("Questions looked into: 1 of 2")).to_be_visible(timeout=30_000)


def written(page: Page) -> None:
    expect(answer(page).get_by_role("button", name="Edit the plan")).to_be_enabled(timeout=30_000)


def test_notes_are_read_and_one_question_is_stopped_by_keys(
    opening: Opening, there: Outside, model: Researcher
) -> None:
    page = opening(there).new_page()
    first, second = model.acts
    begin(page)
    report = answer(page)
    expect(report.get_by_text("Rounds: ")).to_contain_text("of 12")
    expect(report.get_by_text("Tokens: ")).to_contain_text("of 160,000")
    report.get_by_text("Notes: 1").click()
    note = report.get_by_role("listitem").filter(has_text=there.told(there.question("plain"))).last
    note.get_by_role("button").first.click()
    expect(beside(page)).to_be_visible()
    page.keyboard.press("Escape")
    page.reload()
    expect(report.get_by_text("Notes: 1")).to_be_visible()
    report.get_by_role("button", name=f"Stop looking into: “{second}”").focus()
    page.keyboard.press("Enter")
    written(page)
    expect(report.get_by_role("heading", name=f"1. {first}")).to_be_visible()
    expect(report.get_by_role("heading", name=f"2. {second}")).to_be_visible()
    expect(report.get_by_text("search_web")).to_have_count(0)
    report.get_by_text("2 questions").click()
    expect(report.get_by_text("You stopped it; the notes rest on what it had found.")).to_be_visible()


@pytest.mark.parametrize("width", [1200, 320])
def test_the_report_is_wanted_now(opening: Opening, there: Outside, model: Researcher, width: int) -> None:
    context = opening(there, viewport={"width": width, "height": 844})
    context.add_init_script(path=AXE)
    page = context.new_page()
    begin(page)
    report = answer(page)
    report.get_by_text("Notes: 1").click()
    axe.check(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    report.get_by_role("button", name="Write the report now").click()
    written(page)
    report.get_by_text("2 questions").click()
    expect(report.get_by_text("Cut short for the report")).to_be_visible()
    axe.check(page)


def test_a_stopped_research_is_continued(opening: Opening, there: Outside, model: Researcher) -> None:
    page = opening(there).new_page()
    second = list(model.acts)[1]
    begin(page)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(answer(page)).to_contain_text("You stopped this answer.")
    searched = len(there.finder.asked)
    model.hold(second).set()
    answer(page).get_by_role("button", name="Continue").click()
    written(page)
    expect(answer(page).get_by_role("heading", name=f"2. {second}")).to_be_visible()
    assert [each.text for each in there.finder.asked[searched:]] == [second]
