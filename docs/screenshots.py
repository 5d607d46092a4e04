"""Take the screenshots of README and docs, and render the app's icons: `python docs/screenshots.py`.

README shows a real answer of the embedded model, which has to be installed, and so have both parts of speech. For the
others the app runs on the scripted engine in a temporary folder, and research against the tests' small internet. What
is heard was spoken by the voices.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

from PIL import Image
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from eclair.schema.principal import LOCAL_PRINCIPAL

sys.path.append(str(Path(__file__).parent.parent))

from tests.browser import chromium
from tests.browser.internet import Outside, outside
from tests.browser.model_server import Rack, racked
from tests.browser.served import Served
from tests.browser.test_dictation import write_wav
from tests.browser.test_writing import attach, send_when_ready
from tests.speech.conftest import lend_listening, lend_speaking
from tests.speech.recordings import Samples, recording, silence, spoken

from eclair.models.catalog import starter_entry
from eclair.models.installed import verify
from eclair.python.data_tools import DataTools
from eclair.python.python_service import PythonService, media_type
from eclair.schema.messages import Call, Conversation, Message, Part, Usage
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.blobs import Blobs
from eclair.storage.open import open_storage
from eclair.storage.workspaces import NewWorkspaceFile
from eclair.tools.run_python import PYTHON_TOOL_NAME, describe_run

ROOT = Path(__file__).parent.parent
PUBLIC = ROOT / "ui" / "public"
PICTURES = ROOT / "docs" / "pictures"
PAPER = "#fcf9f4"
MAX_PICTURE_BYTES = 250_000
"""Keeps README quick to open."""

DESKTOP_WINDOW = {"width": 960, "height": 780}
ANSWER_WINDOW = {"width": 1200, "height": 640}
PHONE_WINDOW = {"width": 390, "height": 800}

CONVERSATION_ID = "conv_" + "z" * 26
PYTHON_ID = "conv_" + "y" * 26
SPOKEN_ID = "conv_" + "x" * 26
ASKING_ID = "conv_" + "w" * 26
HOURS_AGO = {
    "A letter to the grid operator": 2,
    "What is a cooperative loan?": 5,
    "Minutes of the village meeting": 28,
    "Names for the reading club": 31,
    "Bread without kneading": 75,
}
"""Age of each conversation by title."""

IMPORTED_TITLES = (
    "Rules for the tool library",
    "Sourdough in winter",
    "A trip to Ljubljana by train",
    "Why leaves turn red",
    "Questions for the architect",
    "A quilt of hexagons",
    "The accounts of the choir",
    "Danish vowels",
    "Which apples keep until March",
    "A riddle for the school fair",
)

QUESTION = "What would 120 m² of solar panels on our hall bring?"
ANSWER = r"""There is room for 60 panels, **24 kW** in all. What they yield in a year:

$$
E = P \cdot h \cdot \eta = 24\ \text{kW} \cdot 1\,100\ \text{h} \cdot 0.85 \approx 22\,400\ \text{kWh}
$$

| Use | Share | kWh a year | Worth, € |
|---|--:|--:|--:|
| Hall and school | 50 % | 11,200 | 3,024 |
| Fed into the grid | 50 % | 11,200 | 896 |

At a price of €30,000 they have paid for themselves in **under eight years**:

```mermaid
flowchart LR
  A[Survey the roof] --> B{Sound?}
  B -->|yes| C[Three offers]
  B -->|no| D[Repair first]
  D --> C
  C --> E([Build in May])
```
"""

MINUTES = """# Minutes of the village meeting, 12 May 2026

## Solar roof

The cooperative will put 60 panels on the roof of the village hall. They cost 30,000 euros and yield about 22,400 kWh a
year. Building begins on 3 August 2026, once the surveyor has checked the roof beams. Anna Keller collects the offers of
three firms until the end of May.

## Tool library

