"""Everything is exported by one button, with its size, and comes into another Éclair by the import dialog."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.browser import axe
from tests.browser.axe import AXE
from tests.browser.conftest import Opening, Starting
from tests.browser.test_chat import finished, send


def test_everything_goes_from_one_eclair_to_another(opening: Opening, starting: Starting, tmp_path: Path) -> None:
    first, second = starting(), starting()
    page = opening(first).new_page()
    page.goto("/")
    send(page, "script: say=Here.")
    finished(page, "Here.")
    library = page.request.post("/api/libraries", data={"name": "handbook"}).json()["id"]
    assert page.request.post(f"/api/files?name=rules.txt&library={library}", data="Bikes are allowed.").ok
    skill = "---\nname: greeting\ndescription: Greets people.\n---\nSay hello.\n"
    added = page.request.post("/api/skills", data=skill, headers={"Content-Type": "text/markdown"}).json()
    switch = {"is_on": True, "changed": added["changed"]}
    assert page.request.put(f"/api/skills/{added['id']}/switch", data=switch).ok
    preferences = {"version": 0, "theme": "dark"}
    assert page.request.put("/api/preferences", data=preferences).ok
    page.goto("/settings#data")
    expect(page.get_by_text("Files: 1")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export everything").click()
    path = tmp_path / "eclair.zip"
    download.value.save_as(path)

    context = opening(second, viewport={"width": 390, "height": 844})
    context.add_init_script(path=AXE)
    other = context.new_page()
    assert other.request.put("/api/preferences", data={"version": 0, "theme": "light"}).ok
    other.goto("/settings#data")
    other.get_by_role("button", name="Import conversations", exact=True).click()
    dialog = other.get_by_role("dialog")
    dialog.locator("input[type=file]").set_input_files(path)
    expect(dialog.get_by_text("Files: 1")).to_be_visible()
    expect(dialog.get_by_text("Settings: 1. 1 was already here.")).to_be_visible()
    axe.check(other)
    dialog.get_by_role("checkbox", name="Replace the settings here").check()
    dialog.get_by_role("checkbox", name="Switch on the skills that were on there").check()
    dialog.get_by_role("button", name="Import", exact=True).click()
    expect(dialog.get_by_role("status")).to_contain_text("1 conversation imported.")
    assert other.request.get("/api/preferences").json()["theme"] == "dark"
    skills = other.request.get("/api/skills").json()["skills"]
    assert [each["is_on"] for each in skills if each["name"] == "greeting"] == [True]
    (file,) = other.request.get("/api/files").json()["files"]
    assert other.request.get(f"/api/files/{file['id']}/content").text() == "Bikes are allowed."
