"""Marginalia: an independent Swedish index of the non-commercial web (about.marginalia-search.com/article/api).

What it finds is for non-commercial use (CC-BY-NC-SA 4.0) unless its key was bought. The key `public` is meant for
trying it and mostly overloaded, so none is asked for unless the owner set one.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import OnErrorOmit

from eclair.schema.web import Hit, Query
from eclair.web.providers.base import Answer, Call, HTTPService, address


class _Result(Answer):
    url: str
    title: str = ""
    description: str = ""


class _Results(Answer):
    results: list[OnErrorOmit[_Result]]


class Marginalia(HTTPService):
    name = "marginalia"
    title = "Marginalia"
    jurisdiction = "SE"
    needs_key = True
    terms = "https://about.marginalia-search.com/article/api/"
    base = "https://api2.marginalia-search.com"

    def call(self, query: Query, limit: int) -> Call:
        return Call(
            address(f"{self.base}/search", query=query.text, count=min(limit, 100), dc=2), {"API-Key": self._key}
        )

    def hits(self, body: bytes, query: Query) -> Iterator[Hit]:
        for found in _Results.model_validate_json(body).results:
            yield Hit(found.url, found.title, found.description)
