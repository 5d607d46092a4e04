"""The receipt of an answer: read, saved, and checked on the page that anyone can open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.test_chat import answer, finished, send
from tests.browser.test_provenance_page import choose


def open_receipt(page: Page) -> None:
    send(page, "script: say=Certainly.")
    finished(page, "Certainly.")
    answer(page).get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Receipt…").click()


def test_a_receipt_is_read_saved_and_checked(look: Callable[..., Page], tmp_path: Path) -> None:
    for width in (1200, 360):
        page = look(width)
        page.goto("/")
        open_receipt(page)
        sheet = page.get_by_role("dialog", name="Receipt")
        expect(sheet).to_contain_text("Nothing left this machine.")
        expect(sheet).to_contain_text("this machine")
        expect(sheet).to_contain_text("Marked as made by AI")
        axe.check(page)
        page.screenshot(path=tmp_path / f"receipt-{width}.png")
        with page.expect_download() as saving:
            sheet.get_by_role("button", name="Download").click()
        path = tmp_path / saving.value.suggested_filename
        saving.value.save_as(path)
        assert path.name.startswith("eclair-receipt-msg_")
        data = path.read_bytes()
        page.goto("/made")
        choose(page, path.name, data)
        expect(page.get_by_role("heading", name="This receipt is genuine")).to_be_visible()
        expect(page.get_by_text("Nothing left this machine.")).to_be_visible()
        axe.check(page)
        page.screenshot(path=tmp_path / f"check-{width}.png", full_page=True)
        choose(page, path.name, data.replace(b'"complete": true', b'"complete": false'))
        expect(page.get_by_role("heading", name="This receipt was altered")).to_be_visible()


def test_a_receipt_is_printed_alone(page: Page, tmp_path: Path) -> None:
    open_receipt(page)
    page.evaluate("window.print = () => {}")
    page.get_by_role("dialog", name="Receipt").get_by_role("button", name="Print").click()
    page.emulate_media(media="print")
    expect(page.locator(".print-sheet")).to_be_visible()
    expect(page.get_by_role("main")).to_be_hidden()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator(".print-sheet")).to_have_count(0)
