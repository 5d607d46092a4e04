"""The page in a real Chromium: whether it keeps up with the words, stays responsive, and opens what is long.

Each figure is taken inside the page by `probe.js`. Lag runs from the moment a piece of the stream reaches the page to
the end of the frame that shows its last letter. A key's way runs from the key to the end of the frame that shows it;
beside it stands the browser's own Event Timing, which counts in steps of 8 ms, and above it what a bare field takes:
a key falls anywhere within a frame of 17 ms and waits for its end, so that no page can be quicker. Commits are changes
of the answer's words in the document. Browser, server and bench share the machine.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from harness import ROOT, Goals, eclair, median, options, quantile, run, shown, table, upstream
from openwebui import peers
from playwright.async_api import Browser, CDPSession, Page, async_playwright
from watched import HEAD, START, Start, Watched, begin, floor, idle, opened, watch

from eclair.llm.scripted import prose
from eclair.schema.ids import new_id
from eclair.schema.messages import Conversation, Message, Part, Role
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.open import open_storage

sys.path.append(str(ROOT))

from tests.browser import chromium

SPEEDS = (1000, 2000, 5000)
TURNS = 1000
ANSWER = 330
"""Words of each stored answer: 1,000 turns are 2 MB."""
DOCUMENT = 200_000
"""Bytes of the answer that has everything, at PACE words a second."""
PACE = 2000


def document(size: int) -> tuple[str, int, int]:
    """An answer of so many bytes with all that is costly to show, and its numbers of blocks of code and of formulas."""
    chance = random.Random(7)
    pieces: list[str] = []
    blocks = formulas = written = 0
    while written < size:
        piece = _section(blocks, chance)
        pieces.append(piece)
        written += len(piece.encode())
        blocks += 1
        formulas += FORMULAS
    return "".join(pieces), blocks, formulas


FORMULAS = 10
"""Formulas of a section: nine in its sentences and one by itself."""


def _section(number: int, chance: random.Random) -> str:
    sentences = "".join(prose(420)).split(". ")
    for place in chance.sample(range(len(sentences)), FORMULAS - 1):
        power = chance.randrange(2, 9)
        sentences[place] += rf" where $x_{{{number}}}^{power} = \frac{{a + {power}b}}{{\sqrt{{c^2 + {number}}}}}$"
    code = "\n".join(
        f"def step_{number}_{line}(value: float, factor: int = {line}) -> float:\n"
        f'    return value * factor + {chance.randrange(1000)}  # "step {line}" of {number}'
        for line in range(9)
    )
    return (
        f"## Part {number}\n\n{'. '.join(sentences)}\n\n"
        rf"$$\sum_{{k=1}}^{{{number + 2}}} \frac{{1}}{{k^2}} < \int_0^\infty e^{{-t}}\,dt + {number}$$"
        f"\n\n```python\n{code}\n```\n\n- **one** of {number}\n- `two` and [three](https://example.org/{number})\n\n"
    )


async def stored(data: Path, turns: int) -> tuple[str, str]:
    """A conversation of so many turns, put into the store of `data`: its id and its last message's."""
    conversation = new_id("conv")
    words = "".join(prose(ANSWER))
    messages: list[Message] = []
    for number in range(turns):
        said: tuple[tuple[Role, str], ...] = (("user", f"Question {number}: and then?"), ("assistant", words))
        for role, text in said:
            parent = messages[-1].id if messages else None
            part = Part("text", text)
            messages.append(Message(new_id("msg"), conversation, parent, role, (part,), 1_700_000_000_000 + number))
    storage = await asyncio.to_thread(open_storage, data)
    kept = Conversation(conversation, LOCAL_PRINCIPAL.id, f"{turns} turns", 1, messages[-1].created, messages[-1].id)
    await storage.conversations.add_tree(LOCAL_PRINCIPAL, kept, messages)
    await storage.close()
    return conversation, messages[-1].id


@dataclass(slots=True)
class Long:
    """How a conversation opens and what a turn in it costs. Times are milliseconds."""

    turns: int
    opens: list[float] = field(default_factory=list[float])
    nodes: int = 0
    busy: list[float] = field(default_factory=list[float])


async def lengths(browser: Browser, rounds: int) -> list[Long]:
    """A short conversation and a long one, opened from the list by turns, and then written in."""
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        data = Path(folder)
        made = [(Long(turns), *await stored(data, turns)) for turns in (2, TURNS)]
        async with eclair(data, scripted=True) as server, opened(browser, server) as page:
            for _ in range(rounds):
                for long, conversation, last in made:
                    long.opens.append(await _open(page, conversation, last))
            for long, conversation, last in made:
                await _open(page, conversation, last)
                await asyncio.sleep(0.5)
                long.nodes = await page.evaluate("() => probe.nodes()")
                long.busy = [await _turn(page) for _ in range(rounds + 1)][1:]
        return [long for long, _, _ in made]


async def _open(page: Page, conversation: str, last: str) -> float:
    """From the last byte of the conversation's data to its end on the screen."""
    await page.evaluate("id => { performance.clearResourceTimings(); probe.shown = null; probe.wanted = id; }", last)
    await page.locator(f"nav a[href='/c/{conversation}']").click()
    await page.wait_for_function("() => probe.shown !== null", polling=50)
    return await page.evaluate("id => probe.opened(id)", conversation)


