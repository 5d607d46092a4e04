"""Answers that took long, or were scheduled, are told by the system while one looks elsewhere, if one wants that."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Opening
from tests.browser.served import Served
from tests.browser.test_chat import finished, send

RECORDING = """
(() => {
  window.shown = [];
  class Recorded {
    static permission = "default";
    static answer = ANSWER;
    static requestPermission() { Recorded.permission = Recorded.answer; return Promise.resolve(Recorded.answer); }
    constructor(title, options) { this.title = title; this.body = options.body; window.shown.push(this); }
    close() { this.closed = true; }
  }
  window.Notification = Recorded;
  document.hasFocus = () => window.looking === true;
})();
"""


def prepared(opening: Opening, shared: Served, answer: str) -> Page:
    context = opening(shared)
    context.add_init_script(RECORDING.replace("ANSWER", f'"{answer}"'))
    page = context.new_page()
    page.goto("/settings/general")
    page.get_by_role("group", name="When a long answer is done").get_by_role("radio", name="Notify me").check()
    return page


@pytest.mark.parametrize(("looking", "words", "count"), [(False, 60, 1), (True, 60, 0), (False, 5, 0)])
def test_a_long_answer_is_told_to_those_who_look_elsewhere(
    opening: Opening, shared: Served, looking: bool, words: int, count: int
) -> None:
    page = prepared(opening, shared, "granted")
    page.get_by_role("button", name="Back to the conversation").click()
    page.evaluate("(looking) => { window.looking = looking; Notification.permission = 'granted'; }", looking)
    send(page, f"Bread, please\nscript: words={words} rate=10")
    expect(page.get_by_role("article", name="Éclair")).to_be_visible()
    finished(page)
    assert page.evaluate("window.shown.length") == count
    if count:
        assert page.evaluate("window.shown[0].body.length") > 40
        page.evaluate("window.shown[0].onclick()")
        assert page.evaluate("window.shown[0].closed")
        expect(page.get_by_role("article", name="Éclair")).to_be_visible()


@pytest.mark.parametrize(
    ("looking", "script", "said"),
    [
        (False, "script: words=3", "“{name}” has an answer."),
        (False, "script: words=1 fail=broken", "“{name}” failed."),
        (True, "script: words=3", "“{name}” has an answer."),
    ],
)
def test_the_answer_of_a_schedule_is_told_to_those_who_look_elsewhere(
    opening: Opening, shared: Served, looking: bool, script: str, said: str
) -> None:
    page = prepared(opening, shared, "granted")
    page.evaluate("(looking) => { window.looking = looking; }", looking)
    name = f"News of {looking} {script[-5:]}"
    new = {"name": name, "question": script, "cron": "0 7 * * *", "zone": "UTC", "state": "off"}
    schedule = page.request.post("/api/schedules", data=new).json()["id"]
    conversation = page.request.post(f"/api/schedules/{schedule}/run").json()["conversation"]
    expect(page.get_by_text(said.format(name=name))).to_be_visible()
    shown = page.evaluate("window.shown.map(({ title, body }) => [title, body])")
    assert shown == ([] if looking else [[name, said.format(name=name)]])
    if shown:
        page.evaluate("window.shown[0].onclick()")
        expect(page).to_have_url(re.compile(f"/c/{conversation}$"))
        assert page.evaluate("window.shown[0].closed")


def test_a_browser_that_refuses_is_explained(opening: Opening, shared: Served) -> None:
    context = opening(shared)
    context.add_init_script(RECORDING.replace("ANSWER", '"denied"'))
    page = context.new_page()
    page.goto("/settings/general")
    group = page.get_by_role("group", name="When a long answer is done")
    group.get_by_role("radio", name="Notify me").click()
    expect(page.get_by_role("alert")).to_contain_text("Your browser blocks notifications from this page.")
    expect(group.get_by_role("radio", name="Don’t notify")).to_be_checked()
