"""The web in the page: its switch, the work as it goes on, what is to be known of it, and sources that open."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser import axe
from tests.browser.conftest import Opening
from tests.browser.served import Served
from tests.browser.test_chat import answer, answers, composer, finished, send
from tests.browser.test_writing import press

FEED = """() => {
  const real = window.fetch;
  window.feeds = [];
  window.fetch = (input, init) => {
    if (!/[/]api[/]runs[/].*[/]events/.test(String(input))) return real(input, init);
    const start = feed => window.feeds.push(feed);
    const headers = { "Content-Type": "text/event-stream" };
    return Promise.resolve(new Response(new ReadableStream({ start }), { headers }));
  };
}"""
"""Lets the test say what is heard of a run."""

TEXT = "City council opens new bridge\nThe bridge over the Sauer was opened on Tuesday.\nIt cost 12 million euros.\n"
QUOTES = ("The bridge over the Sauer was opened on Tuesday.", "It cost 12 million euros.")
URL = "https://www.news.example/2026/bridge?a=1"
SAID = "The bridge was opened on Tuesday. It cost 12 million euros."
SERVICES = [
    {"name": "wikipedia", "title": "Wikipedia", "jurisdiction": "US", "asked": True},
    {"name": "marginalia", "title": "Marginalia", "jurisdiction": "SE", "asked": True},
    {"name": "brave", "title": "Brave", "jurisdiction": "US", "asked": False},
]


def passage(number: int, quote: str, published: str | None, **more: Any) -> dict[str, Any]:
    start = TEXT.index(quote)
    place: dict[str, Any] = {
        "page": 1,
        "label": None,
        "heading": [],
        "start": start,
        "end": start + len(quote),
        "member": None,
    }
    kept = {"file": f"page_{number}", "name": "New bridge", "text": quote, "url": URL, "published": published}
    return {"type": "source.found", "passage": {"number": number, **place, **kept, **more}}


def cites(sentence: str, number: int, quote: str) -> dict[str, Any]:
    start, at = SAID.index(sentence), TEXT.index(quote)
    place = {"index": 0, "start": start, "end": start + len(sentence), "passage": number}
    return {
        "type": "citation",
        "citation": {**place, "quote": quote, "quote_start": at, "quote_end": at + len(quote), "support": 1.0},
    }


def begins(step: str, kind: str, title: str) -> dict[str, Any]:
    return {"type": "step.started", "step": step, "kind": kind, "title": title}


def ends(step: str, milliseconds: float, outcome: str | None, count: int | None = None) -> dict[str, Any]:
    return {
        "type": "step.finished",
        "step": step,
        "milliseconds": milliseconds,
        "outcome": outcome,
        "count": count,
    }


def remark(code: str, message: str) -> dict[str, Any]:
    return {"type": "remark", "code": code, "message": message, "language": None}


LOOKING = [
    remark("web_auto", "Searched the web, because the question asks for what is new."),
    begins("a1", "ask", "Wikipedia"),
    begins("a2", "ask", "Marginalia"),
    ends("a1", 212, "done", 7),
    begins("p1", "fetch", URL),
    begins("p2", "fetch", "https://pay.example/b"),
    begins("p3", "fetch", "https://slow.example/c"),
    ends("p2", 81, "wall"),
]
LOOKED = [
    ends("a2", 950, "nothing", 0),
    ends("p1", 430, "done"),
    ends("p3", 1500, "late"),
    passage(1, QUOTES[0], "2026-11-24"),
    passage(2, QUOTES[1], "2026-11-02", name="What it cost", url="https://other.example/cost"),
    passage(3, QUOTES[0], None, url="javascript:alert(1)"),
    remark("stale", "Nothing as new as the question asks for was found; the newest source is of 2026-11-24."),
    remark("contradicted", "Sources contradict each other: [1] says “12”, [2] says “15”."),
    remark("web_late", "Left out, because it took too long: slow.example."),
]
SPOKEN = [
    {"type": "part.started", "index": 0, "kind": "text", "id": None, "name": None},
    {"type": "part.delta", "index": 0, "text": SAID},
    {"type": "part.finished", "index": 0},
    cites("The bridge was opened on Tuesday.", 1, QUOTES[0]),
    cites("It cost 12 million euros.", 2, QUOTES[1]),
    {"type": "run.finished", "reason": "stop"},
]
COPY = {
    "title": "New bridge",
    "site": "news.example",
    "url": URL,
    "published": "2026-11-24",
    "fetched": 1795600000000,
    "language": "en",
    "author": "A. Writer",
    "wall": "pay",
    "pages": [
        {
            "number": 1,
            "label": None,
            "member": None,
            "start": 0,
            "text": TEXT,
            "blocks": [
                {"kind": "heading", "start": 0, "end": 29, "level": 1, "ref": None},
                {"kind": "paragraph", "start": 30, "end": 78, "level": 0, "ref": None},
                {"kind": "paragraph", "start": 79, "end": 104, "level": 0, "ref": None},
            ],
            "read": "text",
            "picture": None,
        }
    ],
}


class Told:
    """An answer of which the page hears what the test says."""

    def __init__(self, page: Page, question: str = "What is new?") -> None:
        self._page = page
        self._said = 0
        with page.expect_response(lambda reply: reply.status == 202 and "/conversations" in reply.url) as reply:
            page.locator("#composer").fill(question)
            page.keyboard.press("Enter")
        begun = reply.value.json()
        named = {"run": begun["run"], "message": begun["answer"], "parent": begun["message"], "model": "scripted"}
        self.say({"type": "run.started", **named, "conversation": "c", "created": 1795600000000, "continues": None})

    def say(self, *events: dict[str, Any]) -> None:
        lines = [{**event, "seq": self._said + at} for at, event in enumerate(events, 1)]
        self._said += len(events)
        self._page.wait_for_function("() => window.feeds.length > 0")
        text = "".join(f"data: {json.dumps(line)}\n\n" for line in lines)
        self._page.evaluate("text => window.feeds.at(-1).enqueue(new TextEncoder().encode(text))", text)


def listening(page: Page) -> Page:
    page.add_init_script(f"({FEED})()")
    page.route("**/api/web/services", lambda route: route.fulfill(json=SERVICES))
    page.route("**/api/web/pages/page_1", lambda route: route.fulfill(json=COPY))
    page.goto("/")
    return page


@pytest.fixture
def desk(opening: Opening, shared: Served) -> Page:
    return listening(opening(shared).new_page())


def switch(page: Page) -> Locator:
    return page.get_by_role("button", name=re.compile("^Web: "))


def choose_web(page: Page, state: str) -> None:
    switch(page).click()
    page.get_by_role("menuitemradio", name=state, exact=True).click()


def beside(page: Page) -> Locator:
    return page.get_by_role("complementary")


def asked(page: Page) -> list[dict[str, Any]]:
    """The turns that the page sends from now on."""
    turns: list[dict[str, Any]] = []

    def note(route: Route) -> None:
        body = route.request.post_data_json
        assert body is not None
        turns.append(body.get("turn", body))
        route.continue_()

    page.route(
        "**/api/conversations", lambda route: note(route) if route.request.method == "POST" else route.continue_()
    )
    page.route("**/turns", note)
    page.route("**/api/answers", note)
    return turns


def test_the_switch_is_off_says_who_is_asked_and_is_remembered(page: Page) -> None:
    page.route("**/api/web/services", lambda route: route.fulfill(json=SERVICES))
    turns = asked(page)
    expect(switch(page)).to_have_accessible_name("Web: Off")
    choose_web(page, "When needed")
    told = page.get_by_text("Searching with: Wikipedia (US), Marginalia (SE)")
    expect(told).to_be_visible()
    send(page, "One?")
    finished(page)
    assert turns[-1]["web"] == "auto"
    choose_web(page, "On")
    expect(told).to_be_hidden()
    send(page, "Two?")
    finished(page)
    assert turns[-1]["web"] == "on"
    page.reload()
    expect(switch(page)).to_have_accessible_name("Web: On")
    tree = page.request.get(f"/api/conversations/{page.url.rsplit('/', 1)[1]}").json()
    assert tree["conversation"]["web"] == "on"
    page.goto("/")
    expect(switch(page)).to_have_accessible_name("Web: On")
    send(page, "Three?")
    finished(page)
    assert turns[-1]["web"] == "on"


def test_every_conversation_that_begins_with_the_web_on_says_so(page: Page) -> None:
    page.route("**/api/web/services", lambda route: route.fulfill(json=SERVICES))
    told = page.get_by_text("Searching with: Wikipedia (US), Marginalia (SE)")
    choose_web(page, "On")
    expect(told).to_be_visible()
    send(page, "One?")
    finished(page)
    expect(told).to_be_hidden()
    for _ in range(2):
        page.keyboard.press("Control+Shift+O")
        expect(told).to_be_visible()
        send(page, "And now?")
        finished(page)
        expect(told).to_be_hidden()
    page.goto("/settings")
    page.get_by_role("button", name="Back to the conversation").click()
    expect(told).to_be_visible()


def test_a_temporary_chat_begins_without_the_web_and_teaches_no_other(page: Page) -> None:
    page.route("**/api/web/services", lambda route: route.fulfill(json=SERVICES))
    turns = asked(page)
    told = page.get_by_text("Searching with: Wikipedia (US), Marginalia (SE)")
    choose_web(page, "On")
    page.goto("/temporary")
    expect(switch(page)).to_have_accessible_name("Web: Off")
    send(page, "What is new?")
    finished(page)
    assert turns[-1].get("web", "off") == "off"
    choose_web(page, "When needed")
    expect(told).to_be_visible()
    send(page, "And now?")
    finished(page)
    assert turns[-1]["web"] == "auto"
    page.get_by_role("button", name="New chat", exact=True).click()
    expect(switch(page)).to_have_accessible_name("Web: On")


def test_keys_and_the_palette_switch_it_aloud(page: Page) -> None:
    page.route("**/api/web/services", lambda route: route.fulfill(status=200, json=[]))
    expect(composer(page)).to_be_focused()
    page.keyboard.press("Control+/")
    expect(
        page.get_by_role("status").get_by_text("Web search is on: search terms from your question leave this machine")
    ).to_be_visible()
    page.keyboard.press("Control+/")
    expect(switch(page)).to_have_accessible_name("Web: On")
    expect(page.get_by_role("status").get_by_text("Search the web: On")).to_be_visible()
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Command palette").fill("search the web")
    page.keyboard.press("Enter")
    expect(switch(page)).to_have_accessible_name("Web: Off")


def test_on_a_phone_it_is_in_the_sheet_and_seen_while_it_is_on(opening: Opening, shared: Served) -> None:
    page = listening(opening(shared, viewport={"width": 390, "height": 844}).new_page())
    expect(switch(page)).to_be_hidden()
    page.get_by_role("button", name="Files and tools").click()
    sheet = page.get_by_role("dialog", name="Files and tools")
    sheet.get_by_role("group", name="Search the web").get_by_role("radio", name="On").check()
    sheet.get_by_role("button", name="Close").click()
    expect(page.get_by_role("button", name="Files and tools")).to_be_focused()
    expect(switch(page)).to_have_accessible_name("Web: On")
    expect(switch(page)).to_have_attribute("aria-pressed", "true")
    switch(page).click()
    expect(switch(page)).to_be_hidden()


def test_the_work_is_seen_while_it_goes_on_and_folded_then(desk: Page) -> None:
    told = Told(desk)
    told.say(*LOOKING)
    steps = answer(desk).get_by_role("listitem")
    lines = ["Wikipedia · 7 results · 212 ms", "Marginalia", "news.example", "pay.example · only partly shown · 81 ms"]
    expect(steps).to_have_text([*lines, "slow.example"])
    told.say(*LOOKED)
    expect(steps.nth(1)).to_have_text("Marginalia · nothing found · 950 ms")
    expect(steps.last).to_have_text("slow.example · timed out · 1.5 s")
    told.say(*SPOKEN)
    summary = answer(desk).get_by_text("2 services, 2 of 3 pages read · 1.7 s")
    expect(summary).to_be_visible()
    first = answer(desk).get_by_text("Wikipedia")
    expect(first).to_be_hidden()
    summary.click()
    expect(first).to_be_visible()


def test_what_is_to_be_known_stands_above_the_words_and_leads_to_its_sources(desk: Page) -> None:
    told = Told(desk)
    told.say(*LOOKING, *LOOKED, *SPOKEN)
    finished(desk, SAID[:20])
    shown = answer(desk).inner_text()
    order = [
        "because the question asks for what is new",
        "2 services",
        "Nothing as new",
        "Sources contradict",
        SAID[:20],
    ]
    assert [shown.index(text) for text in order] == sorted(shown.index(text) for text in order)
    answer(desk).locator("[data-code=contradicted]").get_by_role("button", name="Source 1").click()
    expect(beside(desk).get_by_role("heading", name="New bridge", exact=True)).to_be_visible()


def test_an_answer_can_be_had_without_the_web_and_with_it(desk: Page) -> None:
    turns = asked(desk)
    told = Told(desk)
    told.say(*LOOKING, *LOOKED, *SPOKEN)
    finished(desk)
    press(desk, "Answer without the web")
    expect(answer(desk)).not_to_contain_text(SAID[:20])
    assert turns[-1].keys() == {"retry", "web"}
    assert turns[-1]["web"] == "off"


def test_where_the_web_is_off_and_needed_it_is_offered(desk: Page) -> None:
    turns = asked(desk)
    told = Told(desk)
    told.say(
        remark("web_off", "Web search is off, so what the model knows may be out of date."), *SPOKEN[:3], SPOKEN[-1]
    )
    press(desk, "Answer with the web")
    expect(answer(desk)).not_to_contain_text(SAID[:20])
    assert turns[-1]["web"] == "on"


def test_a_source_is_named_dated_quoted_and_opens_as_it_was_kept(desk: Page) -> None:
    told = Told(desk)
    told.say(*LOOKING, *LOOKED, *SPOKEN)
    finished(desk)
    sources = answer(desk).get_by_role("region", name="Sources")
    expect(sources.get_by_text("Newest source: 24 November 2026")).to_be_visible()
    first = sources.get_by_role("listitem").first
    expect(first).to_contain_text("New bridge")
    expect(first).to_contain_text("news.example, 24 November 2026")
    expect(first).to_contain_text(QUOTES[0])
    original = first.get_by_role("link", name="Open original: New bridge")
    expect(original).to_have_attribute("href", URL)
    expect(original).to_have_attribute("rel", "noopener noreferrer")
    expect(original).to_have_attribute("target", "_blank")
    answer(desk).locator("sup button").first.click()
    pane = beside(desk)
    expect(pane.get_by_role("heading", name="New bridge", exact=True)).to_be_focused()
    expect(pane.locator("mark")).to_have_text(QUOTES[0])
    expect(pane.locator("mark")).to_be_in_viewport()
    expect(pane.get_by_text("news.example, 24 November 2026 · A. Writer · retrieved 25 November 2026")).to_be_visible()
    expect(pane.get_by_text("for subscribers only")).to_be_visible()
    expect(pane.get_by_role("link", name="Open original: New bridge")).to_have_attribute("href", URL)
    desk.keyboard.press("Escape")
    expect(pane).to_have_count(0)


def test_a_copy_that_is_gone_leaves_the_quote_and_the_way_to_the_original(desk: Page, watches: list[Any]) -> None:
    watches[0].forgive("404")
    told = Told(desk)
    told.say(*LOOKING, *LOOKED, *SPOKEN)
    finished(desk)
    answer(desk).locator("sup button").last.click()
    pane = beside(desk)
    expect(pane.get_by_text("No copy of this page was saved.")).to_be_visible()
    expect(pane.get_by_text(QUOTES[1])).to_be_visible()
    expect(pane.get_by_role("link", name="Open original: What it cost")).to_be_visible()


def test_no_address_but_one_of_the_web_is_a_link(desk: Page) -> None:
    told = Told(desk)
    told.say(*LOOKING, *LOOKED, *SPOKEN)
    finished(desk)
    answer(desk).get_by_text("Show passages (3)").click()
    expect(answer(desk).get_by_text("javascript:alert(1)")).to_be_visible()
    expect(desk.locator("a[href^=javascript]")).to_have_count(0)


def test_everything_is_said_in_the_language_of_the_page(opening: Opening, shared: Served) -> None:
    desk = listening(opening(shared, locale="de-DE").new_page())
    told = Told(desk, "Was ist neu?")
    told.say(*LOOKING, *LOOKED, *SPOKEN)
    said = desk.get_by_role("article").last
    expect(said).to_contain_text("2 Dienste, 2 von 3 Seiten gelesen · 1,7 s")
    expect(said).to_contain_text("Neueste Quelle: 24. November 2026")
    expect(said).to_contain_text("Die Quellen widersprechen sich.")
    expect(said.get_by_role("button", name="Ohne Web antworten")).to_be_visible()


@pytest.mark.parametrize("width", [1400, 390])
def test_everyone_can_use_it(look: Callable[..., Page], width: int) -> None:
    page = listening(look(width, 844))
    told = Told(page)
    told.say(*LOOKING)
    expect(answers(page).last.get_by_role("listitem").first).to_be_visible()
    axe.check(page)
    told.say(*LOOKED, *SPOKEN)
    finished(page)
    axe.check(page)
    answer(page).locator("sup button").first.click()
    expect(beside(page).locator("mark")).to_be_visible()
    axe.check(page)
