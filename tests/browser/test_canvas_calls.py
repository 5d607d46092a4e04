"""A model opens and changes canvases in its answer: the page shows text and changes while they come, and no JSON."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.test_canvas import field, open_block, pane, stored, versions
from tests.browser.test_chat import answer, finished, send

LINES = [f"Line {number} is about bread." for number in range(30)]


def call(tool: str, pause: str = "0@0", rate: int = 0, **arguments: object) -> str:
    """The line that has the scripted model make a call, whose arguments come in pieces of eight characters."""
    given = json.dumps(arguments, separators=(",", ":")).replace(" ", "\\u0020")
    return f"script: pause={pause} rate={rate} tool={tool}{given}"


def stop(page: Page) -> None:
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_hidden()


def canvas_id(page: Page) -> str:
    found = re.search(r"/c/(\w+)$", page.url)
    assert found is not None
    listed: dict[str, Any] = page.request.get(f"/api/conversations/{found[1]}/canvases").json()
    return str(listed["canvases"][0]["id"])


def test_a_text_is_read_while_the_model_writes_it(page: Page) -> None:
    page.add_init_script(path=axe.AXE)
    page.goto("/")
    opening = call("open_canvas", "8@100", title="Letter", text='# Dear "Ada"\n\n' + "\n".join(LINES))
    send(page, f"Into the canvas, please.\n{opening}\nscript: say=It is written.")
    section = answer(page).get_by_role("region", name="Open the canvas “Letter”")
    text = section.get_by_role("group", name="Canvas text")
    expect(text).to_contain_text('# Dear "Ada"\n\nLine 0 is about')
    expect(text).to_have_attribute("aria-busy", "true")
    expect(text).to_contain_text("Line 15")
    assert text.evaluate("box => box.scrollTop + box.clientHeight > box.scrollHeight - 40")
    expect(page.get_by_role("log")).to_contain_text("Open the canvas “Letter”")
    assert '"title"' not in answer(page).inner_text()
    axe.check(page)
    expect(section).to_have_count(0, timeout=30_000)
    finished(page, "It is written.")
    expect(field(page)).to_contain_text("Line 29 is about bread.")
    step = answer(page).get_by_text(re.compile("^Open the canvas “Letter”"))
    step.focus()
    page.keyboard.press("Enter")
    expect(answer(page).get_by_role("group", name="Canvas text")).to_contain_text("Line 29")
    assert '"title"' not in answer(page).inner_text()


def test_a_text_that_grows_leaves_the_reader_where_they_scrolled_to(page: Page) -> None:
    page.goto("/")
    lines = [f"{line} {number}" for number, line in enumerate(LINES * 4)]
    send(page, f"Into the canvas.\n{call('open_canvas', rate=25, title='Letter', text=chr(10).join(lines))}")
    text = answer(page).get_by_role("group", name="Canvas text")
    expect(text).to_contain_text(lines[19])
    assert text.evaluate("box => box.scrollTop + box.clientHeight > box.scrollHeight - 40")
    text.evaluate("box => { box.scrollTop = 0; }")
    expect(text).to_contain_text(lines[29])
    assert text.evaluate("box => box.scrollTop") == 0
    text.evaluate("box => { box.scrollTop = box.scrollHeight; }")
    expect(text).to_contain_text(lines[39])
    assert text.evaluate("box => box.scrollTop + box.clientHeight > box.scrollHeight - 40")
    expect(text).to_have_attribute("aria-busy", "true")
    stop(page)


def test_a_call_that_was_stopped_while_it_was_written_says_so_for_good(page: Page) -> None:
    page.add_init_script(path=axe.AXE)
    page.goto("/")
    open_block(page, "one\ntwo", "plaintext")
    changes = [{"old": "two", "new": "2 " * 40}]
    send(page, f"Change it.\n{call('edit_canvas', '60@20', canvas=canvas_id(page), changes=changes)}")
    expect(field(page)).to_contain_text("2 2")
    stop(page)
    stopped = answer(page).get_by_role("region", name="Canvas · stopped")
    for _ in range(2):
        expect(stopped.get_by_role("insertion")).to_contain_text("2 2")
        expect(stopped.get_by_role("group", name="Compare")).to_have_attribute("aria-busy", "false")
        expect(page.get_by_text("Changing the text…")).to_have_count(0)
        axe.check(page)
        page.reload()
    page.get_by_role("list", name="Canvases").get_by_role("button").click()
    expect(field(page).locator(".cm-line")).to_have_text(["one", "two"])
    send(page, f"Open one.\n{call('open_canvas', '60@20', title='Letter', text='word ' * 60)}")
    expect(answer(page).get_by_role("region", name="Open the canvas “Letter”")).to_contain_text("word word")
    stop(page)
    for _ in range(2):
        expect(answer(page).get_by_role("region", name="Open the canvas “Letter” · stopped")).to_be_visible()
        page.reload()


def test_changes_are_shown_as_they_come_in_the_answer_and_in_the_canvas(page: Page) -> None:
    page.add_init_script(path=axe.AXE)
    page.goto("/")
    open_block(page, "\n".join(["the bred is ready.", *LINES]), "plaintext")
    changes = [{"old": "the bred is", "new": "the bread is"}, {"old": LINES[4], "new": "Words " * 60 + "end."}]
    changing = call("edit_canvas", "8@40", canvas=canvas_id(page), changes=changes)
    send(page, f"Mend the canvas.\n{changing}\nscript: say=Mended.")
    section = answer(page).get_by_role("region", name="Changing the text…")
    expect(section.get_by_role("deletion").first).to_have_text("bred")
    expect(section.get_by_role("insertion").first).to_have_text("bread")
    expect(pane(page).locator(".cm-deletedChunk").first).to_contain_text("the bred is ready.")
    expect(field(page)).to_contain_text("Words Words")
    expect(field(page)).to_have_attribute("contenteditable", "false")
    expect(pane(page).get_by_text("Changing the text…")).to_be_visible()
    expect(page.get_by_role("log").filter(has_text="Changing the text…")).to_have_count(1)
    expect(pane(page).get_by_role("status").filter(has_text="Changing the text…")).to_have_count(0)
    assert '"old"' not in answer(page).inner_text()
    axe.check(page)
    expect(section).to_have_count(0, timeout=30_000)
    finished(page, "Mended.")
    expect(field(page)).to_have_attribute("contenteditable", "true")
    expect(pane(page).locator(".cm-deletedChunk")).to_have_count(0)
    assert stored(page).startswith("the bread is ready.\nLine 0")
    pane(page).get_by_role("button", name="Versions").click()
    expect(versions(page)).to_have_count(2)
    field(page).click()
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.type("!")
    expect(field(page)).to_contain_text("!")
    page.keyboard.press("ControlOrMeta+z")
    page.keyboard.press("ControlOrMeta+z")
    expect(field(page)).not_to_contain_text("!")
    page.keyboard.press("ControlOrMeta+s")
    expect(pane(page).get_by_text("Saved", exact=True)).to_be_visible()
    assert stored(page) == "\n".join(["the bread is ready.", *LINES[:4], "Words " * 60 + "end.", *LINES[5:]])
    page.reload()
    answer(page).get_by_text(re.compile("^Change the canvas “")).click()
    expect(answer(page).get_by_role("group", name="Compare").get_by_role("deletion").first).to_have_text("bred")
    expect(answer(page).get_by_role("insertion").first).to_have_text("bread")


def test_a_change_that_waits_for_permission_is_seen_before_it_is_made(page: Page) -> None:
    page.add_init_script(path=axe.AXE)
    page.goto("/")
    open_block(page, "one\ntwo", "plaintext")
    lines = field(page).locator(".cm-line")
    expect(lines).to_have_text(["one", "two"])
    changing = call("edit_canvas", "5@12", canvas=canvas_id(page), changes=[{"old": "two", "new": "2 " * 20}])
    send(page, f'Change the canvas.\nscript: tool=scripted_read{{"text":"Change_it"}}\n{changing}')
    expect(pane(page).locator(".cm-deletedChunk")).to_contain_text("two")
    card = answer(page).get_by_role("group", name="Waiting for your permission:")
    expect(card.get_by_role("deletion")).to_have_text("two")
    expect(card.get_by_role("insertion")).to_contain_text("2 2")
    expect(pane(page).locator(".cm-deletedChunk")).to_have_count(0)
    expect(pane(page).get_by_text("Changing the text…")).to_have_count(0)
    expect(lines).to_have_text(["one", "two"])
    axe.check(page)
    field(page).click()
    page.keyboard.press("ControlOrMeta+Home")
    page.keyboard.type("1")
    expect(lines).to_have_text(["1one", "two"])
    card.get_by_role("button", name="Decline").click()
    finished(page)
    expect(lines).to_have_text(["1one", "two"])
    field(page).click()
    page.keyboard.press("ControlOrMeta+z")
    page.keyboard.press("ControlOrMeta+z")
    expect(lines).to_have_text(["one", "two"])
    page.keyboard.press("ControlOrMeta+s")
    expect(pane(page).get_by_text("Saved", exact=True)).to_be_visible()
    assert stored(page) == "one\ntwo"


def test_the_focus_stays_in_a_text_that_a_model_changes(page: Page) -> None:
    page.goto("/")
    open_block(page, "the bred is ready.")
    expect(field(page)).to_be_visible()
    changes = [{"old": "bred", "new": "bread " * 60}]
    mending = call("edit_canvas", "4@1", rate=20, canvas=canvas_id(page), changes=changes)
    send(page, f"Mend it.\n{mending}\nscript: say=Mended.")
    field(page).click()
    expect(pane(page).locator(".cm-deletedChunk")).to_contain_text("bred", timeout=20_000)
    expect(field(page)).to_be_focused()
    assert page.evaluate("document.activeElement !== document.body")
    finished(page, "Mended.")
    expect(pane(page).locator(".cm-deletedChunk")).to_have_count(0)
    expect(field(page)).to_be_focused()
    page.keyboard.type("!")
    expect(field(page)).to_contain_text("!")
    page.keyboard.press("ControlOrMeta+z")
    page.keyboard.press("ControlOrMeta+z")
    expect(field(page)).not_to_contain_text("!")
    expect(field(page)).to_contain_text("the bread bread")
