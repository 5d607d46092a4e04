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
"""Entries of one feed that are taken, from its beginning on, where the newest stand."""
MAX_TITLE_CHARS = 300
MAX_SUMMARY_CHARS = 1000
MAX_TEXT_CHARS = 40_000
"""Characters that are kept."""
MAX_URL_CHARS = 2000
MAX_OUTLINES = 5000
MAX_LINKS = 20

EARLIEST_MS = 631_152_000_000
"""1990: what claims to be older has a broken date."""
MAX_AHEAD_MS = 86_400_000
"""Milliseconds by which a wrong time zone may put a date into the future; one further ahead says nothing."""

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
    """RSS 0.9x, 1.0, 2.0, Atom or JSON Feed. Raises Rejected."""
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
        told = identify_language(" ".join(entry.title + ". " + entry.summary for entry in found.entries[:20]))
        return replace(found, language=told)
    return found


# RSS and Atom


def _xml_feed(data: bytes, url: str, media: str, now: int) -> Feed:
    feedparser: Any = importlib.import_module("feedparser")
    headers = {"content-location": url} | ({"content-type": media} if media else {})
    found = feedparser.parse(
        io.BytesIO(data), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
    )
    if not found.get("version") and not found["entries"]:
        raise Rejected("is no feed (RSS, Atom or JSON Feed)")
    head = found["feed"]
    language = _language(head.get("language"))
    site = _address(head.get("link"), url)
    entries = [
        entry for each in found["entries"][:MAX_ENTRIES] if (entry := _xml_entry(each, site or url, now)) is not None
    ]
    return Feed(
        title=_line(head.get("title"), MAX_TITLE_CHARS),
        site=site,
        language=language,
        ttl_minutes=_minutes(head),
        entries=_each_once(entries),
    )


def _xml_entry(each: Any, base: str, now: int) -> FeedEntry | None:
    enclosures = [enclosure.get("href") for enclosure in each.get("enclosures", ())]
    url = next((found for link in (each.get("link"), *enclosures) if (found := _address(link, base))), None)
    bodies: list[str] = [str(content.get("value", "")) for content in each.get("content", ())]
    moments = (each.get(f"{name}_parsed") for name in ("published", "created", "updated") if name in each)
    return _entry(
        key=each.get("id"),
        url=url,
        title=each.get("title"),
        summary=each.get("summary"),
        body=max(bodies, key=len, default=""),
        published=next((moment for parsed in moments if (moment := _moment(parsed, now)) is not None), None),
        author=each.get("author"),
        language=(each.get("title_detail") or {}).get("language"),
    )


def _minutes(head: Any) -> int | None:
    with contextlib.suppress(KeyError, TypeError, ValueError):
        return max(0, min(int(str(head["ttl"])), 24 * 60))
    return None


def _moment(parsed: Any, now: int) -> int | None:
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        return _sound(calendar.timegm(parsed) * 1000, now)
    return None


def _sound(moment: int, now: int) -> int | None:
    """The moment if it can be true; what is a little ahead of the clock is now."""
    return min(moment, now) if EARLIEST_MS <= moment <= now + MAX_AHEAD_MS else None


# JSON Feed, https://www.jsonfeed.org/version/1.1/


def _json_feed(data: bytes, url: str, now: int) -> Feed | None:
    """None where the bytes are no JSON Feed."""
    try:
        head: Any = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return None
    if not isinstance(head, dict) or "jsonfeed.org/version/" not in str(_get(head, "version")):
        raise Rejected("is no feed (RSS, Atom or JSON Feed)")
    site = _address(_get(head, "home_page_url"), url)
    entries = [
        entry
        for item in _list(_get(head, "items"))[:MAX_ENTRIES]
        if (entry := _json_entry(item, site or url, now)) is not None
    ]
    return Feed(
        title=_line(_get(head, "title"), MAX_TITLE_CHARS),
        site=site,
        language=_language(_get(head, "language")),
        entries=_each_once(entries),
    )


def _json_entry(item: Any, base: str, now: int) -> FeedEntry | None:
    own, foreign, id = (_get(item, name) for name in ("url", "external_url", "id"))
    author = next(iter(_list(_get(item, "authors"))), None) or _get(item, "author")
    text = _get(item, "content_html") or _get(item, "content_text")
    return _entry(
        key=id,
        url=_address(own, base) or _address(foreign, base) or _address(id, ""),
        title=_get(item, "title"),
        summary=_get(item, "summary"),
        body=text if isinstance(text, str) else "",
        published=_iso(_get(item, "date_published") or _get(item, "date_modified"), now),
        author=_get(author, "name"),
        language=_get(item, "language"),
    )


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]


def _iso(text: Any, now: int) -> int | None:
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)  # noqa: UP017
        return _sound(int(moment.timestamp() * 1000), now)
    return None


# What both have


