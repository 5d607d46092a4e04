"""Temperature, length and system prompt of a conversation, and another model for one answer."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import axe
from tests.browser.conftest import Opening, Watch
from tests.browser.served import Served
from tests.browser.test_chat import answer, composer, finished, model_button, send

TITLE = "Conversation settings"


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog", name=TITLE)


def open_settings(page: Page) -> Locator:
    model_button(page).click()
    page.get_by_role("button", name=f"{TITLE}…").click()
    return dialog(page)


def adjusted(page: Page) -> Locator:
    return page.get_by_role("button", name=re.compile(f"^{TITLE}: "))


def stored(page: Page) -> dict[str, Any]:
    tree = page.request.get(f"/api/conversations/{page.url.rsplit('/', 1)[1]}").json()
    names = ("temperature", "max_tokens", "system")
    return {name: tree["conversation"][name] for name in names}


def fill(form: Locator) -> None:
    slider = form.get_by_role("slider", name="Temperature")
    expect(slider).to_have_attribute("aria-valuetext", "Model’s default")
    slider.fill("0.2")
    form.get_by_role("spinbutton", name="Maximum length (tokens)").fill("300")
    form.get_by_role("textbox", name="System prompt").fill("Answer in rhymes.")
    form.get_by_role("button", name="Save").click()


def test_settings_are_kept_with_the_conversation_and_reset(page: Page) -> None:
    expect(adjusted(page)).to_have_count(0)
    fill(open_settings(page))
    expect(dialog(page)).to_have_count(0)
    label = f"{TITLE}: Temperature 0.2, Maximum length (tokens) 300, System prompt"
    expect(adjusted(page)).to_have_accessible_name(label)
    send(page, "Hello")
    finished(page)
    assert stored(page) == {"temperature": 0.2, "max_tokens": 300, "system": "Answer in rhymes."}
    second = page.context.new_page()
    second.goto(page.url)
    expect(adjusted(second)).to_have_accessible_name(label)
    adjusted(page).click()
    dialog(page).get_by_role("button", name="Reset to default").click()
    dialog(page).get_by_role("button", name="Save").click()
    expect(adjusted(page)).to_have_count(0)
    expect(adjusted(second)).to_have_count(0)
    assert stored(page) == {"temperature": None, "max_tokens": None, "system": None}
    page.keyboard.press("Control+Shift+O")
    expect(adjusted(page)).to_have_count(0)


def test_a_temporary_chat_has_settings_too(page: Page) -> None:
    turns: list[Any] = []
    page.route("**/api/answers", lambda route: (turns.append(route.request.post_data_json), route.continue_()))
    page.goto("/temporary")
    fill(open_settings(page))
    send(page, "Hello")
    finished(page)
    assert (turns[-1]["temperature"], turns[-1]["max_tokens"], turns[-1]["system"]) == (0.2, 300, "Answer in rhymes.")


def test_what_the_server_refuses_is_said_in_the_dialog(page: Page, watches: list[Watch]) -> None:
    watches[-1].forgive("400")
    send(page, "Hello")
    finished(page)
    composer(page).press_sequentially("/answers")
    page.keyboard.press("Enter")
    length = dialog(page).get_by_role("spinbutton")
    length.evaluate("field => field.removeAttribute('max')")
    length.fill("99000000")
    dialog(page).get_by_role("button", name="Save").click()
    expect(dialog(page).get_by_role("alert")).to_contain_text("max_tokens")
    page.keyboard.press("Escape")
    expect(adjusted(page)).to_have_count(0)


def test_of_many_models_one_is_searched_to_answer_again(page: Page) -> None:
    def many(route: Any) -> None:
        listed = route.fetch().json()
        (one,) = listed["models"][:1]
        more = [{**one, "id": f"m{at}", "name": f"Model {at}"} for at in range(5)]
        route.fulfill(json={**listed, "models": [*listed["models"], *more]})

    page.route("**/api/models", many)
    page.reload()
    send(page, "Hello")
    finished(page)
    started = {"conversation": "c", "run": "run_1", "message": "m", "answer": "a", "model": "m3"}
    page.route("**/turns", lambda route: route.fulfill(status=202, json=started))
    page.route("**/api/runs/run_1/events*", lambda route: route.fulfill(status=204))
    answer(page).get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Ask another model…").click()
    picker = page.get_by_role("dialog", name="Ask another model")
    expect(picker.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("model 3")
    expect(picker.locator("button.choose")).to_have_count(1)
    with page.expect_request("**/turns") as asked:
        page.keyboard.press("Enter")
    turn: Any = asked.value.post_data_json
    assert turn["model"] == "m3"
    assert "retry" in turn


@pytest.mark.parametrize("width", [1366, 320])
def test_everybody_can_set_them(opening: Opening, shared: Served, width: int) -> None:
    context = opening(shared, viewport={"width": width, "height": 800})
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto("/")
    if width > 500:
        open_settings(page)
    else:
        page.get_by_role("button", name="Files and tools").click()
        page.get_by_role("button", name=TITLE).click()
    axe.check(page)
    fill(dialog(page))
    expect(adjusted(page)).to_be_visible()
    axe.check(page)
