"""A small internet on loopback: many hosts behind one port, which only those reach who resolve names with `names`.

`python -m tests.web.internet --port 8700` runs it as a process of its own. What stands on its pages is the affair of
`pages`, `faulty_pages` and `faulty_servers`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import math
import random
import re
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import cached_property
from urllib.parse import urlsplit

from aiohttp import web

from eclair.util.port import listen
from tests.web.faulty_pages import odd
from tests.web.faulty_servers import HOST, PLAIN, ROBOTS, Answer, moods, page, reset, silent, wait
from tests.web.page_values import Made
from tests.web.pages import PAPERS, orderly

TODAY = date(2026, 9, 14)
"""The day that counts as today, unless another is given."""

UNKNOWN = "unbekannt.example"
"""A name that does not resolve."""

_WORD = re.compile(r"\w{2,}")
_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.S)


async def names(host: str, port: int) -> Sequence[tuple[str, int]]:
    """Resolves every name below `.example` to this machine, and no other."""
    if not host.endswith(".example") or host == UNKNOWN:
        raise OSError(None, "Name or service not known")
    return [("127.0.0.1", port)]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came."""

    host: str
    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Weather:
    """How well the servers are: each answers after `least` to `most` seconds, and a share of all addresses fails, one
    third each by an error, by hanging up and by silence. The same seed has the same weather."""

    least: float = 0.0
    most: float = 0.0
    failures: float = 0.0
    seed: int = 1

    def latency(self, url: str) -> float:
        return self.least + (self.most - self.least) * random.Random(f"{self.seed} {url}").random() ** 2

    def failure(self, url: str) -> int | None:
        """Which of the three befalls an address."""
        drawn = random.Random(f"{url} {self.seed}")
        return drawn.randrange(3) if drawn.random() < self.failures else None


