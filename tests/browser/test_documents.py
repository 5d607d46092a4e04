"""Documents in the page: what an answer rests on, the very words beside it, libraries, and what becomes of both."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening, Watch
from tests.browser.model_server import BIG, Rack, racked
from tests.browser.served import Served
from tests.browser.test_chat import answer, choose, composer, finished
from tests.browser.test_writing import attach, files, press, questions, send_when_ready
from tests.documents.files import pdf, xlsx

WORDS = (
    "The tower of Ettelbruck was built in 1903 by Marie Lacroix.",
    "It is 330 metres high and weighs 7,300 tonnes.",
    "The bridge beside it was never finished.",
)
COVER = [(72.0, 90.0, 20.0, "*A report on towers")]
REPORT: dict[str, Any] = {
    "name": "report.pdf",
    "mimeType": "application/pdf",
    "buffer": pdf([COVER, [(72.0, 120.0 + 22 * at, 12.0, line) for at, line in enumerate(WORDS)]]),
}
TOWNS: dict[str, Any] = {
    "name": "towns.xlsx",
    "mimeType": "",
    "buffer": xlsx({"Towns": [["Town", "Bread", "Cheese"], ["Lyon", 12, 30], ["Graz", 7, 4]]}),
}
QUESTION = "How high is the tower, and how much bread has Lyon?"
SAYS = "The tower is 330 metres high. It was built in 1905.\n\n- Lyon has 12 bread and 30 cheese.\n"


ALL_READ = """async () => {
  const { files } = await (await fetch("/api/files")).json();
  return files.length > 0 && files.every((file) => file.state === "ready");
}"""


@pytest.fixture(scope="module")
def rack() -> Iterator[Rack]:
    with racked() as rack:
        rack.says = SAYS
        yield rack


@pytest.fixture(scope="module")
def reading(rack: Rack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An Éclair whose model says what the test wants; passages are found by their words alone."""
    served = Served(
        tmp_path_factory.mktemp("documents"),
        ECLAIR_ENGINES=json.dumps({"rack": {"url": rack.url}}),
        ECLAIR_MODEL=BIG,
        ECLAIR_SCRIPTED="false",
        ECLAIR_TITLES="false",
        ECLAIR_EMBEDDER="off",
    )
    served.start()
    yield served
    served.close()


@pytest.fixture
def desk(opening: Opening, reading: Served) -> Page:
    page = opening(reading).new_page()
    page.goto("/")
    return page


@pytest.fixture
def seen(opening: Opening, reading: Served) -> Callable[[int], Page]:
    """Opens the page at one width, ready to be checked."""

    def at(width: int) -> Page:
        context: BrowserContext = opening(reading, viewport={"width": width, "height": 800})
        context.add_init_script(path=AXE)
        page = context.new_page()
        page.goto("/")
        return page

    return at


def ask(page: Page, *given: dict[str, Any]) -> None:
    attach(page, *given)
    send_when_ready(page, QUESTION)
    finished(page, "Lyon has 12 bread")


def marks(page: Page) -> Locator:
    return answer(page).locator("sup button")


def beside(page: Page) -> Locator:
    return page.get_by_role("complementary")


def test_a_mark_leads_to_the_very_words_on_their_page(desk: Page) -> None:
    ask(desk, REPORT, TOWNS)
    expect(marks(desk)).to_have_count(3)
    expect(answer(desk).locator("p").filter(has_text="330 metres")).to_have_text(
        re.compile(r"^The tower is 330 metres high\.\d It was built in 1905\.\?$")
    )
    marks(desk).first.focus()
    desk.keyboard.press("Enter")
    pane = beside(desk)
    expect(pane.get_by_role("heading", name="report.pdf")).to_be_focused()
    expect(pane.get_by_role("blockquote")).to_contain_text("It is 330 metres high and weighs 7,300 tonnes.")
    picture = pane.get_by_role("img", name="report.pdf, page 2")
    expect(picture).to_be_visible()
    page, box = picture.bounding_box(), pane.locator("rect").last.bounding_box()
    assert page is not None
    assert box is not None
    line = page["y"] + 142 / 842 * page["height"]
    assert box["y"] < line < box["y"] + box["height"] + 2
    assert abs(box["x"] - page["x"] - 72 / 595 * page["width"]) < 4
    expect(pane.get_by_text("page 2 / 2")).to_be_visible()
    press(desk, "Text")
    expect(pane.locator("mark").last).to_contain_text("It is 330 metres high")
    press(desk, "Previous page")
    expect(pane.get_by_text("A report on towers")).to_be_visible()
    expect(pane.locator("mark")).to_have_count(0)
    with desk.expect_download() as download:
        press(desk, "Download report.pdf")
    assert download.value.path().read_bytes() == REPORT["buffer"]
    desk.keyboard.press("Escape")
    expect(pane).to_have_count(0)
    expect(marks(desk).first).to_be_focused()


