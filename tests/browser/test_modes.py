"""Flash, auto and think in the page; the hand-over of a running answer; the model that a conversation remembers."""

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
from tests.browser.test_chat import answers, choose_model, composer, finished, model_button, send


@pytest.fixture(scope="module")
def rack() -> Iterator[Rack]:
    with racked() as rack:
        yield rack


@pytest.fixture(scope="module")
def several(rack: Rack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An Éclair with two models to choose from."""
    settings = {"ECLAIR_SCRIPTED": "false", "ECLAIR_TITLES": "false"}
    served = Served(
        tmp_path_factory.mktemp("modes"), ECLAIR_ENGINES=json.dumps({"rack": {"url": rack.url}}), **settings
    )
    served.start()
    yield served
    served.close()


@pytest.fixture
def both(opening: Opening, several: Served) -> Page:
    page = opening(several).new_page()
    page.goto("/")
    version = page.request.get("/api/preferences").json()["version"]
    assert page.request.put("/api/preferences", data={"version": version}).status == 200  # what was chosen before
    page.reload()
    return page


def mode(page: Page) -> Locator:
    return page.get_by_role("button", name=re.compile("^(Think: (Auto|On)|Flash)$"))


def choose_mode(page: Page, name: str) -> None:
    mode(page).click()
    page.get_by_role("menuitemradio", name=re.compile(f"^{name} ")).click()


def told(rack: Rack) -> object:
    """Whom the last question went to, and whether that was told to think."""
    asked = rack.asked[-1]
    return asked["model"], asked.get("chat_template_kwargs", {}).get("enable_thinking")


def test_the_settings_and_the_composer_name_the_same_models(both: Page) -> None:
    expect(model_button(both)).to_have_text("Automatic")
    both.goto("/settings/models")
    chosen = both.get_by_role("combobox", name="Default model")
    expect(chosen.locator("option:checked")).to_have_text(f"Automatic ({SMALL}, {BIG})")


def test_auto_chooses_says_why_and_is_overruled_with_one_button(both: Page, rack: Rack) -> None:
    expect(mode(both)).to_have_accessible_name("Think: Auto")
    expect(model_button(both)).to_have_text("Automatic")
    send(both, "Is it so?")
    finished(both, f"{SMALL} says yes.")
    assert told(rack) == (SMALL, None) or told(rack) == (SMALL, False)
    expect(answers(both)).to_contain_text(f"Flash, with {SMALL}: a short question.")
    both.get_by_role("button", name="Think instead").focus()
    both.keyboard.press("Enter")
    finished(both, f"{BIG} says yes.")
    assert told(rack) == (BIG, True)
    expect(answers(both).get_by_text("Reasoning", exact=True)).to_be_visible()
    expect(answers(both)).to_contain_text("2/2")
    expect(both.get_by_role("button", name="Think instead")).to_have_count(0)
    send(both, "What is 17 * 23?")
    finished(both, f"{BIG} says yes.")
    expect(answers(both).last).to_contain_text("a question with numbers to work out")
    expect(answers(both).last.get_by_role("button", name="Flash instead")).to_be_visible()


def test_the_switch_is_worked_by_keyboard_and_outlives_a_reload(both: Page, rack: Rack) -> None:
    both.get_by_role("button", name="Add files").focus()
    for _ in range(20):
        both.keyboard.press("Tab")
        if mode(both).evaluate("element => element === document.activeElement"):
            break
    expect(mode(both)).to_be_focused()
    both.keyboard.press("Enter")
    expect(both.get_by_role("menuitemradio", checked=True)).to_be_focused()
    both.keyboard.press("ArrowDown")
    both.keyboard.press("Enter")
    expect(mode(both)).to_be_focused()
    expect(mode(both)).to_have_accessible_name("Think: On")
    send(both, "Is it so?")
    finished(both, f"{BIG} says yes.")
    assert told(rack) == (BIG, True)
    both.reload()
    expect(mode(both)).to_have_accessible_name("Think: On")
    composer(both).press_sequentially("/flash")
    both.keyboard.press("Enter")
    expect(mode(both)).to_have_accessible_name("Flash")
    send(both, "And now?")
    finished(both, f"{SMALL} says yes.")


def test_a_running_answer_is_handed_over_and_what_it_wrote_stays(both: Page, rack: Rack) -> None:
    send(both, "wait for it")
    expect(answers(both)).to_contain_text("more more more")
    both.get_by_role("button", name="Think instead").click()
    expect(answers(both)).to_contain_text(f"{BIG} says yes.")
    assert told(rack) == (BIG, True)
    expect(both.get_by_role("button", name="Flash instead")).to_be_visible()
    both.get_by_role("button", name="Stop").click()
    expect(answers(both)).to_contain_text("2/2")
    both.get_by_role("button", name="Previous version").click()
    expect(answers(both)).to_contain_text(f"{SMALL} says yes. more more more")
    assert len(rack.asked) >= 2


def test_the_model_is_remembered_with_the_conversation_and_a_second_tab_follows(both: Page, rack: Rack) -> None:
    send(both, "Is it so?")
    finished(both, SMALL)
    second = both.context.new_page()
    second.goto(both.url)
    expect(answers(second)).to_have_count(1)
    choose_model(both, BIG)
    expect(model_button(second)).to_have_text(BIG)
    choose_mode(second, "Flash")
    expect(mode(both)).to_have_accessible_name("Flash")
    send(second, "And now?")
    finished(second, f"{BIG} says yes.")
    assert told(rack) == (BIG, False)
    composer(both).press_sequentially("once @small")
    composer(both).press("Tab")
    composer(both).press("Enter")
    finished(both, f"{SMALL} says yes.")
    expect(model_button(both)).to_have_text(BIG)
    send(both, "And then?")
    expect(answers(both).last).to_contain_text(f"{BIG} says yes.")
    both.get_by_role("button", name="New chat").first.click()
    expect(model_button(both)).to_have_text(BIG)
    choose_model(both, "Automatic")
    expect(model_button(both)).to_have_text("Automatic")


def test_a_new_chat_is_begun_with_what_was_chosen(both: Page, rack: Rack) -> None:
    choose_model(both, BIG)
    choose_mode(both, "Think")
    send(both, "Is it so?")
    finished(both, f"{BIG} says yes.")
    assert told(rack) == (BIG, True)
    both.reload()
    expect(model_button(both)).to_have_text(BIG)
    expect(mode(both)).to_have_accessible_name("Think: On")


def test_a_model_that_cannot_be_told_says_so(both: Page) -> None:
    both.route("**/api/models", lambda route: route.fulfill(json=listing(route.fetch().json())))
    both.reload()
    choose_model(both, SMALL)
    expect(mode(both)).to_have_count(0)
    switch = both.get_by_role("button", name="Think", exact=True)
    expect(switch).to_have_attribute("aria-disabled", "true")
    expect(switch).to_have_accessible_description(
        f"{SMALL} answers without thinking first. To think first, choose another model."
    )
    switch.click(force=True)
    expect(both.get_by_role("status").get_by_text(f"{SMALL} answers without thinking first")).to_be_visible()


def listing(data: dict[str, object]) -> dict[str, object]:
    models = data["models"]
    assert isinstance(models, list)
    return {**data, "models": [{**one, "thinks": "never" if one["id"] == SMALL else one["thinks"]} for one in models]}  # pyright: ignore[reportUnknownVariableType]


def test_with_one_model_auto_says_nothing_and_the_switch_turns_thinking_off(page: Page) -> None:
    expect(mode(page)).to_have_accessible_name("Think: Auto")
    send(page, "script: words=2 reasoning=3")
    finished(page)
    expect(answers(page).get_by_text("Reasoning", exact=True)).to_be_visible()
    expect(answers(page).locator("[data-code]")).to_have_count(0)
    choose_mode(page, "Flash")
    send(page, "script: words=2 reasoning=3")
    expect(answers(page)).to_have_count(2)
    finished(page)
    expect(answers(page).last.get_by_text("Reasoning", exact=True)).to_have_count(0)


def test_a_temporary_chat_has_its_own(both: Page, rack: Rack) -> None:
    both.goto("/temporary")
    choose_model(both, BIG)
    choose_mode(both, "Think")
    send(both, "Is it so?")
    finished(both, f"{BIG} says yes.")
    assert told(rack) == (BIG, True)
    expect(mode(both)).to_have_accessible_name("Think: On")


@pytest.mark.parametrize("width", [1200, 390])
def test_everybody_can_use_it(opening: Opening, several: Served, width: int) -> None:
    context = opening(several, viewport={"width": width, "height": 800})
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto("/")
    send(page, "Is it so?")
    finished(page, SMALL)
    expect(page.get_by_role("button", name="Think instead")).to_be_visible()
    axe.check(page)


def test_the_picker_finds_pins_and_is_used_by_keyboard(both: Page) -> None:
    model_button(both).click()
    dialog = both.get_by_role("dialog", name="Choose a model")
    search = dialog.get_by_role("searchbox", name="Search models")
    expect(search).to_be_focused()
    rows = dialog.locator("button.choose")
    expect(rows).to_have_count(3)
    expect(rows.first).to_have_text(re.compile("^Automatic"))
    expect(rows.first).to_have_attribute("aria-current", "true")
    both.keyboard.press("ArrowDown")
    both.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    last = dialog.get_by_role("listitem").last
    name = last.locator("strong").inner_text()
    pin = last.get_by_role("button", name=f"Pin {name}")
    pin.focus()
    both.keyboard.press("Enter")
    expect(rows.nth(1)).to_contain_text(name)
    both.reload()
    model_button(both).click()
    expect(rows.nth(1)).to_contain_text(name)
    search.fill(BIG[-6:])
    expect(rows).to_have_count(1)
    both.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(model_button(both)).to_be_focused()
    expect(model_button(both)).to_have_text(BIG)
    model_button(both).click()
    search.fill("no such model")
    expect(dialog).to_contain_text("Nothing found for “no such model”.")


def test_a_temporary_chat_remembers_no_model_for_others(both: Page) -> None:
    both.goto("/temporary")
    choose_model(both, BIG)
    expect(model_button(both)).to_have_text(BIG)
    both.get_by_role("button", name="New chat").first.click()
    expect(model_button(both)).to_have_text("Automatic")
