"""Several models answer one question side by side; one answer is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import axe
from tests.browser.conftest import Opening
from tests.browser.model_server import BIG, SMALL, Rack, racked
from tests.browser.served import Served
from tests.browser.test_chat import answers, composer, finished, model_button, send


@pytest.fixture(scope="module")
def rack() -> Iterator[Rack]:
    with racked() as rack:
        yield rack


@pytest.fixture(scope="module")
def several(rack: Rack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = {"ECLAIR_SCRIPTED": "false", "ECLAIR_TITLES": "false"}
    served = Served(
        tmp_path_factory.mktemp("comparisons"), ECLAIR_ENGINES=json.dumps({"rack": {"url": rack.url}}), **settings
    )
    served.start()
    yield served
    served.close()


@pytest.fixture
def page(opening: Opening, several: Served) -> Page:
    context = opening(several)
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto("/")
    return page


def choose(page: Page, *, blind: bool = False) -> None:
    """Choose both models for the next message: blind by way of the palette, else from the list of models."""
    if blind:
        page.keyboard.press("Control+K")
        page.get_by_role("combobox", name="Command palette").fill("Compare models")
        page.keyboard.press("Enter")
    else:
        model_button(page).click()
        page.get_by_role("button", name="Compare models…").click()
    dialog = page.get_by_role("dialog", name="Compare models")
    done = dialog.get_by_role("button", name="Done")
    for name in (SMALL, BIG):
        dialog.get_by_role("checkbox", name=re.compile(name.split("/")[1])).check()
    dialog.get_by_role("checkbox", name="Hide their names until I keep an answer").set_checked(blind)
    axe.check(page)
    done.click()
    expect(page.get_by_role("button", name="Don’t compare")).to_be_visible()


def comparison(page: Page) -> Locator:
    return page.get_by_role("region", name="Compare models")


def compared(page: Page, name: str) -> Locator:
    return comparison(page).get_by_role("article", name=name)


def test_two_answers_stream_side_by_side_across_reload_and_tabs_and_one_is_kept(page: Page, rack: Rack) -> None:
    choose(page)
    send(page, "Who are you? wait")
    small, big = compared(page, "small-1b"), compared(page, "Qwen3-32B")
    expect(small).to_contain_text("small-1b says yes. more more")
    expect(big).to_contain_text("Qwen3-32B says yes. more more")
    axe.check(page)
    left, right = small.bounding_box(), big.bounding_box()
    assert left is not None
    assert right is not None
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] < right["x"]
    page.reload()
    expect(small).to_contain_text("more more")
    other = page.context.new_page()
    other.goto(page.url)
    expect(compared(other, "Qwen3-32B")).to_contain_text("more more")
    other.bring_to_front()
    compared(other, "small-1b").get_by_role("button", name="Stop").click()  # one
    keep = small.get_by_role("button", name="Keep: ")
    expect(keep).to_be_visible()
    expect(big.get_by_role("button", name="Stop")).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).last.click()  # all that are left
    expect(big.get_by_role("button", name="Keep: ")).to_be_visible()
    expect(big).to_contain_text("words/s")
    composer(page).fill("And now?")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Keep one answer to continue")
    big.get_by_role("button", name="Keep: ").focus()
    page.keyboard.press("Enter")
    expect(comparison(page)).to_have_count(0)
    expect(answers(page).last).to_contain_text("Qwen3-32B says yes.")
    expect(comparison(other)).to_have_count(0)
    answers(page).last.get_by_role("button", name="Previous version").click()
    expect(answers(page).last).to_contain_text("small-1b says yes.")  # nothing is lost
    answers(page).last.get_by_role("button", name="Next version").click()
    page.keyboard.press("Escape")
    composer(page).fill("And now?")
    page.keyboard.press("Enter")
    finished(page)
    assert "Qwen3-32B says yes." in json.dumps(rack.asked[-1]["messages"])


def test_names_are_hidden_until_one_is_kept(page: Page, rack: Rack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rack, "says", "Yes, of course.")
    choose(page, blind=True)
    send(page, "Who?")
    first, second = compared(page, "Answer A"), compared(page, "Answer B")
    expect(first.get_by_role("button", name="Keep: ")).to_be_visible()
    expect(second.get_by_role("button", name="Keep: ")).to_be_visible()
    for answer in (first, second):
        expect(answer.get_by_role("heading")).to_have_text(re.compile("^Answer [AB]$"))
        expect(answer).not_to_contain_text(re.compile("small|Qwen"))
    second.get_by_role("button", name="Keep: ").click()
    expect(comparison(page)).to_have_count(0)
    expect(answers(page).last.get_by_text(re.compile("(small-1b|Qwen3-32B) ·"))).to_be_visible()


def test_on_a_phone_one_answer_is_shown_at_a_time(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    choose(page)
    send(page, "Who?")
    small, big = compared(page, "small-1b"), compared(page, "Qwen3-32B")
    expect(small.get_by_role("button", name="Keep: ")).to_be_in_viewport()
    expect(big.get_by_role("button", name="Keep: ")).not_to_be_in_viewport()
    axe.check(page)
    names = page.get_by_role("toolbar", name="Compare models")
    names.get_by_role("button", name="small-1b").focus()
    page.keyboard.press("ArrowRight")
    expect(names.get_by_role("button", name="Qwen3-32B")).to_be_focused()
    expect(big.get_by_role("button", name="Keep: ")).to_be_in_viewport()
    expect(small.get_by_role("button", name="Keep: ")).not_to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    big.get_by_role("button", name="Keep: ").click()
    expect(comparison(page)).to_have_count(0)
