"""Mojeek: a British index of its own (mojeek.com/support/api/search). Its dates are those of its visits."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import OnErrorOmit

from eclair.schema.web import WebHit, WebQuery
from eclair.web.providers.base import HttpProvider, ProviderError, ProviderReply, ProviderRequest, build_url


class _Result(ProviderReply):
    url: str
    title: str = ""
    desc: str = ""


class _Response(ProviderReply):
    status: str
    results: tuple[OnErrorOmit[_Result], ...] = ()


class _Envelope(ProviderReply):
    response: _Response


class Mojeek(HttpProvider):
    name = "mojeek"
    title = "Mojeek"
    jurisdiction = "GB"
    needs_key = True
    terms = "https://www.mojeek.com/services/search/web-search-api/"
    base = "https://www.mojeek.com"

    def build_request(self, query: WebQuery, limit: int) -> ProviderRequest:
        since = self.since(query)
        return ProviderRequest(
            build_url(
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

    def parse_hits(self, body: bytes, query: WebQuery) -> Iterator[WebHit]:
        response = _Envelope.model_validate_json(body).response
        if response.status != "OK":
            raise ProviderError("failed", f"Mojeek rejected the query ({response.status[:80]}); check its account.")
        for found in response.results:
            yield WebHit(found.url, found.title, found.desc)
