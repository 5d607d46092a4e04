"""Mojeek: a British index of its own (mojeek.com/support/api/search). The dates that it gives are of its visits."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import OnErrorOmit

from eclair.schema.web import Hit, Query
from eclair.web.providers.base import Answer, Call, HTTPService, ServiceFailed, address


class _Result(Answer):
    url: str
    title: str = ""
    desc: str = ""


class _Response(Answer):
    status: str
    results: tuple[OnErrorOmit[_Result], ...] = ()


class _Envelope(Answer):
    response: _Response


class Mojeek(HTTPService):
    name = "mojeek"
    title = "Mojeek"
    jurisdiction = "GB"
    needs_key = True
    terms = "https://www.mojeek.com/services/search/web-search-api/"
    base = "https://www.mojeek.com"

    def call(self, query: Query, limit: int) -> Call:
        since = self.since(query)
        return Call(
            address(
                f"{self.base}/search",
                api_key=self._key,
                q=query.text,
                fmt="json",
                t=limit,
                since=since.strftime("%Y%m%d") if since is not None else None,
                lb=query.language.upper() if query.language is not None else None,
                lbb=100 if query.language is not None else None,
            )
        )

    def hits(self, body: bytes, query: Query) -> Iterator[Hit]:
        response = _Envelope.model_validate_json(body).response
        if response.status != "OK":
            raise ServiceFailed("failed", f"Mojeek refuses to answer ({response.status[:80]}); see to its account.")
        for found in response.results:
            yield Hit(found.url, found.title, found.desc)
