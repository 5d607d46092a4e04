"""Python in the page: code, output, errors, charts and files of an answer, and the data tools in the settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from eclair.settings import Settings
from tests.browser import axe
from tests.browser.conftest import Opening, Watch
from tests.browser.served import Served
from tests.browser.test_chat import answer, composer, finished, send
from tests.python.conftest import lend_tools
from tests.python.test_data_tools import CHART, SALES
from tests.python.test_tool import call

FIRST_CHART_MS = 60_000
"""Time for the interpreter to start and to import matplotlib, while other tests compute."""


@pytest.fixture(scope="module")
def tooled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An Éclair that has the data tools."""
    folder = tmp_path_factory.mktemp("tooled")
    lend_tools(replace(Settings(), data_dir=folder / "data"))
    served = Served(folder)
    served.start()
    yield served
    served.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_table_becomes_a_chart_in_the_answer(opening: Opening, tooled: Served, tmp_path: Path, theme: str) -> None:
    context = opening(tooled, color_scheme=theme, viewport={"width": 390, "height": 1100}, reduced_motion="reduce")
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto("/")
    page.locator("input[type=file]").first.set_input_files(
        {"name": "sales.csv", "mimeType": "text/csv", "buffer": SALES}
    )
    expect(page.get_by_role("list", name="Attached files").get_by_text("ready")).to_be_visible()
    send(page, call(CHART + "print(sales.revenue.sum())"))
    python = answer(page).get_by_role("region", name="Python")
    chart = python.get_by_role("img", name="Umsatz je Region. Umsatz")
    expect(chart).to_be_visible(timeout=FIRST_CHART_MS)
    finished(page)
    expect(python.get_by_role("group", name="Output")).to_have_text("344")
    expect(python.get_by_text("plt.bar")).to_be_hidden()
    python.get_by_text("Code", exact=True).click()
    expect(python.get_by_text("plt.bar")).to_be_visible()
    files = python.get_by_role("list", name="Files made by Python")
    expect(files.get_by_role("listitem")).to_have_count(2)
    with page.expect_download() as saving:
        files.get_by_role("button", name="Download chart.svg").click()
    saving.value.save_as(tmp_path / "chart.svg")
    assert "<svg" in (tmp_path / "chart.svg").read_text("utf-8")
    axe.check(page)
    page.reload()
    expect(answer(page).get_by_role("img", name="Umsatz je Region. Umsatz")).to_be_visible()


def test_a_shared_page_shows_the_chart(page: Page) -> None:
    send(page, call("bar_chart(['North', 'South'], [270, 175], 'Revenue')"))
    finished(page)
    id = page.url.rpartition("/")[2]
    share = page.request.post(f"/api/conversations/{id}/shares", data={}).json()["url"]
    page.goto(share)
    chart = page.get_by_role("img", name=re.compile("^Revenue"))
    expect(chart).to_be_visible()
    assert chart.evaluate("image => image.naturalWidth") > 0


def test_a_made_file_is_used_in_the_next_message(look: Callable[..., Page]) -> None:
    page = look(390, 844)
    page.goto("/")
    code = "open('sums.csv', 'w').write('region,sum\\nNorth,270\\n')\nopen('state.pkl', 'w').write('x')"
    send(page, call(code))
    finished(page)
    files = answer(page).get_by_role("list", name="Files made by Python")
    expect(files.get_by_role("listitem")).to_have_count(2)
    use = files.get_by_role("button", name=re.compile("^Use "))
    expect(use).to_have_count(1)
    expect(use).to_have_accessible_name("Use sums.csv in my next message")
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        axe.check(page)
    use.press("Enter")
    attached = page.get_by_role("list", name="Attached files").get_by_role("listitem")
    expect(attached.get_by_text("ready")).to_be_visible()
    expect(composer(page)).to_be_focused()
    use.press("Enter")
    expect(composer(page)).to_be_focused()
    expect(attached).to_have_count(1)
    page.reload()
    expect(attached).to_contain_text("sums.csv")
    send(page, call("print(open('sums.csv').read())"))
    finished(page)
    expect(answer(page).get_by_role("group", name="Output")).to_contain_text("North,270")
    expect(page.get_by_role("article", name="You").last).to_contain_text("sums.csv")


def test_output_comes_while_code_runs_and_an_error_is_folded_below_its_line(page: Page) -> None:
    send(page, call("import time\nprint('Reading')\nprint('3 tables')\ntime.sleep(9)"))
    python = answer(page).get_by_role("region", name="Python")
    output = python.get_by_role("group", name="Output")
    expect(output).to_have_text("Reading\n3 tables")
    expect(output).to_have_attribute("aria-busy", "true")
    page.get_by_role("button", name="Stop", exact=True).click()
    finished(page)
    expect(output).to_have_count(0)
    expect(python.get_by_text("Code · stopped", exact=True)).to_be_visible()
    send(page, call("x = 1\nx / 0"))
    finished(page)
    python = answer(page).get_by_role("region", name="Python")
    expect(python.get_by_text("Code", exact=True)).to_be_visible()
    fault = python.get_by_text("Error in line 2 · ZeroDivisionError: division by zero")
    expect(fault).to_be_visible()
    fault.press("Enter")
    expect(python.get_by_role("group", name="Error in line 2")).to_contain_text("Traceback")


