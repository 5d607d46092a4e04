"""GDELT: an American index of the world's news (blog.gdeltproject.org/gdelt-doc-2-0-api-debuts), one call in 5 seconds.

Any use is free if it names GDELT. It gives no snippets, and its days are those on which it saw a page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import OnErrorOmit

from eclair.schema.web import Hit, Query
from eclair.web.providers.base import Answer, Call, HTTPService, ServiceFailed, address, day

LONGEST = 90
"""Days that it looks back."""

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


class _Article(Answer):
    url: str
    title: str = ""
    seendate: str | None = None


class _Articles(Answer):
    articles: tuple[OnErrorOmit[_Article], ...] = ()


class GDELT(HTTPService):
    name = "gdelt"
    title = "GDELT"
    jurisdiction = "US"
    terms = "https://www.gdeltproject.org/about.html#termsofuse"
    base = "https://api.gdeltproject.org"

    def call(self, query: Query, limit: int) -> Call:
        language = LANGUAGES.get(query.language or "")
        words = (
            " ".join(_WORD.findall(query.text)) or query.text
        )  # it takes shorter ones, and most marks, for a mistake
        return Call(
            address(
                f"{self.base}/api/v2/doc/doc",
                query=words if language is None else f"{words} sourcelang:{language}",
                mode="artlist",
                maxrecords=min(limit, 250),
                timespan=f"{max(1, min(query.days or LONGEST, LONGEST))}d",
                sort="hybridrel",
                format="json",
            )
        )

    def hits(self, body: bytes, query: Query) -> Iterator[Hit]:
        if not body.lstrip().startswith(b"{"):  # a sentence with status 200: what it dislikes of the query
            said = body[:80].decode("utf-8", "replace").strip()
            raise ServiceFailed("failed", f"GDELT refuses to answer ({said}); ask in other words.")
        for found in _Articles.model_validate_json(body).articles:
            yield Hit(found.url, found.title, "", day(found.seendate))
