"""What lies around and over a conversation, and what may stand in one, against axe's rules in light and dark."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.axe import check
from tests.browser.conftest import Watch
from tests.browser.test_chat import answer, choose, composer, finished, send, until_longer
from tests.browser.test_diagrams import ROOF, fenced, picture
from tests.browser.test_reading import DOT
from tests.browser.test_writing import CSV, attach, files, waiting


@pytest.mark.parametrize("width", [1200, 320])
def test_settings_palette_models_and_shortcuts(look: Callable[..., Page], width: int) -> None:
    page = look(width)
    page.route("**/api/models", two_models)
    page.goto("/settings/keyboard")
    page.get_by_role("button", name="change the shortcut for “New chat”").click()
    expect(page.get_by_text("Press the new shortcut, or Escape to cancel.")).to_be_visible()
    page.keyboard.press("Control+v")
    check(page)
    page.keyboard.press("Escape")
    page.goto("/settings/prompts")
    page.get_by_role("button", name="Add a prompt").click()
    page.get_by_role("textbox", name="Name").fill("two words")
    check(page)
    page.get_by_role("form", name="Add a prompt").get_by_role("button", name="Cancel").click()
    page.goto("/")
    expect(page.get_by_text("Une autre speaks French and Maltese.")).to_be_visible()
    for keys, typed in (("Control+k", ""), ("Control+k", "new"), ("Control+k", "no such thing at all")):
        page.keyboard.press(keys)
        expect(page.get_by_role("combobox", name="Command palette")).to_be_focused()
        page.keyboard.type(typed)
        check(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog", include_hidden=True)).to_have_count(0)
    composer(page).press_sequentially("/model")
    page.get_by_role("option", name="/model").click()
    expect(page.get_by_role("dialog", name="Choose a model").get_by_role("listitem")).to_have_count(3)
    check(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", include_hidden=True)).to_have_count(0)
    composer(page).fill("")
    for typed, name in (("/", "Commands and prompts"), ("@", "Model")):
        composer(page).press_sequentially(typed)
        expect(page.get_by_role("listbox", name=name)).to_be_visible()
        check(page)
        composer(page).fill("")
    page.get_by_role("region", name="Conversation").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    check(page)


def two_models(route: Route) -> None:
    """The server's answer, with a model that speaks another language before the others."""
    found = route.fetch().json()
    one = found["models"][0]
    other = {**one, "id": "other", "name": "Une autre", "languages": ["fr", "mt"]}
    picks = {"flash": "other", "think": "other"}
    route.fulfill(json={**found, "models": [other, *found["models"]], "default": "other", "picks": picks})


@pytest.mark.parametrize("width", [1200, 320])
def test_dialogs_notices_and_what_is_shared(
    look: Callable[..., Page], width: int, tmp_path: Path, watches: list[Watch]
) -> None:
    page = look(width)
    page.goto("/")
    title = f"Taken along {width}"

    def menu(what: str) -> None:
        if not page.get_by_role("navigation", name="Conversations").is_visible():
            page.get_by_role("button", name="Conversations", exact=True).click()
        choose(page, title, what)

    send(page, title)
    finished(page)
    answer(page).get_by_role("button", name="More").click()
    check(page)
    page.get_by_role("menuitem", name="Delete this answer").click()
    check(page)
    answer(page).get_by_role("button", name="Cancel").click()
    menu("Tags…")
    page.get_by_role("dialog").get_by_label("New tag").fill("Green ideas")
    page.get_by_role("dialog").get_by_label("New tag").press("Enter")
    expect(page.get_by_role("dialog").get_by_role("listitem").first).to_be_visible()
    check(page)
    page.get_by_role("dialog").get_by_role("button", name="Done").click()
    menu("Export…")
    expect(page.get_by_role("dialog").get_by_role("radio").first).to_be_visible()
    check(page)
    page.keyboard.press("Escape")
    menu("Share…")
    check(page)
    page.get_by_role("dialog").get_by_role("button", name="Create link").click()
    address = page.get_by_role("dialog").get_by_role("textbox", name="Link").input_value()
    check(page)
    page.keyboard.press("Escape")
    page.goto(address)
    expect(page.get_by_role("article", name="Éclair")).to_be_visible()
    check(page)
    watches[-1].forgive("404")
    page.goto(f"{address}-is-not")
    expect(page.get_by_role("alert")).to_be_visible()
    check(page)
    page.goto("/")
    expect(composer(page)).to_be_visible()
    menu("Delete")
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    check(page)


