"""The page in each language that it speaks: chosen by the browser, whole, and not too long for a narrow window."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.axe import SIDEWAYS
from tests.browser.conftest import Opening
from tests.browser.navigation import visit
from tests.browser.served import Served
from tests.browser.test_chat import finished, send

WORDS = Path(__file__).parents[2] / "ui" / "src" / "lib" / "i18n"
LANGUAGES = sorted(file.stem for file in WORDS.glob("??.json"))


def test_all_24_official_languages_are_there() -> None:
    assert len(LANGUAGES) == 24


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_is_spoken_and_fits(opening: Opening, shared: Served, language: str) -> None:
    texts: dict[str, str] = json.loads((WORDS / f"{language}.json").read_text(encoding="utf-8"))

    page = opening(shared, locale=language, viewport={"width": 320, "height": 640}).new_page()
    page.goto("/")
    expect(page.get_by_role("textbox", name=texts["composer"], exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == language
    assert page.evaluate(SIDEWAYS) == []
    composer = page.get_by_role("textbox", name=texts["composer"], exact=True)
    composer.fill("script: words=30 rate=0")
    composer.press("Control+Enter")
    expect(page.get_by_role("button", name=texts["copy"], exact=True)).to_be_visible()
    assert page.evaluate(SIDEWAYS) == []
    for place in (
        "settings",
        "settings/models",
        "settings/data",
        "settings/keyboard",
        "news",
        "libraries",
        "connections",
    ):
        visit(page, f"/{place}")
        expect(page.get_by_role("main").get_by_role("heading").last).to_be_visible()
        assert page.evaluate(SIDEWAYS) == [], place


def test_what_the_server_says_is_told_in_the_language_of_the_page(opening: Opening, shared: Served) -> None:
    page = opening(shared, locale="de-DE").new_page()
    page.goto("/")
    composer = page.get_by_role("textbox", name="Ihre Nachricht", exact=True)
    composer.fill("script: busy=5")
    composer.press("Control+Enter")
    answer = page.get_by_role("article", name="Éclair").last
    expect(answer.get_by_text("Die Engine ist ausgelastet. Versuchen Sie es gleich noch einmal.")).to_be_visible()
    technical = answer.get_by_text("The scripted engine is busy")
    expect(technical).to_be_hidden()
    answer.get_by_text("Details", exact=True).click()
    expect(technical).to_be_visible()


def test_a_shared_page_speaks_its_readers_language(opening: Opening, shared: Served) -> None:
    writer = opening(shared).new_page()
    writer.goto("/")
    send(writer, "script: say=shared")
    finished(writer, "shared")
    place = f"/api/conversations/{writer.url.rsplit('/', 1)[1]}/shares"
    share = writer.request.post(place, data={"days": 1}).json()["id"]
    reader = opening(shared, locale="de-DE").new_page()
    reader.goto(f"/s/{share}")
    expect(reader.get_by_text("Antworten werden von KI erzeugt")).to_be_visible()
    expect(reader.get_by_role("article", name="Éclair")).to_have_text("shared")
