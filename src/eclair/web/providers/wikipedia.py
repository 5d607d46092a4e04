"""Wikipedia: full-text search of any language's edition (mediawiki.org/wiki/API:Search).

When a page was last edited says nothing of the day that it is from, so hits carry no date.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

from pydantic import Field, OnErrorOmit

from eclair.network.client import CallContext
from eclair.schema.web import Hit, Query
from eclair.web.providers.base import Answer, Call, HTTPService, address

FALLBACK = "en"
"""The language whose wiki is asked where that of the question is not known or has none."""

_WORD = re.compile(r"\w[\w'’.-]*")


class _Found(Answer):
    title: str = Field(min_length=1)
    snippet: str = ""


class _Search(Answer):
    search: list[OnErrorOmit[_Found]]


class _Result(Answer):
    query: _Search


class Wikipedia(HTTPService):
    """The edition in the query's language; `{language}` in the base stands for it."""

    name = "wikipedia"
    title = "Wikipedia"
    jurisdiction = "US"
    terms = "https://foundation.wikimedia.org/wiki/Policy:Terms_of_Use"
    base = "https://{language}.wikipedia.org"

    def wiki(self, query: Query) -> str:
        """The address of the wiki that is asked."""
        language = query.language or FALLBACK
        sound = language.isascii() and language.isalpha() and 2 <= len(language) <= 3
        return self.base.replace("{language}", language if sound else FALLBACK)

    async def find(self, query: Query, limit: int, context: CallContext, within: float) -> list[Hit]:
        """A page must have every word; where none has, those with the most and rarest come."""
        now = asyncio.get_running_loop().time
        begun = now()
        words = _WORD.findall(query.text)
        hits = await super().find(query, limit, context, within)
        if hits or len(words) < 2:
            return hits
        any_word = replace(query, text=" OR ".join(words))
        return await super().find(any_word, limit, context, max(0.05, within - (now() - begun)))

    def call(self, query: Query, limit: int) -> Call:
        return Call(
            address(
                f"{self.wiki(query)}/w/api.php",
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

    def hits(self, body: bytes, query: Query) -> Iterator[Hit]:
        for found in _Result.model_validate_json(body).query.search:
            page = quote(found.title.replace(" ", "_"))
            yield Hit(f"{self.wiki(query)}/wiki/{page}", found.title, found.snippet)
