"""Stand-ins for the search services: each answers what it is told to find, in the shape that is documented."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import orjson

from eclair.network.client import OutboundGate, WebClient
from eclair.network.policy import OutboundPolicy
from eclair.schema.web import WebHit
from eclair.web.providers.base import HttpProvider
from eclair.web.providers.brave import Brave
from eclair.web.providers.gdelt import GDELT
from eclair.web.providers.kagi import Kagi
from eclair.web.providers.linkup import Linkup
from eclair.web.providers.marginalia import Marginalia
from eclair.web.providers.mojeek import Mojeek
from eclair.web.providers.opensearch import OpenSearch
from eclair.web.providers.searxng import SearXNG
from eclair.web.providers.staan import Staan
from eclair.web.providers.wikipedia import Wikipedia
from tests.llm.standin import Call, StandIn, standing_in

JSON = dict[str, Any]
TODAY = date(2026, 11, 25)
KEY = "k3y"


def today() -> date:
    return TODAY


@dataclass(frozen=True)
class Documented:
    """A service, the page that documents its API, and how it answers; `keyed` says whether a call has the key.

    `dated` and `told` say whether its answers have the day and a snippet; `local` names pages of the service itself.
    """

    make: Callable[[WebClient, str], HttpProvider]
    docs: str
    path: str
    body: Callable[[Sequence[WebHit]], bytes]
    keyed: Callable[[Call], bool] = lambda call: True
    dated: bool = False
    told: bool = True
    local: str | None = None


def parameters(call: Call) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(call.path).query).items()}


def _bearer(call: Call) -> bool:
    return call.headers.get("authorization") == f"Bearer {KEY}"


def _searxng(hits: Sequence[WebHit]) -> bytes:
    rows: list[JSON] = [
        {
            "url": hit.url,
            "title": hit.title,
            "content": hit.snippet,
            "publishedDate": f"{hit.published}T09:30:00" if hit.published else None,
            "engine": "bing",
            "engines": ["bing"],
            "positions": [place],
            "score": 1.0,
            "category": "general",
        }
        for place, hit in enumerate(hits, 1)
    ]
    return orjson.dumps({"query": "q", "results": rows, "answers": [], "infoboxes": [], "unresponsive_engines": []})


def _marginalia(hits: Sequence[WebHit]) -> bytes:
    rows: list[JSON] = [
        {"url": hit.url, "title": hit.title, "description": hit.snippet, "quality": 4.2, "format": "html5"}
        for hit in hits
    ]
    return orjson.dumps({"license": "CC-BY-NC-SA 4.0", "query": "q", "results": rows})


def _mojeek(hits: Sequence[WebHit]) -> bytes:
    rows: list[JSON] = [{"url": hit.url, "title": hit.title, "desc": hit.snippet, "size": "12kb"} for hit in hits]
    head: JSON = {"query": "q", "start": 1, "return": len(rows), "results": len(rows)}
    return orjson.dumps({"response": {"status": "OK", "head": head, "results": rows}})


def _brave(hits: Sequence[WebHit]) -> bytes:
    rows: list[JSON] = [
        {
            "type": "search_result",
            "title": hit.title,
            "url": hit.url,
            "description": f"<strong>{hit.snippet}</strong>",
            "page_age": f"{hit.published}T08:00:00" if hit.published else None,
            "language": "en",
        }
        for hit in hits
    ]
    query: JSON = {"original": "q", "more_results_available": True}
    return orjson.dumps({"type": "search", "query": query, "web": {"type": "search", "results": rows}})


def _staan(hits: Sequence[WebHit]) -> bytes:
    rows: list[JSON] = [{"url": hit.url, "title": hit.title, "snippet": hit.snippet} for hit in hits]
    return orjson.dumps({"web": {"results": rows}})


def _mediawiki(hits: Sequence[WebHit]) -> bytes:
    rows: list[JSON] = [
        {
            "ns": 0,
            "title": unquote(hit.url.rpartition("/wiki/")[2]).replace("_", " "),
            "pageid": place,
            "snippet": f'about <span class="searchmatch">{hit.snippet}</span> &amp; more',
        }
        for place, hit in enumerate(hits, 1)
    ]
    return orjson.dumps({"batchcomplete": True, "query": {"searchinfo": {"totalhits": len(rows)}, "search": rows}})


def _gdelt(hits: Sequence[WebHit]) -> bytes:
    rows: list[JSON] = [
        {
            "url": hit.url,
            "url_mobile": "",
            "title": hit.title,
            "seendate": f"{hit.published:%Y%m%d}T031500Z" if hit.published else "",
            "socialimage": "",
            "domain": urlsplit(hit.url).hostname,
            "language": "German",
            "sourcecountry": "Germany",
        }
        for hit in hits
    ]
    return orjson.dumps({"articles": rows} if rows else {})


def _linkup(hits: Sequence[WebHit]) -> bytes:
    rows: list[JSON] = [
        {"type": "text", "name": hit.title, "url": hit.url, "content": hit.snippet, "favicon": ""} for hit in hits
    ]
    return orjson.dumps({"results": rows})


def _kagi(hits: Sequence[WebHit]) -> bytes:
    rows: list[JSON] = [
        {
            "url": hit.url,
            "title": hit.title,
            "snippet": hit.snippet,
            **({"time": f"{hit.published}T03:05:23Z"} if hit.published else {}),
        }
        for hit in hits
    ]
    return orjson.dumps({"meta": {"trace": "t", "node": "europe", "ms": 12}, "data": {"search": rows}})


def rss(hits: Sequence[WebHit]) -> bytes:
    items = "".join(
        f"<item><title>{escape(hit.title)}</title><link>{escape(hit.url)}</link>"
        f"<description>{escape(hit.snippet)}</description>"
        + (f"<pubDate>{hit.published:%a, %d %b %Y} 10:00:00 +0000</pubDate>" if hit.published else "")
        + "</item>"
        for hit in hits
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" '
        'xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/"><channel><title>Example</title>'
        f"<opensearch:totalResults>{len(hits)}</opensearch:totalResults>{items}</channel></rss>"
    ).encode()


def atom(hits: Sequence[WebHit]) -> bytes:
    entries = "".join(
        f'<entry><title>{escape(hit.title)}</title><link rel="self" href="/self"/><link href="{escape(hit.url)}"/>'
        f'<summary type="html">{escape(hit.snippet)}</summary>'
        + (f"<updated>{hit.published}T18:30:02Z</updated>" if hit.published else "")
        + "</entry>"
        for hit in hits
    )
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>Example</title>{entries}</feed>'.encode()


def suggestions(hits: Sequence[WebHit]) -> bytes:
    return orjson.dumps(["q", [h.title for h in hits], [h.snippet for h in hits], [h.url for h in hits]])


def description(*urls: tuple[str, str]) -> bytes:
    """A description document with these types and templates."""
    lines = "".join(f'<Url type="{media}" template="{escape(template)}"/>' for media, template in urls)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OpenSearchDescription xmlns="http://a9.com/-/spec/opensearch/1.1/"><ShortName>Web Search</ShortName>'
        f"<Description>Use Example.com to search the Web.</Description>{lines}</OpenSearchDescription>"
    ).encode()


SERVICES: dict[str, Documented] = {
    "searxng": Documented(SearXNG, "https://docs.searxng.org/dev/search_api.html", "/search", _searxng, dated=True),
    "wikipedia": Documented(
        lambda browser, base: Wikipedia(browser, base=base + "/{language}", today=today),
        "https://www.mediawiki.org/wiki/API:Search",
        "/de/w/api.php",
        _mediawiki,
        local="/de/wiki/",
    ),
    "marginalia": Documented(
        lambda browser, base: Marginalia(browser, base=base, key=KEY, today=today),
        "https://about.marginalia-search.com/article/api/",
        "/search",
        _marginalia,
        lambda call: call.headers.get("api-key") == KEY,
    ),
    "staan": Documented(
        lambda browser, base: Staan(browser, base=base, key=KEY, today=today),
        "https://docs.staan.ai/",
        "/v2/search/web",
        _staan,
        _bearer,
    ),
    "mojeek": Documented(
        lambda browser, base: Mojeek(browser, base=base, key=KEY, today=today),
        "https://www.mojeek.com/support/api/search/json_response.html",
        "/search",
        _mojeek,
        lambda call: parameters(call).get("api_key") == KEY,
    ),
    "linkup": Documented(
        lambda browser, base: Linkup(browser, base=base, key=KEY, today=today),
        "https://docs.linkup.so/pages/documentation/endpoints/search",
        "/v1/search",
        _linkup,
        _bearer,
    ),
    "brave": Documented(
        lambda browser, base: Brave(browser, base=base, key=KEY, today=today),
        "https://api-dashboard.search.brave.com/api-reference/web/search/get",
        "/res/v1/web/search",
        _brave,
        lambda call: call.headers.get("x-subscription-token") == KEY,
        dated=True,
    ),
    "kagi": Documented(
        lambda browser, base: Kagi(browser, base=base, key=KEY, today=today),
        "https://kagi.com/api/docs",
        "/api/v1/search",
        _kagi,
        _bearer,
        dated=True,
    ),
    "gdelt": Documented(
        lambda browser, base: GDELT(browser, base=base, today=today),
        "https://blog.gdeltproject.org/gdelt-doc-2-0-api-debuts/",
        "/api/v2/doc/doc",
        _gdelt,
        dated=True,
        told=False,
    ),
    "library": Documented(
        lambda browser, base: OpenSearch(browser, "library", f"{base}/opensearch.xml", today=today),
        "https://github.com/dewitt/opensearch/blob/master/opensearch-1-1-draft-6.md",
        "/rss",
        rss,
        dated=True,
    ),
}


@dataclass
class Answering:
    """A stand-in at work, and the service that asks it: what it is to find, and how else it answers."""

    documented: Documented
    standin: StandIn
    service: HttpProvider
    hits: list[WebHit] = field(default_factory=list[WebHit])
    instead: list[Callable[[Call], Any]] = field(default_factory=list[Callable[[Call], Any]])

    @property
    def calls(self) -> list[Call]:
        return [call for call in self.standin.calls if urlsplit(call.path).path == self.documented.path]

    async def answer(self, call: Call) -> None:
        path = urlsplit(call.path).path
        if path == "/opensearch.xml":
            template = f"{self.standin.url}/rss?q={{searchTerms}}&n={{count?}}&l={{language?}}"
            await call.reply(200, description(("text/html", template), ("application/rss+xml", template)))
        elif path != self.documented.path:
            await call.reply(404)
        elif self.instead:
            await self.instead.pop(0)(call)
        elif not self.documented.keyed(call):
            await call.reply(401)
        else:
            await call.reply(200, self.documented.body(self.hits))


class Always(dict[str, Any]):
    """Routes that lead every path to one answer."""

    def __init__(self, answer: Callable[[Call], Any]) -> None:
        super().__init__()
        self._answer = answer

    def get(self, key: str, default: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._answer


@asynccontextmanager
async def answering(name: str, hits: Sequence[WebHit] = ()) -> AsyncGenerator[Answering]:
    """The stand-in of that service on a free loopback port."""
    documented = SERVICES[name]
    async with standing_in() as standin:
        browser = browser_for(standin.url)
        at_work = Answering(documented, standin, documented.make(browser, standin.url), list(hits))
        standin.routes = Always(at_work.answer)
        try:
            yield at_work
        finally:
            await browser.close()


def browser_for(*urls: str) -> WebClient:
    """A browser that reaches these addresses of this machine, as its owner's settings could say."""
    private = frozenset((urlsplit(url).hostname or "", urlsplit(url).port or 80) for url in urls)
    return WebClient(OutboundGate(OutboundPolicy("open", private=private)))