def test_a_long_document_says_how_far_it_is_read_and_answers_early(desk: Page) -> None:
    """The last part takes forever; what was read until then is enough."""
    parts = [f"# Part {n}\n\n{WORDS[1]}\n\n" + "The masons wrote of stone and mortar. " * 1000 for n in range(6)]
    text = "\n\n".join([*parts, "# Part 7\n\nThe masons wait. " + "They wait for stone and mortar. " * 1000])
    attach(desk, {"name": "masons.md", "mimeType": "text/markdown", "buffer": text.encode()})
    desk.wait_for_function(ALL_READ)
    send_when_ready(desk, "Summarise this document")
    expect(answer(desk)).to_contain_text(re.compile(r"Reading masons\.md · \d+ of \d+ · [89]\d%"), timeout=60_000)
    press(desk, "Answer now")
    finished(desk, "The tower is 330 metres high.")
    expect(answer(desk)).to_contain_text(re.compile(r"\d+ of \d+ parts of masons\.md were read, up to "))


def test_a_cell_is_shown_in_its_row_and_a_doubt_says_what_differs(desk: Page) -> None:
    ask(desk, REPORT, TOWNS)
    marks(desk).last.click()
    pane = beside(desk)
    expect(pane.get_by_role("row").filter(has=desk.locator("mark"))).to_contain_text(["Lyon"])
    expect(pane.get_by_role("columnheader")).to_have_text(["Town", "Bread", "Cheese"])
    expect(pane.get_by_role("rowheader").first).to_have_attribute("title", "A2:C2")
    doubt = answer(desk).get_by_role("button", name="Not found in the sources")
    doubt.click()
    expect(pane.get_by_text("Not found in the sources: 1905")).to_be_visible()
    expect(pane.get_by_text("This is the closest passage.")).to_be_visible()
    press(desk, "Close")
    expect(doubt).to_be_focused()
    expect(answer(desk).get_by_text("marks a sentence that isn’t in the sources")).to_be_visible()
    answer(desk).get_by_text("Sentences without a source", exact=True).click()
    expect(answer(desk).get_by_text("Sentences without a source: 1")).to_be_visible()
    expect(answer(desk).get_by_text("Not found in the sources: 1905")).to_be_visible()


def test_the_sources_stand_below_and_go_along_when_it_is_copied(desk: Page) -> None:
    desk.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ask(
        desk,
        REPORT,
        TOWNS,
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"A tower casts a shadow at noon.\n"},
    )
    sources = answer(desk).get_by_role("region", name="Sources")
    expect(sources.get_by_role("button").first).to_contain_text("report.pdf, page 2")
    sources.get_by_text(re.compile(r"Show passages \(\d\)")).click()
    expect(sources.get_by_text("not cited").first).to_be_visible()
    sources.get_by_role("button").filter(has_text="towns.xlsx, Towns").first.click()
    expect(beside(desk).get_by_role("heading", name="towns.xlsx")).to_be_visible()
    desk.keyboard.press("Escape")
    answer(desk).get_by_role("button", name="Copy this answer").click()
    copied: str = desk.evaluate("() => navigator.clipboard.readText()")
    number = re.search(r"^The tower is 330 metres high\.\[\^(\d)\] It was", copied)
    assert number is not None, copied
    assert f"[^{number[1]}]: report.pdf, page 2: “" in copied


