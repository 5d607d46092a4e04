"""Reads feeds, the links to feeds in pages, and OPML lists, inside a sandbox."""

from __future__ import annotations

import calendar
import contextlib
import hashlib
import importlib
import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urljoin, urlsplit

import orjson

from eclair.documents.readers.html import visible_parts
from eclair.sandbox.protocol import ProcessLimits, Rejected
from eclair.sandbox.worker import serve
from eclair.schema.feeds import Feed, FeedEntry, FeedOutline
from eclair.text.language import identify_language
from eclair.web.feeds.feed_protocol import (
    CPU_LIMIT_S,
    MEMORY_LIMIT_BYTES,
    PROTOCOL,
    FeedLinks,
    FeedRequest,
    FeedResult,
    FindFeedLinks,
    OpmlList,
    ReadFeed,
    ReadOpml,
)

MAX_ENTRIES = 300
"""Of one feed, from its beginning, where the newest are."""
MAX_TITLE_CHARS = 300
MAX_SUMMARY_CHARS = 1000
MAX_TEXT_CHARS = 40_000
MAX_URL_CHARS = 2000
MAX_OUTLINES = 5000
MAX_LINKS = 20

EARLIEST_MS = 631_152_000_000
"""1990; older dates are errors."""
MAX_AHEAD_MS = 86_400_000
"""The furthest that a wrong time zone may put a date into the future; later dates are errors."""

FEED_TYPES = ("application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml")


def main() -> None:
    serve(PROTOCOL, handle, lambda _: ProcessLimits(MEMORY_LIMIT_BYTES, CPU_LIMIT_S))


def handle(request: FeedRequest) -> Iterator[FeedResult]:
    """Yield what was read. Raises Rejected with a sentence that lacks its subject and its full stop."""
    match request:
        case ReadFeed():
            yield parse_feed(request.data, request.url, request.media, request.now)
        case FindFeedLinks():
            yield FeedLinks(tuple(find_links(request.data, request.url)))
        case ReadOpml():
            yield OpmlList(tuple(parse_opml(request.data)))


def parse_feed(data: bytes, url: str, media: str, now: int) -> Feed:
    """Parse RSS 0.9x, 1.0, 2.0, Atom or JSON Feed. Raises Rejected."""
    try:
        found = _json_feed(data, url, now) if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" else None
        found = found or _xml_feed(data, url, media, now)
    except Rejected:
        raise
    except (MemoryError, RecursionError) as error:
        raise Rejected("takes too much memory to read") from error
    except Exception as error:  # the library raises whatever it likes on damaged feeds
        sys.excepthook(type(error), error, error.__traceback__)
        raise Rejected("is damaged and cannot be read as a feed") from error
    if found.language is None:
        language = identify_language(" ".join(entry.title + ". " + entry.summary for entry in found.entries[:20]))
        return replace(found, language=language)
    return found


# RSS and Atom


def _xml_feed(data: bytes, url: str, media: str, now: int) -> Feed:
    feedparser: Any = importlib.import_module("feedparser")
    headers = {"content-location": url} | ({"content-type": media} if media else {})
    found = feedparser.parse(
        io.BytesIO(data), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
    )
    if not found.get("version") and not found["entries"]:
        raise Rejected("is not a feed (RSS, Atom or JSON Feed)")
    head = found["feed"]
    language = _language(head.get("language"))
    site = _absolute_url(head.get("link"), url)
    entries = [
        entry for each in found["entries"][:MAX_ENTRIES] if (entry := _xml_entry(each, site or url, now)) is not None
    ]
    return Feed(
        title=_single_line(head.get("title"), MAX_TITLE_CHARS),
        site=site,
        language=language,
        ttl_minutes=_ttl_minutes(head),
        entries=_unique(entries),
    )


