"""Above every page stands what is damaged, and what to do."""

from __future__ import annotations

from pathlib import Path

import apsw
from playwright.sync_api import Page, expect

from tests.browser.conftest import Opening
from tests.browser.served import Served


def test_damage_is_said_in_the_language_of_the_page(tmp_path: Path, mortal: Served, opening: Opening) -> None:
    page: Page = opening(mortal, locale="de-DE").new_page()
    id = page.request.post("/api/conversations", data={}).json()["id"]
    run = page.request.post(f"/api/conversations/{id}/turns", data={"text": "Of bread"}).json()["run"]
    assert page.request.get(f"/api/runs/{run}/events").ok
    mortal.close()
    database = apsw.Connection(str(tmp_path / "data" / "eclair.db"))
    database.execute("UPDATE message SET body = '{' WHERE number = 2")
    database.close()
    mortal.start()
    page.goto("/")
    expect(page.locator("[data-state]")).to_have_count(0)
    assert page.request.get("/api/export").ok
    page.goto("/settings")
    banner = page.locator("[data-state=damaged]")
    expect(banner).to_contain_text("Ein Teil der von Éclair gespeicherten Daten ist beschädigt.")
    expect(banner).to_contain_text("has damaged rows (messages)")
    expect(banner).to_contain_text("eclair doctor --repair")