def _entry(
    *, key: Any, url: str | None, title: Any, summary: Any, body: str, published: int | None, author: Any, language: Any
) -> FeedEntry | None:
    """None for one that leads nowhere or says nothing."""
    said = _plain(summary)
    text = _plain(body)
    if len(said) > max(MAX_SUMMARY_CHARS, len(text)):
        text = said
    name = _line(title, MAX_TITLE_CHARS) or _cut((said or text).split("\n")[0], 100)
    if url is None or not name:
        return None
    key = str(key or url)
    short = _cut(said or text, MAX_SUMMARY_CHARS)
    return FeedEntry(
        key=key if len(key) <= MAX_URL_CHARS else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest(),
        url=url,
        title=name,
        summary=short,
        text=text[:MAX_TEXT_CHARS] if len(text) > len(short) else "",
        published=published,
        author=_line(author, MAX_TITLE_CHARS) or None,
        language=_language(language),
    )


def _each_once(entries: Iterable[FeedEntry]) -> tuple[FeedEntry, ...]:
    found: dict[str, FeedEntry] = {}
    for entry in entries:
        found.setdefault(entry.key, entry)
    return tuple(found.values())


def _plain(markup: Any) -> str:
    """What is seen of it, in paragraphs."""
    if not isinstance(markup, str):
        return ""
    markup = _sane(markup[: 8 * MAX_TEXT_CHARS])
    if "<" not in markup and "&" not in markup:
        blocks = markup.split("\n\n")
    else:
        blocks = [part.text for part in visible_parts(iter([markup]))]
    return "\n\n".join(text for block in blocks if (text := " ".join(block.split())))


def _line(markup: Any, most: int) -> str:
    return _cut(" ".join(_plain(markup).split()), most)


def _cut(text: str, most: int) -> str:
    """Not longer than that, and cut between two words."""
    if len(text) <= most:
        return text
    return text[: most - 1].rsplit(" ", 1)[0] + "…"


def _sane(text: str) -> str:
    """Without what no text has: half characters, NUL and the like."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]", "", text)


def _address(link: Any, base: str) -> str | None:
    """An absolute address of the web, or None."""
    if not isinstance(link, str) or not link.strip():
        return None
    with contextlib.suppress(ValueError):
        whole = _sane(urljoin(base, link.strip()))
        if urlsplit(whole).scheme in ("http", "https") and urlsplit(whole).hostname and len(whole) <= MAX_URL_CHARS:
            return whole
    return None


def _language(tag: Any) -> str | None:
    """The two letters of `de-AT`."""
    match = re.match(r"([A-Za-z]{2})(?:[-_]|$)", tag.strip()) if isinstance(tag, str) else None
    return match[1].lower() if match else None


# Pages and OPML


def find_links(data: bytes, url: str) -> list[str]:
    """The feeds that a page names in its head, in their order, those of comments last. Raises Rejected."""
    html: Any = importlib.import_module("lxml.html")
    try:
        tree = html.document_fromstring(data) if data.strip() else None
    except Exception as error:  # whatever it is, it is no page
        raise Rejected("is no page") from error
    if tree is None:
        return []
    base = _address(next(iter(tree.xpath("//base/@href")), None), url) or url
    found: dict[str, bool] = {}
    for link in tree.iter("link"):
        kinds = str(link.get("rel", "")).lower().split()
        media = str(link.get("type", "")).partition(";")[0].strip().lower()
        where = _address(link.get("href"), base)
        if "alternate" in kinds and media in FEED_TYPES and where is not None:
            named = f"{link.get('title', '')} {where}".lower()
            found.setdefault(where, any(word in named for word in ("comment", "kommentar", "commentaire")))
    return sorted(found, key=lambda where: found[where])[:MAX_LINKS]


def parse_opml(data: bytes) -> list[FeedOutline]:
    """The feeds of an OPML list, however deep they stand. Entities are refused. Raises Rejected."""
    etree: Any = importlib.import_module("lxml.etree")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False, remove_comments=True
    )
    if b"<!ENTITY" in data.replace(b"\0", b""):
        raise Rejected("declares entities, which OPML does not need; remove them")
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Rejected(f"is not OPML: {_line(str(error), 200)}") from error
    if str(root.tag).lower() != "opml":
        raise Rejected("is not OPML: it has no <opml> around it")
    found: dict[str, FeedOutline] = {}
    for outline in root.iter("outline"):
        fields = {str(name).lower(): str(value) for name, value in outline.attrib.items()}
        url = _address(fields.get("xmlurl"), "")
        if url is not None:
            title = _first(_line, [fields.get("title"), fields.get("text")])
            site = _address(fields.get("htmlurl"), "")
            found.setdefault(url, FeedOutline(url, title, site, _language(fields.get("language"))))
    return list(found.values())[:MAX_OUTLINES]


def _first(read: Callable[[Any, int], str], values: Sequence[str | None]) -> str:
    return next((text for value in values if (text := read(value, MAX_TITLE_CHARS))), "")
