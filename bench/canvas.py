"""Edits of a text of 2,000 words in a canvas, in a real Chromium: tasks over 50 ms while one types or a change streams.

A scripted model rewrites every tenth line at a paced speed, and the editor shows each change as a comparison while it
arrives; then it is accepted, and a person types a sentence: in a plain text, and in one of Markdown. The longest tasks
are what the browser's own observer of long tasks reports. Browser, server and bench share the machine.
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
TYPED = "Here is a sentence that somebody types in the middle of all of this. "
KEY_INTERVAL_MS = 40
SETTLE_MS = 3000
"""The text is saved within that."""

OBSERVE = """() => {
  window.longTasks = [];
  new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ type: "longtask" });
}"""


def text(words: int) -> list[str]:
    """A text of so many words, in lines."""
    every = "".join(prose(words)).split()
    return [" ".join(every[at : at + WORDS_PER_LINE]) for at in range(0, len(every), WORDS_PER_LINE)]


def blocks(language: str) -> list[str]:
    """The lines of the text; in Markdown each fifth is a heading, and each tenth an item of a list."""
    lines = text(WORDS)
    if language == "plaintext":
        return lines
    marked = [
        f"## {line[:40]}" if at % 5 == 2 else f"- {line} **bold**" if at % 10 == 4 else line
        for at, line in enumerate(lines)
    ]
    return [part for line in marked for part in (line, "")]


def longest(tasks: list[float]) -> float:
    return max(tasks, default=0.0)


async def measure(page: Page, address: str, lines: list[str], language: str) -> tuple[list[float], list[float], int]:
    """Return the long tasks of typing and of one edit in milliseconds, and the number of changes."""
    await page.goto(address)
    message = page.get_by_role("textbox", name="Your message", exact=True)
    body = "\n".join(lines)
    await message.fill(f"script: below=1\n````{language}\n{body}\n````")
    await message.press("Enter")
    await page.get_by_role("button", name="Open in canvas").click()
    pane = page.get_by_role("complementary", name="Canvas")
    field = pane.get_by_role("textbox", name="Canvas text")
    await field.wait_for()
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
    await field.get_by_text([line for line in lines if line != ""][1]).first.click()
    await page.evaluate("window.longTasks = []")
    await page.keyboard.type(TYPED, delay=KEY_INTERVAL_MS)
    await page.wait_for_timeout(SETTLE_MS)
    typing: Any = await page.evaluate("window.longTasks")
    return [float(each) for each in typing], [float(each) for each in tasks], len(numbers)


async def main() -> None:
    quick = options(__doc__ or "").parse_args().quick
    goals = Goals()
    async with eclair(scripted=True) as server, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.find(), args=chromium.arguments())
        rounds = [
            (language, await measure(await browser.new_page(), server.url, blocks(language), language))
            for language in ("plaintext", "markdown")
            for _ in range(1 if quick else 3)
        ]
        await browser.close()
    rows = [
        (
            language,
            str(changes),
            *(cell for tasks in (typing, edit) for cell in (str(len(tasks)), shown(longest(tasks)))),
        )
        for language, (typing, edit, changes) in rounds
    ]
    table(("text", "changes", "long tasks while typing", "longest, ms", "while a change streams", "longest, ms"), rows)
    goals.at_most("longest task while one types", max(longest(typing) for _, (typing, _, _) in rounds), LONG_MS, " ms")
    goals.at_most(
        "longest task while a change streams", max(longest(edit) for _, (_, edit, _) in rounds), LONG_MS, " ms"
    )
    goals.print()


if __name__ == "__main__":
    run(main())