def test_sources_are_numbered_in_the_order_in_which_they_are_cited(
    desk: Page, opening: Opening, reading: Served
) -> None:
    """The second answer rests on passages that the first one numbered otherwise."""
    desk.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ask(desk, TOWNS, REPORT)
    send_when_ready(desk, "And how much bread has Lyon? How high is the tower?")
    expect(desk.get_by_role("article", name="Éclair")).to_have_count(2)
    finished(desk, "Lyon has 12 bread")
    expect(marks(desk)).to_have_text(["1", "?", "2"])
    sources = answer(desk).get_by_role("region", name="Sources")
    expect(sources.locator("ol .number")).to_have_text(["1", "2"])
    expect(sources.get_by_role("button", name="Source 1: report.pdf, page 2")).to_be_visible()
    marks(desk).first.click()
    expect(beside(desk).get_by_role("heading", name="report.pdf")).to_be_focused()
    desk.keyboard.press("Escape")
    answer(desk).get_by_role("button", name="Copy this answer").click()
    copied: str = desk.evaluate("() => navigator.clipboard.readText()")
    assert "330 metres high.[^1]" in copied
    assert "30 cheese.[^2]" in copied
    choose(desk, QUESTION, "Share…")
    desk.get_by_role("dialog").get_by_role("button", name="Create link").click()
    reader = opening(reading).new_page()
    reader.goto(desk.get_by_role("dialog").get_by_role("textbox", name="Link").input_value())
    expect(reader.get_by_role("article", name="Éclair").last.locator("sup button")).to_have_text(["1", "?", "2"])
    reader.get_by_role("article", name="Éclair").last.locator("sup button").last.click()
    expect(reader.locator("div.source:focus")).to_contain_text("towns.xlsx")


def test_of_a_deleted_file_the_quote_remains(desk: Page, watches: list[Watch]) -> None:
    watches[-1].forgive("404 (Not Found)")
    ask(desk, REPORT)
    tree = desk.request.get(f"/api/conversations/{desk.url.rsplit('/', 1)[1]}").json()
    file = tree["messages"][0]["files"][0]["id"]
    assert desk.request.delete(f"/api/files/{file}").status == 204
    desk.reload()
    expect(questions(desk).get_by_role("button", name="report.pdf")).to_contain_text("deleted")
    marks(desk).first.click()
    expect(beside(desk)).to_contain_text("The file was deleted.")
    expect(beside(desk)).to_contain_text("It is 330 metres high and weighs 7,300 tonnes.")
    expect(beside(desk).get_by_role("button", name="Download report.pdf")).to_have_count(0)


def test_a_library_is_filled_searched_with_an_at_renamed_and_erased(desk: Page, watches: list[Watch]) -> None:
    watches[-1].forgive("400 (Bad Request)")
    desk.goto("/libraries")
    section = desk.get_by_role("region", name="Libraries")
    section.get_by_label("New library").fill("two/words")
    desk.keyboard.press("Enter")
    expect(section.get_by_role("alert")).to_be_visible()
    section.get_by_label("New library").fill("handbook")
    desk.keyboard.press("Enter")
    card = section.get_by_role("article", name="@handbook")
    broken: dict[str, Any] = {"name": "broken.pdf", "mimeType": "", "buffer": b"%PDF-1.7 nothing"}
    given: Any = [REPORT, TOWNS, broken]
    card.locator("input[type=file]").first.set_input_files(given)
    rows = card.get_by_role("list", name="Files of handbook").get_by_role("listitem")
    expect(rows.filter(has_text="report.pdf")).to_contain_text("ready")
    expect(rows.filter(has_text="towns.xlsx")).to_contain_text("ready")
    expect(rows.filter(has_text="broken.pdf")).to_contain_text("can’t be read")
    expect(card).to_contain_text("Unreadable: 1")
    press(desk, "Read broken.pdf again")
    expect(rows.filter(has_text="broken.pdf")).to_contain_text("can’t be read")
    press(desk, "Delete “broken.pdf”")
    expect(rows).to_have_count(2)
    expect(card).to_contain_text("Files: 2")

    desk.goto("/")
    composer(desk).press_sequentially(f"{QUESTION} @hand")
    desk.get_by_role("listbox", name="Models and libraries").get_by_role("option", name="handbook").click()
    expect(files(desk)).to_have_text(re.compile("@handbook"))
    desk.reload()
    expect(files(desk)).to_have_text(re.compile("@handbook"))
    composer(desk).press("Enter")
    finished(desk, "Lyon has 12 bread")
    expect(questions(desk)).to_contain_text("@handbook")
    marks(desk).first.click()
    expect(beside(desk).get_by_role("img", name="report.pdf, page 2")).to_be_visible()

    desk.goto("/libraries")
    press(desk, "Rename “handbook”")
    desk.get_by_role("textbox", name="Name", exact=True).fill("manual")
    desk.keyboard.press("Enter")
    expect(section.get_by_role("article", name="@manual")).to_be_visible()
    press(desk, "Delete “manual”")
    expect(section.get_by_text("This can’t be undone.")).to_be_visible()
    section.get_by_role("group", name="Delete the library").get_by_role("button", name="Delete").click()
    expect(section.get_by_role("article", name="@manual")).to_have_count(0)
    assert desk.request.get("/api/libraries").json() == []


