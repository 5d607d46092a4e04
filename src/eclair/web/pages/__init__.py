"""Web pages: fetched within robots.txt and read as articles."""

from __future__ import annotations

HTML_TYPES = ("text/html", "application/xhtml+xml")