def _xml_entry(each: Any, base: str, now: int) -> FeedEntry | None:
    enclosures = [enclosure.get("href") for enclosure in each.get("enclosures", ())]
    url = next((found for link in (each.get("link"), *enclosures) if (found := _absolute_url(link, base))), None)
    bodies: list[str] = [str(content.get("value", "")) for content in each.get("content", ())]
    moments = (each.get(f"{name}_parsed") for name in ("published", "created", "updated") if name in each)
    return _entry(
        key=each.get("id"),
        url=url,
        title=each.get("title"),
        summary=each.get("summary"),
        body=max(bodies, key=len, default=""),
        published=next((moment for parsed in moments if (moment := _parse_time(parsed, now)) is not None), None),
        author=each.get("author"),
        language=(each.get("title_detail") or {}).get("language"),
    )


def _ttl_minutes(head: Any) -> int | None:
    with contextlib.suppress(KeyError, TypeError, ValueError):
        return max(0, min(int(str(head["ttl"])), 24 * 60))
    return None


def _parse_time(parsed: Any, now: int) -> int | None:
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        return _plausible_time(calendar.timegm(parsed) * 1000, now)
    return None


def _plausible_time(moment: int, now: int) -> int | None:
    """Return a time that is plausible, else None; one slightly in the future becomes `now`."""
    return min(moment, now) if EARLIEST_MS <= moment <= now + MAX_AHEAD_MS else None


# JSON Feed, https://www.jsonfeed.org/version/1.1/


def _json_feed(data: bytes, url: str, now: int) -> Feed | None:
    """Parse a JSON Feed; None if the bytes aren't JSON."""
    try:
        head: Any = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return None
    if not isinstance(head, dict) or "jsonfeed.org/version/" not in str(_field(head, "version")):
        raise Rejected("is not a feed (RSS, Atom or JSON Feed)")
    site = _absolute_url(_field(head, "home_page_url"), url)
    entries = [
        entry
        for item in _list(_field(head, "items"))[:MAX_ENTRIES]
        if (entry := _json_entry(item, site or url, now)) is not None
    ]
    return Feed(
        title=_single_line(_field(head, "title"), MAX_TITLE_CHARS),
        site=site,
        language=_language(_field(head, "language")),
        entries=_unique(entries),
    )


def _json_entry(item: Any, base: str, now: int) -> FeedEntry | None:
    own, foreign, id = (_field(item, name) for name in ("url", "external_url", "id"))
    author = next(iter(_list(_field(item, "authors"))), None) or _field(item, "author")
    text = _field(item, "content_html") or _field(item, "content_text")
    return _entry(
        key=id,
        url=_absolute_url(own, base) or _absolute_url(foreign, base) or _absolute_url(id, ""),
        title=_field(item, "title"),
        summary=_field(item, "summary"),
        body=text if isinstance(text, str) else "",
        published=_parse_iso(_field(item, "date_published") or _field(item, "date_modified"), now),
        author=_field(author, "name"),
        language=_field(item, "language"),
    )


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]


def _parse_iso(text: Any, now: int) -> int | None:
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)  # noqa: UP017
        return _plausible_time(int(moment.timestamp() * 1000), now)
    return None


# Shared by both


def _entry(
    *, key: Any, url: str | None, title: Any, summary: Any, body: str, published: int | None, author: Any, language: Any
) -> FeedEntry | None:
    """Build an entry; None without a link or any text."""
    summary_text = _visible_text(summary)
    text = _visible_text(body)
    if len(summary_text) > max(MAX_SUMMARY_CHARS, len(text)):
        text = summary_text
    name = _single_line(title, MAX_TITLE_CHARS) or _shorten((summary_text or text).split("\n")[0], 100)
    if url is None or not name:
        return None
    key = str(key or url)
    short = _shorten(summary_text or text, MAX_SUMMARY_CHARS)
    return FeedEntry(
        key=key if len(key) <= MAX_URL_CHARS else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest(),
        url=url,
        title=name,
        summary=short,
        text=text[:MAX_TEXT_CHARS] if len(text) > len(short) else "",
        published=published,
        author=_single_line(author, MAX_TITLE_CHARS) or None,
        language=_language(language),
    )


def _unique(entries: Iterable[FeedEntry]) -> tuple[FeedEntry, ...]:
    found: dict[str, FeedEntry] = {}
    for entry in entries:
        found.setdefault(entry.key, entry)
    return tuple(found.values())