def test_a_library_is_chosen_by_its_button_in_another_window_as_soon_as_it_is_there(
    opening: Opening, reading: Served
) -> None:
    page = opening(reading).new_page()
    page.goto("/")
    page.get_by_role("button", name="Libraries", exact=True).click()
    expect(page.get_by_role("menuitem")).to_have_text(["Libraries…"])
    page.keyboard.press("Escape")
    library = page.request.post("/api/libraries", data={"name": "fresh"}).json()
    composer(page).press_sequentially("@fre")
    expect(page.get_by_role("option", name="fresh")).to_be_visible()
    page.keyboard.press("Escape")
    composer(page).fill("")
    page.get_by_role("button", name="Libraries", exact=True).click()
    page.get_by_role("menuitemcheckbox", name="@fresh").click()
    expect(files(page)).to_have_text(re.compile("@fresh"))
    press(page, "Don’t search fresh")
    expect(files(page)).to_have_count(0)
    assert page.request.delete(f"/api/libraries/{library['id']}").status == 204


def test_who_has_the_link_sees_the_quotes_and_no_file(opening: Opening, reading: Served) -> None:
    page = opening(reading).new_page()
    page.goto("/")
    ask(page, REPORT)
    choose(page, QUESTION, "Share…")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Create link").click()
    reader = opening(reading).new_page()
    reader.goto(dialog.get_by_role("textbox", name="Link").input_value())
    shared = reader.get_by_role("article", name="Éclair")
    shared.locator("sup button").first.click()
    quoted = shared.locator("li div.source").filter(has_text="It is 330 metres high and weighs 7,300 tonnes.").first
    expect(quoted).to_be_focused()
    expect(reader.get_by_role("complementary")).to_have_count(0)
    expect(reader.get_by_role("article", name="You")).to_contain_text("report.pdf")
    expect(reader.get_by_text("Show passages")).to_have_count(0)
    page.keyboard.press("Escape")
    choose(page, QUESTION, "Share…")
    expect(page.get_by_role("dialog").get_by_text("Views: 1")).to_be_visible()


@pytest.mark.parametrize("width", [1300, 390])
def test_everybody_can_use_it(seen: Callable[[int], Page], width: int, watches: list[Watch]) -> None:
    page = seen(width)
    watches[-1].forgive("400 (Bad Request)")
    attach(page, {"name": "nothing.txt", "mimeType": "", "buffer": b""}, REPORT, TOWNS)
    expect(files(page).get_by_role("alert")).to_be_visible()
    expect(files(page).filter(has_text="ready")).to_have_count(2)
    check(page)
    press(page, "Remove nothing.txt")
    send_when_ready(page, QUESTION)
    finished(page, "Lyon has 12 bread")
    answer(page).get_by_text("Show passages").click()
    answer(page).get_by_text("Sentences without a source").click()
    check(page)
    marks(page).first.click()
    expect(beside(page).get_by_role("img")).to_be_visible()
    check(page)
    press(page, "Text")
    check(page)
    page.keyboard.press("Escape")
    expect(marks(page).first).to_be_focused()
    marks(page).last.click()
    expect(beside(page).get_by_role("table")).to_be_visible()
    check(page)
    page.goto("/libraries")
    page.get_by_label("New library").fill(f"for-everybody-whatever-they-see-{width}")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Add a folder")).to_be_visible()
    check(page)
    for library in page.request.get("/api/libraries").json():
        page.request.delete(f"/api/libraries/{library['id']}")
