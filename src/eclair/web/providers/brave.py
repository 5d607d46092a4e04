"""Brave Search: an American index of its own (api-dashboard.search.brave.com/app/documentation/web-search)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import OnErrorOmit

from eclair.schema.web import WebHit, WebQuery
from eclair.web.providers.base import HttpProvider, ProviderReply, ProviderRequest, build_url, parse_day

MAX_QUERY_WORDS = 50
MAX_QUERY_CHARS = 400
LANGUAGES = """
ar bg bn ca cs da de el en es et eu fi fr gl gu he hi hr hu is it kn ko lt lv ml mr ms nb nl pa pl pt-pt ro ru sk sl sr
sv ta te th tr uk vi"""
"""Languages that it accepts; it rejects requests with others."""
LANGUAGE_ALIASES = {"no": "nb", "pt": "pt-pt"}
"""Languages that it has another code for."""


class _Result(ProviderReply):
    url: str
    title: str = ""
    description: str = ""
    page_age: str | None = None


class _Web(ProviderReply):
    results: tuple[OnErrorOmit[_Result], ...] = ()


class _Results(ProviderReply):
    type: str
    web: _Web = _Web()


class Brave(HttpProvider):
    name = "brave"
    title = "Brave Search"
    jurisdiction = "US"
    needs_key = True
    terms = "https://api-dashboard.search.brave.com/terms-of-service"
    base = "https://api.search.brave.com"

    def build_request(self, query: WebQuery, limit: int) -> ProviderRequest:
        since = self.since(query)
        url = build_url(
            f"{self.base}/res/v1/web/search",
            q=" ".join(query.text.split()[:MAX_QUERY_WORDS])[:MAX_QUERY_CHARS],
            count=min(limit, 20),
            search_lang=_language(query.language),
            freshness=f"{since}to{self.today}" if since is not None else None,
            text_decorations="false",
        )
        return ProviderRequest(url, {"X-Subscription-Token": self._key, "Accept": "application/json"})

    def parse_hits(self, body: bytes, query: WebQuery) -> Iterator[WebHit]:
        for found in _Results.model_validate_json(body).web.results:
            yield WebHit(found.url, found.title, found.description, parse_day(found.page_age))


def _language(code: str | None) -> str | None:
    named = LANGUAGE_ALIASES.get(code or "", code)
    return named if named in LANGUAGES.split() else None
