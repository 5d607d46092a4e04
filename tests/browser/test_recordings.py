"""A recording in the page: a citation leads to the moment, and the player plays from there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from eclair.settings import Settings
from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening
from tests.browser.model_server import BIG, racked
from tests.browser.served import Served
from tests.browser.test_chat import answer, finished
from tests.browser.test_documents import beside, marks
from tests.browser.test_writing import attach, send_when_ready
from tests.documents.files import zipped
from tests.speech.conftest import lend_listening
from tests.speech.recordings import recording, silence, spoken

HEARING_MS = 90_000
"""Time for the model to load and to recognize, while other tests compute."""


@pytest.fixture(scope="module")
def hearing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("hearing")
    lend_listening(replace(Settings(), data_dir=folder / "data"))
    with racked() as rack:
        rack.says = "The northern gate was closed on Tuesday."
        served = Served(
            folder,
            ECLAIR_ENGINES=json.dumps({"rack": {"url": rack.url}}),
            ECLAIR_MODEL=BIG,
            ECLAIR_SCRIPTED="false",
            ECLAIR_TITLES="false",
            ECLAIR_EMBEDDER="off",
        )
        served.start()
        yield served
        served.close()


def lengthen(route: Route) -> None:
    """Put long sentences before and after what was said."""
    reply = route.fetch()
    told = reply.json()
    (said,) = told["sentences"]
    before = [{**said, "start": 0, "text": "Boats. " * 40, "first": at, "last": at + 1} for at in range(-60, 0)]
    after = [{**each, "start": 999, "first": 9_999 + at} for at, each in enumerate(before)]
    route.fulfill(response=reply, json={**told, "sentences": [*before, said, *after]})


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_citation_leads_to_the_moment_and_plays_from_there(
    opening: Opening, hearing: Served, tmp_path: Path, is_packed: bool
) -> None:
    talk = recording(tmp_path / "talk.wav", [silence(63), spoken("english.webm")])
    context = opening(hearing, viewport={"width": 1200, "height": 800})
    context.add_init_script(path=AXE)
    page = context.new_page()
    page.goto("/")
    data, name, cited = talk.read_bytes(), "talk.wav", "talk.wav"
    if is_packed:
        data, name, cited = zipped({"talk.wav": data, "notes.md": b"# Boats"}), "all.zip", "all.zip › talk.wav"
    attach(page, {"name": name, "mimeType": "application/octet-stream", "buffer": data})
    expect(page.get_by_role("listitem").filter(has_text=name)).to_contain_text("ready", timeout=HEARING_MS)
    send_when_ready(page, "When was the northern gate closed?")
    finished(page, "closed on Tuesday")
    expect(answer(page).get_by_role("button", name=f"{cited}, 1:03")).to_be_visible()
    page.route("**/api/files/*/transcript*", lengthen)
    marks(page).first.focus()
    page.keyboard.press("Enter")
    pane = beside(page)
    expect(pane.get_by_role("heading", name=cited, exact=True)).to_be_visible()
    expect(pane.get_by_role("list", name="Transcript").locator("mark")).to_contain_text("northern gate")
    expect(pane.locator("mark")).to_be_in_viewport(ratio=1)
    page.unroute("**/api/files/*/transcript*")
    player = pane.locator("audio")
    page.wait_for_function("() => Math.abs(document.querySelector('audio').currentTime - 63.3) < 0.3")
    check(page)
    save = pane.get_by_role("button", name="Download transcript")
    expect(save).to_have_attribute("title", "Download transcript")
    save.press("Enter")
    with page.expect_download() as saving:
        page.get_by_role("menuitem", name="Subtitles (SRT)").press("Enter")
    assert saving.value.suggested_filename == "talk.srt"
    assert saving.value.path().read_text().startswith("1\n00:01:03,")
    pane.get_by_role("button", name="Play from 1:03").press("Enter")
    expect(pane.locator("[aria-current=true]")).to_contain_text("northern gate")
    expect(player).to_have_js_property("paused", False)
    before = pane.get_by_role("button", name="Previous page")
    if is_packed:
        before.press("Enter")
        before.press("Enter")
        expect(pane.get_by_role("heading", name="Boats", exact=True)).to_be_visible()
    else:
        expect(before).to_have_count(0)