def test_a_call_that_a_crash_ended_says_that_it_is_not_known(
    opening: Opening, mortal: Served, watches: list[Watch]
) -> None:
    context = opening(mortal, viewport={"width": 390, "height": 844}, reduced_motion="reduce")
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto("/")
    watches[0].forgive("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY")
    send(page, call("import time\nprint('Reading')\ntime.sleep(60)"))
    python = answer(page).get_by_role("region", name="Python")
    expect(python.get_by_role("group", name="Output")).to_have_text("Reading", timeout=FIRST_CHART_MS)
    mortal.kill()
    mortal.start()
    finished(page, "Éclair was restarted while writing this answer.")
    said = python.get_by_role("status").filter(has_text="This may or may not have been done; please check.")
    expect(said).to_be_visible()
    axe.check(page)
    page.reload()
    expect(said).to_be_visible()
    expect(python.get_by_text("Code", exact=True)).to_be_visible()


def test_a_call_that_cannot_be_made_says_why_in_one_sentence(look: Callable[..., Page]) -> None:
    page = look(390, 844, locale="de")
    page.goto("/")
    page.get_by_role("textbox", name="Ihre Nachricht", exact=True).fill('script: tool=run_python{"program":"print(1)"}')
    page.keyboard.press("Enter")
    python = page.get_by_role("article", name="Éclair").get_by_role("region", name="Python")
    folded = python.get_by_text("Eingabe · fehlgeschlagen", exact=True)
    expect(folded).to_be_visible()
    said = "Das Modell hat die Eingabe für dieses Werkzeug falsch ausgefüllt. Auf Englisch: The model filled in"
    expect(python.get_by_text(said)).to_be_visible()
    expect(python.get_by_text("Call again")).to_have_count(0)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        axe.check(page)
    folded.press("Enter")
    expect(python.get_by_role("group", name="Eingabe")).to_have_text('{"program":"print(1)"}')


def test_code_that_is_written_again_is_not_run_again_and_says_so(page: Page) -> None:
    send(page, "\n".join([call("print(6*7)")] * 2))
    finished(page)
    first, again = answer(page).get_by_role("region", name="Python").all()
    expect(first.get_by_role("group", name="Output")).to_have_text("42")
    expect(again.get_by_text("This is the same code as above. It was not run again.")).to_be_visible()
    expect(again.get_by_role("group", name="Output")).to_have_count(0)


def test_an_answer_that_wanted_pandas_leads_to_it(page: Page) -> None:
    send(page, call("import pandas"))
    finished(page)
    python = answer(page).get_by_role("region", name="Python")
    expect(python.get_by_text("This code needs pandas.")).to_be_visible()
    expect(python.get_by_role("button", name=re.compile("^Install the data tools"))).to_be_visible()


def test_the_settings_say_what_is_installed(opening: Opening, tooled: Served, page: Page) -> None:
    page.goto("/settings/models")
    expect(page.get_by_role("heading", name="Data tools for Python")).to_be_visible()
    expect(page.get_by_role("button", name="Install the data tools (570 MB, about 2 minutes)")).to_be_visible()
    page.goto("/settings/speech")
    speech = page.get_by_role("region", name="Speech recognition")
    expect(speech.get_by_role("button", name=re.compile(r"^Install \(\d+ MB\)$"))).to_be_visible()
    models = page.get_by_role("group", name="Model for recordings")
    expect(models.get_by_role("radio", name="Automatic (Whisper base)")).to_be_checked()
    expect(models.get_by_role("radio", name="Whisper small 244 MB · not on this machine")).to_be_disabled()
    there = opening(tooled).new_page()
    there.goto("/settings/models")
    expect(there.get_by_text(re.compile(r"^Installed \(\d+ MB\)$"))).to_be_visible()
    expect(there.get_by_role("button", name="Remove: Data tools for Python")).to_be_visible()


def test_a_figure_shows_the_line_that_it_comes_from(page: Page) -> None:
    send(page, 'script: tool=calculate{"expression":"19*4"}\nscript: say=The total is 76. Good.')
    mark = answer(page).get_by_role("button", name="Computed; show the line")
    expect(mark).to_have_text("=", timeout=FIRST_CHART_MS)
    finished(page)
    line = answer(page).get_by_text("Computed: 19*4 = 76")
    expect(line).to_have_count(0)
    mark.focus()
    page.keyboard.press("Enter")
    expect(line).to_be_visible()
    page.reload()
    answer(page).get_by_role("button", name="Computed; show the line").click()
    expect(line).to_be_visible()
