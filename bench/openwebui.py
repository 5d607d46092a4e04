"""Open WebUI beside Éclair: the same words of the same upstream, in the same Chromium, seen by the same probe.

Lag runs here from the moment a word leaves the upstream to the end of the frame that shows its last letter, so that
each server's own way is part of it. Open WebUI is one that is installed in a virtual environment; it runs on this
machine alone, without a login, hub, telemetry, or the titles and tags for which it would ask the model.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
import urllib.request
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fast_upstream import LONGEST
from harness import Others, Process, eclair, foreign, median, quantile, shown, table, upstream
from playwright.async_api import Browser
from watched import REST, START, Start, Watched, begin, behind, context, fill, type_until

SPEEDS = (1000, 2000, 5000)
PATIENCE = 180.0
"""Seconds that Open WebUI gets to show an answer."""
LETTERS = [len(f"w{number}") for number in range(LONGEST)]


@dataclass(frozen=True, slots=True)
class Site:
    """Where a page has what the probe looks at."""

    name: str
    path: str
    """With `{model}` for the one that is to answer."""
    pane: str
    prose: str
    field: str


ECLAIR = Site("Éclair", "/", "section[tabindex]", "article .prose", "#composer")
OPENWEBUI = Site(
    "Open WebUI", "/?models={model}", "#messages-container", ".chat-assistant .markdown-prose", "#chat-input"
)


async def peers(browser: Browser, venv: Path | None, *, quick: bool) -> None:
    """Print what both pages take for the same answers, and how they begin."""
    rows: list[Watched] = []
    begun: list[Start] = []
    rounds = 1 if quick else 3
    async with upstream() as engine:
        for speed in SPEEDS:
            async with eclair(engine=engine, ECLAIR_MODEL=f"paced-{speed}") as server:
                rows.append(await _watch(browser, server, engine, ECLAIR, speed, rounds))
        async with eclair(engine=engine) as server:
            begun.append(await _begin(browser, server, ECLAIR, rounds))
        if venv is not None:
            async with openwebui(venv, engine.url) as server:
                rows += [await _watch(browser, server, engine, OPENWEBUI, speed, rounds) for speed in SPEEDS]
                begun.append(await _begin(browser, server, OPENWEBUI, rounds))
    print()
    table(
        ("page", "words/s", "lag from the upstream p50", "p95", *HEAD),
        [
            [row.name, shown(median(row.rates)), shown(median(row.lags)), shown(quantile(row.lags, 0.95)), *_more(row)]
            for row in rows
        ],
    )
    print()
    table(START, [start.cells() for start in begun])


HEAD = (
    "longest gap",
    "gaps over 50 ms, %",
    "longest task",
    "key p50",
    "p95",
    "timed p95",
    "below the end",
    "others' cores",
)


def _more(row: Watched) -> list[str]:
    numbers = (
        max(row.gaps),
        100 * row.share(50),
        max(row.tasks, default=0.0),
        median(row.keys),
        row.key_p95,
        row.timed_p95,
        max(row.below),
        median(row.others),
    )
    return [shown(number) for number in numbers]


async def _watch(browser: Browser, server: Process, engine: Process, site: Site, speed: int, rounds: int) -> Watched:
    row = Watched(f"{site.name}, {speed:,} words/s")
    for number in range(rounds):
        await _answer(browser, server, engine, site, row, f"{site.name}: say all {speed} times {number}.", speed)
    return row


async def _answer(
    browser: Browser, server: Process, engine: Process, site: Site, row: Watched, question: str, speed: int
) -> None:
    """Ask for every word, and type until the last one is on the screen."""
    fresh = await context(browser, server)
    await fresh.add_init_script(f"globalThis.probed = {json.dumps({'pane': site.pane, 'prose': site.prose})}")
    page = await fresh.new_page()
    await page.goto(site.path.format(model=f"paced-{speed}"))
    field = page.locator(site.field)
    await field.wait_for()
    await asyncio.sleep(1)
    await page.keyboard.press("Escape")  # Open WebUI begins with its news
    await field.click()
    await page.keyboard.insert_text(question)
    await page.evaluate("() => probe.clear()")
    others = Others()
    await page.keyboard.press("Enter")
    shows = page.wait_for_function(
        "n => probe.paints.length > 0 && probe.paints.at(-1)[1] >= n",
        arg=sum(LETTERS),
        polling=100,
        timeout=1000 * PATIENCE,
    )
    row.pressed += await type_until(page, asyncio.ensure_future(shows))
    await asyncio.sleep(REST)
    row.others.append(others.cores())
    found = await page.evaluate("() => probe.read()")
    origin = await page.evaluate("() => performance.timeOrigin")
    await fresh.close()
    shift = 1000 * (time.time() - time.monotonic()) - origin
    left = await asyncio.to_thread(_emitted, engine, question)
    lags = behind(found, [(1000 * moment + shift, count) for moment, count in zip(left, _sums(), strict=True)])
    first, last = 1000 * left[0] + shift, 1000 * left[-1] + shift + lags[-1]
    row.lags += lags
    row.rates.append(LONGEST / (last - first) * 1000)
    fill(row, found, first, last)


def _sums() -> list[int]:
    total = 0
    return [total := total + letters for letters in LETTERS]


def _emitted(engine: Process, question: str) -> list[float]:
    """When each word of the answer left the upstream, on the clock of `time.monotonic`."""
    with urllib.request.urlopen(f"{engine.url}/v1/emitted", timeout=10) as reply:
        return json.load(reply)[question]


async def _begin(browser: Browser, server: Process, site: Site, rounds: int) -> Start:
    start = Start(site.name)
    for _ in range(3 * rounds):
        await begin(browser, server, start, site.path.format(model="paced-1000"), site.field)
    return start


@asynccontextmanager
async def openwebui(venv: Path, engine: str, key: str = "none") -> AsyncGenerator[Process]:
    """An Open WebUI in front of the engine at this URL, with a database of its own, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="openwebui-bench-") as folder:
        command = (str(venv / "bin" / "open-webui"), "serve", "--host", "127.0.0.1")
        async with foreign("Open WebUI", command, Path(folder), "/health", _settings(folder, engine, key)) as server:
            yield server


def _settings(folder: str, engine: str, key: str) -> dict[str, str]:
    on = {"OFFLINE_MODE": "1", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "true", "SCARF_NO_ANALYTICS": "true"}
    off = (
        "WEBUI_AUTH",
        "ENABLE_PERSISTENT_CONFIG",
        "ENABLE_OLLAMA_API",
        "ENABLE_TITLE_GENERATION",
        "ENABLE_TAGS_GENERATION",
        "ENABLE_FOLLOW_UP_GENERATION",
        "ENABLE_AUTOCOMPLETE_GENERATION",
        "ENABLE_VERSION_UPDATE_CHECK",
        "ANONYMIZED_TELEMETRY",
    )
    model = {"OPENAI_API_BASE_URLS": f"{engine}/v1", "OPENAI_API_KEYS": key}
    return {"DATA_DIR": folder, "WEBUI_SECRET_KEY": os.urandom(16).hex(), **model, **on, **dict.fromkeys(off, "false")}
