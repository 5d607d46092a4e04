"""Reads news sitemaps, which date pages that have no date themselves.

The format is that of https://developers.google.com/search/docs/crawling-indexing/sitemaps/news-sitemap
"""

from __future__ import annotations

import re
from datetime import date
from html import unescape

MAX_SITEMAP_BYTES = 2 << 20
MAX_ENTRY_CHARS = 4000

_LOCATION = re.compile(r"<loc>\s*+(?:<!\[CDATA\[)?\s*+([^<\]\s]{1,2000})")
_DAY = re.compile(r"<news:publication_date>\s*+(?:<!\[CDATA\[)?\s*+(\d{4}-\d{2}-\d{2})")


def is_news_sitemap(url: str) -> bool:
    """Return whether a sitemap is one of news, by its URL. Others date changes, or nothing."""
    return "news" in url.lower()


def parse_days(sitemap: str, today: date) -> dict[str, date]:
    """Return the dates of pages by URL, without future ones."""
    found: dict[str, date] = {}
    for entry in sitemap.split("</url>"):
        location, day = _LOCATION.search(entry[-MAX_ENTRY_CHARS:]), _DAY.search(entry[-MAX_ENTRY_CHARS:])
        if location is None or day is None:
            continue
        try:
            published = date.fromisoformat(day[1])
        except ValueError:
            continue
        if published <= today:
            found[unescape(location[1])] = published
    return found