The tool library opens on Saturdays from 10 to 12. Members borrow a tool for one week at no charge; whoever brings it
back late pays two euros a day.
"""
MINUTES_QUESTION = "How much do the panels cost?"

REPORT_QUESTION = "What is new in Harrowmere, and what is disputed?"

FIRST_QUESTION = "How do we work out in Python when a solar roof has earned its price?"
FIRST_ANSWER = '''Change the three numbers at the top to your own:

```python
PRICE = 30_000         # euros, for panels and work
YIELD = 22_400         # kWh a year
LOSS = 0.005           # the panels weaken by this share each year

def payback(saved_per_kwh: float) -> int:
    """The year in which the roof has earned its price."""
    earned, year = 0.0, 0
    while earned < PRICE:
        earned += YIELD * (1 - LOSS) ** year * saved_per_kwh
        year += 1
    return year

print(payback(saved_per_kwh=0.175))  # 8
```
'''


SPOKEN_QUESTION = "Can the panels on the hall power the lamps when the grid is down?"
SPOKEN_ANSWER = """Not by themselves. **Most inverters switch off as soon as the grid fails**, so that nobody who \
repairs the lines is hurt by current from a roof.

Two things would keep the lamps on: an inverter that can run an *island*, and a battery for the night. Ten kilowatt \
hours are enough for the lamps of the hall, the fridge and the radio until the next morning.

Ask the firms for both in their offers; adding them later costs more.
"""

SPEECH_MS = 180_000
"""Time for the models to load, to hear and to speak."""
LEAD_S = 1.5
"""Silence before somebody speaks into a microphone, while it is opened."""

DICTATED = """Please write to all members of the cooperative. The work on the roof begins on the third of August, and \
the hall stays closed for two weeks. Until then, the choir meets in the school, and the reading club in the library. \
Whoever can lend a hand should call Anna Keller before the end of July. We need ladders, gloves, and a van for the \
old tiles. Lunch for all helpers comes from the bakery."""

TALKED_QUESTION = "What should we ask the firms before we choose one of their offers?"
TALKED_ANSWER = """Ask first what happens if they finish late, because the hall is booked from September on. Then ask \
how long they vouch for the panels, and how long for their own work on the roof. And ask who comes when something \
breaks, and how soon.
"""

MEETING = (
    ("bm_george", "Good evening, everybody. We have two points tonight: the solar roof, and the tool library."),
    (
        "bf_emma",
        "I have the offers for the roof. Two firms have answered, and the third one wants to see the beams first. Both "
        "would put sixty panels on the hall. The cheaper offer is thirty thousand euros.",
    ),
    ("am_michael", "What do we get for that?"),
    (
        "bf_emma",
        "About twenty two thousand kilowatt hours a year. Half of it is for the hall and the school, and the rest goes "
        "into the grid. After eight years the roof has paid for itself.",
    ),
    ("bm_george", "And when does the work begin?"),
    ("bf_emma", "The work begins on the third of August, once the surveyor has checked the beams."),
    ("af_heart", "Then to the tool library. It opens on Saturdays from ten to twelve, and nobody has to pay for it."),
    ("am_michael", "Who brings a tool back late should pay, though. Two euros a day, I would say."),
)
"""The sentences of a meeting, each with its voice."""
PAUSE_S = 0.7
"""Silence between two who speak."""
MEETING_QUESTION = "When does the work on the roof begin?"
MEETING_ANSWER = "The work begins on 3 August, once the surveyor has checked the beams."

PYTHON_QUESTION = (
    "The roof yields 22,400 kWh a year. How is that spread over the months? Draw a chart, and make a table."
)
PYTHON_CODE = """\
months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
shares = [3, 5, 9, 11, 13, 13, 14, 12, 9, 6, 3, 2]
yields = [22_400 * share / 100 for share in shares]

rows = [f"{month},{kwh:.0f}" for month, kwh in zip(months, yields)]
with open("yield.csv", "w") as file:
    file.write("\\n".join(["month,kWh", *rows]))
bar_chart(months, yields, "Yield of the roof, in kWh")

print("April to August:", round(sum(yields[3:8])), "kWh of", round(sum(yields)))
"""
PYTHON_ANSWER = """From April to August the roof yields **14,112 of its 22,400 kWh**, almost two thirds. December \
brings the least: 448 kWh, a seventh of July.

The table with all months is `yield.csv`.
"""

CANVAS_TITLE = "Letter to the grid operator"
CANVAS_TEXT = """# Letter to the grid operator

Dear Sir or Madam,

the cooperative **Village Hall** will build a solar roof this year. Please tell us how we can connect it:

- 60 panels, 24 kW in all
- about 22,400 kWh a year, half of it for the hall and the school
- begin of work on 3 August 2026

Could you send us your conditions *by the end of June*?

