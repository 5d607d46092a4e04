"""Any site that describes its search by OpenSearch 1.1 (github.com/dewitt/opensearch).

The description is cached for a day. Of its URL templates, the one for RSS or Atom is used, else JSON suggestions.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from urllib.parse import quote, urljoin
from xml.etree.ElementTree import Element, ParseError, fromstring

from pydantic import TypeAdapter

from eclair.llm.servers.jurisdiction import locate
from eclair.network.client import CallContext, WebClient
from eclair.schema.web import WebHit, WebQuery
from eclair.web.providers.base import HttpProvider, ProviderError, ProviderRequest, Today, is_web_url, parse_day

DESCRIPTION_TTL_S = 86_400.0

MEDIA_TYPES = ("application/rss+xml", "application/atom+xml", "application/x-suggestions+json")
"""Media types that can be read, best first."""

_SUGGESTIONS = TypeAdapter(list[str | list[object]])
_PARAMETER = re.compile(r"\{([^{}?]*)(\?)?\}")


@dataclass(frozen=True, slots=True)
class SearchTemplate:
    """A URL template of a search, and the media type of its replies."""

    url: str
    media: str


class OpenSearch(HttpProvider):
    """`url` is that of the description, `name` the one given in the settings."""

    max_redirects = 3

    def __init__(
        self,
        client: WebClient,
        name: str,
        url: str,
        *,
        today: Today = date.today,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(client, base=url, today=today)
        self.name = self.title = name
        self.terms = url
        self.jurisdiction = locate(url).code
        self._url = url
        self._clock = clock
        self._known: tuple[float, SearchTemplate] | None = None

    async def search(self, query: WebQuery, limit: int, context: CallContext, timeout_s: float) -> list[WebHit]:
        now = self._clock or asyncio.get_running_loop().time
        started = now()
        if self._known is None or self._known[0] < started - DESCRIPTION_TTL_S:
            description = await self.fetch(ProviderRequest(self._url), context, timeout_s)
            self._known = started, self.best_template(description)
        left = max(0.05, timeout_s - (now() - started))
        body = await self.fetch(self.build_request(query, limit), context, left)
        return self.read_hits(body, query)[:limit]

    def best_template(self, description: bytes) -> SearchTemplate:
        """Return the best template of a description. Raises ProviderError."""
        root = _xml(description)
        found = [] if root is None else list(_templates(root, self._url))
        if not found:
            message = f"{self.title} has no OpenSearch description with RSS, Atom or JSON results"
            raise ProviderError("failed", f"{message}; correct its address in `opensearch`.")
        return min(found, key=lambda template: MEDIA_TYPES.index(template.media))

    def build_request(self, query: WebQuery, limit: int) -> ProviderRequest:
        assert self._known is not None
        return ProviderRequest(fill_template(self._known[1].url, query, limit))

    def parse_hits(self, body: bytes, query: WebQuery) -> Iterator[WebHit]:
        if body.lstrip()[:1] in (b"[", b"{"):
            yield from self._read_suggestions(body)
            return
        root = _xml(body)
        if root is None or _local(root) not in ("rss", "RDF", "feed"):
            raise self.malformed()
        for entry in root.iter():
            if _local(entry) in ("item", "entry"):
                yield _entry(entry, self._url)

    def _read_suggestions(self, body: bytes) -> Iterator[WebHit]:
        """Read JSON suggestions: `[query, [titles], [descriptions], [URLs]]`."""
        try:
            said = _SUGGESTIONS.validate_json(body)
        except ValueError:
            raise self.malformed() from None
        match said:
            case [str(), list() as titles, list() as texts, list() as urls, *_]:
                for title, text, url in zip(titles, texts, urls, strict=False):
                    yield WebHit(str(url), str(title), str(text))
            case _:
                raise self.malformed()


def fill_template(template: str, query: WebQuery, limit: int) -> str:
    """Fill in a URL template."""
    values = {
        "searchTerms": query.text,
        "count": str(limit),
        "startIndex": "1",
        "startPage": "1",
        "language": query.language or "*",
        "inputEncoding": "UTF-8",
        "outputEncoding": "UTF-8",
    }
    return _PARAMETER.sub(lambda parameter: quote(values.get(parameter[1], ""), safe=""), template)


def _templates(root: Element, at: str) -> Iterator[SearchTemplate]:
    """Yield the usable templates of a description; `at` is its URL."""
    for element in (each for each in root.iter() if _local(each) == "Url"):
        media = element.get("type", "").partition(";")[0].strip().lower()
        template = urljoin(at, element.get("template", "").strip())
        needed = {name for name, optional in _PARAMETER.findall(template) if not optional}
        fits = "{searchTerms" in template and needed <= {
            "searchTerms",
            "count",
            "startIndex",
            "startPage",
            "language",
            "inputEncoding",
            "outputEncoding",
        }
        if media in MEDIA_TYPES and fits and is_web_url(fill_template(template, WebQuery("x"), 1)):
            yield SearchTemplate(template, media)


def _entry(entry: Element, at: str) -> WebHit:
    """Read an RSS item or an Atom entry."""
    told: dict[str, str] = {}
    for child in entry:
        name = _local(child)
        if name == "link":
            if child.get("rel", "alternate") == "alternate":
                told.setdefault("link", child.get("href") or child.text or "")
        else:
            told.setdefault(name, "".join(child.itertext()))
    snippet = told.get("description") or told.get("summary") or told.get("content") or ""
    written = told.get("pubDate") or told.get("published") or told.get("date") or told.get("updated")
    return WebHit(urljoin(at, told.get("link", "").strip()), told.get("title", ""), snippet, parse_day(written))


def _local(element: Element) -> str:
    """Return the tag without its namespace."""
    return element.tag.rpartition("}")[2]


def _xml(text: bytes) -> Element | None:
    """Parse XML; None if it is malformed."""
    try:
        return fromstring(text)  # noqa: S314  expat bounds what entities make
    except (ParseError, ValueError, LookupError):
        return None
