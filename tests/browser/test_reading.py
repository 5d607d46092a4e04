"""An answer as it is read: formulas, code, tables, footnotes, pictures, links, and text that means harm."""

from __future__ import annotations

import csv
import re
from io import StringIO
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening
from tests.browser.served import Served
from tests.browser.test_accessibility import FAINT
from tests.browser.test_chat import answer, finished, send

DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO"
    "9TXL0Y4OHwAAAABJRU5ErkJggg=="
)
CODE = 'def greet(name: str) -> str:\n    return f"Hello, {name}"  # kindly'


def show(page: Page, markdown: str, *, rate: int = 0) -> Locator:
    """Have `markdown` answered, word by word; the answer."""
    send(page, f"script: rate={rate} below=1\n{markdown}")
    finished(page)
    return answer(page)


@pytest.fixture
def page(opening: Opening, shared: Served) -> Page:
    context = opening(shared)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto("/")
    return page


def clipboard(page: Page) -> str:
    return page.evaluate("navigator.clipboard.readText()")


def test_formulas_are_set_while_they_stream(page: Page) -> None:
    said = show(
        page,
        "It costs $5, and $E = mc^2$.\n\n$$\n\\int_0^1 \\boxed{x^2}\\,dx\n$$\n\nSo \\(a_1\\), and $\\frac{1$ is none.",
        rate=300,
    )
    expect(said.locator("math")).to_have_count(3)
    expect(said).to_contain_text("It costs $5, and")
    box = said.locator(".math.display").bounding_box()
    assert box is not None
    assert box["height"] > 30
    expect(said.get_by_title("KaTeX parse error")).to_have_text("$\\frac{1$")
    assert page.evaluate("document.fonts.check('16px KaTeX_Math')")


def test_code_is_coloured_copied_wrapped_and_saved(page: Page, tmp_path: Path) -> None:
    said = show(page, f'```python title="src/greet.py"\n{CODE}{" and on" * 40}\n```')
    code = said.locator("pre code")
    expect(code.locator(".word").first).to_have_text("def")
    expect(said.get_by_text("Python", exact=True)).to_be_visible()
    said.get_by_role("button", name="Copy", exact=True).click()
    expect(said.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    assert clipboard(page).startswith(CODE)
    wide = code.evaluate("e => e.parentElement.scrollWidth > e.parentElement.clientWidth")
    assert wide
    wrap = said.get_by_role("button", name="Wrap")
    wrap.click()
    expect(wrap).to_have_attribute("aria-pressed", "true")
    assert not code.evaluate("e => e.parentElement.scrollWidth > e.parentElement.clientWidth")
    with page.expect_download() as download:
        said.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "greet.py"
    saved = tmp_path / "greet.py"
    download.value.save_as(saved)
    assert saved.read_text().startswith(CODE)


def test_code_that_grows_keeps_its_place_its_colours_and_its_switches(page: Page) -> None:
    lines = "\n".join(f'value_{i} = "text {i}"  # a note that makes this line quite long' for i in range(60))
    send(page, f"script: rate=100 below=1\n```python\n{lines}\n```")
    said = answer(page)
    code = said.locator("pre code")
    expect(code.locator(".quoted").first).to_be_visible()
    said.get_by_role("button", name="Wrap").click()
    first = code.locator(".quoted").first.element_handle()
    length = len(code.inner_text())
    page.wait_for_function("n => document.querySelector('pre code').textContent.length > n + 400", arg=length)
    expect(said.get_by_role("button", name="Wrap")).to_have_attribute("aria-pressed", "true")
    assert first.evaluate("e => e.isConnected")
    finished(page)
    expect(code.locator(".quoted")).to_have_count(60)
    assert code.evaluate("e => e.textContent").strip() == lines


def test_a_table_is_copied_as_csv(page: Page) -> None:
    said = show(page, '| Town | Says |\n|---|--:|\n| Lyon | "silk", bread |\n| Graz | $x^2$ |')
    said.get_by_role("table").hover()
    said.get_by_role("button", name="Copy as CSV").click()
    expect(said.get_by_role("button", name="Copied")).to_be_visible()
    rows = list(csv.reader(StringIO(clipboard(page))))
    assert rows == [["Town", "Says"], ["Lyon", '"silk", bread'], ["Graz", "$x^2$"]]


def test_tasks_and_footnotes(page: Page) -> None:
    said = show(page, "- [x] bought\n- [ ] baked\n\nA claim[^1].\n\n[^1]: Its source.")
    expect(said.get_by_role("checkbox", name="done")).to_be_checked()
    expect(said.get_by_role("checkbox", name="to do")).not_to_be_checked()
    said.get_by_role("button", name="Footnote 1", exact=True).click()
    expect(said.get_by_role("note")).to_be_focused()
    expect(said.get_by_role("note")).to_contain_text("Its source.")
    said.get_by_role("button", name="Back to the text from footnote 1").click()
    expect(said.get_by_role("button", name="Footnote 1", exact=True)).to_be_focused()


def test_links_say_where_they_lead(page: Page) -> None:
    said = show(page, "See [this](https://example.org/a) and [that](https://ex\u0430mple.org) or www.example.com.")
    link = said.get_by_role("link", name="this")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    expect(link).to_have_attribute("title", "Opens example.org in a new tab")
    expect(said.get_by_role("link", name="that")).to_have_attribute("title", "Opens xn--exmple-4nf.org in a new tab")


def test_a_picture_opens_large_and_gives_the_focus_back(page: Page) -> None:
    said = show(page, f"![A red dot]({DOT})")
    button = said.get_by_role("button", name="Enlarge “A red dot”")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="A red dot")
    expect(dialog.get_by_role("img")).to_be_visible()
    dialog.get_by_role("button", name="Full size").click()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()