Yours faithfully,
Anna Keller
"""
EVENT = {"title": "Work on the roof begins", "date": "2026-08-03", "calendar": "Village Hall"}
EVENT_QUESTION = "When does the work on the roof begin? Put it into our calendar, please."
EVENT_ANSWER = (
    "It begins on **3 August 2026**, once the surveyor has checked the roof beams. I am adding it to the calendar."
)
MEMORIES = (
    "I keep the accounts of the cooperative Village Hall.",
    "Our hall has a solar roof of 60 panels, 24 kW in all.",
    "Answers to members should be short, and in plain language.",
    "The general meeting is on the second Tuesday of May.",
)
PROJECT = "Solar roof"
PROJECT_INSTRUCTIONS = (
    "Write for members who know nothing of electricity. Give amounts in euros, and say how sure they are."
)
TIME_SERVER = ("mcp-server-time", "--local-timezone", "Europe/Berlin")
"""A published MCP server, which `make mcp-servers` sets up."""
SCHEDULES = (
    ("Morning news", "What is new in the feeds? Five points at most.", "0 7 * * 1-5"),
    ("Report on the roof", "/research What has changed in the rules for solar roofs?", "0 8 1 * *"),
    ("Questions for the meeting", "Which questions of the minutes are still open?", "30 18 * * 4"),
)


def icons(browser: Browser) -> None:
    """Render the favicon as PNG; the maskable one leaves a margin, because it may be cut to a circle."""
    drawing = (PUBLIC / "favicon.svg").read_text(encoding="utf-8")
    for name, size, share, paper in (
        ("icon-192", 192, 1.0, "transparent"),
        ("icon-512", 512, 1.0, "transparent"),
        ("icon-maskable", 512, 0.7, PAPER),
    ):
        page = browser.new_page(viewport={"width": size, "height": size})
        style = f"body {{ margin: 0; height: 100vh; display: grid; place-items: center; background: {paper} }}"
        page.set_content(f"<style>{style} svg {{ width: {size * share}px }}</style>{drawing}")
        page.screenshot(path=PUBLIC / f"{name}.png", omit_background=True)
        page.close()


def answer(browser: Browser, folder: Path) -> None:
    """Take a real answer from a document, by the embedded model, with the passage that it cites."""
    models = folder / "data" / "models"
    models.mkdir(parents=True)
    model = verify(starter_entry(), Settings().data_dir)
    (models / model.name).symlink_to(model)
    served = Served(folder, ECLAIR_EMBEDDED="true", ECLAIR_SCRIPTED="false", ECLAIR_TUNE="false")
    served.start()
    try:
        page = open_page(browser, served, ANSWER_WINDOW, "light")
        page.goto("/")
        minutes = {"name": "minutes.md", "mimeType": "text/markdown", "buffer": MINUTES.encode()}
        attach(page, minutes)
        send_when_ready(page, MINUTES_QUESTION)
        told = page.get_by_role("article", name="Éclair").last
        expect(told).to_contain_text("words/s", timeout=60_000)
        told.locator("sup button:not(.doubt)").first.click()
        expect(page.locator("mark")).to_contain_text("30,000 euros")
        screenshot(page, "answer")
    finally:
        served.close()


def screenshots(browser: Browser, served: Served, folder: Path) -> None:
    conversation = f"/c/{CONVERSATION_ID}"
    page = open_page(browser, served, DESKTOP_WINDOW, "light")
    page.goto(conversation)
    scroll_to_end(page)
    screenshot(page, "conversation")
    other = open_page(browser, served, DESKTOP_WINDOW, "dark")
    other.goto(conversation)
    scroll_to_end(other)
    other.get_by_role("region", name="Conversation").evaluate("e => { e.scrollTop = 0 }")
    screenshot(other, "dark")
    phone = open_page(browser, served, PHONE_WINDOW, "light", is_mobile=True, has_touch=True)
    phone.goto(conversation)
    scroll_to_end(phone)
    screenshot(phone, "phone")
    page.goto("/settings")
    expect(page.get_by_role("heading", name="Appearance")).to_be_visible()
    page.get_by_role("heading", level=1).evaluate("e => { for (let a = e; a; a = a.parentElement) a.scrollTop = 0 }")
    screenshot(page, "settings")
    page.goto("/")
    preview_import(page, export(folder / "conversations.json"))
    screenshot(page, "import")


def tools(browser: Browser, served: Served) -> None:
    """Take what models do with tools: code with its chart, a canvas, an MCP server, and schedules."""
    page = open_page(browser, served, {"width": 860, "height": 1300}, "light")
    page.goto(f"/c/{PYTHON_ID}")
    told = page.get_by_role("article", name="Éclair").last
    expect(told.get_by_role("img", name="Yield of the roof")).to_be_visible()
    told.get_by_text("Code", exact=True).click()
    expect(told.get_by_text("bar_chart(months")).to_be_visible()
    screenshot(page, "python")

    page = open_page(browser, served, {"width": 1200, "height": 700}, "light")
    canvas = {"title": CANVAS_TITLE, "text": CANVAS_TEXT}
    assert page.request.post(f"/api/conversations/{CONVERSATION_ID}/canvases", data=canvas).ok
    page.goto(f"/c/{CONVERSATION_ID}")
    scroll_to_end(page)
    page.get_by_role("button", name=CANVAS_TITLE).click()
    expect(page.get_by_role("textbox", name="Canvas text")).to_contain_text("Dear Sir or Madam")
    page.get_by_role("textbox", name="Title").blur()
    screenshot(page, "canvas")

    page = open_page(browser, served, {"width": 960, "height": 780}, "light")
    server = {"name": "time", "command": TIME_SERVER}
    added = page.request.post("/api/mcp-servers", data=server).json()["id"]
    seen = page.request.post(f"/api/mcp-servers/{added}/check").json()["seen"]
    approval = {"fingerprint": seen["fingerprint"]}
    assert page.request.post(f"/api/mcp-servers/{added}/approve", data=approval).ok
    assert page.request.put(f"/api/mcp-servers/{added}/switch", data={"on": True}).ok
    page.goto("/settings/mcp")
    card = page.get_by_role("article", name="time")
    expect(card.get_by_text("Ready", exact=True)).to_be_visible()
    card.get_by_text("Tools: 2").click()
    expect(card.get_by_text("convert_time", exact=True)).to_be_visible()
    screenshot(page, "mcp-servers")

    for name, question, cron in SCHEDULES:
        schedule = {"name": name, "question": question, "cron": cron}
        assert page.request.post("/api/schedules", data=schedule).ok
    page.goto("/settings/schedules")
    expect(page.get_by_role("list", name="Schedules").get_by_role("listitem")).to_have_count(len(SCHEDULES))
    screenshot(page, "schedules")


def knowledge(browser: Browser, served: Served) -> None:
    """Take what Éclair is told and asks: a permission, the memory, a project and the skills."""
    page = open_page(browser, served, {"width": 860, "height": 620}, "light")
    page.goto(f"/c/{ASKING_ID}")
    expect(page.get_by_role("group", name="Waiting for your permission:")).to_be_visible()
    screenshot(page, "permission")

    page = open_page(browser, served, {"width": 960, "height": 780}, "light")
    for text in MEMORIES:
        assert page.request.post("/api/memories", data={"text": text}).ok
    page.goto("/settings/memory")
    expect(page.get_by_role("list", name="Memory").get_by_role("listitem")).to_have_count(len(MEMORIES))
    screenshot(page, "memory")
    page.goto("/settings/skills")
    expect(page.get_by_role("list", name="Skills").get_by_text("Meeting minutes", exact=True)).to_be_visible()
    screenshot(page, "skills")

    new = page.request.post("/api/projects", data={"name": PROJECT}).json()
    instructions = {"instructions": PROJECT_INSTRUCTIONS}
    assert page.request.patch(f"/api/projects/{new['id']}", data=instructions).ok
    for id in (CONVERSATION_ID, PYTHON_ID):
        assert page.request.patch(f"/api/conversations/{id}", data={"project_id": new["id"]}).ok
    page.goto(f"/projects/{new['id']}")
    expect(page.get_by_role("textbox", name="Project instructions")).to_have_value(PROJECT_INSTRUCTIONS)
    screenshot(page, "project")


def speech(browser: Browser, served: Served) -> None:
    """Take an answer that is being read aloud."""
    page = open_page(browser, served, {"width": 960, "height": 700}, "light")
    page.goto(f"/c/{SPOKEN_ID}")
    told = page.get_by_role("article", name="Éclair").last
    told.get_by_role("button", name="Read aloud").click()
    page.wait_for_function(
        "() => [...(CSS.highlights.get('spoken') ?? [])].join('').startsWith('Most inverters')", timeout=SPEECH_MS
    )
    expect(told.get_by_text("Synthetic voice")).to_be_visible()
    screenshot(page, "speech")


def dictation(playwright: Playwright, served: Served) -> None:
    """Take words that appear while somebody speaks."""
    with speaker(playwright, served, DICTATED) as browser:
        page = open_page(browser, served, {"width": 960, "height": 700}, "light")
        page.goto("/")
        page.get_by_role("button", name="Dictate").click()
        field = page.get_by_role("textbox", name="Your message")
        expect(field).to_have_value(re.compile("closed for two weeks"), timeout=SPEECH_MS)
        screenshot(
            page, "dictation", when="() => document.querySelector('.level > *').getBoundingClientRect().width > 15"
        )
        expect(page.get_by_text("Listening…")).to_be_visible()


def voice(playwright: Playwright, served: Served, rack: Rack) -> None:
    """Take a conversation by voice, in which the answer is read."""
    rack.says = TALKED_ANSWER
    with speaker(playwright, served, TALKED_QUESTION) as browser:
        page = open_page(browser, served, {"width": 960, "height": 640}, "light")
        page.goto("/")
        page.get_by_role("button", name="Conversation by voice").click()
        expect(page.get_by_role("article", name="You")).to_contain_text("firms", timeout=SPEECH_MS)
        page.wait_for_function(
            "() => [...(CSS.highlights.get('spoken') ?? [])].join('').startsWith('Then ask')", timeout=SPEECH_MS
        )
        screenshot(page, "voice")
        expect(page.get_by_text("Reading aloud. Speak to interrupt.")).to_be_visible()


def transcript(playwright: Playwright, browser: Browser, served: Served, rack: Rack) -> None:
    """Take the recording of a meeting at a moment that is cited."""
    rack.says = MEETING_ANSWER
    page = open_page(browser, served, {"width": 1200, "height": 640}, "light")
    page.goto("/")
    with TemporaryDirectory() as temporary:
        pieces = [piece for name, text in MEETING for piece in (say(playwright, served, text, name), silence(PAUSE_S))]
        sound = recording(Path(temporary) / "meeting.wav", pieces)
        attach(page, {"name": sound.name, "mimeType": "audio/wav", "buffer": sound.read_bytes()})
    expect(page.get_by_role("listitem").filter(has_text="meeting.wav")).to_contain_text("ready", timeout=SPEECH_MS)
    send_when_ready(page, MEETING_QUESTION)
    told = page.get_by_role("article", name="Éclair").last
    told.locator("sup button:not(.doubt)").first.click()
    pane = page.get_by_role("complementary")
    expect(pane.get_by_role("list", name="Transcript").locator("mark")).to_contain_text("August")
    page.wait_for_function("() => document.querySelector('audio').currentTime > 30")
    pane.get_by_role("button", name="Download transcript").click()
    expect(page.get_by_role("menuitem", name="Subtitles (SRT)")).to_be_visible()
    screenshot(page, "recording")


@contextmanager
def listening(folder: Path) -> Generator[tuple[Served, Rack]]:
    """An Éclair that speaks and listens, and the model that answers, which says what it is told."""
    settings = replace(Settings(), data_dir=folder / "data")
    lend_listening(settings)
    lend_speaking(settings)
    with racked() as rack:
        rack.models = ("Scripted",)
        served = Served(
            folder,
            ECLAIR_ENGINES=json.dumps({"rack": {"url": rack.url}}),
            ECLAIR_SCRIPTED="false",
            ECLAIR_TITLES="false",
            ECLAIR_EMBEDDER="off",
        )
        served.start()
        try:
            yield served, rack
        finally:
            served.close()


@contextmanager
def speaker(playwright: Playwright, served: Served, text: str) -> Generator[Browser]:
    """A browser into whose microphone somebody speaks once."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        said = recording(folder / "said.wav", [silence(LEAD_S), say(playwright, served, text)])
        write_wav(said, folder / "microphone.wav")
        arguments = [*chromium.arguments(), *chromium.microphone(folder / "microphone.wav")]
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def say(playwright: Playwright, served: Served, text: str, voice: str = "am_michael") -> Samples:
    """Have a text spoken."""
    client = playwright.request.new_context(base_url=served.address)
    reply = client.post("/v1/audio/speech", data={"input": text, "voice": voice}, timeout=SPEECH_MS)
    assert reply.ok, reply.text()
    with NamedTemporaryFile(suffix=".mp3") as file:
        file.write(reply.body())
        file.flush()
        samples = spoken(Path(file.name))
    client.dispose()
    return samples


