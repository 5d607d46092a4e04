"""The page in a real Chromium: whether it keeps up with the words, stays responsive, and opens what is long.

Each figure is taken inside the page by `probe.js`. Lag runs from the moment a piece of the stream reaches the page to
the end of the frame that shows its last letter. A key's way runs from the key to the end of the frame that shows it;
beside it stands the browser's own Event Timing, which counts in steps of 8 ms. Commits are changes of the
conversation's part of the document. Browser, server and bench share the machine.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import random
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import Any, cast

from harness import ROOT, Goals, Others, Process, eclair, median, options, quantile, run, shown, table, upstream
from playwright.async_api import Browser, BrowserContext, CDPSession, Page, async_playwright

from eclair.core import OWNER
from eclair.engines.scripted import prose
from eclair.ids import new_id
from eclair.messages import Conversation, Message, Part, Role
from eclair.store.sql import SQLStore

sys.path.append(str(ROOT))

from tests.browser import chromium

PROBE = Path(__file__).parent / "probe.js"
SPEEDS = (1000, 2000, 5000)
TURNS = 1000
ANSWER = 330
"""Words of each stored answer: 1,000 turns are 2 MB."""
DOCUMENT = 200_000
"""Bytes of the answer that has everything, at PACE words a second."""
PACE = 2000
TYPED = "a person goes on writing while the answer comes, and every letter counts "


@dataclass(slots=True)
class Watched:
    """One answer that streamed while somebody typed. Times are milliseconds."""

    name: str
    lags: list[float] = field(default_factory=list[float])
    commits: list[int] = field(default_factory=list[int])
    gaps: list[float] = field(default_factory=list[float])
    tasks: list[float] = field(default_factory=list[float])
    keys: list[float] = field(default_factory=list[float])
    timed: list[float] = field(default_factory=list[float])
    pressed: int = 0
    below: list[float] = field(default_factory=list[float])
    rates: list[float] = field(default_factory=list[float])
    others: list[float] = field(default_factory=list[float])

    @property
    def timed_p95(self) -> float:
        """Event Timing's; what it leaves out took less than its threshold."""
        quick = [0.0] * max(0, self.pressed - len(self.timed))
        return quantile(quick + self.timed, 0.95)

    def cells(self) -> list[str]:
        numbers = (
            median(self.rates),
            median(self.lags),
            quantile(self.lags, 0.95),
            max(self.commits, default=0),
            max(self.gaps, default=0.0),
            max(self.tasks, default=0.0),
            median(self.keys),
            quantile(self.keys, 0.95),
            self.timed_p95,
            max(self.below, default=0.0),
        )
        return [
            self.name,
            *("" if isnan(number) else shown(number) for number in numbers),
            f"{median(self.others):.2f}",
        ]


HEAD = (
    "answer",
    "words/s",
    "lag p50",
    "p95",
    "commits a frame",
    "longest gap",
    "longest task",
    "key p50",
    "p95",
    "timed p95",
    "below the end",
    "others' cores",
)


@asynccontextmanager
async def opened(browser: Browser, server: Process, path: str = "/") -> AsyncGenerator[Page]:
    """A page of a browser that knows nothing yet, ready to be written in."""
    context = await _context(browser, server)
    page = await context.new_page()
    await page.goto(path)
    await page.locator("#composer").wait_for()
    try:
        yield page
    finally:
        await context.close()


async def _context(browser: Browser, server: Process) -> BrowserContext:
    context = await browser.new_context(
        base_url=server.url, viewport={"width": 1280, "height": 800}, service_workers="block"
    )
    await context.add_init_script(path=PROBE)
    return context


async def watch(page: Page, row: Watched, question: str, words: int, *, plain: bool = True) -> None:
    """Ask for so many words, type until the answer is there, and read the probe. What is `plain` is shown letter by
    letter as it arrives, so that its lag can be told."""
    before = await page.locator("article[aria-busy]").count()
    await page.locator("#composer").fill(question)
    await page.evaluate("() => probe.clear()")
    others = Others()
    await page.locator("#composer").press("Enter")
    answering = asyncio.ensure_future(answered(page, before + 1))
    await page.wait_for_function("() => probe.chunks.length > 0", polling=50)
    while not answering.done():
        for letter in TYPED:
            if answering.done():
                break
            await page.keyboard.press("Space" if letter == " " else letter)
            row.pressed += 1
            await asyncio.sleep(0.04)
    await answering
    row.others.append(others.cores())
    _take(row, await page.evaluate("() => probe.read()"), words, plain=plain)
    await page.locator("#composer").fill("")


async def answered(page: Page, count: int) -> None:
    """Wait until there are so many answers and the last is complete."""
    done = """n => { const all = document.querySelectorAll("article[aria-busy]");
        return all.length >= n && all[all.length - 1].ariaBusy === "false"; }"""
    await page.wait_for_function(done, arg=count, polling=200, timeout=120_000)


async def idle(page: Page, row: Watched) -> None:
    """Type while nothing else goes on: what the browser itself takes."""
    others = Others()
    await page.locator("#composer").focus()
    await page.evaluate("() => probe.clear()")
    for letter in TYPED:
        await page.keyboard.press("Space" if letter == " " else letter)
        row.pressed += 1
        await asyncio.sleep(0.04)
    await asyncio.sleep(0.1)
    row.others.append(others.cores())
    found = await page.evaluate("() => probe.read()")
    row.keys += found["keys"]
    row.timed += found["events"]


