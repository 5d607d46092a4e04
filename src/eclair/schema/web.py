"""Values of web search and web pages.

A web page has the form of a document: its text is that of its `pages`, each followed by a newline, and positions are
offsets in that text.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from eclair.schema.documents import Page as Sheet
from eclair.schema.documents import Wall


@dataclass(frozen=True, slots=True)
class WebQuery:
    """A search query.

    `language` is an ISO 639-1 code where known. Hits should not be older than `days`, where that matters.
    """

    text: str
    language: str | None = None
    days: int | None = None


@dataclass(frozen=True, slots=True)
class WebHit:
    """A hit of a search provider.

    `published` is the day of the page, if the provider knows it. `providers` are the names of those that found it; the
    one that ranked it highest comes first.
    """

    url: str
    title: str
    snippet: str = ""
    published: date | None = None
    providers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WebPage:
    """A page as it was read. `url` is where redirects led, `fetched` the moment in milliseconds since 1970 (UTC).

    `site` is its name for people, such as `tagesschau.de`; `media` its type (RFC 6838); `published` the day that it is
    from, by what it says of itself.
    """

    url: str
    fetched: int
    title: str
    site: str
    pages: tuple[Sheet, ...]
    media: str = "text/html"
    author: str | None = None
    language: str | None = None
    published: date | None = None
    wall: Wall | None = None

    @property
    def text(self) -> str:
        return "".join(sheet.text + "\n" for sheet in self.pages)
