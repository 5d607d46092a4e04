"""Budgets in the page: an answer that doesn't fit says so and keeps the question, and “Usage” shows what is left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.accounts import admin_command, set_up
from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening, Starting
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
    page.get_by_role("main").get_by_role("button", name="Usage").click()
    expect(page.get_by_role("meter", name="Tokens · Day")).to_be_visible()


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


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path, ECLAIR_ACCOUNTS="on")
    served.start()
    yield served
    served.close()


def test_budgets_are_set_for_people_groups_and_keys_by_name(house: Served, opening: Opening) -> None:
    context = opening(house)
    context.add_init_script(path=AXE)
    page = set_up(context, house)
    admin_command(house, "groups", "add", "Legal")
    admin_command(house, "people", "add", "ben", "--display-name", "Ben Ó Murchú")
    page.goto("/admin/budgets")
    form = page.get_by_role("form", name="Set budget")
    form.get_by_label("Amount").fill("5000")
    form.get_by_label("For", exact=True).select_option(label="Group")
    form.get_by_role("button", name="Set budget").click()
    expect(form.get_by_role("alert")).to_have_text("Search for a name and choose it from the list.")
    form.get_by_role("searchbox", name="Group").fill("leg")
    form.get_by_role("button", name="Legal").click()
    expect(form.get_by_role("button", name="Remove Legal")).to_be_visible()
    form.get_by_role("button", name="Set budget").click()
    budgets = page.get_by_role("list", name="Budgets")
    expect(budgets).to_contain_text("Group: Legal")
    form.get_by_label("For", exact=True).select_option(label="Person")
    form.get_by_role("searchbox", name="Person").fill("murch")
    form.get_by_role("button", name="Ben Ó Murchú").click()
    form.get_by_label("Amount").fill("100")
    form.get_by_label("Amount").press("Enter")
    expect(budgets).to_contain_text("Person: Ben Ó Murchú")
    check(page)


def test_works_council_mode_says_what_it_hides(opening: Opening, starting: Starting) -> None:
    served = starting(ECLAIR_ACCOUNTS="on", ECLAIR_WORKS_COUNCIL="true")
    page = set_up(opening(served), served)
    admin_command(served, "people", "add", "ben")
    page.goto("/admin/budgets")
    page.get_by_role("form", name="Set budget").get_by_label("Amount").fill("5000")
    page.get_by_role("button", name="Set budget").click()
    budgets = page.get_by_role("list", name="Budgets")
    expect(budgets).to_contain_text("5,000 · Not shown: works-council mode")
    expect(budgets.get_by_role("meter")).to_have_count(0)
    page.goto("/admin/people")
    expect(page.get_by_role("list", name="People")).not_to_contain_text("never")
    page.get_by_role("link", name="ben").click()
    expect(page.get_by_text("Not shown: works-council mode")).to_be_visible()
    expect(page.get_by_role("button", name="End all sessions")).to_be_visible()
