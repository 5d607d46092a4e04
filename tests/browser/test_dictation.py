"""Dictation in the composer, with a microphone that plays a file."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, Route, expect

from eclair.settings import Settings
from tests.browser import axe, chromium
from tests.browser.conftest import Opening, Watch
from tests.browser.served import Served
from tests.browser.test_chat import choose, composer, finished, send
from tests.speech.conftest import SOUNDS, installed_listening, lend_listening

RECOGNITION_MS = 60_000
"""Time for the model to load and to recognize, while other tests compute."""
CLICK_S, HOLD_S = 0.05, 0.6
BUSY = "() => { const end = performance.now() + 600; while (performance.now() < end); }"
"""Keeps the page from handling anything for as long as a button is held that isn't clicked."""


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An Éclair that recognizes speech."""
    folder = tmp_path_factory.mktemp("listening")
    lend_listening(replace(Settings(), data_dir=folder / "data"))
    served = Served(folder)
    served.start()
    yield served
    served.close()


@pytest.fixture(scope="module")
def browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser whose microphone plays a sentence once, and then silence."""
    sound = tmp_path_factory.mktemp("sound") / "english.wav"
    write_wav(SOUNDS / "english.webm", sound)
    arguments = [*chromium.arguments(), *chromium.microphone(sound)]
    found = playwright.chromium.launch(executable_path=chromium.find(), args=arguments)
    yield found
    found.close()


def write_wav(source: Path, target: Path) -> None:
    """Decode a sound by the libraries that recognition has."""
    code = (
        "import sys; sys.path.append(sys.argv[1]); from faster_whisper.audio import decode_audio; "
        "sound = decode_audio(sys.argv[2], sampling_rate=48000); "
        "sys.stdout.buffer.write((sound * 32767).astype('<i2').tobytes())"
    )
    command = [sys.executable, "-c", code, str(installed_listening()), str(source)]
    samples = subprocess.run(command, check=True, capture_output=True).stdout
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(samples)


class Press:
    """The button to dictate held down, with events that say when a hand would do it.

    Playwright's own say when they are sent, and it lets go once the press is handled: a busy machine makes a long press
    of a click.
    """

    def __init__(self, page: Page) -> None:
        box = page.get_by_role("button", name="Dictate").bounding_box()
        assert box is not None
        self._mouse = page.context.new_cdp_session(page)
        self._place = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self._began = time.time()
        page.mouse.move(*self._place)
        self._send("mousePressed", 0)

    def release(self, after_s: float, place: tuple[float, float] | None = None) -> None:
        """Let go, there or elsewhere."""
        if place is not None:
            self._place = place
            self._send("mouseMoved", after_s)
        self._send("mouseReleased", after_s)
        self._mouse.detach()

    def _send(self, kind: str, after_s: float) -> None:
        x, y = self._place
        event = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1, "timestamp": self._began + after_s}
        self._mouse.send("Input.dispatchMouseEvent", event)


def dictate(page: Page) -> None:
    """Click the button to dictate."""
    Press(page).release(CLICK_S)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_speech_becomes_the_draft_while_one_speaks(opening: Opening, listening: Served, theme: str) -> None:
    context = opening(listening, color_scheme=theme, viewport={"width": 390, "height": 900}, reduced_motion="reduce")
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto("/")
    field = page.get_by_role("textbox", name="Message")
    field.fill("Note:")
    dictate(page)
    expect(page.get_by_text("Listening…")).to_be_visible()
    axe.check(page)
    expect(field).to_have_value(re.compile("Note: .*harbou?r", re.IGNORECASE), timeout=RECOGNITION_MS)
    # Silence ends it, and what was said can be edited.
    expect(page.get_by_role("button", name="Dictate")).to_be_visible(timeout=RECOGNITION_MS)
    expect(field).to_have_value(re.compile("cranes"))
    expect(field).to_be_focused()


def test_a_lost_reply_and_typing_meanwhile_lose_nothing(
    opening: Opening, listening: Served, watches: list[Watch]
) -> None:
    page = opening(listening).new_page()
    watches[-1].forgive("/api/speech/dictation")
    lost: list[Route] = []

    def lose_first(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route)
            route.abort()

    page.route("**/api/speech/dictation?*", lose_first)
    page.goto("/")
    field = page.get_by_role("textbox", name="Message")
    page.get_by_role("button", name="Dictate").click(button="right")
    expect(page.get_by_text("Listening…")).to_be_hidden()
    dictate(page)
    expect(field).to_have_value(re.compile("harbou?r", re.IGNORECASE), timeout=RECOGNITION_MS)
    assert lost
    field.evaluate(
        "field => { field.setRangeText('Typed: ', 0, 0); field.focus(); field.setSelectionRange(6, 6);"
        " field.dispatchEvent(new InputEvent('input', {bubbles: true})); }"
    )
    expect(page.get_by_role("button", name="Dictate")).to_be_visible(timeout=RECOGNITION_MS)
    expect(field).to_have_value(re.compile("^Typed: .*cranes"))
    assert field.evaluate("field => [field.selectionStart, field.selectionEnd]") == [6, 6]


