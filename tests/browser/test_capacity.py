"""The capacity planner in the administration: inputs, a plan with plots and tables, and what can't be met."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening
from tests.browser.served import Served


def test_a_plan_is_made_shown_and_checked(shared: Served, opening: Opening) -> None:
    context = opening(shared, viewport={"width": 390, "height": 800})
    context.add_init_script(path=AXE)
    page = context.new_page()
    page.goto("/admin/capacity")
    form = page.get_by_role("form", name="Calculate")
    expect(form.get_by_label("Country")).to_have_value("DE")
    form.get_by_label("People", exact=True).fill("2000")
    form.get_by_label("Country").select_option("FR")
    page.keyboard.press("Tab")
    form.get_by_role("button", name="Calculate").press("Enter")
    result = page.get_by_role("region", name="Mistral Small 3.2 24B · NVIDIA H100")
    expect(result).to_be_visible(timeout=60_000)
    expect(result).to_contain_text("From published figures; not measured here.")
    expect(result).to_contain_text("1 + 1 spare")
    expect(result.get_by_role("table", name="Per day")).to_contain_text("CO₂")
    expect(result.get_by_role("img", name="First word by load of a replica")).to_be_visible()
    expect(result.get_by_role("img", name="Replicas by hour of the day")).to_be_visible()
    result.get_by_text("Show as a table").first.click()
    table = result.get_by_role("table", name="First word by load of a replica")
    expect(table.get_by_role("row")).to_have_count(7)
    result.get_by_text("Sources").click()
    expect(result.get_by_role("listitem").filter(has_text="carbon_g_per_kwh")).to_contain_text("EcoLogits")
    check(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download plots").click()
    assert download.value.suggested_filename == "eclair-plan.svg"


def test_targets_that_cannot_be_met_are_told(shared: Served, opening: Opening) -> None:
    page = opening(shared).new_page()
    page.goto("/admin/capacity")
    form = page.get_by_role("form", name="Calculate")
    form.get_by_label("Words per second, at least").fill("1000")
    form.get_by_role("button", name="Calculate").click()
    expect(page.get_by_text(re.compile("This hardware can’t meet these targets"))).to_be_visible(timeout=60_000)
    expect(page.get_by_role("button", name="Download plots")).to_have_count(0)