def research(browser: Browser, there: Outside) -> None:
    """Take a research plan and its report."""
    plain = there.question("plain")
    asked = [plain, there.question("changed"), there.question("contradicted")]
    page = open_page(browser, there, {"width": 860, "height": 740}, "light")
    page.goto("/")
    there.model.says = "\n".join(question.text for question in asked)
    page.locator("#composer").fill(f"/research {REPORT_QUESTION}")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Question 1 of 3")).to_be_focused()
    screenshot(page, "research")
    there.model.says = there.told(plain)
    page.get_by_role("button", name="Write the report").click()
    expect(page.get_by_role("button", name="Edit the plan")).to_be_enabled(timeout=60_000)
    page.get_by_text("3 questions").click()
    page.get_by_role("region", name="Conversation").evaluate("e => { e.scrollTop = 0 }")
    screenshot(page, "report")


def open_page(
    browser: Browser, served: Served | Outside, window: dict[str, int], scheme: str, **options: object
) -> Page:
    context = browser.new_context(
        base_url=served.address,
        viewport=window,  # pyright: ignore[reportArgumentType]
        color_scheme=scheme,  # pyright: ignore[reportArgumentType]
        device_scale_factor=2,
        service_workers="block",
        **options,  # pyright: ignore[reportArgumentType]
    )
    return context.new_page()


