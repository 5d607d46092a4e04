"""When pages were published that do not say so themselves: by the news sitemap of their server, where it names one.

The form is that of https://developers.google.com/search/docs/crawling-indexing/sitemaps/news-sitemap
"""

from __future__ import annotations

import re
from datetime import date
from html import unescape

MAX_SITEMAP_BYTES = 2 << 20
"""Bytes of a sitemap that are read."""

MAX_ENTRY_CHARS = 4000
"""Characters of an entry that are looked at."""

_PLACE = re.compile(r"<loc>\s*(?:<!\[CDATA\[)?\s*([^<\]\s]{1,2000})")
_DAY = re.compile(r"<news:publication_date>\s*(?:<!\[CDATA\[)?\s*(\d{4}-\d{2}-\d{2})")


def is_news_sitemap(url: str) -> bool:
    """Whether the address of a sitemap says so; others list when pages were changed, or nothing."""
    return "news" in url.lower()


def parse_days(sitemap: str, today: date) -> dict[str, date]:
    """The days of pages by their addresses, but for those to come."""
    found: dict[str, date] = {}
    for entry in sitemap.split("</url>"):
        place, day = _PLACE.search(entry[-MAX_ENTRY_CHARS:]), _DAY.search(entry[-MAX_ENTRY_CHARS:])
        if place is None or day is None:
            continue
        try:
            published = date.fromisoformat(day[1])
        except ValueError:
            continue
        if published <= today:
            found[unescape(place[1])] = published
    return found
