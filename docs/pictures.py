"""Makes pictures: the page's icons out of its favicon, and what README and docs show, out of the page itself, with
Éclair on its scripted engine in a temporary folder, and before the small internet: `python docs/pictures.py`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, expect, sync_playwright

from eclair.schema.principal import LOCAL_PRINCIPAL

sys.path.append(str(Path(__file__).parent.parent))

from tests.browser import chromium
from tests.browser.outside import Outside, outside
from tests.browser.served import Served

from eclair.schema.messages import Conversation, Message, Part, Usage
from eclair.storage.open import open_storage

ROOT = Path(__file__).parent.parent
PUBLIC = ROOT / "ui" / "public"
PICTURES = ROOT / "docs" / "pictures"
PAPER = "#fcf9f4"
LARGEST = 250_000
"""Bytes of a picture, so that README opens at once."""

DESK = {"width": 960, "height": 780}
PHONE = {"width": 390, "height": 800}

ROOF = "conv_" + "z" * 26
BEFORE = {
    "A letter to the grid operator": 2,
    "What is a cooperative loan?": 5,
    "Minutes of the village meeting": 28,
    "Names for the reading club": 31,
    "Bread without kneading": 75,
}
"""Titles and how many hours ago."""

ELSEWHERE = (
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

REPORT = "What is new in Harrowmere, and what is disputed?"

FIRST = "How do we work out in Python when a solar roof has earned its price?"
CODE = '''Change the three numbers at the top to your own:

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


def icons(browser: Browser) -> None:
    """A maskable icon may be cut to a circle, so that it keeps to the middle of its paper."""
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


def screenshots(browser: Browser, served: Served, folder: Path) -> None:
    conversation = f"/c/{ROOF}"
    page = open_page(browser, served, DESK, "light")
    page.goto(conversation)
    at_end(page)
    shot(page, "conversation")
    other = open_page(browser, served, DESK, "dark")
    other.goto(conversation)
    at_end(other)
    other.get_by_role("region", name="Conversation").evaluate("e => { e.scrollTop = 0 }")
    shot(other, "dark")
    phone = open_page(browser, served, PHONE, "light", is_mobile=True, has_touch=True)
    phone.goto(conversation)
    at_end(phone)
    shot(phone, "phone")
    page.goto("/settings")
    expect(page.get_by_role("heading", name="Appearance")).to_be_visible()
    page.get_by_role("heading", level=1).evaluate("e => { for (let a = e; a; a = a.parentElement) a.scrollTop = 0 }")
    shot(page, "settings")
    page.goto("/")
    bring(page, export(folder / "conversations.json"))
    shot(page, "import")


def research(browser: Browser, there: Outside) -> None:
    """A plan, and its report with what was looked into."""
    plain = there.question("plain")
    asked = [plain, there.question("changed"), there.question("contradicted")]
    page = open_page(browser, there, {"width": 860, "height": 740}, "light")
    page.goto("/")
    there.model.says = "\n".join(question.text for question in asked)
    page.locator("#composer").fill(f"/research {REPORT}")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Question 1 of 3")).to_be_focused()
    shot(page, "research")
    there.model.says = there.told(plain)
    page.get_by_role("button", name="Write the report").click()
    expect(page.get_by_role("button", name="Change the plan")).to_be_enabled(timeout=60_000)
    page.get_by_text("3 questions").click()
    page.get_by_role("region", name="Conversation").evaluate("e => { e.scrollTop = 0 }")
    shot(page, "report")


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


def at_end(page: Page) -> None:
    """The end of the conversation, when its diagram is drawn."""
    expect(page.get_by_role("img", name="Diagram")).to_be_visible()
    page.get_by_role("region", name="Conversation").evaluate("e => { e.scrollTop = e.scrollHeight }")


def bring(page: Page, export: Path) -> None:
    """Choose an export of another assistant, and look at what is in it."""
    page.get_by_role("button", name="Import conversations").click()
    dialog = page.get_by_role("dialog", name="Import conversations")
    dialog.get_by_label("Choose a .json or .zip file").set_input_files(export)
    expect(dialog).to_contain_text("An export of Claude.")


def shot(page: Page, name: str) -> None:
    """The page as it stands, when what it draws is drawn."""
    page.wait_for_function("() => document.fonts.status === 'loaded'")
    page.mouse.move(0, 0)
    page.wait_for_timeout(600)
    page.screenshot(path=PICTURES / f"{name}.png")


async def fill(data: Path) -> None:
    """Conversations as a village has them, the last one of two questions."""
    storage = open_storage(data)
    now = int(time.time() * 1000)
    for number, (title, hours) in enumerate(BEFORE.items()):
        made = now - hours * 3_600_000
        await storage.conversations.add_conversation(
            LOCAL_PRINCIPAL,
            Conversation(f"conv_{number:026d}", LOCAL_PRINCIPAL.id, title, made, made, pinned=number == 0),
        )
    messages: list[Message] = []
    for number, (asked, told, words, first) in enumerate(((FIRST, CODE, 96, 188.0), (QUESTION, ANSWER, 118, 212.0))):
        above = messages[-1].id if messages else None
        question = Message(f"msg_{number}q", ROOF, above, "user", (Part("text", asked),), now)
        usage = Usage(None, None, None, first, words, 74.0)
        parts = (Part("text", told),)
        answer = Message(f"msg_{number}a", ROOF, question.id, "assistant", parts, now, model="scripted", usage=usage)
        messages += [question, answer]
    roof = Conversation(ROOF, LOCAL_PRINCIPAL.id, "A solar roof for the village", now, now, messages[-1].id)
    await storage.conversations.add_tree(LOCAL_PRINCIPAL, roof, messages)
    await storage.close()


def export(path: Path) -> Path:
    """An export of another assistant, with conversations of a year."""
    made = [{"uuid": f"{i}", "name": title, "chat_messages": talk(i)} for i, title in enumerate(ELSEWHERE)]
    path.write_text(json.dumps(made), encoding="utf-8")
    return path


def talk(number: int) -> list[dict[str, str]]:
    senders = ("human", "assistant") * 3
    return [{"uuid": f"{number}-{i}", "sender": sender, "text": "…"} for i, sender in enumerate(senders)]


if __name__ == "__main__":
    with TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        with ThreadPoolExecutor(1) as apart:  # Playwright's loop runs in this thread
            apart.submit(asyncio.run, fill(folder / "data")).result()
        served = Served(folder)
        served.start()
        try:
            browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.arguments())
            icons(browser)
            screenshots(browser, served, folder)
            with outside(folder / "outside") as there:
                research(browser, there)
        finally:
            served.close()
    large = [path.name for path in PICTURES.iterdir() if path.stat().st_size > LARGEST]
    if large:
        sys.exit(f"Show less in {', '.join(large)}: a picture has at most {LARGEST:,} bytes.")
