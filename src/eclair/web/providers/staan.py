"""Staan: the European index of Qwant and Ecosia (docs.staan.ai). It answers ten results for some markets alone."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import OnErrorOmit

from eclair.schema.web import Hit, Query
from eclair.web.providers.base import Answer, Call, HTTPService, address

CHARACTERS = 400
MARKETS = {"de": "de-de", "en": "en-gb", "fr": "fr-fr"}
"""By language; any other is asked in the English one."""


class _Result(Answer):
    url: str
    title: str = ""
    snippet: str | None = None


class _Web(Answer):
    results: list[OnErrorOmit[_Result]]


class _Results(Answer):
    web: _Web


class Staan(HTTPService):
    name = "staan"
    title = "Staan"
    jurisdiction = "FR"
    needs_key = True
    terms = "https://staan.ai/"
    base = "https://api.staan.ai"

    def call(self, query: Query, limit: int) -> Call:
        market = MARKETS.get(query.language or "", MARKETS["en"])
        url = address(f"{self.base}/v2/search/web", q=query.text[:CHARACTERS], market=market)
        return Call(url, {"Authorization": f"Bearer {self._key}"})

    def hits(self, body: bytes, query: Query) -> Iterator[Hit]:
        for found in _Results.model_validate_json(body).web.results:
            yield Hit(found.url, found.title, found.snippet or "")
