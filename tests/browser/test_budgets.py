"""Budgets in the page: an answer that doesn't fit says so and keeps the question, and “Usage” shows what is left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening
from tests.browser.served import Served
from tests.browser.test_chat import send


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Served]:
    budgets = {"small": {"tokens": 20, "period": "day"}, "house": {"images": 9, "each": False}}
    served = Served(tmp_path, ECLAIR_BUDGETS=json.dumps(budgets))
    served.start()
    yield served
    served.close()


def test_what_does_not_fit_is_refused_in_a_sentence_and_the_question_stays(limited: Served, opening: Opening) -> None:
    page = opening(limited).new_page()
    page.goto("/")
    send(page, "script: words=5")
    expect(page.get_by_text("Your budget of 20 tokens a day has 20 tokens left, which isn't enough")).to_be_visible()
    expect(page.get_by_text("script: words=5").first).to_be_visible()


def test_usage_shows_what_is_left_and_when_it_refills(limited: Served, opening: Opening) -> None:
    context = opening(limited)
    context.add_init_script(path=AXE)
    page = context.new_page()
    page.goto("/usage")
    meter = page.get_by_role("meter", name="Tokens · Day")
    expect(meter).to_have_attribute("aria-valuetext", "0 of 20 used")
    section = page.get_by_role("region", name="Budgets")
    expect(section.get_by_role("listitem")).to_have_count(2)
    expect(section).to_contain_text("Shared with others")
    expect(section).to_contain_text("Refills on")
    check(page)