def scroll_to_end(page: Page) -> None:
    """Scroll to the end of the conversation once its diagram is drawn."""
    expect(page.get_by_role("img", name="Diagram")).to_be_visible()
    page.get_by_role("region", name="Conversation").evaluate("e => { e.scrollTop = e.scrollHeight }")


def preview_import(page: Page, export: Path) -> None:
    """Preview an export of another assistant."""
    page.get_by_role("button", name="Import conversations").click()
    dialog = page.get_by_role("dialog", name="Import conversations")
    dialog.get_by_label("Choose a .json or .zip file, or drop it here").set_input_files(export)
    expect(dialog).to_contain_text("An export from Claude.")


def screenshot(page: Page, name: str, *, when: str = "() => true") -> None:
    """Take a screenshot once fonts and animations have settled, and the page says so."""
    page.wait_for_function("() => document.fonts.status === 'loaded'")
    page.mouse.move(0, 0)
    page.wait_for_timeout(600)
    page.wait_for_function(when)
    path = PICTURES / f"{name}.png"
    page.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


async def fill(data: Path) -> None:
    """Store the sample conversations; the last one has two questions."""
    storage = open_storage(data)
    now = int(time.time() * 1000)
    for number, (title, hours) in enumerate(HOURS_AGO.items()):
        made = now - hours * 3_600_000
        await storage.conversations.add_conversation(
            LOCAL_PRINCIPAL,
            Conversation(f"conv_{number:026d}", LOCAL_PRINCIPAL.id, title, made, made, pinned=number == 0),
        )
    messages: list[Message] = []
    for number, (asked, told, words, first) in enumerate(
        ((FIRST_QUESTION, FIRST_ANSWER, 96, 188.0), (QUESTION, ANSWER, 118, 212.0))
    ):
        above = messages[-1].id if messages else None
        question = Message(f"msg_{number}q", CONVERSATION_ID, above, "user", (Part("text", asked),), now)
        usage = Usage(None, None, None, first, words, 74.0)
        parts = (Part("text", told),)
        answer = Message(
            f"msg_{number}a", CONVERSATION_ID, question.id, "assistant", parts, now, model="scripted", usage=usage
        )
        messages += [question, answer]
    roof = Conversation(CONVERSATION_ID, LOCAL_PRINCIPAL.id, "A solar roof for the village", now, now, messages[-1].id)
    await storage.conversations.add_tree(LOCAL_PRINCIPAL, roof, messages)
    await add_calculation(storage, data, now)
    question = Message("msg_3q", SPOKEN_ID, None, "user", (Part("text", SPOKEN_QUESTION),), now)
    usage = Usage(None, None, None, 240.0, 84, 74.0)
    answer = Message(
        "msg_3a",
        SPOKEN_ID,
        question.id,
        "assistant",
        (Part("text", SPOKEN_ANSWER),),
        now,
        model="scripted",
        usage=usage,
    )
    spoken = Conversation(SPOKEN_ID, LOCAL_PRINCIPAL.id, "Light when the grid is down", now, now, answer.id)
    await storage.conversations.add_tree(LOCAL_PRINCIPAL, spoken, [question, answer])
    await add_asking(storage, now)
    await storage.close()


