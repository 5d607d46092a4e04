"""Branding in the administration: name, color and logo, as everybody sees them."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening, Watch
from tests.browser.served import Served

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20"><circle cx="10" cy="10" r="9" fill="#0a6"/></svg>'


def test_name_color_and_logo_are_shown_to_everybody(
    opening: Opening, mortal: Served, tmp_path: Path, watches: list[Watch]
) -> None:
    (tmp_path / "logo.svg").write_text(SVG)
    context = opening(mortal, viewport={"width": 390, "height": 800})
    watches[-1].forgive("422")
    context.add_init_script(path=AXE)
    page = context.new_page()
    page.goto("/admin/branding")
    form = page.get_by_role("form", name="Branding")
    form.get_by_label("Name").fill("Town hall")
    form.get_by_label("Own accent color").check()
    form.get_by_label("Accent color", exact=True).fill("#ffdd00")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    expect(form.get_by_role("list", name="Accent color")).to_contain_text("#ffdd00")
    page.get_by_label("Choose a logo").set_input_files(tmp_path / "logo.svg")
    expect(page.get_by_role("img", name="Logo")).to_be_visible()
    check(page)
    for scheme in ("light", "dark"):
        wide = opening(mortal, color_scheme=scheme).new_page()
        wide.goto("/")
        brand = wide.get_by_role("navigation", name="Conversations").get_by_role("link", name="Town hall")
        expect(brand.locator("img")).to_have_attribute("src", re.compile(r"/api/branding/logo\?v=[0-9a-f]{64}$"))
        accent = wide.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--accent')")
        assert (accent == "#ffdd00") == (scheme == "dark"), accent
    page.get_by_role("button", name="Remove the logo").click()
    expect(page.get_by_role("img", name="Logo")).to_have_count(0)
    page.get_by_label("Choose a logo").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"no"})
    expect(page.get_by_role("alert")).to_be_visible()
