"""Whether everybody can use the page as it stands: axe's rules for WCAG 2.2 AA, and what they leave out."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "ui" / "node_modules" / "axe-core" / "axe.min.js"

RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
"""The rules that another colour scheme can break."""

WIDE = 1000
"""Pixels."""

BROKEN = """async runOnly => {
  const found = await axe.run(document, { runOnly, resultTypes: ["violations"] });
  return found.violations.flatMap(({ id, help, nodes }) =>
    nodes.map(node => `${id}: ${help}: ${node.target.join(" ")}: ${node.html.slice(0, 160)}: ${node.failureSummary}`));
}"""

STILL = "() => document.getAnimations().every(a => a.effect.getTiming().iterations === Infinity)"

SIDEWAYS = """() => [...document.querySelectorAll("body *")]
  .filter(e => e.checkVisibility({ visibilityProperty: true }) && !e.closest(".visually-hidden"))
  .filter(e => {
    const { left, right, width } = e.getBoundingClientRect();
    for (let a = e.parentElement; a; a = a.parentElement) {
      if (getComputedStyle(a).overflowX !== "visible") return false;
    }
    return width > 0 && (left < -1 || right > innerWidth + 1);
  }).map(e => e.outerHTML.slice(0, 120))"""

SMALL = """() => [...document.querySelectorAll("button, input, textarea, select, summary, [role=button], nav a")]
  .filter(e => !e.disabled && !e.matches("sup *")) // what stands in a line of text may be as small as it is
  .filter(e => e.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }))
  .map(e => [(e.closest("label") ?? e).getBoundingClientRect(), e.outerHTML.slice(0, 120)])
  .filter(([{ width, height }]) => width > 1 && (width < 24 || height < 24)).map(([, html]) => html)"""


def check(page: Page) -> None:
    """Nothing that axe finds in the dark or the light, nothing that reaches beyond the window, nothing too small to
    hit. The dark has the same colours at every width."""
    size = page.viewport_size
    assert size is not None
    if size["width"] >= WIDE:
        page.emulate_media(color_scheme="dark")
        page.wait_for_function(STILL)
        _found(page, BROKEN, COLOURS)
        page.emulate_media(color_scheme="light")
    page.wait_for_function(STILL)
    _found(page, BROKEN, RULES)
    _found(page, SIDEWAYS)
    _found(page, SMALL)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def _found(page: Page, faults: str, argument: object = None) -> None:
    found: list[str] = page.evaluate(faults, argument)
    assert found == [], "\n".join(found)
