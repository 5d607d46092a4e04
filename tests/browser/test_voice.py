"""Answers are read aloud, and a conversation goes by voice, with the installed parts."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Playwright, Request, Route, expect

from eclair.settings import Settings
from tests.browser import axe, chromium
from tests.browser.conftest import Opening
from tests.browser.served import Served
from tests.browser.test_chat import answer, composer, finished, send
from tests.speech.conftest import SOUNDS, lend_listening, lend_speaking

SPEECH_MS = 180_000
"""Time for the models to load, to hear and to speak, while other tests compute."""

ANSWER = (
    "The **bridge** is open.\n\n```python\nopen_bridge()\n```\n\n"
    "It closes at nine in the evening [1]. Then the lamps burn until the boats are in. Nobody is left outside."
)
SENTENCES = [
    "The bridge is open.",
    "It closes at nine in the evening.",
    "Then the lamps burn until the boats are in.",
    "Nobody is left outside.",
]


@pytest.fixture(scope="module")
def speaking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An Éclair that speaks and listens."""
    folder = tmp_path_factory.mktemp("speaking")
    settings = replace(Settings(), data_dir=folder / "data")
    lend_listening(settings)
    lend_speaking(settings)
    served = Served(folder)
    served.start()
    yield served
    served.close()


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A browser that plays sound without a click before."""
    arguments = [*chromium.arguments(), "--autoplay-policy=no-user-gesture-required"]
    found = playwright.chromium.launch(executable_path=chromium.find(), args=arguments)
    yield found
    found.close()


def listen_in(page: Page) -> list[dict[str, Any]]:
    """The bodies of the requests for the sound of sentences, as they come."""
    found: list[dict[str, Any]] = []

    def note(request: Request) -> None:
        if request.url.endswith("/api/speech/sound"):
            found.append(request.post_data_json or {})

    page.on("request", note)
    page.add_init_script(
        "window.players = new Set(); const play = HTMLMediaElement.prototype.play;"
        "HTMLMediaElement.prototype.play = function () { players.add(this); return play.call(this); };"
        "window.early = []; const ask = window.fetch; window.fetch = (address, init) => {"
        "  if (String(address).endsWith('/api/speech/sound'))"
        "    early.push(document.querySelector('article[aria-busy=true]') !== null);"
        "  return ask(address, init); };"
    )
    return found


def is_silent(page: Page) -> bool:
    return page.evaluate("[...players].every(player => player.paused)")


def spoken(page: Page) -> str:
    """The sentence that is highlighted."""
    return page.evaluate("[...(CSS.highlights.get('spoken') ?? [])].join('')")


def test_an_answer_is_read_sentence_by_sentence_while_it_is_written(opening: Opening, speaking: Served) -> None:
    page = opening(speaking, viewport={"width": 390, "height": 900}).new_page()
    sounds = listen_in(page)
    page.goto("/settings/speech")
    with page.expect_response(lambda reply: reply.request.method == "PUT") as chosen:
        page.get_by_role("radio", name="Automatic (Whisper base)").press("ArrowDown")
    assert chosen.value.json()["chosen"] == "whisper-base"
    expect(page.get_by_role("radio", name="Whisper base 74 MB")).to_be_checked()
    page.get_by_role("radio", name="Emma United Kingdom").check()
    page.get_by_role("button", name="Listen Emma (English)").click()
    page.wait_for_function("() => [...players].some(player => player.currentTime > 0.2)", timeout=SPEECH_MS)
    expect(page.get_by_text("Saved")).to_be_visible()
    page.goto("/")
    send(page, f"script: rate=2 below=1\n{ANSWER}")
    answer(page).get_by_role("button", name="Read aloud").click(timeout=SPEECH_MS)
    expect(answer(page).get_by_text("Synthetic voice")).to_be_visible(timeout=SPEECH_MS)
    page.wait_for_function("() => [...(CSS.highlights.get('spoken') ?? [])].join('') === 'The bridge is open'")
    answer(page).get_by_role("button", name="Reading speed").click()
    page.get_by_role("menuitemradio", name="2×", exact=True).click()
    page.wait_for_function("() => [...players].some(player => player.playbackRate === 2)")
    page.wait_for_function(
        "() => [...(CSS.highlights.get('spoken') ?? [])].join('').startsWith('Nobody')", timeout=SPEECH_MS
    )
    expect(answer(page).get_by_role("button", name="Read aloud")).to_be_visible(timeout=SPEECH_MS)
    assert [each["text"] for each in sounds[1:]] == SENTENCES
    # The first sentence was made while the rest was still being written.
    assert page.evaluate("early[0]") is True
    assert {each["voice"] for each in sounds} == {"bf_emma"}
    assert is_silent(page)
    # Escape silences it at once, and so does another page.
    finished(page)
    for leave in (lambda: page.keyboard.press("Escape"), lambda: page.goto("/settings/about")):
        page.keyboard.press("Control+Shift+L")
        page.wait_for_function("() => [...players].some(player => !player.paused)", timeout=SPEECH_MS)
        expect(answer(page).get_by_role("button", name="Stop reading aloud")).to_be_visible()
        leave()
        assert is_silent(page)
        assert spoken(page) == ""
    assert page.request.get("/api/preferences").json()["speech_speed"] == 2


VOICES = """(() => {
  const said = window.said = [];
  const local = { name: "Local", lang: "pl-PL", localService: true, default: true };
  const remote = { name: "Remote", lang: "cs-CZ", localService: false, default: false };
  window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
  Object.defineProperty(window, "speechSynthesis", { value: Object.assign(new EventTarget(), {
    getVoices: () => [remote, local], cancel: () => said.push("(silence)"),
    speak: each => { said.push(`${each.voice.name}: ${each.text}`); setTimeout(() => each.onend(), 0); } }) });
})()"""


def test_what_no_voice_here_speaks_a_voice_of_the_system_does(opening: Opening, speaking: Served) -> None:
    page = opening(speaking).new_page()
    page.add_init_script(VOICES)
    page.goto("/")
    send(page, "script: below=1\nDzień dobry, jak się masz, czy to jest dobre?\n\nTo je velmi dobré, děkuji vám.")
    finished(page)
    answer(page).get_by_role("button", name="Read aloud").click()
    expect(answer(page).get_by_role("alert")).to_have_text("No voice here speaks this language: Czech")
    assert page.evaluate("said") == ["Local: Dzień dobry, jak się masz,", "Local: czy to jest dobre?"]


def test_the_sound_of_an_answer_is_saved_as_a_file_unless_it_is_stopped(opening: Opening, speaking: Served) -> None:
    context = opening(speaking, viewport={"width": 390, "height": 900}, reduced_motion="reduce")
    context.add_init_script(path=axe.AXE)
    page = context.new_page()
    page.goto("/")
    send(page, "Züge\nscript: below=2\nDer Zug fährt heute nicht ab.")
    finished(page)
    more = answer(page).get_by_role("button", name="More")
    more.click()
    with page.expect_download(timeout=SPEECH_MS) as download:
        page.get_by_role("menuitem", name="Save as audio").click()
    assert download.value.suggested_filename == "Züge.mp3"
    sound = download.value.path().read_bytes()
    assert sound.startswith(b"ID3")
    assert b"Synthetic voice" in sound
    expect(state(page, "Creating the audio file…")).to_be_hidden()
    send(page, f"script: below=1\n{'The bridge is open until nine in the evening. ' * 60}")
    finished(page)
    more.click()
    page.get_by_role("menuitem", name="Save as audio").click()
    expect(state(page, "Creating the audio file…")).to_be_visible()
    expect(answer(page).get_by_role("progressbar", name="Creating the audio file…")).to_be_visible()
    expect(answer(page).get_by_text("Synthetic voice")).to_be_visible()
    expect(answer(page).get_by_text(re.compile(r"^[1-9][\d.]* kB$", re.IGNORECASE))).to_be_visible(timeout=SPEECH_MS)
    axe.check(page)
    answer(page).get_by_role("button", name="Stop: Save as audio").press("Enter")
    expect(state(page, "Creating the audio file…")).to_be_hidden()
    expect(more).to_be_focused()


def test_without_the_voices_they_are_offered(opening: Opening, shared: Served) -> None:
    page = opening(shared).new_page()
    page.goto("/")
    send(page, "script: say=Some bread.")
    finished(page)
    answer(page).get_by_role("button", name="Read aloud").click()
    expect(answer(page).get_by_role("alert")).to_have_text("The voices aren’t installed yet.")
    expect(answer(page).get_by_role("button", name=re.compile(r"^Install \(\d+ MB\)$"))).to_be_visible()
    answer(page).get_by_role("button", name="Dismiss").click()
    answer(page).get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Save as audio").click()
    expect(answer(page).get_by_role("alert")).to_have_text("The voices aren’t installed yet.")
    expect(answer(page).get_by_role("button", name=re.compile(r"^Install \(\d+ MB\)$"))).to_be_visible()
    answer(page).get_by_role("button", name="Dismiss").click()
    expect(answer(page).get_by_role("button", name="More")).to_be_focused()
    page.get_by_role("button", name="Conversation by voice").click()
    expect(page.get_by_role("alert").get_by_text("Speech recognition isn’t installed yet.")).to_be_visible()

    # Once they are there, which may be minutes later, an answer is read only to who still waits for it.
    part = {"size": 140_000_000, "download": 127_000_000, "stage": "", "share": 0.5, "error": None}
    states: list[str] = []
    asked: list[str] = []

    def report(route: Route) -> None:
        state = {**part, "state": states.pop(0) if states else "ready"}
        route.fulfill(json={"listening": state, "speaking": state})

    def ask(route: Route) -> None:
        body: dict[str, Any] = route.request.post_data_json or {}
        asked.append(body["text"])
        route.fulfill(json={"sentences": []})

    page.route("**/api/speech/parts", report)
    page.route("**/api/speech/parts/speaking", lambda route: route.fulfill(status=202, json=part))
    page.route("**/api/speech/sentences", ask)
    read = answer(page).get_by_role("button", name="Read aloud")
    for has_gone_on in (True, False):
        states[:] = ["absent", "absent", "installing"]
        read.first.click()
        answer(page).get_by_role("button", name="Install (127 MB)").click()
        if not has_gone_on:
            expect(read).to_have_count(1)
            expect(answer(page).get_by_role("alert")).to_have_count(0)
            break
        composer(page).focus()
        expect(answer(page).get_by_text("Installed (140 MB)")).to_be_visible()
        expect(read).to_have_count(2)
        assert not asked
    assert asked == ["Some bread."]


def microphone(sound: Path) -> str:
    """A microphone that is silent until `say()` plays a sound into it; `track` is what the page holds of it.

    `rattle(seconds)` makes a noise three times a second, as loud as speech from afar.
    """
    return f"""(() => {{
      if (!isSecureContext) return;
      const text = atob("{base64.b64encode(sound.read_bytes()).decode()}");
      const bytes = Uint8Array.from(text, sign => sign.charCodeAt(0));
      navigator.mediaDevices.getUserMedia = async () => {{
        const audio = new AudioContext();
        const sound = await audio.decodeAudioData(bytes.slice().buffer);
        const target = audio.createMediaStreamDestination();
        window.track = target.stream.getTracks()[0];
        window.say = () => {{
          const source = audio.createBufferSource();
          source.buffer = sound;
          source.connect(target);
          source.start();
        }};
        window.rattle = seconds => {{
          const noise = audio.createBuffer(1, audio.sampleRate * seconds, audio.sampleRate);
          const samples = noise.getChannelData(0);
          for (let at = 0; at < samples.length; at++)
            samples[at] = (at / audio.sampleRate * 3) % 1 < 0.7 ? (Math.random() - 0.5) * 0.1 : 0;
          const source = audio.createBufferSource();
          source.buffer = noise;
          source.connect(target);
          source.start();
        }};
        return target.stream;
      }};
    }})()"""


def state(page: Page, text: str) -> Locator:
    return page.get_by_role("status").filter(has_text=text)


def test_a_conversation_by_voice_goes_on_by_itself_and_can_be_interrupted(opening: Opening, speaking: Served) -> None:
    context = opening(speaking, viewport={"width": 390, "height": 900}, reduced_motion="reduce")
    context.add_init_script(path=axe.AXE)
    context.add_init_script(microphone(SOUNDS / "english.webm"))
    page = context.new_page()
    listen_in(page)
    turns: list[dict[str, Any]] = []

    def note(sent: Request) -> None:
        if sent.method == "POST" and sent.url.endswith(("/turns", "/api/conversations")):
            body: dict[str, Any] = sent.post_data_json or {}
            turns.append(body.get("turn", body))

    page.on("request", note)
    page.goto("/")
    button = page.get_by_role("button", name="Conversation by voice")
    button.click()
    expect(state(page, "Listening…")).to_be_visible()
    axe.check(page)
    # Speech comes after the text that it reads.
    composer(page).fill("script: pause=3@0 words=300 rate=4\n")
    page.evaluate("say()")
    asked = page.get_by_role("article", name="You")
    # Before the voice reads, a screen reader says what the answer waits for.
    expect(state(page, "Thinking…")).to_have_attribute("aria-live", "polite", timeout=SPEECH_MS)
    expect(page.get_by_role("log").get_by_text("Waiting for Scripted", exact=True)).to_be_attached()
    expect(asked).to_have_text(re.compile("rate=4.*harbou?r .* cranes", re.IGNORECASE | re.DOTALL), timeout=SPEECH_MS)
    expect(composer(page)).to_have_value("")
    expect(state(page, "Reading aloud. Speak to interrupt.")).to_be_visible(timeout=SPEECH_MS)
    expect(page.get_by_text("Synthetic voice").first).to_be_visible()
    # Speech silences it, and becomes the next question; the answer that is still being written is stopped.
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    page.evaluate("say()")
    expect(state(page, "Listening…")).to_be_visible()
    assert is_silent(page)
    expect(asked).to_have_count(2, timeout=SPEECH_MS)
    expect(page.get_by_text("You stopped this answer.")).to_be_visible()
    expect(state(page, "Reading aloud. Speak to interrupt.")).to_be_visible(timeout=SPEECH_MS)
    page.keyboard.press("Escape")
    expect(button).to_be_visible()
    assert is_silent(page)
    assert page.evaluate("track.readyState") == "ended"
    expect(composer(page)).to_be_focused()
    send(page, "Now in writing.")
    finished(page)
    assert [turn.get("spoken", False) for turn in turns] == [True, True, False]


HIDDEN = """(() => {
  const every = window.setInterval;
  window.setInterval = (run, ms, ...rest) => every(run, Math.max(1000, ms), ...rest);
})()"""
"""Slows timers as browsers do where a page is hidden."""

SENTENCE = "The harbour master closed the northern gate on Tuesday, because the storm had damaged two of the cranes."


def test_a_noise_keeps_no_question_from_being_sent_and_interrupts_no_answer(opening: Opening, speaking: Served) -> None:
    context = opening(speaking)
    context.add_init_script(microphone(SOUNDS / "english.webm"))
    context.add_init_script(HIDDEN)
    page = context.new_page()
    listen_in(page)
    page.goto("/")
    page.get_by_role("button", name="Conversation by voice").click()
    expect(state(page, "Listening…")).to_be_visible(timeout=SPEECH_MS)
    composer(page).fill(f"script: below=1\n{f'{SENTENCE} ' * 4}\n\n")
    page.evaluate("rattle(600)")
    page.evaluate("say()")
    asked = page.get_by_role("article", name="You")
    expect(asked).to_have_text(re.compile("cranes", re.IGNORECASE), timeout=SPEECH_MS)
    expect(state(page, "Reading aloud. Speak to interrupt.")).to_be_visible(timeout=SPEECH_MS)
    page.wait_for_function("() => [...(CSS.highlights.get('spoken') ?? [])].length > 0", timeout=SPEECH_MS)
    expect(state(page, "Listening…")).to_be_visible(timeout=SPEECH_MS)
    expect(asked).to_have_count(1)
    expect(composer(page)).to_have_value("")


def test_the_answer_that_the_microphone_hears_is_no_question(opening: Opening, speaking: Served) -> None:
    context = opening(speaking)
    context.add_init_script(microphone(SOUNDS / "english.webm"))
    page = context.new_page()
    listen_in(page)
    page.goto("/")
    page.get_by_role("button", name="Conversation by voice").click()
    expect(state(page, "Listening…")).to_be_visible(timeout=SPEECH_MS)
    composer(page).fill(f"script: below=1\n{SENTENCE}\n\n")
    page.evaluate("say()")
    asked = page.get_by_role("article", name="You")
    expect(asked).to_have_count(1, timeout=SPEECH_MS)
    page.wait_for_function(
        "() => [...(CSS.highlights.get('spoken') ?? [])].join('').includes('cranes')", timeout=SPEECH_MS
    )
    page.evaluate("say()")
    expect(state(page, "Listening…")).to_be_visible(timeout=SPEECH_MS)
    assert is_silent(page)
    expect(state(page, "Reading aloud. Speak to interrupt.")).to_be_visible(timeout=SPEECH_MS)
    expect(asked).to_have_count(1)
    expect(composer(page)).to_have_value("")


def test_what_was_not_understood_is_asked_for_again(opening: Opening, speaking: Served) -> None:
    context = opening(speaking)
    context.add_init_script(microphone(SOUNDS / "english.webm"))
    page = context.new_page()
    invented = {"start": 0, "end": 2, "text": "Thank you.", "log_probability": -1.2}
    heard = {"segments": [{**invented, "silence_probability": 0.7, "compression_ratio": 0.6}], "language": "en"}
    page.route(
        "**/api/speech/dictation?*", lambda route: route.fulfill(json={**heard, "heard_until": 9, "speech_end": 7})
    )
    page.goto("/")
    page.get_by_role("button", name="Conversation by voice").click()
    expect(state(page, "Listening…")).to_be_visible(timeout=SPEECH_MS)
    page.evaluate("say()")
    expect(state(page, "That wasn’t clear. Please say it again. Listening…")).to_be_visible(timeout=SPEECH_MS)
    expect(page.get_by_role("article", name="You")).to_have_count(0)
    expect(composer(page)).to_have_value("")


def test_a_microphone_that_goes_away_is_said_and_can_come_back(opening: Opening, speaking: Served) -> None:
    context = opening(speaking)
    context.add_init_script(microphone(SOUNDS / "english.webm"))
    page = context.new_page()
    page.goto("/")
    page.get_by_role("button", name="Conversation by voice").click()
    expect(state(page, "Listening…")).to_be_visible(timeout=SPEECH_MS)
    page.evaluate("track.dispatchEvent(new Event('ended'))")
    expect(page.get_by_role("alert").get_by_text("The microphone is no longer available.")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(state(page, "Listening…")).to_be_visible(timeout=SPEECH_MS)


def test_tones_say_when_it_listens_and_when_it_has_heard(opening: Opening, speaking: Served) -> None:
    context = opening(speaking)
    context.add_init_script(microphone(SOUNDS / "english.webm"))
    context.add_init_script(
        "window.tones = 0; const make = AudioContext.prototype.createOscillator;"
        "AudioContext.prototype.createOscillator = function () { window.tones += 1; return make.call(this); };"
    )
    page = context.new_page()
    page.goto("/")
    page.get_by_role("button", name="Conversation by voice").click()
    expect(state(page, "Listening…")).to_be_visible(timeout=SPEECH_MS)
    assert page.evaluate("tones") == 1
    composer(page).fill("script: words=300 rate=4\n")
    page.evaluate("say()")
    expect(page.get_by_role("article", name="You")).to_have_count(1, timeout=SPEECH_MS)
    assert page.evaluate("tones") == 2
    page.keyboard.press("Escape")
    page.goto("/settings/speech")
    page.get_by_role("group", name="Tones in conversations by voice").get_by_role("radio", name="Off").check()
    expect(page.get_by_text("Saved")).to_be_visible()
    page.goto("/")
    page.get_by_role("button", name="Conversation by voice").click()
    expect(state(page, "Listening…")).to_be_visible(timeout=SPEECH_MS)
    assert page.evaluate("tones") == 0