def _visible_text(markup: Any) -> str:
    """Return the visible text of HTML or plain text, in paragraphs."""
    if not isinstance(markup, str):
        return ""
    markup = _strip_control(markup[: 8 * MAX_TEXT_CHARS])
    if "<" not in markup and "&" not in markup:
        blocks = markup.split("\n\n")
    else:
        blocks = [part.text for part in visible_parts(iter([markup]))]
    return "\n\n".join(text for block in blocks if (text := " ".join(block.split())))


def _single_line(markup: Any, max_chars: int) -> str:
    return _shorten(" ".join(_visible_text(markup).split()), max_chars)


def _shorten(text: str, max_chars: int) -> str:
    """Shorten text, between words."""
    if len(text) <= max_chars:
        return text
    return text[: max_chars - 1].rsplit(" ", 1)[0] + "…"


def _strip_control(text: str) -> str:
    """Remove control characters and lone surrogates."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]", "", text)


def _absolute_url(link: Any, base: str) -> str | None:
    """Return an absolute http(s) URL, or None."""
    if not isinstance(link, str) or not link.strip():
        return None
    with contextlib.suppress(ValueError):
        url = _strip_control(urljoin(base, link.strip()))
        if urlsplit(url).scheme in ("http", "https") and urlsplit(url).hostname and len(url) <= MAX_URL_CHARS:
            return url
    return None


def _language(tag: Any) -> str | None:
    """Return the two-letter code of a tag such as `de-AT`."""
    match = re.match(r"([A-Za-z]{2})(?:[-_]|$)", tag.strip()) if isinstance(tag, str) else None
    return match[1].lower() if match else None


# Pages and OPML


def find_links(data: bytes, url: str) -> list[str]:
    """Return the feeds that a page links to, in order, those of comments last. Raises Rejected."""
    html: Any = importlib.import_module("lxml.html")
    try:
        tree = html.document_fromstring(data) if data.strip() else None
    except Exception as error:  # lxml raises whatever it likes
        raise Rejected("is not a page") from error
    if tree is None:
        return []
    base = _absolute_url(next(iter(tree.xpath("//base/@href")), None), url) or url
    found: dict[str, bool] = {}
    for link in tree.iter("link"):
        kinds = str(link.get("rel", "")).lower().split()
        media = str(link.get("type", "")).partition(";")[0].strip().lower()
        where = _absolute_url(link.get("href"), base)
        if "alternate" in kinds and media in FEED_TYPES and where is not None:
            named = f"{link.get('title', '')} {where}".lower()
            found.setdefault(where, any(word in named for word in ("comment", "kommentar", "commentaire")))
    return sorted(found, key=lambda where: found[where])[:MAX_LINKS]


def parse_opml(data: bytes) -> list[FeedOutline]:
    """Parse an OPML list at any nesting. Raises Rejected, also for a list that declares entities."""
    etree: Any = importlib.import_module("lxml.etree")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False, remove_comments=True
    )
    if b"<!ENTITY" in data.replace(b"\0", b""):
        raise Rejected("declares entities, which OPML does not need; remove them")
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Rejected(f"is not OPML: {_single_line(str(error), 200)}") from error
    if str(root.tag).lower() != "opml":
        raise Rejected("is not OPML: it has no <opml> around it")
    found: dict[str, FeedOutline] = {}
    for outline in root.iter("outline"):
        fields = {str(name).lower(): str(value) for name, value in outline.attrib.items()}
        url = _absolute_url(fields.get("xmlurl"), "")
        if url is not None:
            title = _first(_single_line, [fields.get("title"), fields.get("text")])
            site = _absolute_url(fields.get("htmlurl"), "")
            found.setdefault(url, FeedOutline(url, title, site, _language(fields.get("language"))))
    return list(found.values())[:MAX_OUTLINES]


def _first(read: Callable[[Any, int], str], values: Sequence[str | None]) -> str:
    return next((text for value in values if (text := read(value, MAX_TITLE_CHARS))), "")
