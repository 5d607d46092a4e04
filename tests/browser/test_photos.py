"""Photos in the page: small in the message, large beside it, with what can be told of them; a phone's camera."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening, Watch
from tests.browser.model_server import BIG, Rack, racked
from tests.browser.served import Served
from tests.browser.test_chat import composer, finished
from tests.browser.test_writing import attach, send_when_ready
from tests.documents.files import encoded, picture_of_text
from tests.documents.photos import every, exif

PHOTO: dict[str, Any] = {
    "name": "garden.heic",
    "mimeType": "",
    "buffer": every(exif(place=(48.8584, 2.2945)))["photo.heic"],
}
RECEIPT: dict[str, Any] = {
    "name": "receipt.png",
    "mimeType": "image/png",
    "buffer": encoded(picture_of_text(["Bakery Rossi", "Bread 4.20", "Total 6.55"]), "PNG"),
}


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An Éclair whose model does not see."""
    with racked() as rack:
        rack.says = "OK"
        served = _served(rack, tmp_path_factory)
        served.start()
        yield served
        served.close()


def _served(rack: Rack, folders: pytest.TempPathFactory) -> Served:
    return Served(
        folders.mktemp("photos"),
        ECLAIR_ENGINES=json.dumps({"rack": {"url": rack.url}}),
        ECLAIR_MODEL=BIG,
        ECLAIR_SCRIPTED="false",
        ECLAIR_TITLES="false",
        ECLAIR_EMBEDDER="off",
    )


@pytest.fixture
def desk(opening: Opening, reading: Served) -> Page:
    page = opening(reading).new_page()
    page.goto("/")
    return page


def test_a_photo_is_small_in_the_message_and_told_beside_it(desk: Page) -> None:
    attach(desk, PHOTO)
    expect(desk.get_by_role("button", name="Send", exact=True)).to_be_enabled()
    composer(desk).press("Enter")
    finished(desk, "OK")
    expect(desk.get_by_role("article", name="You")).to_contain_text("What does this show?")
    expect(desk.get_by_text("does not see images", exact=False)).to_be_visible()
    expect(desk.get_by_text("Ministral 3 3B sees images (", exact=False)).to_be_visible()
    expect(desk.get_by_role("button", name="Get Ministral 3 3B")).to_be_visible()
    small = desk.get_by_role("img", name="Photo garden.heic")
    expect(small).to_be_visible()
    desk.get_by_role("button", name="Simple description").click()
    pane = desk.get_by_role("complementary", name="garden.heic")
    expect(pane.get_by_text("This is a picture of 128 × 128 pixels (HEIC).", exact=False)).to_be_visible()
    expect(pane.get_by_role("status")).to_contain_text("Simple description")
    desk.keyboard.press("Escape")
    expect(desk.get_by_role("button", name="Simple description")).to_be_focused()
    small.click()
    expect(desk.get_by_role("img", name="garden.heic, page 1")).to_be_visible()


def test_its_description_is_in_the_language_of_the_page(opening: Opening, reading: Served) -> None:
    page = opening(reading, locale="de-DE").new_page()
    page.goto("/")
    attach(page, PHOTO)
    expect(page.get_by_role("button", name="Senden", exact=True)).to_be_enabled()
    page.get_by_role("textbox").first.press("Enter")
    page.get_by_role("button", name="Einfache Beschreibung").click()
    pane = page.get_by_role("complementary", name="garden.heic")
    expect(pane).to_contain_text("Ein Bild mit 128 × 128 Pixeln (HEIC).")
    expect(pane).to_contain_text("Aufgenommen am 17. Mai 2024 um 14:03, laut Datei. Kamera")
    expect(pane).to_contain_text("Hauptfarben: Blau (25 %), Grün (25 %), Rot (25 %).")
    expect(pane).to_contain_text("Es enthält keinen lesbaren Text.")
    expect(pane).not_to_contain_text("picture")


def test_a_phone_takes_a_photo(opening: Opening, reading: Served) -> None:
    context = opening(reading, has_touch=True, is_mobile=True, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto("/")
    page.get_by_role("button", name="Files and tools").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Take a photo").click()
    assert chooser.value.element.get_attribute("capture") == "environment"
    assert chooser.value.element.get_attribute("accept") == "image/*"
    chooser.value.set_files([RECEIPT])  # pyright: ignore[reportArgumentType]
    expect(page.get_by_text("receipt.png")).to_be_visible()


@pytest.mark.parametrize("width", [1300, 390])
def test_everybody_can_use_it(opening: Opening, reading: Served, width: int, watches: list[Watch]) -> None:
    context = opening(reading, viewport={"width": width, "height": 900})
    context.add_init_script(path=AXE)
    page = context.new_page()
    page.goto("/")
    attach(page, RECEIPT, PHOTO)
    send_when_ready(page, "What does it cost?")
    finished(page, "OK")
    expect(page.get_by_role("img", name="Photo receipt.png")).to_be_visible()
    expect(page.get_by_role("button", name="Simple description")).to_have_count(2)
    check(page)
