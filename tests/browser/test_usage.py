"""What an answer took stands under it, and the sums in the settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening
from tests.browser.served import Served
from tests.browser.test_chat import answer, composer, finished, send

LINE = re.compile(r"^Scripted · ")


@pytest.fixture
def priced(tmp_path: Path, shared: Served) -> Iterator[Served]:
    """A server whose one engine is another, which has a price and takes half a joule a token.

    It stands before `opening` in a test's arguments: pages are closed before it is, or they would complain.
    """
    price = {"currency": "EUR", "input": 2, "output": 6}
    engine = {"url": f"{shared.address}/v1", "joules_per_token": 0.5, "prices": {"*": price}}
    served = Served(
        tmp_path,
        ECLAIR_SCRIPTED="false",
        ECLAIR_TITLES="false",
        ECLAIR_GRID_G_PER_KWH="300",
        ECLAIR_ENGINES=json.dumps({"rack": engine}),
    )
    served.start()
    yield served
    served.close()


def asked(page: Page, words: int) -> None:
    send(page, f"script: words={words}")
    finished(page)


def test_an_answer_says_what_it_took_in_a_line_that_opens_by_keyboard(priced: Served, opening: Opening) -> None:
    page = opening(priced).new_page()
    page.goto("/")
    asked(page, 40)
    line = answer(page).get_by_text(LINE)
    expect(line).to_be_visible()
    term = answer(page).get_by_role("term")
    expect(term).to_have_count(0)
    line.focus()
    page.keyboard.press("Enter")
    tokens = ["Input tokens", "Cached tokens", "Output tokens"]
    expect(term).to_have_text(["Time", "First word after", "Time taken", "Words", *tokens, "Energy, estimated", "Cost"])
    values = answer(page).get_by_role("definition").all_inner_texts()[4:]
    read, remembered, written = map(int, values[:3])
    assert (remembered, written) == (0, 40)
    assert values[3].split() == ["≈", f"{(read + 40) / 2:g}", "J"]
    assert values[4] == f"€{(read * 2 + 240) / 1e6:.5f}"
    page.reload()
    expect(answer(page).get_by_text(LINE)).to_be_visible()


def test_the_settings_have_the_sums(priced: Served, opening: Opening) -> None:
    page = opening(priced).new_page()
    page.goto("/usage")
    expect(page.get_by_text("No answers yet.")).to_be_visible()
    page.goto("/")
    asked(page, 30)
    page.get_by_role("button", name="New chat").click()
    expect(composer(page)).to_be_focused()
    asked(page, 12)
    page.goto("/usage")
    sums = page.get_by_role("table", name="Period")
    heads = [
        "Period",
        "Answers",
        "Words",
        "Input tokens",
        "Cached tokens",
        "Output tokens",
        "Energy",
        "CO₂",
        "Cost",
    ]
    expect(sums.get_by_role("columnheader")).to_have_text(heads)
    expect(sums.get_by_role("rowheader")).to_have_text(["Today", "Last 30 days", "All time"])
    for row in ("Today", "Last 30 days", "All time"):
        cells = sums.get_by_role("row", name=row).get_by_role("cell")
        expect(cells.nth(0)).to_have_text("2")
        expect(cells.nth(1)).to_have_text("42")
        expect(cells.nth(4)).to_have_text("42")
        expect(cells.nth(5)).to_have_text(re.compile(r"^≈"))
        expect(cells.nth(7)).to_have_text(re.compile(r"^€0\.000"))
    models = page.get_by_role("table", name="By model")
    expect(models.get_by_role("rowheader")).to_have_text(["Scripted"])
    expect(page.get_by_role("img", name="Words per day, last 30 days")).to_be_visible()
    days = page.get_by_role("table", name="Words per day, last 30 days")
    expect(days).to_have_count(0)
    page.get_by_text("Show as a table").click()
    expect(days.get_by_role("row")).to_have_count(31)
    expect(days.get_by_role("row").last.get_by_role("cell")).to_have_text("42")


@pytest.mark.parametrize("width", [1200, 320])
def test_receipt_and_sums_are_accessible_and_fit(priced: Served, opening: Opening, width: int) -> None:
    context = opening(priced, viewport={"width": width, "height": 800})
    context.add_init_script(path=AXE)
    page = context.new_page()
    page.goto("/")
    asked(page, 30)
    answer(page).get_by_text(LINE).click()
    expect(answer(page).get_by_role("term")).to_have_count(9)
    check(page)
    page.goto("/usage")
    expect(page.get_by_role("table", name="By model")).to_be_visible()
    page.get_by_text("Show as a table").click()
    check(page)
