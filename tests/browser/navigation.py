"""Moves between the app's pages as Back and Forward do, without a reload."""

from __future__ import annotations

from playwright.sync_api import Page, expect

GO = """address => {
  document.activeElement.blur();
  history.pushState(null, "", address);
  dispatchEvent(new PopStateEvent("popstate", { state: null }));
}"""


def visit(page: Page, address: str) -> None:
    """Show another page of the app that is open, and wait for its heading, which gets the focus."""
    page.evaluate(GO, address)
    expect(page.get_by_role("main").locator(":is(h1, h2):focus")).to_be_visible()
