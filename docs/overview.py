"""Draw a contact sheet of every page of the app: light, dark, and on a phone: `python docs/overview.py`."""

from __future__ import annotations

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from screenshots import CONVERSATION_ID, MINUTES, PHONE_WINDOW, PICTURES, fill, open_page
from tests.browser import chromium
from tests.browser.served import Served

CONVERSATION = f"/c/{CONVERSATION_ID}"
PAGES = (
    "/",
    CONVERSATION,
    "/libraries",
    "/news",
    "/pictures",
    "/usage",
    "/connections",
    "/settings",
    "/settings/general",
    "/settings/appearance",
    "/settings/models",
    "/settings/instructions",
    "/settings/prompts",
    "/settings/servers",
    "/settings/keys",
    "/settings/web",
    "/settings/keyboard",
    "/settings/data",
    "/settings/about",
)
SHEETS = (
    ("light", {"width": 1280, "height": 800}, "light", 4),
    ("dark", {"width": 1280, "height": 800}, "dark", 4),
    ("phone", PHONE_WINDOW, "light", 7),
)
"""Name of each sheet, its window, its color scheme, and how many pages stand in a row."""

TILE_HEIGHT = 420
GAP = 16
BACKGROUND = "#8a857c"
QUALITY = 70
SETTLING_MS = 1000
"""Time for the replies that a page asks for after it has opened."""


def draw(browser: Browser, served: Served, window: dict[str, int], scheme: str, columns: int) -> Image.Image:
    """Return the sheet: all pages, scaled to the same height."""
    page = open_page(browser, served, window, scheme)
    width = round(TILE_HEIGHT * window["width"] / window["height"])
    rows = -(-len(PAGES) // columns)
    size = (columns * (width + GAP) + GAP, rows * (TILE_HEIGHT + GAP) + GAP)
    sheet = Image.new("RGB", size, BACKGROUND)
    for number, address in enumerate(PAGES):
        tile = shown(page, address).resize((width, TILE_HEIGHT), Image.Resampling.LANCZOS)
        row, column = divmod(number, columns)
        sheet.paste(tile, (GAP + column * (width + GAP), GAP + row * (TILE_HEIGHT + GAP)))
    return sheet


def shown(page: Page, address: str) -> Image.Image:
    """Return a screenshot of one page, once it has loaded."""
    page.goto(address)
    expect(page.locator("h1, #composer").first).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    if address == CONVERSATION:
        expect(page.get_by_role("img", name="Diagram")).to_be_visible()
    page.wait_for_function("() => document.fonts.status === 'loaded'")
    page.wait_for_timeout(SETTLING_MS)
    return Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")


def add_library(browser: Browser, served: Served) -> None:
    page = open_page(browser, served, {"width": 800, "height": 600}, "light")
    library = page.request.post("/api/libraries", data={"name": "Village hall"}).json()["id"]
    address = f"/api/files?name=minutes.md&library={library}"
    page.request.post(address, data=MINUTES.encode(), headers={"Content-Type": "text/markdown"})


if __name__ == "__main__":
    with TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        with ThreadPoolExecutor(1) as apart:  # Playwright's loop runs in this thread
            apart.submit(asyncio.run, fill(folder / "data")).result()
        served = Served(folder)
        served.start()
        try:
            browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.arguments())
            add_library(browser, served)
            for name, window, scheme, columns in SHEETS:
                draw(browser, served, window, scheme, columns).save(PICTURES / f"pages-{name}.webp", quality=QUALITY)
        finally:
            served.close()
