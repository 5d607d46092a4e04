"""What a person likes holds at once, after a reload and on every device; the palette and the keys reach everything."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.served import Served
from tests.browser.test_chat import composer, finished, send, until_longer

GROUND = "getComputedStyle(document.body).backgroundColor"


def palette(page: Page) -> None:
    expect(composer(page)).to_be_visible()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Command palette")).to_be_focused()


def test_a_theme_holds_at_once_after_a_reload_and_elsewhere(
    opening: Opening, mortal: Served, watches: list[Watch]
) -> None:
    page = opening(mortal, color_scheme="light").new_page()
    page.goto("/settings/appearance")
    watches[0].forgive("ERR_FAILED")
    light = page.evaluate(GROUND)
    page.get_by_role("radio", name="Dark").check()
    dark = page.evaluate(GROUND)
    assert dark != light
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    page.get_by_role("radio", name="125%").check()
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    page.route("**/assets/*.js", lambda route: route.abort())
    page.reload(wait_until="commit")
    page.wait_for_function("() => document.body !== null && document.styleSheets.length > 0")
    assert page.evaluate(GROUND) == dark  # before any module of the page has run
    other = opening(mortal, color_scheme="light").new_page()
    other.goto("/settings/appearance")
    expect(other.get_by_role("radio", name="Dark")).to_be_checked()
    assert other.evaluate("getComputedStyle(document.documentElement).fontSize") == "20px"


def test_a_change_without_a_server_is_kept_and_sent_later(
    opening: Opening, mortal: Served, watches: list[Watch]
) -> None:
    page = opening(mortal).new_page()
    page.goto("/settings/instructions")
    watches[0].forgive("ERR_")
    field = page.get_by_role("textbox", name="Custom instructions")
    page.route("**/api/preferences", lambda route: route.abort())
    field.fill("Answer in rhyme.")
    expect(page.get_by_role("status").filter(has_text="Kept in this browser")).to_be_visible()
    page.unroute("**/api/preferences")
    page.reload()
    expect(field).to_have_value("Answer in rhyme.")
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    assert page.request.get("/api/preferences").json()["instructions"] == "Answer in rhyme."


def test_models_are_told_never_to_have_pictures_drawn(opening: Opening, mortal: Served) -> None:
    page = opening(mortal).new_page()
    page.goto("/settings/models")
    group = page.get_by_role("group", name="Let models make images")
    expect(group.get_by_role("radio", name="When you ask for one")).to_be_checked()
    group.get_by_role("radio", name="Never").check()
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    assert page.request.get("/api/preferences").json()["draws"] is False


def test_the_palette_reaches_conversations_settings_and_actions(page: Page) -> None:
    send(page, "script: say=A crème brûlée, if you please")
    finished(page)
    page.get_by_role("button", name="New chat").first.click()
    palette(page)
    page.keyboard.type("creme")
    options = page.get_by_role("dialog").get_by_role("option")
    expect(options.first).to_contain_text("crème")
    expect(options.first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/c/conv_"))
    expect(page.get_by_role("dialog")).to_have_count(0)
    palette(page)
    page.keyboard.type("settings keyb")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Keyboard", exact=True)).to_be_focused()
    expect(page).to_have_url(re.compile("/settings/keyboard$"))
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Command palette")).to_be_focused()
    page.keyboard.type("new chat")
    page.keyboard.press("Enter")
    expect(composer(page)).to_be_focused()


def test_the_palette_gives_the_focus_back(page: Page) -> None:
    palette(page)
    page.keyboard.press("ArrowDown")
    second = page.get_by_role("dialog").get_by_role("option").nth(1)
    expect(second).to_have_attribute("aria-selected", "true")
    field = page.get_by_role("combobox", name="Command palette")
    expect(field).to_have_attribute("aria-activedescendant", str(second.get_attribute("id")))
    page.keyboard.press("Escape")
    expect(composer(page)).to_be_focused()
    expect(page.get_by_role("dialog", include_hidden=True)).to_have_count(0)
    page.keyboard.type("typed at once")
    expect(composer(page)).to_have_value("typed at once")


def test_keys_are_changed_refused_and_reset(opening: Opening, mortal: Served) -> None:
    page = opening(mortal).new_page()
    page.goto("/settings/keyboard")
    page.get_by_role("button", name="Ctrl+Shift+O: change the shortcut for “New chat”").click()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("alert")).to_have_text(
        "Ctrl+K is already used for “Command palette”. Choose another shortcut."
    )
    page.keyboard.press("Control+v")
    expect(page.get_by_role("alert")).to_contain_text("Ctrl+V is used by the browser")
    page.keyboard.press("Alt+n")
    page.get_by_role("button", name="Alt+N: change the shortcut for “New chat”").click()
    page.keyboard.press("Escape")
    page.keyboard.press("Alt+n")
    expect(composer(page)).to_be_focused()
    page.goto("/settings/keyboard")
    page.get_by_role("button", name="Reset all shortcuts").click()
    expect(page.get_by_role("button", name="Ctrl+Shift+O: change the shortcut for “New chat”")).to_be_visible()


def test_a_question_mark_shows_the_shortcuts_but_not_while_writing(page: Page) -> None:
    composer(page).press_sequentially("why?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("region", name="Conversation").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_prompts_are_added_changed_and_deleted(opening: Opening, mortal: Served) -> None:
    page = opening(mortal).new_page()
    page.goto("/settings/prompts")
    page.get_by_role("button", name="Add a prompt").click()
    name = page.get_by_role("textbox", name="Name")
    expect(name).to_be_focused()
    name.fill("two words")
    page.get_by_role("textbox", name="Text", exact=True).fill("Write to {{who}}.")
    expect(page.get_by_text("A name is one word")).to_be_visible()
    name.fill("email")
    expect(page.get_by_text("Asks for: who")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    expect(page.get_by_role("button", name="Add a prompt")).to_be_focused()
    page.get_by_text("/email").click()
    expect(name).to_have_value("email")
    page.get_by_role("textbox", name="Text", exact=True).fill("Hello")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Asks for: who")).to_have_count(0)
    page.reload()
    page.get_by_text("/email").click()
    expect(page.get_by_role("textbox", name="Text", exact=True)).to_have_value("Hello")
    page.get_by_role("button", name="Delete “email”").click()
    page.get_by_role("group", name="Delete the prompt “email”?").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No prompts yet.")).to_be_visible()
    expect(page.get_by_role("button", name="Add a prompt")).to_be_focused()


def test_what_may_leave_the_machine_is_said(page: Page) -> None:
    page.goto("/settings/about")
    expect(page.get_by_text("search terms are sent to wikipedia.org (United States)")).to_be_visible()
    expect(page.get_by_text("The pages that are found are then opened from this computer")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("Scripted.*Apache-2.0"))).to_be_visible()


def asked(page: Page, title: str) -> None:
    page.goto("/")
    send(page, title)
    finished(page)


def in_list(page: Page, title: str) -> Locator:
    return page.get_by_role("navigation", name="Conversations").get_by_role("link", name=title, exact=True)


def test_the_settings_are_found_without_a_key_press(page: Page) -> None:
    nav = page.get_by_role("navigation", name="Conversations")
    link = nav.get_by_role("link", name="Settings")
    expect(link).not_to_have_attribute("aria-current", "page")
    link.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Settings", level=1)).to_be_focused()
    expect(page).to_have_url(re.compile("/settings$"))
    expect(link).to_have_attribute("aria-current", "page")
    assert nav.locator("[aria-current=page]").count() == 1
    page.get_by_role("button", name="Back to the conversation").click()
    expect(link).not_to_have_attribute("aria-current", "page")
    expect(nav.get_by_role("button", name="Command palette")).to_be_hidden()


def test_on_a_phone_the_drawer_leads_to_settings_and_palette(opening: Opening, shared: Served) -> None:
    page = opening(shared, viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True).new_page()
    page.goto("/")
    page.get_by_role("button", name="Conversations").tap()
    nav = page.get_by_role("navigation", name="Conversations")
    nav.get_by_role("button", name="Command palette").tap()
    expect(page.get_by_role("combobox", name="Command palette")).to_be_focused()
    page.keyboard.press("Escape")
    expect(nav.get_by_role("button", name="Command palette")).to_be_focused()
    nav.get_by_role("link", name="Settings").tap()
    expect(page.get_by_role("heading", name="Settings", level=1)).to_be_focused()
    expect(nav).to_be_hidden()
    page.get_by_role("link", name="Models").tap()
    expect(page.get_by_role("heading", name="Models", exact=True)).to_be_focused()
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight"), "the list alone scrolls"


def test_everything_is_taken_along_and_brought_in(mortal: Served, opening: Opening) -> None:
    page = opening(mortal).new_page()
    asked(page, "Of bread")
    page.goto("/settings/data")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export everything").click()
    expect(page.get_by_role("progressbar", name="Export everything")).to_have_count(0)
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        (name,) = (name for name in archive.namelist() if name.startswith("json/"))
        assert b"Of bread" in archive.read(name)
    page.get_by_role("button", name="Import conversations").last.click()
    expect(page.get_by_role("dialog", name="Import conversations")).to_be_visible()


def test_everything_is_deleted_everywhere_and_brought_back(
    mortal: Served, opening: Opening, watches: list[Watch]
) -> None:
    page = opening(mortal).new_page()
    asked(page, "Of bread")
    asked(page, "Of rye")
    page.request.patch(f"/api/conversations/{page.url.rpartition('/')[2]}", data={"archived": True})
    other = opening(mortal).new_page()
    watches[-1].forgive("404")
    other.goto("/")
    send(other, "script: words=100000 rate=60")
    until_longer(other, 40)
    page.goto("/settings/data")
    remove = page.get_by_role("button", name="Delete all conversations")
    remove.click()
    question = page.get_by_role("group", name="Delete 3 conversations?")
    expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(remove).to_be_focused()
    expect(in_list(page, "Of bread")).to_be_visible()
    remove.click()
    question.get_by_role("button", name="Delete", exact=True).click()
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_focused()
    expect(page.get_by_text("3 conversations deleted.")).to_be_visible()
    expect(remove).to_be_disabled()
    expect(in_list(page, "Of bread")).to_have_count(0)
    expect(composer(other)).to_be_visible()
    expect(other.get_by_text("Your conversations will appear here.")).to_be_visible()
    expect(other).to_have_url(f"{mortal.address}/")
    assert page.request.get("/api/count").json() == {"conversations": 0}
    page.reload()
    undo.click()
    expect(in_list(page, "Of bread")).to_be_visible()
    expect(undo).to_have_count(0)
    expect(remove).to_be_focused()
    expect(in_list(other, "Of bread")).to_be_visible()
    assert page.request.get("/api/count").json() == {"conversations": 3}


def test_everything_is_erased_for_good_and_the_page_shows_how_far_it_is(opening: Opening, mortal: Served) -> None:
    page = opening(mortal).new_page()
    asked(page, "Of bread")
    asked(page, "Of rye")
    state = {"running": True, "done": 40, "total": 100, "problem": None}
    page.route("**/api/erasure", lambda route: route.fulfill(json=state))
    page.goto("/settings/data")
    bar = page.get_by_role("progressbar", name="Deleting permanently")
    expect(bar).to_have_attribute("value", "40")
    expect(page.get_by_text("Deleting permanently: 40 / 100")).to_be_visible()
    state["done"] = 70
    expect(bar).to_have_attribute("value", "70")
    page.unroute("**/api/erasure")
    expect(bar).to_have_count(0)
    page.get_by_role("button", name="Delete all conversations").click()
    question = page.get_by_role("group", name="Delete 2 conversations?")
    page.get_by_role("checkbox", name="Delete permanently now. This can’t be undone.").check()
    question.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("2 conversations deleted.")).to_be_visible()
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    assert page.request.get("/api/count").json() == {"conversations": 0}


def test_what_is_stored_for_programs_is_counted_and_deleted(opening: Opening, mortal: Served) -> None:
    page = opening(mortal).new_page()
    page.goto("/settings/data")
    expect(page.get_by_text("Conversations are kept until you delete them.")).to_be_visible()
    remove = page.get_by_role("button", name="Delete what is stored for programs")
    expect(remove).to_have_count(0)
    for _ in range(2):
        page.request.post("/v1/responses", data={"model": "scripted", "input": "script: words=1"})
    page.request.post("/v1/conversations", data={})
    line = b'{"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": {"input": "x"}}'
    upload: FilePayload = {"name": "in.jsonl", "mimeType": "application/jsonl", "buffer": line}
    page.request.post("/v1/files", multipart={"purpose": "batch", "file": upload})
    page.reload()
    told = (
        "Responses and conversations stored for programs: 3. Each is permanently deleted 30 days after its last use. "
        "Batches and files stored for programs: 1. They stay until they expire or are deleted."
    )
    expect(remove).to_have_accessible_description(told)
    remove.click()
    question = page.get_by_role("group", name="Delete everything stored for programs: responses, conversations")
    expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(remove).to_be_focused()
    remove.click()
    question.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("stored for programs")).to_have_count(0)
    assert page.request.get("/api/responses").json() == {
        "responses": 0,
        "conversations": 0,
        "batches": 0,
        "files": 0,
        "days": 30,
    }


def test_what_a_limit_would_erase_is_shown_before_it_is_set(opening: Opening, mortal: Served) -> None:
    page = opening(mortal).new_page()
    page.goto("/settings/data")
    expect(page.get_by_text("Conversations are kept until you delete them.")).to_be_visible()
    days = page.get_by_role("spinbutton", name="Try a limit, in days")
    days.fill("90")
    expect(page.get_by_text("Nothing would be deleted now.")).to_be_visible()
    preview = {"days": 9, "conversations": 12, "oldest": 1_700_000_000_000, "newest": 1_710_000_000_000, "pinned": 0}
    page.route("**/api/retention?days=9", lambda route: route.fulfill(json={"keep_days": 365, "preview": preview}))
    days.fill("9")
    expect(page.get_by_text("12 conversations would be deleted now.")).to_be_visible()
    expect(page.get_by_text("Last messages: 14 Nov 2023 to 9 Mar 2024")).to_be_visible()
    expect(page.get_by_text("permanently deleted 365 days after their last message")).to_be_visible()


def test_the_way_back_is_offered_for_ten_minutes(mortal: Served, opening: Opening) -> None:
    page = opening(mortal).new_page()
    page.clock.install()
    asked(page, "Of bread")
    page.goto("/settings/data")
    page.get_by_role("button", name="Delete all conversations").click()
    page.get_by_role("group").get_by_role("button", name="Delete", exact=True).click()
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_visible()
    page.clock.fast_forward("09:30")
    expect(undo).to_be_visible()
    page.clock.fast_forward("00:35")
    expect(undo).to_have_count(0)
    page.reload()
    expect(page.get_by_role("button", name="Delete all conversations")).to_be_disabled()
    expect(undo).to_have_count(0)


def test_what_may_leave_is_listed(opening: Opening, starting: Starting) -> None:
    served = starting(ECLAIR_EMBEDDED="true")
    page = opening(served).new_page()
    page.goto("/settings/about")
    about = page.get_by_role("region", name="About")
    expect(about.get_by_role("listitem").filter(has_text="When you download a model, its name")).to_have_count(1)
    expect(about.get_by_role("row").filter(has_text="SmolLM2")).to_be_visible()


def test_everything_is_backed_up_on_request(starting: Starting, opening: Opening, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    served = starting(ECLAIR_BACKUP_FOLDER=str(folder))
    page = opening(served).new_page()
    page.goto("/")
    send(page, "What is a croissant?")
    finished(page)
    page.goto("/settings/data")
    expect(page.get_by_text("No backups yet.")).to_be_visible()
    page.get_by_role("button", name="Back up now").click()
    expect(page.get_by_role("status").filter(has_text="Latest backup: ")).to_be_visible()
    assert len(list((folder / "snapshots").iterdir())) == 1


def test_without_a_folder_for_backups_it_says_who_can_set_one(page: Page) -> None:
    page.goto("/settings/data")
    expect(page.get_by_text("No backup folder is set. Whoever runs Éclair can set one")).to_be_visible()
    expect(page.get_by_role("button", name="Back up now")).to_have_count(0)


def test_offline_nothing_may_leave(starting: Starting, opening: Opening) -> None:
    page = opening(starting(ECLAIR_EGRESS="offline")).new_page()
    page.goto("/settings/about")
    expect(page.get_by_text("Nothing. Everything is answered on this machine.")).to_be_visible()
