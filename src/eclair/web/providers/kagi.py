"""Kagi: an American search without advertisements (kagi.com/api/docs, version 1)."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from pydantic import OnErrorOmit

from eclair.schema.web import Hit, Query
from eclair.web.providers.base import Answer, Call, HTTPService, day


class _Result(Answer):
    url: str
    title: str = ""
    snippet: str | None = None
    time: str | None = None


class _Data(Answer):
    search: tuple[OnErrorOmit[_Result], ...] = ()


class _Results(Answer):
    data: _Data


class Kagi(HTTPService):
    name = "kagi"
    title = "Kagi"
    jurisdiction = "US"
    needs_key = True
    terms = "https://kagi.com/terms"
    base = "https://kagi.com"

    def call(self, query: Query, limit: int) -> Call:
        since = self.since(query)
        body = {
            "query": query.text,
            "workflow": "search",
            "limit": min(limit, 20),
            **({"filters": {"after": since.isoformat()}} if since is not None else {}),
        }
        return Call(f"{self.base}/api/v1/search", {"Authorization": f"Bearer {self._key}"}, orjson.dumps(body))

    def hits(self, body: bytes, query: Query) -> Iterator[Hit]:
        for found in _Results.model_validate_json(body).data.search:
            yield Hit(found.url, found.title, found.snippet or "", day(found.time))
