"""GDELT: an American index of the world's news (blog.gdeltproject.org/gdelt-doc-2-0-api-debuts).

It allows one call every 5 seconds, and any use that names GDELT. Hits have no snippets; their dates are those of
its visit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import OnErrorOmit

from eclair.schema.web import WebHit, WebQuery
from eclair.web.providers.base import HttpProvider, ProviderError, ProviderReply, ProviderRequest, build_url, parse_day

MAX_DAYS = 90

LANGUAGES = {
    "bg": "bulgarian",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "fi": "finnish",
    "fr": "french",
    "hr": "croatian",
    "hu": "hungarian",
    "it": "italian",
    "lt": "lithuanian",
    "lv": "latvian",
    "nl": "dutch",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "sk": "slovak",
    "sl": "slovenian",
    "sv": "swedish",
}

_WORD = re.compile(r"\w{3,}(?:[-'’]\w+)*")


class _Article(ProviderReply):
    url: str
    title: str = ""
    seendate: str | None = None


class _Articles(ProviderReply):
    articles: tuple[OnErrorOmit[_Article], ...] = ()


class GDELT(HttpProvider):
    name = "gdelt"
    title = "GDELT"
    jurisdiction = "US"
    terms = "https://www.gdeltproject.org/about.html#termsofuse"
    base = "https://api.gdeltproject.org"

    def build_request(self, query: WebQuery, limit: int) -> ProviderRequest:
        language = LANGUAGES.get(query.language or "")
        # It rejects shorter words and most punctuation.
        words = " ".join(_WORD.findall(query.text)) or query.text
        return ProviderRequest(
            build_url(
                f"{self.base}/api/v2/doc/doc",
                query=words if language is None else f"{words} sourcelang:{language}",
                mode="artlist",
                maxrecords=min(limit, 250),
                timespan=f"{max(1, min(query.days or MAX_DAYS, MAX_DAYS))}d",
                sort="hybridrel",
                format="json",
            )
        )

    def parse_hits(self, body: bytes, query: WebQuery) -> Iterator[WebHit]:
        if not body.lstrip().startswith(b"{"):  # it reports errors as a sentence with status 200
            said = body[:80].decode("utf-8", "replace").strip()
            raise ProviderError("failed", f"GDELT rejected the query ({said}); try other words.")
        for found in _Articles.model_validate_json(body).articles:
            yield WebHit(found.url, found.title, "", parse_day(found.seendate))