async def _turn(page: Page) -> float:
    """How long the page's main thread is busy with one short turn."""
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")
    await page.locator("#composer").fill("script: words=20 rate=100")
    before = await _busy(session)
    await page.locator("#composer").press("Enter")
    await page.wait_for_function("() => document.querySelector('article[aria-busy=true]') !== null", polling=20)
    await page.wait_for_function("() => document.querySelector('article[aria-busy=true]') === null", polling=100)
    await asyncio.sleep(0.3)
    spent = await _busy(session) - before
    await session.detach()
    return spent


async def _busy(session: CDPSession) -> float:
    found = cast("dict[str, list[dict[str, Any]]]", await session.send("Performance.getMetrics"))
    return 1000 * next(metric["value"] for metric in found["metrics"] if metric["name"] == "TaskDuration")


PARTS = ("speeds", "rich", "long", "start", "peer")


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="measure these alone")
    parser.add_argument(
        "--openwebui", type=Path, metavar="VENV", help="measure the Open WebUI that is installed there too"
    )
    chosen = parser.parse_args()
    quick: bool = chosen.quick
    path = chromium.find()
    if path is None:
        raise SystemExit("This bench needs Chromium or Chrome; install it and try again.")
    goals = Goals()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=chromium.arguments())
        print(f"Chromium {browser.version}, headless, 1280 × 800")
        if "speeds" in chosen.parts:
            await speeds(browser, goals, quick=quick)
        if "rich" in chosen.parts:
            await rich(browser, goals, quick=quick)
        if "long" in chosen.parts:
            await long(browser, goals, quick=quick)
        if "start" in chosen.parts:
            await start(browser, goals, quick=quick)
        if "peer" in chosen.parts:
            await peers(browser, chosen.openwebui, quick=quick)
        await browser.close()
    if goals.rows:
        goals.print()


async def speeds(browser: Browser, goals: Goals, *, quick: bool) -> None:
    bare, growing, still = Watched("a bare field"), Watched("a bare field, a line grows"), Watched("none: idle")
    rows = [bare, growing, still]
    seconds, rounds = (1.2, 1) if quick else (5.0, 3)
    async with eclair(scripted=True) as server:
        await floor(browser, server, bare, growing=False)
        await floor(browser, server, growing, growing=True)
        async with opened(browser, server) as page:
            await idle(page, still)
        for speed in SPEEDS:
            row = Watched(f"{speed:,} words/s")
            words = int(speed * seconds)
            for _ in range(rounds):
                async with opened(browser, server) as page:
                    await watch(page, row, f"script: words={words} rate={speed}", words)
            rows.append(row)
    print()
    table(HEAD, [row.cells() for row in rows])
    for row in rows[3:]:
        goals.at_most(f"{row.name}: lag, p95", quantile(row.lags, 0.95), 100, " ms")
        goals.at_most(f"{row.name}: commits in one frame", max(row.commits, default=0), 1)
        goals.at_most(f"{row.name}: longest task", max(row.tasks, default=0.0), 50, " ms")
        goals.at_most(f"{row.name}: key to paint, p95 (bare: {growing.key_p95:.3g} ms)", row.key_p95, 16, " ms")
        goals.at_most(f"{row.name}: key to paint, p95, beyond the bare one", row.key_p95 - growing.key_p95, 5, " ms")
        goals.at_most(f"{row.name}: most that is hidden below the end", max(row.below), 2, " px")


async def rich(browser: Browser, goals: Goals, *, quick: bool) -> None:
    text, blocks, formulas = document(DOCUMENT // (10 if quick else 1))
    row = Watched(f"{len(text) // 1000} KB of everything, {PACE:,}/s")
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        said = Path(folder, "answer.md")
        await asyncio.to_thread(said.write_text, text, encoding="utf-8")
        async with upstream(said) as engine, eclair(engine=engine, ECLAIR_MODEL=f"paced-{PACE}") as server:
            for _ in range(1 if quick else 2):
                async with opened(browser, server) as page:
                    await watch(page, row, "Tell me everything.", len(text.split()), plain=False)
    print()
    table(HEAD, [row.cells()])
    name = f"{row.name} ({blocks} blocks of code, {formulas} formulas)"
    goals.at_most(f"{name}: longest gap between frames", max(row.gaps), 100, " ms")
    goals.at_most(f"{name}: most that is hidden below the end", max(row.below), 2, " px")


async def long(browser: Browser, goals: Goals, *, quick: bool) -> None:
    short, far = await lengths(browser, 2 if quick else 7)
    print()
    table(
        ("conversation", "opens, ms", "most", "nodes beyond what is seen", "main thread a turn, ms"),
        [
            (
                f"{one.turns} turns",
                shown(median(one.opens)),
                shown(max(one.opens)),
                str(one.nodes),
                shown(median(one.busy)),
            )
            for one in (short, far)
        ],
    )
    goals.at_most(f"{far.turns:,} turns: opens", median(far.opens), 300, " ms")
    goals.at_most(f"{far.turns:,} turns: nodes beyond the turns that are seen", far.nodes, 2000)
    ratio = median(far.busy) / median(short.busy)
    goals.at_most(f"{far.turns:,} turns: main thread a turn, of that in {short.turns}", ratio, 1.5)


async def start(browser: Browser, goals: Goals, *, quick: bool) -> None:
    line, whole = Start("a line of text, same server"), Start("the page")
    async with eclair(scripted=True) as server:
        for _ in range(3 if quick else 9):
            await begin(browser, server, line, "/api/health")
            await begin(browser, server, whole, "/", "#composer")
    print()
    table(START, [line.cells(), whole.cells()])
    goals.at_most("scripts before the first conversation, gzipped", whole.scripts / 1e3, 120, " KB")
    goals.at_most("first contentful paint, median", median(whole.painted), 300, " ms")


if __name__ == "__main__":
    run(main())
