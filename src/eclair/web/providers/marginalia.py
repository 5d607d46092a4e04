"""Marginalia: an independent Swedish index of the non-commercial web (about.marginalia-search.com/article/api).

Results are for non-commercial use (CC-BY-NC-SA 4.0) unless the key was bought. The key `public` is for trying it out
and mostly overloaded, so Marginalia is only used with a key of one's own.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import OnErrorOmit

from eclair.schema.web import WebHit, WebQuery
from eclair.web.providers.base import HttpProvider, ProviderReply, ProviderRequest, build_url


class _Result(ProviderReply):
    url: str
    title: str = ""
    description: str = ""


class _Results(ProviderReply):
    results: list[OnErrorOmit[_Result]]


class Marginalia(HttpProvider):
    name = "marginalia"
    title = "Marginalia"
    jurisdiction = "SE"
    needs_key = True
    terms = "https://about.marginalia-search.com/article/api/"
    base = "https://api2.marginalia-search.com"

    def build_request(self, query: WebQuery, limit: int) -> ProviderRequest:
        return ProviderRequest(
            build_url(f"{self.base}/search", query=query.text, count=min(limit, 100), dc=2), {"API-Key": self._key}
        )

    def parse_hits(self, body: bytes, query: WebQuery) -> Iterator[WebHit]:
        for found in _Results.model_validate_json(body).results:
            yield WebHit(found.url, found.title, found.description)
