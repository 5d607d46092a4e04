"""Linkup: a French search API (docs.linkup.so/pages/documentation/endpoints/search), without its agent."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from pydantic import OnErrorOmit

from eclair.schema.web import WebHit, WebQuery
from eclair.web.providers.base import HttpProvider, ProviderReply, ProviderRequest


class _Result(ProviderReply):
    url: str
    name: str = ""
    content: str = ""


class _Results(ProviderReply):
    results: list[OnErrorOmit[_Result]]


class Linkup(HttpProvider):
    name = "linkup"
    title = "Linkup"
    jurisdiction = "FR"
    needs_key = True
    terms = "https://www.linkup.so/terms-of-service"
    base = "https://api.linkup.so"

    def build_request(self, query: WebQuery, limit: int) -> ProviderRequest:
        since = self.since(query)
        body = {
            "q": query.text,
            "depth": "fast",
            "outputType": "searchResults",
            "maxResults": limit,
            **({"fromDate": since.isoformat()} if since is not None else {}),
        }
        return ProviderRequest(f"{self.base}/v1/search", {"Authorization": f"Bearer {self._key}"}, orjson.dumps(body))

    def parse_hits(self, body: bytes, query: WebQuery) -> Iterator[WebHit]:
        for found in _Results.model_validate_json(body).results:
            yield WebHit(found.url, found.name, found.content)