def test_who_sends_while_dictating_sends_the_last_words_too(opening: Opening, listening: Served) -> None:
    page = opening(listening).new_page()
    page.goto("/")
    field = page.get_by_role("textbox", name="Message")
    field.fill("Note:")
    page.keyboard.press("Control+Shift+D")
    expect(field).to_have_value(re.compile("Note: .*harbou?r", re.IGNORECASE), timeout=RECOGNITION_MS)
    field.press("Enter")
    sent = page.get_by_role("article", name="You")
    expect(sent).to_have_text(re.compile("Note: .*harbou?r", re.IGNORECASE), timeout=RECOGNITION_MS)
    expect(page.get_by_role("button", name="Dictate")).to_be_visible()
    expect(field).to_have_value("")
    expect(sent).to_have_count(1)


def test_the_button_ends_what_is_still_opening(opening: Opening, listening: Served) -> None:
    context = opening(listening)
    context.add_init_script("if (isSecureContext) navigator.mediaDevices.getUserMedia = () => new Promise(() => null);")
    page = context.new_page()
    page.goto("/")
    button, stop = page.get_by_role("button", name="Dictate"), page.get_by_role("button", name="Stop dictating")
    click = Press(page)
    page.evaluate(BUSY)
    click.release(CLICK_S)
    expect(stop).to_be_visible()
    stop.click()
    expect(button).to_be_visible()
    expect(page.get_by_text("Listening…")).to_be_hidden()
    held = Press(page)
    expect(stop).to_be_visible()
    held.release(HOLD_S, place=(5, 5))  # it ends wherever the button is let go
    expect(button).to_be_visible()
    expect(page.get_by_text("Listening…")).to_be_hidden()


def test_escape_elsewhere_and_a_held_tab_end_no_dictation(opening: Opening, listening: Served) -> None:
    context = opening(listening)
    context.add_init_script("if (isSecureContext) navigator.mediaDevices.getUserMedia = () => new Promise(() => null);")
    page = context.new_page()
    page.goto("/")
    send(page, "script: say=here")
    finished(page)
    dictate(page)
    stop = page.get_by_role("button", name="Stop dictating")
    expect(stop).to_be_focused()
    page.keyboard.press("Shift+Tab")
    for _ in range(2):
        page.keyboard.down("Tab")
    page.keyboard.up("Tab")
    expect(stop).not_to_be_focused()
    # It cancels what has the focus, or is open.
    choose(page, "script: say=here", "Rename")
    title = page.get_by_role("textbox", name="Title")
    expect(title).to_be_focused()
    page.keyboard.press("Escape")
    expect(title).to_be_hidden()
    page.set_viewport_size({"width": 390, "height": 780})
    menu = page.get_by_role("button", name="Conversations", exact=True)
    menu.click()
    expect(page.get_by_role("button", name="Close the conversation list").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_have_attribute("aria-expanded", "false")
    expect(stop).to_be_visible()
    composer(page).press("Escape")
    expect(stop).to_be_hidden()


def test_escape_takes_the_words_away(opening: Opening, listening: Served) -> None:
    page = opening(listening).new_page()
    page.goto("/")
    field = page.get_by_role("textbox", name="Message")
    field.fill("script: words=600 rate=4")
    field.press("Enter")
    stop = page.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_be_visible()
    field.fill("Before")
    button = page.get_by_role("button", name="Dictate")
    button.focus()
    page.keyboard.press("Enter")
    page.get_by_label("Spoken language").select_option("en")
    expect(field).to_have_value(re.compile("Before .+"), timeout=RECOGNITION_MS)
    page.keyboard.press("Control+K")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(field).to_have_value(re.compile("Before .+"))
    page.keyboard.press("Escape")
    expect(field).to_have_value("Before")
    expect(page.get_by_text("Listening…")).to_be_hidden()
    expect(stop).to_be_visible()


def test_without_a_microphone_the_page_says_so(opening: Opening, listening: Served) -> None:
    for name, sentence in (
        ("NotFoundError", "No microphone was found. Connect one, then try again."),
        ("NotAllowedError", "The microphone is blocked. Allow it for this page in the browser, then try again."),
    ):
        context = opening(listening)
        context.add_init_script(
            f"if (isSecureContext) navigator.mediaDevices.getUserMedia = () =>"
            f" Promise.reject(new DOMException('', '{name}'));"
        )
        page = context.new_page()
        page.goto("/")
        page.get_by_role("button", name="Dictate").click()
        expect(page.get_by_role("alert").get_by_text(sentence)).to_be_visible()
        expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_without_the_parts_they_are_offered(opening: Opening, shared: Served) -> None:
    page = opening(shared).new_page()
    page.goto("/")
    page.get_by_role("button", name="Dictate").click()
    expect(page.get_by_text("Speech recognition isn’t installed yet.")).to_be_visible()
    install = page.get_by_role("button", name=re.compile(r"^Install \(\d+ MB\)$"))
    expect(install).to_be_visible()
    # Once they are there, which may be minutes later, the microphone waits for a click.
    states = iter(["installing"])
    part = {"size": 420_000_000, "download": 220_000_000, "stage": "", "share": 0.5, "error": None}

    def report(route: Route) -> None:
        state = {**part, "state": next(states, "ready")}
        route.fulfill(json={"listening": state, "speaking": state})

    page.route("**/api/speech/parts", report)
    page.route("**/api/speech/parts/listening", lambda route: route.fulfill(status=202, json=part))
    install.click()
    expect(page.get_by_text("Installed (420 MB)")).to_be_visible()
    expect(page.get_by_role("button", name="Dictate")).to_have_count(2)
    expect(page.get_by_text("Listening…")).to_be_hidden()
