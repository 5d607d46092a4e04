"""From any message a person goes on in a new conversation, and finds the way back."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.test_chat import answer, answers, finished, send


def test_a_message_branches_to_a_new_conversation_that_links_back(page: Page) -> None:
    send(page, "script: say=First.")
    finished(page, "First.")
    origin = page.url
    send(page, "script: say=Second.")
    finished(page, "Second.")
    answers(page).first.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Branch to a new conversation").click()
    expect(page).not_to_have_url(origin)
    expect(answers(page)).to_have_count(1)
    expect(answer(page)).to_contain_text("First.")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"\(branch\)$"))
    send(page, "script: say=Elsewhere.")
    finished(page, "Elsewhere.")
    page.get_by_role("link", name="Branched from an earlier conversation").click()
    expect(page).to_have_url(origin)
    expect(answers(page)).to_have_count(2)
    expect(answer(page)).to_contain_text("Second.")


def test_a_question_branches_too(page: Page) -> None:
    send(page, "script: say=First.")
    finished(page, "First.")
    page.get_by_role("button", name="Branch to a new conversation").first.click()
    expect(page.get_by_role("link", name="Branched from an earlier conversation")).to_be_visible()
    expect(answers(page)).to_have_count(0)
