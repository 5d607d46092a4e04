"""Brave Search: an American index of its own (api-dashboard.search.brave.com/app/documentation/web-search)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import OnErrorOmit

from eclair.schema.web import Hit, Query
from eclair.web.providers.base import Answer, Call, HTTPService, address, day

WORDS = 50
CHARACTERS = 400
LANGUAGES = """
ar bg bn ca cs da de el en es et eu fi fr gl gu he hi hr hu is it kn ko lt lv ml mr ms nb nl pa pl pt-pt ro ru sk sl sr
sv ta te th tr uk vi"""
"""Those that it knows; any other it takes for a mistake."""
OTHERWISE = {"no": "nb", "pt": "pt-pt"}
"""Languages that it calls by another name."""


class _Result(Answer):
    url: str
    title: str = ""
    description: str = ""
    page_age: str | None = None


class _Web(Answer):
    results: tuple[OnErrorOmit[_Result], ...] = ()


class _Results(Answer):
    type: str
    web: _Web = _Web()


class Brave(HTTPService):
    name = "brave"
    title = "Brave Search"
    jurisdiction = "US"
    needs_key = True
    terms = "https://api-dashboard.search.brave.com/terms-of-service"
    base = "https://api.search.brave.com"

    def call(self, query: Query, limit: int) -> Call:
        since = self.since(query)
        url = address(
            f"{self.base}/res/v1/web/search",
            q=" ".join(query.text.split()[:WORDS])[:CHARACTERS],
            count=min(limit, 20),
            search_lang=_language(query.language),
            freshness=f"{since}to{self.today}" if since is not None else None,
            text_decorations="false",
        )
        return Call(url, {"X-Subscription-Token": self._key, "Accept": "application/json"})

    def hits(self, body: bytes, query: Query) -> Iterator[Hit]:
        for found in _Results.model_validate_json(body).web.results:
            yield Hit(found.url, found.title, found.description, day(found.page_age))


def _language(code: str | None) -> str | None:
    named = OTHERWISE.get(code or "", code)
    return named if named in LANGUAGES.split() else None