def _take(row: Watched, found: dict[str, Any], words: int, *, plain: bool) -> None:
    arrivals: list[tuple[float, int]] = [(time, count) for time, count in found["arrivals"] if count > 0]
    paints: list[tuple[float, int, float]] = found["paints"]
    first, last = arrivals[0][0], arrivals[-1][0]
    at = 0
    for time, count in arrivals if plain else []:
        while paints[at][1] < count or paints[at][0] < time:
            at += 1
        row.lags.append(paints[at][0] - time)
    end = last + 250
    frames: list[float] = [time for time in found["frames"] if first <= time <= end]
    row.commits += [count for time, count in found["commits"] if first < time <= last]
    row.gaps += [later - earlier for earlier, later in itertools.pairwise(frames)]
    row.tasks += [duration for start, duration in found["tasks"] if first - 50 <= start <= end]
    row.keys += found["keys"]
    row.timed += found["events"]
    row.below += [below for time, _, below in paints if first <= time <= end]
    row.rates.append(words / max(1.0, last - first) * 1000)


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
    store = await asyncio.to_thread(SQLStore.open, data)
    kept = Conversation(conversation, OWNER, f"{turns} turns", 1, messages[-1].created, messages[-1].id)
    await store.add_tree(kept, messages)
    await store.close()
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


async def starts(browser: Browser, server: Process, rounds: int) -> tuple[list[float], list[tuple[str, int]]]:
    """When a browser that knows nothing shows something, ms; and the scripts that the page loads, gzipped."""
    painted: list[float] = []
    scripts: list[tuple[str, int]] = []
    for _ in range(rounds):
        async with opened(browser, server) as page:
            await page.wait_for_load_state("networkidle")
            painted.append(await page.evaluate("() => probe.painting"))
            names = await page.evaluate("() => probe.scripts()")
            scripts = [(name.rsplit("/", 1)[1], await _gzipped(page, name)) for name in names]
    return painted, scripts


async def _gzipped(page: Page, url: str) -> int:
    return len(gzip.compress(await (await page.request.get(url)).body()))


async def main() -> None:
    quick: bool = options(__doc__ or "").parse_args().quick
    path = chromium.find()
    if path is None:
        raise SystemExit("This bench needs Chromium or Chrome; install it and try again.")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=chromium.arguments())
        print(f"Chromium {browser.version}, headless, 1280 × 800\n")
        rows, blocks, formulas = await _streams(browser, quick=quick)
        long = await lengths(browser, 2 if quick else 7)
        async with eclair(scripted=True) as server:
            painted, scripts = await starts(browser, server, 3 if quick else 9)
        await browser.close()
    table(HEAD, [row.cells() for row in rows])
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
            for one in long
        ],
    )
    print(
        f"\nScripts before the first conversation, KB gzipped: {', '.join(f'{n} {shown(b / 1e3)}' for n, b in scripts)}"
    )
    _judge(rows, f"{blocks} blocks of code, {formulas} formulas", long, painted, scripts)


async def _streams(browser: Browser, *, quick: bool) -> tuple[list[Watched], int, int]:
    still = Watched("none: idle")
    rows = [still]
    seconds, rounds = (1.2, 1) if quick else (5.0, 3)
    async with eclair(scripted=True) as server:
        for speed in SPEEDS:
            row = Watched(f"{speed:,} words/s")
            words = int(speed * seconds)
            for _ in range(rounds):
                async with opened(browser, server) as page:
                    await watch(page, row, f"script: words={words} rate={speed}", words)
            rows.append(row)
        async with opened(browser, server) as page:
            await idle(page, still)
    text, blocks, formulas = document(DOCUMENT // (10 if quick else 1))
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        said = Path(folder, "answer.md")
        await asyncio.to_thread(said.write_text, text, encoding="utf-8")
        async with upstream(said) as engine, eclair(engine=engine, ECLAIR_MODEL=f"paced-{PACE}") as server:
            row = Watched(f"{len(text) // 1000} KB of everything, {PACE:,}/s")
            for _ in range(1 if quick else 2):
                async with opened(browser, server) as page:
                    await watch(page, row, "Tell me everything.", len(text.split()), plain=False)
            rows.append(row)
    return rows, blocks, formulas


def _judge(
    rows: Sequence[Watched],
    rich: str,
    long: Sequence[Long],
    painted: Sequence[float],
    scripts: Sequence[tuple[str, int]],
) -> None:
    goals = Goals()
    for row in rows[1:-1]:
        goals.at_most(f"{row.name}: lag, p95", quantile(row.lags, 0.95), 100, " ms")
        goals.at_most(f"{row.name}: commits in one frame", max(row.commits, default=0), 1)
        goals.at_most(f"{row.name}: longest task", max(row.tasks, default=0.0), 50, " ms")
        goals.at_most(f"{row.name}: key to paint, p95", row.timed_p95, 16, " ms")
        goals.at_most(f"{row.name}: most that is hidden below the end", max(row.below), 2, " px")
    goals.at_most(f"{rows[-1].name} ({rich}): longest gap between frames", max(rows[-1].gaps), 100, " ms")
    short, far = long
    goals.at_most(f"{far.turns:,} turns: opens", median(far.opens), 300, " ms")
    goals.at_most(f"{far.turns:,} turns: nodes beyond the turns that are seen", far.nodes, 2000)
    goals.at_most(
        f"{far.turns:,} turns: main thread a turn, of that in {short.turns}", median(far.busy) / median(short.busy), 1.5
    )
    goals.at_most("scripts before the first conversation, gzipped", sum(size for _, size in scripts) / 1e3, 120, " KB")
    goals.at_most("first contentful paint, median", median(painted), 300, " ms")
    goals.print()


if __name__ == "__main__":
    run(main())
