"""A chart of a table by the small model, which is told to write code: in the answer, without the data tools."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import axe
from tests.browser.conftest import Opening
from tests.browser.model_server import racked
from tests.browser.served import Served
from tests.browser.test_chat import answer, finished, send

MODEL = "qwen2.5-coder-1.5b"
SALES = b"region,revenue\nNorth,120\nSouth,80\nNorth,150\n"
CODE = """import csv

sums = {}
for row in csv.DictReader(open("sales.csv")):
    sums[row["region"]] = sums.get(row["region"], 0) + int(row["revenue"])
bar_chart(sums.keys(), sums.values(), "Revenue by region")"""
CHART_MS = 60_000
"""Time for the interpreter to start while other tests compute."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An Éclair whose model calls tools on demand alone."""
    with racked() as rack:
        rack.models, rack.code, rack.says = (MODEL,), CODE, "The chart shows the revenue."
        served = Served(
            tmp_path_factory.mktemp("small"),
            ECLAIR_ENGINES=json.dumps({"rack": {"url": rack.url}}),
            ECLAIR_MODEL=MODEL,
            ECLAIR_SCRIPTED="false",
            ECLAIR_TITLES="false",
            ECLAIR_EMBEDDER="off",
        )
        served.start()
        try:
            yield served
        finally:
            served.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_bar_chart_of_a_table_is_in_the_answer(opening: Opening, small: Served, tmp_path: Path, theme: str) -> None:
    context = opening(small, color_scheme=theme, viewport={"width": 390, "height": 1000}, reduced_motion="reduce")
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto("/")
    page.locator("input[type=file]").first.set_input_files(
        {"name": "sales.csv", "mimeType": "text/csv", "buffer": SALES}
    )
    expect(page.get_by_role("list", name="Attached files").get_by_text("ready")).to_be_visible()
    send(page, "make a bar chart of revenue by region")
    python = answer(page).get_by_role("region", name="Python")
    expect(python.get_by_role("img", name="Revenue by region")).to_be_visible(timeout=CHART_MS)
    box = python.get_by_role("img", name="Revenue by region").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 390, "it is as wide as the phone"
    finished(page, "The chart shows the revenue.")
    expect(python.get_by_text("csv.DictReader")).to_be_hidden()
    python.get_by_text("Code", exact=True).click()
    expect(python.get_by_text("csv.DictReader")).to_be_visible()
    with page.expect_download() as saving:
        python.get_by_role("button", name="Download chart.svg").click()
    saving.value.save_as(tmp_path / "chart.svg")
    assert "North: 270" in (tmp_path / "chart.svg").read_text("utf-8")
    axe.check(page)
    page.reload()
    expect(answer(page).get_by_role("img", name="Revenue by region")).to_be_visible()
