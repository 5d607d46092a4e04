"""The page that says whether AI made a file: by mouse, keyboard and clipboard, without a key, for everybody."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from eclair.provenance.provenance_report import Origin
from eclair.provenance.service import Provenance
from eclair.provenance.watermark_keys import WatermarkKeys
from eclair.settings import Settings
from tests.browser import axe
from tests.browser.conftest import AXE, Opening, Starting, Watch
from tests.provenance.made import encoded, marked_words, photo

VERDICT = "According to its marks, AI made it."


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    marks = Provenance.configured(Settings(data_dir=tmp_path_factory.mktemp("marks")))
    made = marks.mark(encoded(photo()), Origin("created", "FLUX.1 schnell"))
    with ThreadPoolExecutor(1) as pool:  # the browser's loop runs in this thread
        return pool.submit(asyncio.run, made).result()


def file(name: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


def choose(page: Page, name: str, data: bytes) -> None:
    page.get_by_label("Choose a file").set_input_files(file(name, data))


def test_a_file_that_ai_made(look: Callable[..., Page], marked: bytes, tmp_path: Path) -> None:
    for width in (1200, 360):
        page = look(width)
        page.goto("/made")
        expect(page).to_have_title("Was this made by AI? · Éclair")
        axe.check(page)
        choose(page, "boat.png", marked)
        expect(page.get_by_role("heading", name=VERDICT)).to_be_focused()
        said = page.get_by_role("definition")
        expect(said.nth(0)).to_contain_text(
            "Signed by Éclair and unaltered since. Nobody here has verified who that is."
        )
        expect(said.nth(0)).to_contain_text("FLUX.1 schnell")
        expect(said.nth(1)).to_contain_text("Anyone can write or remove such a note.")
        expect(said.nth(2)).to_have_text(re.compile(r"^Found\. .* at most 1 in [\d,]{9,}\.$"))
        axe.check(page)
        page.screenshot(path=tmp_path / f"made-{width}.png", full_page=True)


def test_changes_and_absence_show(page: Page, marked: bytes) -> None:
    page.goto("/made")
    spots = bytearray(marked)
    spots[len(spots) // 2] ^= 1
    choose(page, "boat.png", bytes(spots))
    expect(page.get_by_text("The file has been altered since it was signed.")).to_be_visible()
    choose(page, "plain.jpg", encoded(photo(seed=3), "JPEG"))
    expect(page.get_by_role("heading", name="No AI marks found.")).to_be_focused()
    expect(page.get_by_text("That proves nothing")).to_be_visible()
    expect(page.get_by_text("altered")).to_have_count(0)


def test_a_file_that_cannot_be_read_says_so(page: Page, watches: list[Watch]) -> None:
    watches[0].forgive("422")
    page.goto("/made")
    choose(page, "notes.bin", b"\0\1\2")
    expect(page.get_by_role("alert")).to_have_text(re.compile(r"^notes\.bin is damaged, or of a kind .*\.$"))
    expect(page.get_by_role("alert")).to_be_focused()


def test_dropped_and_pasted(page: Page, marked: bytes) -> None:
    page.goto("/made")
    expect(page.get_by_label("Choose a file")).to_be_attached()
    for event in ("drop", "paste"):
        page.evaluate(
            """([event, data]) => {
              const held = new DataTransfer();
              held.items.add(new File([Uint8Array.from(atob(data), each => each.charCodeAt(0))], `${event}.png`));
              const more = event === "drop" ? { dataTransfer: held } : { clipboardData: held };
              const Kind = event === "drop" ? DragEvent : ClipboardEvent;
              dispatchEvent(new Kind(event, { ...more, bubbles: true, cancelable: true }));
            }""",
            [event, b64encode(marked).decode()],
        )
        expect(page.get_by_text(f"{event}.png", exact=True)).to_be_visible()
        expect(page.get_by_role("heading", name=VERDICT)).to_be_visible()


def test_by_keyboard_and_from_the_palette(page: Page) -> None:
    page.on("filechooser", lambda _: None)  # so that the browser hands choosers over long before one opens
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Command palette")).to_be_focused()
    page.keyboard.type("Was this made")
    page.get_by_role("option", name="Was this made by AI?").click()
    page.wait_for_url("**/made")
    expect(page.get_by_label("Choose a file")).to_be_attached()  # what is pressed before is nobody's
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Choose a file")).to_be_focused()
    with page.expect_file_chooser():
        page.keyboard.press("Enter")


def test_nobody_needs_a_key(opening: Opening, starting: Starting, marked: bytes) -> None:
    served = starting(ECLAIR_API_KEY="secret")
    page = opening(served, locale="de-DE").new_page()
    page.goto("/made")
    page.get_by_label("Datei auswählen").set_input_files(file("boot.png", marked))
    expect(page.get_by_role("heading", name="Laut Kennzeichnung wurde die Datei mit KI erstellt.")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.goto("about:blank")


def test_a_pasted_text(opening: Opening, starting: Starting, tmp_path: Path) -> None:
    home = tmp_path / "home"
    key = WatermarkKeys.configured(Settings(data_dir=home)).current()
    served = starting(ECLAIR_DATA_DIR=str(home))
    for width, scheme in ((1200, "light"), (390, "dark"), (320, "light")):
        viewport = {"width": width, "height": 800}
        context = opening(served, viewport=viewport, reduced_motion="reduce", color_scheme=scheme)
        context.add_init_script(path=AXE)
        page = context.new_page()
        page.goto("/made")
        check = page.get_by_role("button", name="Check the text")
        expect(check).to_be_disabled()
        page.get_by_label("Or check a text").fill(marked_words(key, 60, 0.9))
        check.click()
        expect(page.get_by_role("heading", name="Likely made here")).to_be_focused()
        expect(page.get_by_text("the pattern of this Éclair’s watermark")).to_be_visible()
        axe.check(page)
        page.screenshot(path=tmp_path / f"text-{width}.png", full_page=True)
        page.get_by_label("Or check a text").fill("Hello.")
        check.press("Enter")
        expect(page.get_by_role("heading", name="Can’t tell")).to_be_focused()
        expect(page.get_by_text("That proves nothing")).to_be_visible()