def test_an_answer_is_copied_in_three_forms(page: Page) -> None:
    said = show(page, "# Bread\n\nSome **warm** [bread](https://example.org) at $x^2$.\n\n1. one\n2. two\n\n- [x] done")
    more = said.get_by_role("button", name="More")
    for name, begins in (
        ("Markdown", "# Bread\n\nSome **warm**"),
        ("plain text", "Bread\n\nSome warm bread at $x^2$."),
    ):
        more.click()
        page.get_by_role("menuitem", name=f"Copy as {name}").click()
        page.wait_for_function("begins => navigator.clipboard.readText().then(t => t.startsWith(begins))", arg=begins)
    assert "1. one\n2. two" in clipboard(page)
    assert "- [x] done" in clipboard(page)
    more.focus()
    page.keyboard.press("Enter")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Copy as rich text")).to_be_focused()
    page.keyboard.press("Enter")
    expect(more).to_be_focused()
    read = (
        "navigator.clipboard.read().then(([i]) => i.types.includes('text/html')"
        " ? i.getType('text/html').then(b => b.text()) : '')"
    )
    page.wait_for_function(f"() => {read}.then(t => t.includes('<strong>warm</strong>'))")
    assert "<button" not in page.evaluate(read)
    more.click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_be_hidden()
    expect(more).to_be_focused()


def test_an_answer_and_a_message_are_deleted(page: Page) -> None:
    show(page, "first answer")
    said = show(page, "second answer")
    said.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Delete this answer").click()
    expect(said.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(said.get_by_role("button", name="More")).to_be_visible()
    said.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Delete this answer").click()
    said.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("article", name="Éclair")).to_have_count(1)
    question = page.get_by_role("article", name="You").last
    question.hover()
    question.get_by_role("button", name="Delete this message").click()
    question.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("article", name="You")).to_have_count(1)
    page.reload()
    expect(page.get_by_role("article", name="Éclair")).to_have_text(re.compile("first answer"))


def test_what_was_waited_for_long_is_told_afterwards_above_the_answer(page: Page) -> None:
    send(page, "script: load=3 say=loaded now")
    expect(answer(page).get_by_text("Loading Scripted")).to_be_visible()
    finished(page, "loaded now")
    page.reload()
    finished(page, "loaded now")
    expect(answer(page).get_by_text(re.compile(r"^Loading Scripted · \d\.\d s$"))).to_be_visible()


