"""SearXNG: a self-hosted metasearch engine, called by its JSON API (docs.searxng.org/dev/search_api).

Its owner chooses which engines it queries; those queries leave the machine it runs on.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, OnErrorOmit

from eclair.llm.servers.jurisdiction import locate
from eclair.network.client import Reply, WebClient
from eclair.schema.web import WebHit, WebQuery
from eclair.web.providers.base import HttpProvider, ProviderError, ProviderReply, ProviderRequest, build_url, parse_day


class _Result(ProviderReply):
    url: str
    title: str = ""
    content: str | None = None
    published: str | None = Field(None, alias="publishedDate")


class _Results(ProviderReply):
    results: list[OnErrorOmit[_Result]]


class SearXNG(HttpProvider):
    name = "searxng"
    title = "SearXNG"
    max_redirects = 3
    terms = "https://docs.searxng.org/own-instance.html"

    def __init__(self, client: WebClient, base: str | None) -> None:
        """Without `base`, the address it runs at, it isn't ready."""
        super().__init__(client, base=base or "")
        self.jurisdiction = locate(base).code if base is not None else "unknown"

    @property
    def is_ready(self) -> bool:
        return bool(self.base)

    def build_request(self, query: WebQuery, limit: int) -> ProviderRequest:
        categories = "general" if query.days is None else "general,news"
        return ProviderRequest(
            build_url(
                f"{self.base}/search",
                q=query.text,
                format="json",
                categories=categories,
                language=query.language or "all",
                time_range=_span(query.days),
            )
        )

    def check_status(self, reply: Reply) -> None:
        if reply.status == 403:
            raise ProviderError(
                "failed", "SearXNG isn't allowed to answer in JSON; add json to `search.formats` in its settings."
            )
        super().check_status(reply)

    def parse_hits(self, body: bytes, query: WebQuery) -> Iterator[WebHit]:
        for found in _Results.model_validate_json(body).results:
            yield WebHit(found.url, found.title, found.content or "", parse_day(found.published))


def _span(days: int | None) -> str | None:
    if days is None or days > 365:
        return None
    return "day" if days <= 1 else "month" if days <= 31 else "year"
