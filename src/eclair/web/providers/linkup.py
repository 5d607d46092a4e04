"""Linkup: a French search for machines (docs.linkup.so/pages/documentation/endpoints/search), without its agent."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from pydantic import OnErrorOmit

from eclair.schema.web import Hit, Query
from eclair.web.providers.base import Answer, Call, HTTPService


class _Result(Answer):
    url: str
    name: str = ""
    content: str = ""


class _Results(Answer):
    results: list[OnErrorOmit[_Result]]


class Linkup(HTTPService):
    name = "linkup"
    title = "Linkup"
    jurisdiction = "FR"
    needs_key = True
    terms = "https://www.linkup.so/terms-of-service"
    base = "https://api.linkup.so"

    def call(self, query: Query, limit: int) -> Call:
        since = self.since(query)
        body = {
            "q": query.text,
            "depth": "fast",
            "outputType": "searchResults",
            "maxResults": limit,
            **({"fromDate": since.isoformat()} if since is not None else {}),
        }
        return Call(f"{self.base}/v1/search", {"Authorization": f"Bearer {self._key}"}, orjson.dumps(body))

    def hits(self, body: bytes, query: Query) -> Iterator[Hit]:
        for found in _Results.model_validate_json(body).results:
            yield Hit(found.url, found.name, found.content)
