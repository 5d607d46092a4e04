"""Edits of a text of 2,000 words in a canvas, in a real Chromium: tasks over 50 ms while a change streams.

A scripted model rewrites every tenth line at a paced speed, and the editor shows each change as a comparison while it
arrives; then it is accepted. The longest tasks are what the browser's own observer of long tasks reports from the
first change to the accepted text. Browser, server and bench share the machine.
"""

from __future__ import annotations

import sys
from typing import Any

from harness import ROOT, Goals, eclair, options, run, shown, table
from playwright.async_api import Page, async_playwright

from eclair.llm.scripted import prose

sys.path.append(str(ROOT))

from tests.browser import chromium

WORDS = 2000
WORDS_PER_LINE = 20
CHANGED_EVERY = 10
"""Lines; so many changes are a hundred or ten, by the size of the text."""
RATE = 60
"""Words a second that the model writes."""
LONG_MS = 50

OBSERVE = """() => {
  window.longTasks = [];
  new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ type: "longtask" });
}"""


def text(words: int) -> list[str]:
    """A text of so many words, in lines."""
    every = "".join(prose(words)).split()
    return [" ".join(every[at : at + WORDS_PER_LINE]) for at in range(0, len(every), WORDS_PER_LINE)]


async def measure(page: Page, address: str, lines: list[str]) -> tuple[list[float], int]:
    """Return the long tasks of one edit in milliseconds, and the number of changes."""
    await page.goto(address)
    message = page.get_by_role("textbox", name="Your message", exact=True)
    body = "\n".join(lines)
    await message.fill(f"script: below=1\n````plaintext\n{body}\n````")
    await message.press("Enter")
    await page.get_by_role("button", name="Open in canvas").click()
    pane = page.get_by_role("complementary", name="Canvas")
    await pane.get_by_role("textbox", name="Canvas text").wait_for()
    numbers = range(1, len(lines) + 1, CHANGED_EVERY)
    reply = "⏎".join(f"[{number}] {lines[number - 1].replace(' ', ' newly ', 3)}" for number in numbers)
    ask = pane.get_by_role("textbox", name="Say what to change")
    await ask.evaluate("(field) => field.removeAttribute('maxlength')")
    await ask.fill(f"script: rate={RATE} say={reply}")
    await page.evaluate(OBSERVE)
    await ask.press("Enter")
    accept = pane.get_by_role("button", name="Accept")
    await accept.wait_for(timeout=300_000)
    await accept.click()
    await pane.get_by_role("button", name="Send").wait_for()
    tasks: Any = await page.evaluate("window.longTasks")
    return [float(each) for each in tasks], len(numbers)


async def main() -> None:
    quick = options(__doc__ or "").parse_args().quick
    goals = Goals()
    words = WORDS
    async with eclair(scripted=True) as server, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.find(), args=chromium.arguments())
        rounds = [await measure(await browser.new_page(), server.url, text(words)) for _ in range(1 if quick else 3)]
        await browser.close()
    rows = [(str(words), str(changes), str(len(tasks)), shown(max(tasks, default=0.0))) for tasks, changes in rounds]
    table(("words", "changes", f"tasks over {LONG_MS} ms", "longest, ms"), rows)
    longest = max((task for tasks, _ in rounds for task in tasks), default=0.0)
    goals.at_most("longest task while a change streams", longest, LONG_MS, " ms")
    goals.print()


if __name__ == "__main__":
    run(main())
