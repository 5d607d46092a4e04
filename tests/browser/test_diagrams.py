"""Blocks of Mermaid are drawn when they are complete and in view; what is drawn is a picture, and its text stays."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, Request, expect

from tests.browser.conftest import Opening, Watch
from tests.browser.served import Served
from tests.browser.test_chat import answer, finished, send, until_longer

ROOF = 'flowchart LR\n  accTitle: The way of the sun\n  A["Roof"] --> B{Sound?}\n  B -->|yes| C[Panels]\n'
SVG = "i => decodeURIComponent(i.src.slice(i.src.indexOf(',') + 1))"


def fenced(text: str) -> str:
    return f"```mermaid\n{text.rstrip()}\n```"


def show(page: Page, text: str) -> Locator:
    """Have `text` answered as a diagram; the answer."""
    send(page, f"script: below=1\n{fenced(text)}\n\nAn end.")
    finished(page, "An end.")
    return answer(page)


def picture(said: Locator) -> Locator:
    return said.get_by_role("img", name=re.compile("^Diagram"))


def svg(said: Locator) -> str:
    expect(picture(said)).to_be_visible()
    return picture(said).evaluate(SVG)


def asked_for(page: Page) -> list[str]:
    """The files that the page asks for, from now on."""
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.context.on("request", note)
    return asked


def test_a_block_is_text_while_it_streams_and_a_picture_when_it_is_complete(page: Page) -> None:
    asked = asked_for(page)
    rows = "\n".join(f"  A{i}[Step {i}] --> A{i + 1}" for i in range(40))
    send(page, f"script: rate=60 below=1\n{fenced('flowchart TD' + chr(10) + rows)}\n\n" + "and on " * 120)
    said = answer(page)
    until_longer(page, 300)
    expect(said.locator("pre code")).to_contain_text("A3[Step 3]")
    expect(picture(said)).to_have_count(0)
    assert not [url for url in asked if url.endswith("/diagram")]
    expect(picture(said)).to_be_visible()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    finished(page)
    assert "Step 40" in svg(said) or "A40" in svg(said)
    assert len([url for url in asked if url.endswith("/diagram")]) == 1


def test_it_is_named_shown_as_text_saved_and_enlarged(page: Page, tmp_path: Path) -> None:
    said = show(page, ROOF)
    expect(said.get_by_role("img", name="Diagram: The way of the sun")).to_be_visible()
    text = said.locator("pre code")
    expect(text).to_be_hidden()
    said.get_by_role("button", name="Show the source").click()
    expect(text).to_contain_text("B -->|yes| C[Panels]")
    expect(picture(said)).to_be_hidden()
    said.get_by_role("button", name="Show the diagram").click()
    expect(picture(said)).to_be_visible()
    with page.expect_download() as download:
        said.get_by_role("button", name="Download as SVG").click()
    assert download.value.suggested_filename == "diagram.svg"
    saved = tmp_path / "diagram.svg"
    download.value.save_as(saved)
    assert saved.read_text(encoding="utf-8").startswith("<svg")
    said.get_by_role("button", name="Enlarge “Diagram: The way of the sun”").click()
    expect(page.get_by_role("dialog", name="Diagram: The way of the sun").get_by_role("img")).to_be_visible()


def test_what_is_copied_is_the_text(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    said = show(page, ROOF)
    expect(picture(said)).to_be_visible()
    said.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Copy as Markdown").click()
    page.wait_for_function("() => navigator.clipboard.readText().then(t => t.startsWith('```mermaid\\nflowchart LR'))")
    said.get_by_role("button", name="Copy", exact=True).click()
    page.wait_for_function("() => navigator.clipboard.readText().then(t => t.startsWith('flowchart LR'))")


def test_it_is_drawn_anew_in_another_theme(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    said = show(page, ROOF)
    light = svg(said)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"light => ({SVG})(document.querySelector('.diagram img')) !== light", arg=light)
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"light => ({SVG})(document.querySelector('.diagram img')) === light", arg=light)


def test_a_wrong_one_says_so_and_leaves_its_text(page: Page) -> None:
    said = show(page, "flowchart LR\n  A --> ")
    expect(said.get_by_role("status")).to_have_text(re.compile("This diagram can’t be drawn: Parse error on line 3"))
    expect(said.locator("pre code")).to_be_visible()
    said = show(page, "flowchart LR\n" + "".join(f"  A{i}[{'x' * 90}]\n" for i in range(520)))
    expect(said.get_by_role("status")).to_contain_text("That’s too large for Éclair.")


def test_without_the_drawing_frame_the_text_stays(page: Page, watches: list[Watch]) -> None:
    watches[0].forgive("ERR_FAILED")
    page.route("**/diagram", lambda route: route.abort())
    said = show(page, ROOF)
    expect(said.get_by_role("status")).to_contain_text("Éclair can’t be reached.")
    expect(said.locator("pre code")).to_be_visible()


def test_one_that_is_out_of_view_is_drawn_when_it_is_reached(opening: Opening, shared: Served) -> None:
    page = opening(shared, viewport={"width": 1000, "height": 500}).new_page()
    page.goto("/")
    send(page, f"script: below=1\n{fenced(ROOF)}\n\n" + "A paragraph.\n\n" * 120)
    finished(page)
    page.reload()
    asked = asked_for(page)
    expect(answer(page).get_by_text("A paragraph.").last).to_be_in_viewport()
    page.wait_for_timeout(300)
    expect(picture(answer(page))).to_have_count(0)
    assert not [url for url in asked if url.endswith("/diagram")]
    answer(page).locator("pre code").scroll_into_view_if_needed()
    expect(picture(answer(page))).to_be_visible()


HARM = """flowchart LR
  A["<img src=x onerror='window.top.harmed = 1'> and <script>window.top.harmed = 2</script>"] --> B
  click A href "javascript:window.top.harmed=3"
  click B "https://example.org/b"
