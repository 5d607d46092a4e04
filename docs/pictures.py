"""Makes the page's icons out of its favicon: `python docs/pictures.py`."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

sys.path.append(str(Path(__file__).parent.parent))

from tests.browser import chromium

PUBLIC = Path(__file__).parent.parent / "ui" / "public"
PAPER = "#fcf9f4"


def icons(browser: Browser) -> None:
    """A maskable icon may be cut to a circle, so that it keeps to the middle of its paper."""
    drawing = (PUBLIC / "favicon.svg").read_text(encoding="utf-8")
    for name, size, share, paper in (
        ("icon-192", 192, 1.0, "transparent"),
        ("icon-512", 512, 1.0, "transparent"),
        ("icon-maskable", 512, 0.7, PAPER),
    ):
        page = browser.new_page(viewport={"width": size, "height": size})
        style = f"body {{ margin: 0; height: 100vh; display: grid; place-items: center; background: {paper} }}"
        page.set_content(f"<style>{style} svg {{ width: {size * share}px }}</style>{drawing}")
        page.screenshot(path=PUBLIC / f"{name}.png", omit_background=True)
        page.close()


if __name__ == "__main__":
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.arguments())
        icons(browser)
        browser.close()