@dataclass
class Internet:
    """What is served, what is known of it, and what was asked for."""

    port: int
    today: date = TODAY
    weather: Weather = Weather()
    asked: list[Asked] = field(default_factory=list[Asked])
    at_once: Counter[str] = field(default_factory=Counter[str])
    busiest: Counter[str] = field(default_factory=Counter[str])
    """The most requests that a host was serving at the same time."""

    @cached_property
    def pages(self) -> dict[str, Made]:
        """All pages by their URL."""
        return {each.url: each for each in [*orderly(self.port, self.today), *odd(self.port, self.today)]}

    @property
    def private(self) -> tuple[str, ...]:
        """The setting `private_addresses` with which it is reached."""
        return (f"127.0.0.1:{self.port}",)

    def now(self) -> float:
        """Noon of its day, in seconds since 1970."""
        return datetime.combine(self.today, time(12), UTC).timestamp()

    def url(self, host: str, path: str) -> str:
        return f"http://{host}:{self.port}{path}"

    def mood(self, path: str) -> str:
        """The URL of a moody server."""
        return self.url(HOST, path)

    def story(self, id: str) -> list[Made]:
        """The pages that report an event such as `de-bridge-0`, oldest first."""
        found = [each for each in self.pages.values() if each.story == id]
        return sorted(found, key=lambda each: each.day or date.min)

    def find(self, words: str, limit: int = 10, language: str | None = None) -> list[Made]:
        """What a search service would find: pages by their words, of which those in title and `key` count threefold."""
        wanted = set(_words(words))
        weights = {word: math.log(1 + len(self._index) / (1 + self._spread[word])) for word in wanted}
        scored = [
            (sum(weights[word] * (3 if word in told else word in seen) for word in wanted), url)
            for url, (told, seen) in self._index.items()
            if language in (None, self.pages[url].language)
        ]
        best = sorted((each for each in scored if each[0] > 0), key=lambda each: (-each[0], each[1]))
        return [self.pages[url] for _, url in best[:limit]]

    @cached_property
    def _index(self) -> dict[str, tuple[set[str], set[str]]]:
        kinds = ("news", "brief", "shop", "forum", "wiki", "report", "injected")
        return {
            each.url: (set(_words(f"{each.title} {each.key}")), set(_words(_seen(each))))
            for each in self.pages.values()
            if each.kind in kinds
        }

    @cached_property
    def _spread(self) -> Counter[str]:
        return Counter(word for told, seen in self._index.values() for word in told | seen)

    @cached_property
    def _moods(self) -> dict[str, Answer]:
        return moods(self.port, self.story("en-bridge-0")[0].url, self.story("fr-bridge-0")[0].body)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve a request as its host does."""
        host = urlsplit(f"//{request.host}").hostname or ""
        host = HOST if host == "127.0.0.1" else host  # for who cannot resolve names
        self.asked.append(Asked(host, request.path_qs, request.headers.copy()))
        self.at_once[host] += 1
        self.busiest[host] = max(self.busiest[host], self.at_once[host])
        try:
            url = self.url(host, request.path_qs)
            await wait(request, self.weather.latency(url))
            match self.weather.failure(url):
                case 0:
                    return web.Response(status=503, text="out of order")
                case 1:
                    return await reset(request)
                case 2:
                    return await silent(request)
                case _:
                    return await self._served(request, host)
        finally:
            self.at_once[host] -= 1

    async def _served(self, request: web.BaseRequest, host: str) -> web.StreamResponse:
        if request.path == "/robots.txt":
            status, text = ROBOTS.get(host, (404, "Not found"))
            return web.Response(status=status, text=text.replace("{root}", self.url(host, "")))
        if host == HOST and (mood := self._moods.get(request.path)) is not None:
            return await mood(request)
        if host in ROBOTS and not request.path.startswith("/lokal") and not request.path.endswith(".xml"):
            return page()
        if (made := self.pages.get(self.url(host, request.path_qs))) is not None:
            return _given(made, request)
        if request.path in ("/", "/news-sitemap.xml") and (theirs := self._of(host)):
            return _front(host, theirs) if request.path == "/" else _sitemap(theirs)
        return web.Response(status=404, text="Not found")

    def _of(self, host: str) -> list[Made]:
        return [each for each in self.pages.values() if urlsplit(each.url).hostname == host]


def _words(text: str) -> list[str]:
    return [found.group().casefold() for found in _WORD.finditer(text)]


def _seen(made: Made) -> str:
    return _TAG.sub(" ", made.body[:20_000].decode("utf-8", "replace")) if "html" in made.media else ""


def _given(made: Made, request: web.BaseRequest) -> web.Response:
    """The page, or that it has not changed."""
    tag = f'"{hashlib.sha256(made.body).hexdigest()[:16]}"'
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers={"ETag": tag})
    headers = {"Content-Type": made.media, "ETag": tag, **made.headers}
    return web.Response(body=made.body, status=made.status, headers=headers)


def _front(host: str, pages: list[Made]) -> web.Response:
    links = "".join(f'<li><a href="{each.url}">{each.title}</a></li>' for each in pages[:60])
    head = f'<link rel="alternate" type="application/rss+xml" title="{host}" href="/feed.xml">'
    text = f"<!doctype html><title>{host}</title>{head if any(p.host == host for p in PAPERS) else ''}"
    return web.Response(text=f"{text}<h1>{host}</h1><p>{PLAIN}</p><ul>{links}</ul>", content_type="text/html")


def _sitemap(pages: list[Made]) -> web.Response:
    urls = "".join(
        f"<url><loc>{each.url}</loc><news:news><news:publication_date>{each.day}T08:00:00+02:00</news:publication_date>"
        f"<news:title>{each.title}</news:title></news:news></url>"
        for each in pages
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
        f' xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">{urls}</urlset>'
    )
    return web.Response(text=text, content_type="application/xml")


@asynccontextmanager
async def internet(
    *,
    today: date = TODAY,
    weather: Weather = Weather(),
    port: int = 0,
) -> AsyncGenerator[Internet]:
    """Serve it on a loopback port until the block is left."""
    listener = listen("127.0.0.1", port)
    world = Internet(listener.getsockname()[1], today, weather)
    runner = web.ServerRunner(web.Server(world.answer), handle_signals=False, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield world
    finally:
        await runner.cleanup()


async def _run(arguments: argparse.Namespace) -> None:
    weather = Weather(arguments.least / 1000, arguments.most / 1000, arguments.failures, arguments.seed)
    async with internet(today=arguments.today, weather=weather, port=arguments.port) as world:
        print(f"{len(world.pages)} pages on 127.0.0.1:{world.port}, today is {world.today}", flush=True)  # noqa: T201
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the small internet.")
    parser.add_argument("--port", type=int, default=0, help="which port; any free one by default")
    parser.add_argument("--today", type=date.fromisoformat, default=date.today(), help="the day that counts as today")
    parser.add_argument("--least", type=float, default=20, help="least milliseconds until an answer")
    parser.add_argument("--most", type=float, default=800, help="most milliseconds until an answer")
    parser.add_argument("--failures", type=float, default=0.0, help="share of addresses that fail, 0 to 1")
    parser.add_argument("--seed", type=int, default=1, help="other seeds, other weather")
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
