"""SearXNG: a metasearch engine that its owner runs, asked by its JSON API (docs.searxng.org/dev/search_api).

Its own engines are its owner's choice; what they are asked leaves the machine that it runs on.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, OnErrorOmit

from eclair.llm.servers.jurisdiction import locate
from eclair.network.client import Reply, WebClient
from eclair.schema.web import Hit, Query
from eclair.web.providers.base import Answer, Call, HTTPService, ServiceFailed, address, day


class _Result(Answer):
    url: str
    title: str = ""
    content: str | None = None
    published: str | None = Field(None, alias="publishedDate")


class _Results(Answer):
    results: list[OnErrorOmit[_Result]]


class SearXNG(HTTPService):
    name = "searxng"
    title = "SearXNG"
    redirects = 3
    terms = "https://docs.searxng.org/own-instance.html"

    def __init__(self, browser: WebClient, base: str | None) -> None:
        """`base` is where it runs; without it, it cannot be asked."""
        super().__init__(browser, base=base or "")
        self.jurisdiction = locate(base).code if base is not None else "unknown"

    async def ready(self) -> bool:
        return bool(self.base)

    def call(self, query: Query, limit: int) -> Call:
        categories = "general" if query.days is None else "general,news"
        return Call(
            address(
                f"{self.base}/search",
                q=query.text,
                format="json",
                categories=categories,
                language=query.language or "all",
                time_range=_span(query.days),
            )
        )

    def check(self, reply: Reply) -> None:
        if reply.status == 403:
            raise ServiceFailed(
                "failed", "SearXNG may not answer in JSON; add json to `search.formats` in its settings."
            )
        super().check(reply)

    def hits(self, body: bytes, query: Query) -> Iterator[Hit]:
        for found in _Results.model_validate_json(body).results:
            yield Hit(found.url, found.title, found.content or "", day(found.published))


def _span(days: int | None) -> str | None:
    if days is None or days > 365:
        return None
    return "day" if days <= 1 else "month" if days <= 31 else "year"
