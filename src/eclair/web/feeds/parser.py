"""Feeds and lists of feeds: bytes to typed values and back. Every reading is done in a bounded process of its own
(`feed_process`); fetching is `feed_calls`' affair.
"""

from __future__ import annotations

import asyncio
import time
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from email.utils import formatdate
from functools import cache
from importlib import import_module, resources
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from eclair.sandbox.pool import Guests
from eclair.schema.feeds import SECONDS, Feed, Order, Outline
from eclair.schema.ids import Clock

T = TypeVar("T")

LARGEST = 5 << 20
"""Bytes of a feed, a page or a list."""

_FEED = TypeAdapter(Feed)
_LINKS = TypeAdapter(list[str])
_OUTLINES = TypeAdapter(list[Outline])
_GUESTS = Guests("eclair.web.feeds.worker")


class Unreadable(Exception):
    """What came is no feed, no page or no list; the text is a sentence without its subject and its full stop."""


@dataclass(frozen=True, slots=True)
class Starter:
    """A feed of the list that comes along. `country` is the publisher's (ISO 3166-1); `terms` the address of what the
    publisher allows, where it is known."""

    name: str
    url: str
    language: str
    country: str
    publisher: str
    terms: str | None = None


async def read_feed(data: bytes, url: str, media: str = "", clock: Clock = time.time) -> Feed:
    """RSS, Atom or JSON Feed that came from `url` as `media`. Raises Unreadable."""
    return await _read(Order("feed", url, media, int(clock() * 1000)), data, _FEED)


async def feed_links(data: bytes, url: str) -> list[str]:
    """The addresses of the feeds that a page in HTML names, the likeliest first. Raises Unreadable."""
    return await _read(Order("links", url), data, _LINKS)


async def read_opml(data: bytes) -> list[Outline]:
    """The feeds of an OPML list. Raises Unreadable."""
    return await _read(Order("opml"), data, _OUTLINES)


def write_opml(feeds: Iterable[Outline], now: float) -> bytes:
    """The feeds as an OPML 2.0 list."""
    etree: Any = import_module("lxml.etree")
    root = etree.Element("opml", version="2.0")
    head = etree.SubElement(root, "head")
    etree.SubElement(head, "title").text = "Éclair"
    etree.SubElement(head, "dateCreated").text = formatdate(now, usegmt=True)
    body = etree.SubElement(root, "body")
    for feed in feeds:
        names = {"type": "rss", "text": feed.title or feed.url, "title": feed.title or feed.url, "xmlUrl": feed.url}
        more = {"htmlUrl": feed.site, "language": feed.language}
        etree.SubElement(body, "outline", names | {name: value for name, value in more.items() if value})
    written: bytes = etree.tostring(root, encoding="utf-8", xml_declaration=True, pretty_print=True)
    return written


@cache
def starters() -> tuple[Starter, ...]:
    """The list that comes along, by language."""
    text = (resources.files("eclair.web.feeds") / "starters.toml").read_text("utf-8")
    return tuple(Starter(**fields) for fields in tomllib.loads(text)["feed"])


async def _read(order: Order, data: bytes, form: TypeAdapter[T]) -> T:
    """What the process read. Raises Unreadable."""
    if len(data) > LARGEST:
        raise Unreadable(f"is larger than {LARGEST >> 20} MB")
    try:
        out = await _GUESTS.ask(orjson.dumps(asdict(order)) + b"\n" + data, SECONDS)
    except TimeoutError:
        raise Unreadable("takes too long to read") from None
    return await asyncio.to_thread(_typed, order, out, form)


def _typed(order: Order, out: bytes, form: TypeAdapter[T]) -> T:
    """What the process said, of which nothing is believed but its form. Raises Unreadable."""
    try:
        read: dict[str, Any] = orjson.loads(out)
        if "fault" in read:
            raise Unreadable(str(read["fault"]))
        return form.validate_python(read[order.what])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValidationError) as error:
        raise Unreadable("is damaged, or takes too much to read") from error