@pytest.mark.parametrize("width", [1200, 320])
def test_an_import_from_the_choice_to_the_end(
    look: Callable[..., Page], width: int, tmp_path: Path, watches: list[Watch]
) -> None:
    page = look(width)
    watches[-1].forgive("400", "415", "422")
    page.goto("/")
    if width == 320:
        page.get_by_role("button", name="Conversations", exact=True).click()
    page.get_by_role("button", name="Import conversations").click()
    dialog = page.get_by_role("dialog", name="Import conversations")
    expect(dialog).to_be_visible()
    check(page)
    file = dialog.get_by_label("Choose a .json or .zip file")
    broken = tmp_path / "broken.json"
    broken.write_text('[{"mapping": ')
    file.set_input_files(broken)
    expect(dialog.get_by_role("alert")).to_be_visible()
    check(page)
    good = tmp_path / "conversations.json"
    odd = {"uuid": "b", "name": "Odd", "chat_messages": [{"uuid": "m2", "sender": "nobody", "text": 7}]}
    good.write_text(json.dumps([claude("Brought along", "a"), odd]))
    file.set_input_files(good)
    expect(dialog).to_contain_text("An export from Claude.")
    check(page)
    dialog.get_by_role("button", name="Import", exact=True).click()
    expect(dialog.get_by_role("button", name="Done")).to_be_visible()
    check(page)


def claude(title: str, id: str) -> dict[str, object]:
    message = {"uuid": f"{id}1", "sender": "human", "text": "Bring me along", "created_at": "2026-03-01T10:00:00Z"}
    return {"uuid": id, "name": title, "created_at": "2026-03-01T10:00:00Z", "chat_messages": [message]}


@pytest.mark.parametrize("width", [1200, 320])
def test_what_waits_what_goes_along_and_what_is_refused(
    look: Callable[..., Page], width: int, watches: list[Watch]
) -> None:
    page = look(width)
    page.goto("/temporary")
    expect(page.get_by_text("Not saved: it disappears when you close this tab.")).to_be_visible()
    check(page)
    page.goto("/")
    send(page, "script: words=2000 rate=30")
    until_longer(page, 20)
    for text in ("and a word that is far too long for a phone " * 3, "another"):
        send(page, text)
    attach(page, CSV, {**CSV, "name": "a-name-that-is-far-too-long-to-stand-in-one-line-of-any-phone.csv"})
    expect(waiting(page)).to_have_count(2)
    expect(files(page)).to_have_count(2)
    check(page)
    page.get_by_role("button", name="Edit: “another”").click()
    check(page)
    page.keyboard.press("Escape")
    attach(page, {"name": "report.pdf", "mimeType": "", "buffer": b"%PDF-1.7"})
    expect(page.get_by_role("alert").first).to_be_visible()
    page.get_by_role("button", name="Remove figures.csv").click()
    expect(files(page)).to_have_count(2)
    check(page)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text("On hold: the last answer is incomplete.")).to_be_visible()
    check(page)
    watches[-1].forgive("ERR_FAILED")
    page.route("**/api/**", lambda route: route.abort())
    page.reload()
    expect(page.get_by_text("Éclair can’t be reached. Recent conversations can still be read")).to_be_visible()
    check(page)


@pytest.mark.parametrize("width", [1200, 320])
def test_pictures_formulas_and_diagrams(look: Callable[..., Page], width: int) -> None:
    page = look(width)
    page.goto("/")
    rich = f"script: below=1\n![A red dot]({DOT}) and $E = mc^2$, as noted[^1].\n\n[^1]: A note.\n\n"
    send(page, f"{rich}{fenced(ROOF)}\n\n{fenced('flowchart LR' + chr(10) + ' A --> ')}\n\nAn end.")
    finished(page, "An end.")
    expect(picture(answer(page))).to_be_visible()
    expect(answer(page).get_by_text("This diagram can’t be drawn")).to_be_visible()
    check(page)
    answer(page).get_by_role("button", name="Show the source").click()
    check(page)
    answer(page).get_by_role("button", name="Enlarge “A red dot”").click()
    expect(page.get_by_role("dialog", name="A red dot")).to_be_visible()
    check(page)
