"""An answer that somebody watches in Chromium while typing, and what `probe.js` saw of it."""

from __future__ import annotations

import asyncio
import gzip
import itertools
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import Any

from harness import Others, Process, median, quantile, shown
from playwright.async_api import Browser, BrowserContext, Page

PROBE = Path(__file__).parent / "probe.js"
IDLE = 3.5
FRAME = 1000 / 60
"""Milliseconds; in the frames around the last piece the answer ends as well, which is a change of its own."""
REST = 0.25
"""Seconds after an answer whose frames count as well."""
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

    @property
    def key_p95(self) -> float:
        return quantile(self.keys, 0.95)

    def share(self, longest: float) -> float:
        """How many of the gaps between frames were longer."""
        return sum(gap > longest for gap in self.gaps) / len(self.gaps)

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
    fresh = await context(browser, server)
    page = await fresh.new_page()
    await page.goto(path)
    await page.locator("#composer").wait_for()
    try:
        yield page
    finally:
        await fresh.close()


async def context(browser: Browser, server: Process) -> BrowserContext:
    """As of a browser that knows nothing yet, with the probe in each page."""
    fresh = await browser.new_context(
        base_url=server.url, viewport={"width": 1280, "height": 800}, service_workers="block"
    )
    await fresh.add_init_script(path=PROBE)
    return fresh


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
    row.pressed += await type_until(page, answering)
    await asyncio.sleep(REST)
    row.others.append(others.cores())
    _take(row, await page.evaluate("() => probe.read()"), words, plain=plain)
    await page.locator("#composer").fill("")


async def answered(page: Page, count: int) -> None:
    """Wait until there are so many answers and the last is complete."""
    done = """n => { const all = document.querySelectorAll("article[aria-busy]");
        return all.length >= n && all[all.length - 1].ariaBusy === "false"; }"""
    await page.wait_for_function(done, arg=count, polling=200, timeout=120_000)


async def type_until(page: Page, done: asyncio.Future[Any]) -> int:
    """Type until something is done; how many keys that were."""
    pressed = 0
    for letter in itertools.cycle(TYPED):
        if done.done():
            break
        await page.keyboard.press("Space" if letter == " " else letter)
        pressed += 1
        await asyncio.sleep(0.04)
    await done
    return pressed


async def idle(page: Page, row: Watched) -> None:
    """Type a sentence while nobody answers: what the browser itself takes."""
    others = Others()
    await page.locator("#composer").focus()
    await page.evaluate("() => probe.clear()")
    row.pressed += await type_until(page, asyncio.ensure_future(asyncio.sleep(IDLE)))
    await asyncio.sleep(0.1)
    row.others.append(others.cores())
    found = await page.evaluate("() => probe.read()")
    row.keys += found["keys"]
    row.timed += found["events"]


FLOOR = """<!doctype html><title>floor</title><body style="margin: 0">
<section tabindex="0" style="height: 40rem; overflow: auto"><p></p></section><textarea id="composer"></textarea>"""
GROWING = """() => { const p = document.querySelector("p"); let said = 0;
    const say = () => { p.append(` word ${said++}`); if (said % 20 === 0) p.textContent = "";
        requestAnimationFrame(say); };
    requestAnimationFrame(say); }"""


async def floor(browser: Browser, server: Process, row: Watched, *, growing: bool) -> None:
    """Type into a bare field, alone or beside a line that grows with each frame: no page can be quicker."""
    fresh = await context(browser, server)
    page = await fresh.new_page()
    await page.route("**/floor", lambda route: route.fulfill(body=FLOOR, content_type="text/html"))
    await page.goto("/floor")
    if growing:
        await page.evaluate(GROWING)
    await idle(page, row)
    await fresh.close()


def _take(row: Watched, found: dict[str, Any], words: int, *, plain: bool) -> None:
    came: list[tuple[float, int]] = [(0.0, 0), *found["arrivals"]]
    arrivals = [after for before, after in itertools.pairwise(came) if after[1] > before[1]]
    first, last = arrivals[0][0], arrivals[-1][0]
    row.rates.append(words / max(1.0, last - first) * 1000)
    if plain:
        row.lags += behind(found, arrivals)
    fill(row, found, first, last)


def behind(found: dict[str, Any], arrivals: Sequence[tuple[float, int]]) -> list[float]:
    """How long each of these numbers of letters took from its moment to the screen."""
    paints: list[tuple[float, int, float]] = found["paints"]
    lags: list[float] = []
    at = 0
    for time, count in arrivals:
        while paints[at][1] < count or paints[at][0] < time:
            at += 1
        lags.append(paints[at][0] - time)
    return lags


def fill(row: Watched, found: dict[str, Any], first: float, last: float) -> None:
    """Add what the probe found about an answer that came between these moments, and of what its end brings."""
    paints: list[tuple[float, int, float]] = found["paints"]
    end = last + 1000 * REST
    frames: list[float] = [time for time in found["frames"] if first <= time <= end]
    row.commits += [count for time, count in found["commits"] if first < time < last - FRAME]
    row.gaps += [later - earlier for earlier, later in itertools.pairwise(frames)]
    row.tasks += [duration for start, duration in found["tasks"] if first - 50 <= start <= end]
    row.keys += found["keys"]
    row.timed += found["events"]
    row.below += [below for time, _, below in paints if first <= time <= end]


@dataclass(slots=True)
class Start:
    """How a page begins in a browser that knows nothing. Times are milliseconds from the call for it."""

    name: str
    painted: list[float] = field(default_factory=list[float])
    usable: list[float] = field(default_factory=list[float])
    files: int = 0
    scripts: int = 0
    """Bytes of those that were loaded until it was usable, gzipped."""

    def cells(self) -> list[str]:
        return [
            self.name,
            shown(median(self.painted)),
            shown(max(self.painted)),
            shown(median(self.usable)),
            str(self.files),
            shown(self.scripts / 1e3),
        ]


START = ("what is opened", "first contentful paint p50", "most", "usable p50", "scripts", "KB gzipped")


async def begin(browser: Browser, server: Process, start: Start, path: str, wanted: str = "body") -> None:
    """Open a page, until it has what is `wanted`."""
    fresh = await context(browser, server)
    page = await fresh.new_page()
    await page.goto(path, wait_until="commit")
    await page.wait_for_function("wanted => document.querySelector(wanted)?.checkVisibility()", arg=wanted)
    start.usable.append(await page.evaluate("() => performance.now()"))
    names: list[str] = await page.evaluate("() => probe.scripts()")
    await page.wait_for_function("() => probe.painting !== null", polling=50)
    start.painted.append(await page.evaluate("() => probe.painting"))
    if start.files == 0:
        start.files = len(names)
        start.scripts = sum([await _gzipped(page, name) for name in names])
    await fresh.close()


async def _gzipped(page: Page, url: str) -> int:
    return len(gzip.compress(await (await page.request.get(url)).body()))
