"""The reports of an installation, and the literacy page that is offered until it is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.conftest import Opening
from tests.browser.served import Served


def test_literacy_is_offered_until_it_is_read(look: Callable[..., Page]) -> None:
    page = look()
    page.goto("/")
    page.get_by_role("link", name="What this assistant can and cannot do").click()
    expect(page.get_by_role("heading", name="What it cannot do")).to_be_visible()
    axe.check(page)
    page.get_by_role("button", name="I have read this").click()
    expect(page.get_by_role("button", name="I have read this")).to_be_disabled()
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("link", name="What this assistant can and cannot do")).to_have_count(0)


def test_reports_are_read_and_saved(look: Callable[..., Page], tmp_path: Path) -> None:
    for width, scheme in ((1200, "light"), (360, "dark")):
        page = look(width, color_scheme=scheme)
        page.goto("/settings/compliance")
        for label, heading in (
            ("AI Act: duties", "People know that they talk to an AI"),
            ("Models in use", "Models"),
            ("Records of processing activities", "Conversations with the assistant"),
            ("Data protection impact sheet", "Risks for people, and what is done against them"),
        ):
            page.get_by_role("combobox", name="AI Act and data protection").select_option(label=label)
            expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
            axe.check(page)
            page.screenshot(path=tmp_path / f"{label[:6]}-{width}.png", full_page=True)
        with page.expect_download() as saving:
            page.get_by_role("button", name="Download").click()
        assert saving.value.suggested_filename == "eclair-impact.md"


@pytest.mark.parametrize(
    ("language", "title"), [("de", "KI-Verordnung: Pflichten"), ("fr", "Règlement IA : obligations")]
)
def test_reports_speak_the_language_of_the_page(look: Callable[..., Page], language: str, title: str) -> None:
    page = look(locale=language)
    page.goto("/settings/compliance")
    page.get_by_role("main").get_by_role("combobox").select_option(label=title)
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    duties = page.get_by_role("heading", name="KI-Kompetenz" if language == "de" else "AI literacy")
    expect(duties).to_be_visible()


def test_settings_are_chosen_and_reports_tell_of_them(opening: Opening, mortal: Served) -> None:
    context = opening(mortal, viewport={"width": 320, "height": 800})
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto("/settings/compliance")
    shown = page.get_by_role("combobox", name="AI Act and data protection")
    shown.select_option(label="Responsibility and warnings")
    form = page.get_by_role("form", name="Responsibility and warnings")
    form.get_by_label("Organization", exact=True).fill("Ministry of Bread")
    form.get_by_label("Country (code)").fill("mt")
    form.get_by_label("Questions that look like a prohibited").select_option("Show a notice")
    axe.check(page)
    form.get_by_role("button", name="Save").press("Enter")
    expect(form.get_by_role("status")).to_have_text("Saved")
    shown.select_option(label="Records of processing activities")
    expect(page.get_by_text("Ministry of Bread").first).to_be_visible()
    page.reload()
    shown.select_option(label="Responsibility and warnings")
    expect(form.get_by_label("Country (code)")).to_have_value("MT")