"""
INIT = (
    '%%{init: {"securityLevel": "loose", "themeCSS": "@import url(https://example.org/x.css);", '
    '"theme": "forest", "maxTextSize": 1}}%%\n'
)


def test_what_means_harm_harms_nothing(page: Page, watches: list[Watch]) -> None:
    watches[0].forgive("Executing inline event handler violates")
    for text in (HARM, INIT + HARM):
        drawn = svg(show(page, text)).lower()
        for bad in ("<script", "onerror=", "javascript:", "example.org", "@import", "foreignobject"):
            assert bad not in drawn, bad
    assert page.evaluate("window.harmed") is None
    policy = page.request.get("/diagram").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe-inline" not in page.request.get("/").headers["content-security-policy"]


def test_every_kind_is_drawn_without_a_word_against_the_policy(page: Page) -> None:
    kinds: dict[str, Callable[[str], bool]] = {
        "sequenceDiagram\n  Village->>Grid: Request": lambda drawn: "Request" in drawn,
        'pie title Power\n  "School" : 42\n  "Hall" : 58': lambda drawn: "Power" in drawn,
        "gantt\n  dateFormat YYYY-MM-DD\n  section Roof\n  Survey :2026-03-01, 10d": lambda drawn: "Survey" in drawn,
        "stateDiagram-v2\n  [*] --> Idle": lambda drawn: "Idle" in drawn,
        "classDiagram\n  Panel <|-- Roof": lambda drawn: "Panel" in drawn,
        "erDiagram\n  HOUSE ||--o{ METER : has": lambda drawn: "METER" in drawn,
        "mindmap\n  root((Solar))\n    Money": lambda drawn: "Money" in drawn,
        "timeline\n  2025 : Vote": lambda drawn: "Vote" in drawn,
        'gitGraph\n  commit id: "first"': lambda drawn: "first" in drawn,
    }
    for text, holds in kinds.items():
        assert holds(svg(show(page, text))), text
