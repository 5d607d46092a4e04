"""Every page and state against axe's rules for WCAG 2.2 AA, in light and dark; narrow, zoomed, still, in focus."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.served import Served
from tests.browser.test_chat import answer, choose, composer, finished, send, until_longer

RICH = """script: reasoning=12 below=1
# A heading

Some **bold** words, `code`, a [link](https://example.org) and a list:

1. one
2. two
   - [x] done
   - [ ] open

> a quotation

| river | length, km |
|---|--:|
| Danube | 2,850 |
| Rhine | 1,230 |

```python
def area(width: float, height: float) -> float:
    return width * height  # in square metres, however large the field may be, and this line is a long one
```

An end.
"""


@pytest.mark.parametrize("width", [1200, 320])
def test_a_conversation_from_the_welcome_to_its_failure(look: Callable[..., Page], width: int) -> None:
    page = look(width)
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    check(page)
    send(page, RICH)
    finished(page, "An end.")
    answer(page).get_by_text("Reasoning").click()
    check(page)
    answer(page).get_by_role("button", name="Answer again").click()
    finished(page, "2/2")
    send(page, "script: words=900 rate=60")
    until_longer(page, 40)
    check(page)
    page.get_by_role("button", name="Stop").click()
    finished(page, "You stopped this answer.")
    check(page)
    send(page, "script: words=30 fail=5")
    finished(page)
    check(page)
    question = page.get_by_role("article", name="You").last
    question.hover()
    question.get_by_role("button", name="Edit this message").click()
    expect(page.get_by_role("textbox", name="Edit your message")).to_be_focused()
    check(page)


def test_the_list_and_what_is_found_in_it(look: Callable[..., Page]) -> None:
    page = look()
    page.goto("/")
    send(page, "script: say=of a hedgehog")
    finished(page, "of a hedgehog")
    page.get_by_role("searchbox", name="Search conversations").fill("hedgehog")
    expect(page.get_by_role("navigation").locator("mark").first).to_be_visible()
    check(page)
    page.get_by_role("searchbox", name="Search conversations").fill("no such animal")
    expect(page.get_by_text("Nothing found for “no such animal”.")).to_be_visible()
    check(page)


def test_the_drawer_on_a_phone(look: Callable[..., Page]) -> None:
    page = look(320, 640, has_touch=True, is_mobile=True)
    page.goto("/")
    composer(page).fill("script: say=narrow")
    page.get_by_role("button", name="Send").tap()
    finished(page, "narrow")
    page.get_by_role("button", name="Conversations").tap()
    expect(page.get_by_role("navigation", name="Conversations")).to_be_visible()
    check(page)


@pytest.mark.parametrize("width", [1200, 320])
def test_what_is_done_with_all_that_is_kept(look: Callable[..., Page], width: int) -> None:
    page = look(width)
    page.goto("/")
    send(page, "script: say=kept")
    finished(page, "kept")
    page.goto("/settings/data")
    remove = page.get_by_role("button", name="Delete all conversations")
    expect(remove).to_be_enabled()
    check(page)
    remove.click()
    expect(page.get_by_role("group", name="Delete").get_by_role("button", name="Cancel")).to_be_focused()
    check(page)
    page.get_by_role("group", name="Delete").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("button", name="Undo")).to_be_focused()
    check(page)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)


def test_a_conversation_that_there_is_not(look: Callable[..., Page], watches: list[Watch]) -> None:
    page = look()
    watches[-1].forgive("404")
    page.goto("/c/conv_00000000000000000000000000")
    expect(page.get_by_text("This conversation doesn’t exist.")).to_be_visible()
    check(page)


def test_the_question_for_the_key(opening: Opening, starting: Starting, watches: list[Watch]) -> None:
    served = starting(ECLAIR_API_KEY="open-sesame")
    context = opening(served, viewport={"width": 320, "height": 640})
    watches[-1].forgive("401")
    context.add_init_script(path=AXE)
    page = context.new_page()
    page.goto("/")
    expect(page.get_by_role("dialog")).to_be_visible()
    check(page)


def test_the_api_reference(look: Callable[..., Page]) -> None:
    page = look()
    page.goto("/docs")
    page.get_by_role("heading", name="conversations").get_by_role("button").click(timeout=60_000)
    expect(page.get_by_text("/api/conversations/{id}/turns").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_twice_as_large_fits(look: Callable[..., Page]) -> None:
    """A browser's zoom of 200 % leaves the page half of the window's pixels each way."""
    page = look(640, 400, device_scale_factor=2)
    page.goto("/")
    check(page)
    send(page, RICH)
    finished(page, "An end.")
    check(page)
    expect(composer(page)).to_be_in_viewport()
    expect(page.get_by_role("button", name="Send")).to_be_in_viewport()


def test_focus_is_never_lost(page: Page) -> None:
    def held() -> None:
        page.wait_for_function("() => document.activeElement !== document.body", timeout=2000)
        page.wait_for_timeout(50)
        assert page.evaluate("document.activeElement !== document.body"), "the focus is nowhere"

    send(page, "Of what is held")
    finished(page)
    send(page, "script: words=900 rate=60")
    until_longer(page, 40)
    page.get_by_role("button", name="Stop").click()
    finished(page, "You stopped this answer.")
    held()
    answer(page).get_by_role("button", name="Answer again").click()
    until_longer(page, 40)
    held()
    page.keyboard.press("Escape")
    finished(page, "2/2")
    held()
    answer(page).get_by_role("button", name="Previous version").click()
    expect(answer(page)).to_contain_text("1/2")
    expect(answer(page).get_by_role("button", name="Next version")).to_be_focused()
    question = page.get_by_role("article", name="You").first
    question.hover()
    question.get_by_role("button", name="Edit this message").click()
    held()
    page.keyboard.press("Escape")
    held()
    question.get_by_role("button", name="Edit this message").click()
    page.get_by_role("textbox", name="Edit your message").fill("script: say=said otherwise")
    page.keyboard.press("Enter")
    finished(page, "said otherwise")
    held()
    nav = page.get_by_role("navigation", name="Conversations")
    choose(page, "Of what is held", "Rename")
    held()
    page.keyboard.type("A better name")
    page.keyboard.press("Enter")
    expect(nav.get_by_role("link", name="A better name").first).to_be_visible()
    held()
    choose(page, "A better name", "Delete")
    expect(nav.get_by_role("link", name="A better name")).to_have_count(0)
    held()


def test_who_wants_no_motion_sees_none(opening: Opening, shared: Served) -> None:
    moving = "() => document.getAnimations().map(a => a.effect.target.outerHTML.slice(0, 120))"
    page = opening(shared, reduced_motion="reduce", viewport={"width": 390, "height": 780}).new_page()
    page.goto("/")
    assert page.evaluate(moving) == []
    send(page, "script: words=90 rate=60 pause=1@1")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    assert page.evaluate(moving) == []
    until_longer(page, 40)
    assert page.evaluate(moving) == []
    page.get_by_role("button", name="Conversations").click()
    assert page.evaluate(moving) == []
    assert page.evaluate("getComputedStyle(document.querySelector('section')).scrollBehavior") == "auto"