async def add_asking(storage: Storage, now: int) -> None:
    """Store an answer whose call waits for a permission."""
    arguments = json.dumps(EVENT)
    given = ", ".join(f"{name}: {value}" for name, value in EVENT.items())
    call = Call(
        "call_1",
        "calendar__create_event",
        "write",
        f"Use “create_event” of the MCP server calendar with {given}",
        needs_approval=True,
    )
    question = Message("msg_4q", ASKING_ID, None, "user", (Part("text", EVENT_QUESTION),), now)
    parts = (Part("text", EVENT_ANSWER), Part("tool_call", arguments, "call_1", call.tool))
    answer = Message(
        "msg_4a", ASKING_ID, question.id, "assistant", parts, now, "waiting", model="scripted", calls=(call,)
    )
    asking = Conversation(ASKING_ID, LOCAL_PRINCIPAL.id, "The first day on the roof", now, now, answer.id)
    await storage.conversations.add_tree(LOCAL_PRINCIPAL, asking, [question, answer])


async def add_calculation(storage: Storage, data: Path, now: int) -> None:
    """Run code in the sandbox, and store it with its result as an answer."""
    python = PythonService(storage, Blobs(data / "files"), DataTools(data))
    try:
        run, files = await python.run_in_container(PYTHON_ID, PYTHON_CODE)
    finally:
        await python.close()
    assert run.error is None, run.error
    question = Message("msg_2q", PYTHON_ID, None, "user", (Part("text", PYTHON_QUESTION),), now)
    parts = (
        Part("tool_call", json.dumps({"code": PYTHON_CODE}), "call_1", PYTHON_TOOL_NAME),
        Part("tool_result", describe_run(run), "call_1", PYTHON_TOOL_NAME),
        Part("text", PYTHON_ANSWER, round=1),
    )
    usage = Usage(None, None, None, 230.0, 64, 74.0)
    answer = Message(
        "msg_2a", PYTHON_ID, question.id, "assistant", parts, now, model="scripted", finish_reason="stop", usage=usage
    )
    conversation = Conversation(PYTHON_ID, LOCAL_PRINCIPAL.id, "Yield by month", now, now, answer.id)
    await storage.conversations.add_tree(LOCAL_PRINCIPAL, conversation, [question, answer])
    made = [NewWorkspaceFile(each.name, each.data, media_type(each.name), each.alt) for each in files]
    await storage.workspaces.update_workspace(LOCAL_PRINCIPAL, PYTHON_ID, made, (), None)


