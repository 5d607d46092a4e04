"""The audit log in the administration: acts are found, verified and exported, and a change shows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import apsw
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.served import Served


def begin(opening: Opening, starting: Starting, **settings: str) -> tuple[Served, Page]:
    """The log of one who has made a key and revoked it."""
    served = starting(**settings)
    page = opening(served).new_page()
    page.add_init_script(path=AXE)
    page.goto("/")
    for method, path, body in (("POST", "/api/keys", {"name": "laptop"}), ("DELETE", "/api/keys/laptop", None)):
        assert page.request.fetch(path, method=method, data=body).ok
    page.goto("/admin/audit")
    expect(rows(page)).to_have_count(2)
    return served, page


def rows(page: Page) -> Locator:
    """The acts upon keys; a checkpoint may have come in between."""
    table = page.get_by_role("table", name="Audit log").locator("tbody")
    return table.get_by_role("row").filter(has_text="key.").filter(has_not_text="audit.")


def test_acts_are_found_verified_and_exported(opening: Opening, starting: Starting) -> None:
    _, page = begin(opening, starting)
    expect(rows(page).first).to_contain_text("key.revoked")
    expect(rows(page).last).to_contain_text("local")
    check(page)
    page.get_by_label("Action").fill("key.made")
    expect(rows(page)).to_have_count(1)
    page.get_by_label("Action").fill("engine")
    expect(page.get_by_text("No entries match.")).to_be_visible()
    page.get_by_label("Action").fill("key")
    expect(rows(page)).to_have_count(2)
    page.get_by_role("textbox", name="To", exact=True).fill("2020-01-01")
    expect(page.get_by_text("No entries match.")).to_be_visible()
    page.get_by_role("textbox", name="To", exact=True).fill("")
    page.get_by_label("Who").fill("local")
    expect(rows(page)).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as OCSF").click()
    events = [json.loads(line) for line in Path(download.value.path()).read_text("utf-8").splitlines()]
    assert [event["metadata"]["event_code"] for event in events] == ["key.made", "key.revoked"]
    with page.expect_download() as download:
        page.get_by_role("button", name="Save a checkpoint").click()
    assert Path(download.value.path()).read_text("utf-8").startswith("eclair-audit-log\n")
    page.get_by_role("button", name="Verify the log").click()
    expect(page.get_by_text(re.compile(r"Nothing was changed\. \d+ entries and \d+ checkpoints"))).to_be_visible()


def test_a_change_behind_its_back_is_told_with_its_entry(opening: Opening, starting: Starting, tmp_path: Path) -> None:
    _, page = begin(opening, starting)
    (path,) = tmp_path.rglob("eclair.db")
    database = apsw.Connection(str(path))
    database.execute("DROP TRIGGER audit_keeps; UPDATE audit SET outcome = 'denied' WHERE number = 2")
    database.close()
    page.get_by_role("button", name="Verify the log").click()
    expect(page.get_by_role("status").filter(has_text="The log was changed, first at entry 2.")).to_be_visible()


def test_works_council_mode_says_what_it_does_to_everyone(opening: Opening, starting: Starting) -> None:
    _, page = begin(opening, starting, ECLAIR_WORKS_COUNCIL="true")
    expect(rows(page).first).not_to_contain_text("local")
    expect(page.get_by_label("Who")).to_have_count(0)
    sentence = "Works-council mode is on: nothing is shown per person, and no figures for groups smaller than five."
    expect(page.get_by_text(sentence)).to_be_visible()
    page.goto("/settings/about")
    expect(page.get_by_text(sentence)).to_be_visible()


def test_the_page_fits_and_is_accessible(opening: Opening, starting: Starting) -> None:
    _, page = begin(opening, starting)
    for width in (1366, 320):
        page.set_viewport_size({"width": width, "height": 800})
        page.reload()
        expect(rows(page)).to_have_count(2)
        check(page)


def test_destinations_are_added_tested_changed_and_removed(
    opening: Opening, starting: Starting, watches: list[Watch]
) -> None:
    served, page = begin(opening, starting)
    watches[-1].forgive("502")
    section = page.get_by_role("region", name="Destinations")
    form = section.get_by_role("form", name="Add destination")
    form.get_by_label("Kind").select_option(label="Syslog server")
    form.get_by_label("Address").fill("tls://127.0.0.1:9")
    form.get_by_role("button", name="Test").click()
    expect(section.get_by_role("alert")).to_contain_text("tls://127.0.0.1:9 can't be sent to")
    form.get_by_label("Kind").select_option(label="File in the data folder")
    form.get_by_label("File name").fill("acts.jsonl")
    form.get_by_role("button", name="Add destination").click()
    shown = section.get_by_role("listitem")
    expect(shown).to_contain_text("acts.jsonl")
    section.get_by_role("button", name="Test acts.jsonl").click()
    expect(section.get_by_text("“acts.jsonl” accepted a test message.")).to_be_visible()
    assert (Path(served.environment["ECLAIR_DATA_DIR"]) / "audit" / "acts.jsonl").exists()
    section.get_by_role("button", name="Edit acts.jsonl").click()
    section.get_by_label("File name").fill("log.jsonl")
    section.get_by_role("button", name="Save").click()
    expect(shown).to_contain_text("log.jsonl")
    check(page)
    section.get_by_role("button", name="Delete “log.jsonl”").click()
    shown.get_by_role("button", name="Delete", exact=True).click()
    expect(shown).to_have_count(0)
