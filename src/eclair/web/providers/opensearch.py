"""Any site that describes its search by OpenSearch 1.1 (github.com/dewitt/opensearch): the description is read and kept
for a day, and of its addresses the one for RSS or Atom is asked, else the one for suggestions in JSON.
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
from eclair.schema.web import Hit, Query
from eclair.web.providers.base import Call, HTTPService, ServiceFailed, Today, day, on_web

KEPT = 86_400.0
"""Seconds that a description is good for."""

TYPES = ("application/rss+xml", "application/atom+xml", "application/x-suggestions+json")
"""What can be read, the best first."""

_SUGGESTED = TypeAdapter(list[str | list[object]])
_PARAMETER = re.compile(r"\{([^{}?]*)(\?)?\}")


@dataclass(frozen=True, slots=True)
class Template:
    """The address of a search with places for what is searched for, and the type of its answers."""

    url: str
    media: str


class OpenSearch(HTTPService):
    """`url` is where the description is, `name` what its owner calls it."""

    redirects = 3

    def __init__(
        self,
        browser: WebClient,
        name: str,
        url: str,
        *,
        today: Today = date.today,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(browser, base=url, today=today)
        self.name = self.title = name
        self.terms = url
        self.jurisdiction = locate(url).code
        self._url = url
        self._clock = clock
        self._known: tuple[float, Template] | None = None

    async def find(self, query: Query, limit: int, context: CallContext, within: float) -> list[Hit]:
        now = self._clock or asyncio.get_running_loop().time
        begun = now()
        if self._known is None or self._known[0] < begun - KEPT:
            described = await self.fetch(Call(self._url), context, within)
            self._known = begun, self.template(described)
        left = max(0.05, within - (now() - begun))
        body = await self.fetch(self.call(query, limit), context, left)
        return self.read(body, query)[:limit]

    def template(self, described: bytes) -> Template:
        """The best address in a description, whatever that is. Raises ServiceFailed."""
        root = _xml(described)
        found = [] if root is None else list(_templates(root, self._url))
        if not found:
            fault = "has no description of a search that answers by RSS, Atom or JSON"
            raise ServiceFailed("failed", f"{self.title} {fault}; correct its address in `opensearch`.")
        return min(found, key=lambda template: TYPES.index(template.media))

    def call(self, query: Query, limit: int) -> Call:
        assert self._known is not None
        return Call(filled(self._known[1].url, query, limit))

    def hits(self, body: bytes, query: Query) -> Iterator[Hit]:
        if body.lstrip()[:1] in (b"[", b"{"):
            yield from self._suggested(body)
            return
        root = _xml(body)
        if root is None or _local(root) not in ("rss", "RDF", "feed"):
            raise self.garbled()
        for entry in root.iter():
            if _local(entry) in ("item", "entry"):
                yield _entry(entry, self._url)

    def _suggested(self, body: bytes) -> Iterator[Hit]:
        """`[query, [titles], [descriptions], [addresses]]`."""
        try:
            said = _SUGGESTED.validate_json(body)
        except ValueError:
            raise self.garbled() from None
        match said:
            case [str(), list() as titles, list() as texts, list() as urls, *_]:
                for title, text, url in zip(titles, texts, urls, strict=False):
                    yield Hit(str(url), str(title), str(text))
            case _:
                raise self.garbled()


def filled(template: str, query: Query, limit: int) -> str:
    """The template as an address that can be asked."""
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


def _templates(root: Element, at: str) -> Iterator[Template]:
    """Those that can be read and filled in; `at` is where the description is."""
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
        if media in TYPES and fits and on_web(filled(template, Query("x"), 1)):
            yield Template(template, media)


def _entry(entry: Element, at: str) -> Hit:
    """An item of RSS or an entry of Atom."""
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
    return Hit(urljoin(at, told.get("link", "").strip()), told.get("title", ""), snippet, day(written))


def _local(element: Element) -> str:
    """The name without its namespace."""
    return element.tag.rpartition("}")[2]


def _xml(text: bytes) -> Element | None:
    """The root, or None where it is no XML."""
    try:
        return fromstring(text)  # noqa: S314  expat bounds what entities make
    except (ParseError, ValueError, LookupError):
        return None