def export(path: Path) -> Path:
    """Write an export of another assistant."""
    made = [{"uuid": f"{i}", "name": title, "chat_messages": talk(i)} for i, title in enumerate(IMPORTED_TITLES)]
    path.write_text(json.dumps(made), encoding="utf-8")
    return path


def talk(number: int) -> list[dict[str, str]]:
    senders = ("human", "assistant") * 3
    return [{"uuid": f"{number}-{i}", "sender": sender, "text": "…"} for i, sender in enumerate(senders)]


if __name__ == "__main__":
    os.environ["PATH"] = os.pathsep.join([str(ROOT / ".build" / "mcp-servers" / "bin"), os.environ["PATH"]])
    with TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        with ThreadPoolExecutor(1) as apart:  # Playwright's loop runs in this thread
            apart.submit(asyncio.run, fill(folder / "data")).result()
        lent = replace(Settings(), data_dir=folder / "data")
        lend_listening(lent)
        lend_speaking(lent)
        served = Served(folder)
        served.start()
        try:
            browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.arguments())
            icons(browser)
            answer(browser, folder / "answer")
            screenshots(browser, served, folder)
            tools(browser, served)
            knowledge(browser, served)
            speech(browser, served)
            dictation(playwright, served)
            with listening(folder / "listening") as (listener, rack):
                voice(playwright, listener, rack)
                transcript(playwright, browser, listener, rack)
            with outside(folder / "outside") as there:
                research(browser, there)
        finally:
            served.close()
    large = [path.name for path in PICTURES.iterdir() if path.stat().st_size > MAX_PICTURE_BYTES]
    if large:
        sys.exit(f"Show less in {', '.join(large)}: a picture has at most {MAX_PICTURE_BYTES:,} bytes.")
