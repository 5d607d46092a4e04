"""Staan: the European index of Qwant and Ecosia (docs.staan.ai). It has ten results per query, for a few markets."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import OnErrorOmit

from eclair.schema.web import WebHit, WebQuery
from eclair.web.providers.base import HttpProvider, ProviderReply, ProviderRequest, build_url

MAX_QUERY_CHARS = 400
MARKETS = {"de": "de-de", "en": "en-gb", "fr": "fr-fr"}
"""By language; others use the English one."""


class _Result(ProviderReply):
    url: str
    title: str = ""
    snippet: str | None = None


class _Web(ProviderReply):
    results: list[OnErrorOmit[_Result]]


class _Results(ProviderReply):
    web: _Web


class Staan(HttpProvider):
    name = "staan"
    title = "Staan"
    jurisdiction = "FR"
    needs_key = True
    terms = "https://staan.ai/"
    base = "https://api.staan.ai"

    def build_request(self, query: WebQuery, limit: int) -> ProviderRequest:
        market = MARKETS.get(query.language or "", MARKETS["en"])
        url = build_url(f"{self.base}/v2/search/web", q=query.text[:MAX_QUERY_CHARS], market=market)
        return ProviderRequest(url, {"Authorization": f"Bearer {self._key}"})

    def parse_hits(self, body: bytes, query: WebQuery) -> Iterator[WebHit]:
        for found in _Results.model_validate_json(body).web.results:
            yield WebHit(found.url, found.title, found.snippet or "")
