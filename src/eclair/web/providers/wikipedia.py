"""Wikipedia: full-text search of any language's edition (mediawiki.org/wiki/API:Search).

The date of the last edit says nothing about how current an article is, so hits have no date.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

from pydantic import Field, OnErrorOmit

from eclair.network.client import CallContext
from eclair.schema.web import WebHit, WebQuery
from eclair.web.providers.base import HttpProvider, ProviderReply, ProviderRequest, build_url

FALLBACK_LANGUAGE = "en"

_WORD = re.compile(r"\w[\w'’.-]*")


class _Found(ProviderReply):
    title: str = Field(min_length=1)
    snippet: str = ""


class _Search(ProviderReply):
    search: list[OnErrorOmit[_Found]]


class _Result(ProviderReply):
    query: _Search


class Wikipedia(HttpProvider):
    """The edition in the query's language; `{language}` in the base stands for it."""

    name = "wikipedia"
    title = "Wikipedia"
    jurisdiction = "US"
    terms = "https://foundation.wikimedia.org/wiki/Policy:Terms_of_Use"
    base = "https://{language}.wikipedia.org"

    def edition_url(self, query: WebQuery) -> str:
        """Return the base URL of the edition to search."""
        language = query.language or FALLBACK_LANGUAGE
        is_valid = language.isascii() and language.isalpha() and 2 <= len(language) <= 3
        return self.base.replace("{language}", language if is_valid else FALLBACK_LANGUAGE)

    async def search(self, query: WebQuery, limit: int, context: CallContext, timeout_s: float) -> list[WebHit]:
        """Search for pages with every word; if there are none, for those with the most and rarest."""
        now = asyncio.get_running_loop().time
        started = now()
        words = _WORD.findall(query.text)
        hits = await super().search(query, limit, context, timeout_s)
        if hits or len(words) < 2:
            return hits
        any_word = replace(query, text=" OR ".join(words))
        return await super().search(any_word, limit, context, max(0.05, timeout_s - (now() - started)))

    def build_request(self, query: WebQuery, limit: int) -> ProviderRequest:
        return ProviderRequest(
            build_url(
                f"{self.edition_url(query)}/w/api.php",
                action="query",
                list="search",
                srsearch=query.text,
                srlimit=limit,
                srprop="snippet",
                format="json",
                formatversion=2,
                utf8=1,
            )
        )

    def parse_hits(self, body: bytes, query: WebQuery) -> Iterator[WebHit]:
        for found in _Result.model_validate_json(body).query.search:
            page = quote(found.title.replace(" ", "_"))
            yield WebHit(f"{self.edition_url(query)}/wiki/{page}", found.title, found.snippet)
