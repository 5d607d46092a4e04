"""Skills in the settings: imported, looked at, switched on, used in an answer, and deleted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from eclair.skills.service import pack_skill
from tests.browser import axe
from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.test_chat import composer

PHONE: ViewportSize = {"width": 320, "height": 640}
TEXT = "---\nname: greeting\ndescription: Greets people. Use it to greet.\n---\nRun scripts/greet.py.\n"
SCRIPT = "print('Bonjour')\n"


@pytest.fixture
def page(opening: Opening, starting: Starting) -> Page:
    context = opening(starting())
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto("/settings/skills")
    expect(item(page, "meeting-minutes")).to_be_visible()
    return page


def item(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name="Skills").get_by_role("listitem").filter(has_text=name).first


def choose(page: Page, name: str, files: object) -> None:
    with page.expect_file_chooser() as choosing:
        page.get_by_role("button", name=name).click()
    choosing.value.set_files(files)  # pyright: ignore[reportArgumentType]


def zipped(files: dict[str, str]) -> dict[str, object]:
    data = pack_skill("greeting", {name: text.encode() for name, text in files.items()})
    return {"name": "greeting.zip", "mimeType": "application/zip", "buffer": data}


def test_a_skill_is_imported_looked_at_switched_on_and_used(page: Page) -> None:
    axe.check(page)
    choose(page, "Import a skill", zipped({"SKILL.md": TEXT, "scripts/greet.py": SCRIPT}))
    expect(page.get_by_text("The skill greeting was imported.")).to_be_visible()
    greeting = item(page, "greeting")
    expect(greeting.get_by_role("group", name="SKILL.md")).to_contain_text("Run scripts/greet.py.")
    expect(greeting.get_by_text("read it before you switch it on")).to_be_visible()
    expect(greeting.get_by_text("without network")).to_be_visible()
    greeting.get_by_role("button", name="scripts/greet.py").click()
    expect(greeting.get_by_role("group", name="scripts/greet.py")).to_contain_text("print('Bonjour')")
    axe.check(page)
    switch = greeting.get_by_role("switch", name="“greeting” is on")
    expect(switch).not_to_be_checked()
    switch.check()
    expect(greeting.get_by_text("read it before you switch it on")).to_have_count(0)
    with page.expect_download() as download:
        greeting.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "greeting.zip"
    page.goto("/")
    read = 'script: tool=read_skill{"skill":"greeting"}'
    run = 'script: tool=run_skill_script{"skill":"greeting","script":"scripts/greet.py"}'
    wrong = run.replace("greet.py", "other.py")
    composer(page).fill(f"{read}\n{run}\n{wrong}\nscript: say=All done.")
    composer(page).press("Enter")
    expect(page.get_by_text("All done.", exact=True)).to_be_visible()
    expect(page.get_by_text("Read the skill greeting")).to_be_visible()
    expect(page.get_by_text("Run scripts/greet.py of the skill greeting")).to_be_visible()
    expect(page.get_by_role("region", name="Python").get_by_text("Bonjour")).to_be_visible()
    page.get_by_text("Run scripts/other.py of the skill greeting · failed").click()
    expect(page.get_by_text("has no script 'scripts/other.py'")).to_have_count(1)


def test_a_folder_is_imported_replaced_and_deleted(page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "Überall"
    (folder / "scripts").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret", encoding="utf-8")
    (folder / "SKILL.md").write_text(TEXT, encoding="utf-8")
    (folder / "scripts" / "grüße.py").write_text(SCRIPT, encoding="utf-8")
    choose(page, "Import a folder", str(folder))
    greeting = item(page, "greeting")
    expect(greeting.get_by_role("button", name="scripts/grüße.py")).to_be_visible()
    expect(greeting.get_by_role("list", name="Files").get_by_role("button")).to_have_count(2)
    greeting.get_by_role("switch").check()
    (folder / "SKILL.md").write_text(TEXT.replace("Run", "Never run"), encoding="utf-8")
    choose(page, "Import a folder", str(folder))
    expect(greeting.get_by_role("group", name="SKILL.md")).to_contain_text("Never run")
    expect(greeting.get_by_role("switch")).not_to_be_checked()
    greeting.get_by_role("button", name="Delete “greeting”").click()
    greeting.get_by_role("button", name=re.compile("^(Delete|Yes)")).last.click()
    expect(item(page, "greeting")).to_have_count(0)
    expect(page.get_by_role("button", name="Import a skill")).to_be_focused()


def test_what_is_no_skill_is_told_and_a_packaged_one_is_switched_off_by_keyboard(
    page: Page, watches: list[Watch]
) -> None:
    watches[-1].forgive("400 (Bad Request)")
    wrong = {"name": "SKILL.md", "mimeType": "text/markdown", "buffer": b"# Report"}
    choose(page, "Import a skill", wrong)
    expect(page.get_by_role("alert")).to_contain_text("no front matter")
    page.set_viewport_size(PHONE)
    minutes = item(page, "meeting-minutes")
    minutes.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(minutes.get_by_role("group", name="SKILL.md")).to_contain_text("# Minutes of a meeting")
    axe.check(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.keyboard.press("Tab")
    expect(minutes.get_by_role("group", name="SKILL.md")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(minutes.get_by_role("switch", name="“Meeting minutes” is on")).not_to_be_checked()
    expect(minutes.locator("summary")).to_contain_text("Off")
    expect(minutes.get_by_role("button", name=re.compile("Delete"))).to_have_count(0)
