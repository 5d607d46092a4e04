"""Kagi: an American search without ads (kagi.com/api/docs, version 1)."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from pydantic import OnErrorOmit

from eclair.schema.web import WebHit, WebQuery
from eclair.web.providers.base import HttpProvider, ProviderReply, ProviderRequest, parse_day


class _Result(ProviderReply):
    url: str
    title: str = ""
    snippet: str | None = None
    time: str | None = None


class _Data(ProviderReply):
    search: tuple[OnErrorOmit[_Result], ...] = ()


class _Results(ProviderReply):
    data: _Data


class Kagi(HttpProvider):
    name = "kagi"
    title = "Kagi"
    jurisdiction = "US"
    needs_key = True
    terms = "https://kagi.com/terms"
    base = "https://kagi.com"

    def build_request(self, query: WebQuery, limit: int) -> ProviderRequest:
        since = self.since(query)
        body = {
            "query": query.text,
            "workflow": "search",
            "limit": min(limit, 20),
            **({"filters": {"after": since.isoformat()}} if since is not None else {}),
        }
        return ProviderRequest(
            f"{self.base}/api/v1/search", {"Authorization": f"Bearer {self._key}"}, orjson.dumps(body)
        )

    def parse_hits(self, body: bytes, query: WebQuery) -> Iterator[WebHit]:
        for found in _Results.model_validate_json(body).data.search:
            yield WebHit(found.url, found.title, found.snippet or "", parse_day(found.time))