def test_an_answer_is_rated_with_a_comment_and_freed_of_its_rating(page: Page) -> None:
    said = show(page, "A claim.")
    thumb = said.get_by_role("button", name="Bad answer")
    thumb.click()
    form = said.get_by_role("form", name="Rate this answer")
    expect(form.get_by_role("textbox", name="Comment (optional)")).to_be_focused()
    expect(form.get_by_text("sent to no one")).to_be_visible()
    page.keyboard.type("Too short")
    form.get_by_role("button", name="Done").click()
    expect(form).to_be_hidden()
    expect(thumb).to_be_focused()
    expect(thumb).to_have_attribute("aria-pressed", "true")
    page.reload()
    finished(page, "A claim.")
    expect(thumb).to_have_attribute("aria-pressed", "true")
    (rated,) = page.request.get("/api/ratings").json()["ratings"]
    assert (rated["rating"]["value"], rated["rating"]["comment"]) == ("down", "Too short")
    thumb.click()
    expect(form.get_by_role("textbox")).to_have_value("Too short")
    form.get_by_role("button", name="Remove rating").click()
    expect(thumb).to_have_attribute("aria-pressed", "false")
    assert page.request.get("/api/ratings").json()["ratings"] == []


@pytest.mark.parametrize("width", [1200, 320])
def test_rating_is_accessible_and_fits(opening: Opening, shared: Served, width: int) -> None:
    context = opening(shared, viewport={"width": width, "height": 800})
    context.add_init_script(path=AXE)
    page = context.new_page()
    page.goto("/")
    said = show(page, "A claim.")
    said.get_by_role("button", name="Good answer").click()
    form = said.get_by_role("form", name="Rate this answer")
    expect(form).to_be_in_viewport(ratio=1)
    below, above = form.bounding_box(), said.get_by_role("button", name="Good answer").bounding_box()
    assert below is not None
    assert above is not None
    assert 0 <= below["y"] - above["y"] - above["height"] < 12
    check(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("Escape")
    expect(said.get_by_role("button", name="Good answer")).to_be_focused()
    said.get_by_role("button", name="Good answer").click()
    said.get_by_role("button", name="Remove rating").click()


def test_a_temporary_answer_is_not_rated(page: Page) -> None:
    page.goto("/temporary")
    said = show(page, "A claim.")
    expect(said.get_by_role("button", name="Answer again")).to_be_visible()
    expect(said.get_by_role("button", name="Good answer")).to_have_count(0)


def test_what_took_no_time_is_told_with_the_figures(page: Page) -> None:
    send(page, "script: load=1 say=loaded now")
    finished(page, "loaded now")
    step = answer(page).get_by_text("Loading Scripted")
    expect(step).to_be_hidden()
    answer(page).get_by_text(re.compile("^Scripted · ")).click()
    expect(step).to_be_visible()


EVIL = (
    "<script>alert(1)</script> [x](javascript:alert(1)) ![x](https://example.org/x.png)\n\n"
    "turned \u202egnirts\u202c here\n\nz"
    + "\u0310\u0341\u0489" * 200
    + "algo\n\n"
    + "a" * 100_000
    + "\n\n"
    + ">" * 3000
    + " deep\n\n```python\nnever closed = '\u2066'"
)


@pytest.mark.parametrize("width", [1200, 320])
def test_text_that_means_harm_is_shown_and_breaks_nothing(opening: Opening, shared: Served, width: int) -> None:
    page = opening(shared, viewport={"width": width, "height": 800}).new_page()
    page.goto("/")
    said = show(page, EVIL)
    expect(said.get_by_text("never closed")).to_be_visible()
    expect(said.get_by_text("<script>alert(1)</script>")).to_be_attached()
    assert said.locator(".prose :is(script, iframe, [style], a[href^='javascript'])").count() == 0
    assert said.locator("bdi.control").evaluate_all("es => es.map(e => e.dataset.code)") == [
        "U+202E",
        "U+202C",
        "U+2066",
    ]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    zalgo = said.get_by_text("algo").locator("xpath=ancestor-or-self::p").bounding_box()
    assert zalgo is not None
    assert zalgo["height"] < 60


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_coloured_code_can_be_read(opening: Opening, shared: Served, scheme: str) -> None:
    page = opening(shared, color_scheme=scheme).new_page()
    page.goto("/")
    said = show(
        page, f"```python\n{CODE}\n@x\nclass Y: z = 1\n```\n\n```diff\n- a\n+ b\n```\n\n$\\frac{{1$ [a](https://a.b)"
    )
    expect(said.locator(".gone")).to_be_visible()
    assert page.evaluate(FAINT) == []
