"""The feed door: whatever comes ends in entries or in a clear fault."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.sandbox.protocol import Rejected
from eclair.schema.feeds import Feed, FeedEntry, FeedOutline
from eclair.web.feeds.feed_parser import (
    MAX_FEED_BYTES,
    UnreadableFeed,
    feed_links,
    read_feed,
    read_opml,
    starter_feeds,
    write_opml,
)
from eclair.web.feeds.feed_protocol import PROTOCOL, FeedLinks, FindFeedLinks, OpmlList, ReadFeed, ReadOpml
from eclair.web.feeds.worker import handle, parse_feed
from tests.web.publisher import rss

I18N = Path(__file__).parents[2] / "ui" / "src" / "lib" / "i18n"
NOW = int(datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp() * 1000)
URL = "https://news.example.org/feeds/all.xml"


def read(data: str | bytes, media: str = "") -> Feed:
    return parse_feed(data.encode() if isinstance(data, str) else data, URL, media, NOW)


def moment(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp() * 1000)


def test_rss_2_with_full_text() -> None:
    found = read(
        """<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/">
        <channel><title>Tageblatt</title><link>https://news.example.org/</link><language>de-AT</language><ttl>90</ttl>
        <item><title>Br&#252;cke &amp;amp; Bahn</title><link>/bahn?a=1&amp;b=2</link><guid isPermaLink="false">n1</guid>
        <pubDate>Tue, 24 Nov 2026 18:30:00 +0100</pubDate><description>&lt;p&gt;Kurz.&lt;/p&gt;</description>
        <content:encoded><![CDATA[<h2>Lage</h2><p>Die Brücke <b>ist</b> gesperrt.</p><script>x()</script>
        <p>Bis Mai.</p>]]>
        </content:encoded></item></channel></rss>""",
        "text/xml",
    )
    assert (found.title, found.site, found.language, found.ttl_minutes) == (
        "Tageblatt",
        "https://news.example.org/",
        "de",
        90,
    )
    assert found.entries == (
        FeedEntry(
            key="n1",
            url="https://news.example.org/bahn?a=1&b=2",
            title="Brücke & Bahn",
            summary="Kurz.",
            text="Lage\n\nDie Brücke ist gesperrt.\n\nBis Mai.",
            published=moment(2026, 11, 24, 17, 30),
        ),
    )


def test_rss_1_and_0_91() -> None:
    old = read(
        """<?xml version="1.0" encoding="ISO-8859-1"?><rss version="0.91"><channel><title>Alt</title>
        <link>https://old.example.org/</link><language>fr</language>
        <item><title>Mar\xe9e haute</title><link>https://old.example.org/1</link></item></channel></rss>""".encode(
            "latin-1"
        )
    )
    assert [(entry.title, entry.url) for entry in old.entries] == [("Marée haute", "https://old.example.org/1")]
    rdf = read(
        """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
        xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="https://x.example.org/"><title>X</title>
        <link>https://x.example.org/</link></channel><item rdf:about="https://x.example.org/2"><title>Two</title>
        <link>https://x.example.org/2</link><dc:date>2026-11-20T08:00:00Z</dc:date></item></rdf:RDF>"""
    )
    assert [(entry.title, entry.published) for entry in rdf.entries] == [("Two", moment(2026, 11, 20, 8))]


def test_atom_is_dated_by_when_it_was_published() -> None:
    found = read(
        """<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>Log</title><link href="https://a.example.org/"/>
        <entry><title type="html">A &lt;i&gt;b&lt;/i&gt;</title><link href="one"/><id>tag:1</id>
        <author><name>Ada</name></author><published>2026-11-01T00:00:00Z</published>
        <updated>2026-11-24T00:00:00Z</updated><summary>Said.</summary></entry></feed>"""
    )
    (entry,) = found.entries
    assert (entry.title, entry.author, entry.published, entry.key) == ("A b", "Ada", moment(2026, 11, 1), "tag:1")
    assert entry.url == "https://news.example.org/feeds/one"


def test_json_feed() -> None:
    # https://www.jsonfeed.org/version/1.1/
    body = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Json",
        "home_page_url": "https://j.example.org/",
        "language": "nl-BE",
        "items": [
            {
                "id": "7",
                "url": "https://j.example.org/7",
                "title": "Dijk",
                "content_html": "<p>De dijk houdt.</p>",
                "date_published": "2026-11-23T10:00:00+01:00",
                "authors": [{"name": "Jan"}],
            },
            {"id": "8", "content_text": "Zonder adres"},
            "no item",
        ],
    }
    found = read(orjson.dumps(body))
    assert found.language == "nl"
    assert found.entries == (
        FeedEntry(
            key="7",
            url="https://j.example.org/7",
            title="Dijk",
            summary="De dijk houdt.",
            text="",
            published=moment(2026, 11, 23, 9),
            author="Jan",
        ),
    )


@pytest.mark.parametrize(
    ("date", "published"),
    [
        ("Wed, 25 Nov 2026 14:00:00 GMT", NOW),  # a wrong time zone
        ("Wed, 02 Dec 2026 10:00:00 GMT", None),
        ("Mon, 01 Jan 1900 00:00:00 GMT", None),
        ("soon", None),
    ],
)
def test_no_date_is_in_the_future_or_made_up(date: str, published: int | None) -> None:
    item = f"<item><title>T</title><link>https://e.example/</link><pubDate>{date}</pubDate></item>"
    (entry,) = read(f"<rss version='2.0'><channel><title>F</title>{item}</channel></rss>").entries
    assert entry.published == published


def test_a_language_that_is_not_said_is_told_by_the_words() -> None:
    text = "Die Regierung hat am Montag beschlossen, dass die Brücke bis zum Mai gesperrt wird und nicht früher."
    assert read(rss(("Die Brücke ist weiter gesperrt", text), language="")).language == "de"


@pytest.mark.parametrize("data", [b"", b"hello", b"<html><body><p>Hi</p></body></html>", b"{}", b"[1]", b"\xff\xfe\0"])
def test_what_is_no_feed_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(Rejected, match="is not a feed"):
        read(data)


PIECES = st.sampled_from(
    [
        "<rss version='2.0'><channel>",
        "<title>",
        "</title>",
        "<item>",
        "</item>",
        "<link>https://e.example/a</link>",
        "<link>",
        "<pubDate>Wed, 99 Nov 2026</pubDate>",
        "<feed xmlns='http://www.w3.org/2005/Atom'>",
        "<entry>",
        "</entry>",
        "<![CDATA[",
        "]]>",
        "&lt;p&gt;",
        "&#x0;",
        "&bad;",
        "<!DOCTYPE r [<!ENTITY a 'b'>]>",
        "&a;",
        "<description>",
        '{"version":"https://jsonfeed.org/version/1","items":[{}]}',
        "<?xml version='1.0' encoding='utf-16'?>",
        "<content:encoded>",
        "<ttl>9e9</ttl>",
        "\x00",
        "é",
    ]
)


@given(st.one_of(st.binary(max_size=400), st.lists(PIECES, max_size=30).map(lambda pieces: "".join(pieces).encode())))
def test_any_bytes_end_in_entries_or_a_fault(data: bytes) -> None:
    try:
        (found,) = handle(ReadFeed(data, URL, "", NOW))
    except Rejected:
        return
    assert PROTOCOL.results.read(io.BytesIO(PROTOCOL.results.encode(found))) == found
    assert isinstance(found, Feed)
    for entry in found.entries:
        assert entry.title.strip()
        assert urlsplit(entry.url).scheme in ("http", "https")
        assert entry.published is None or entry.published <= NOW
        assert not any(sign in "\0\x1b" for text in (entry.title, entry.summary, entry.text) for sign in text)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_list_or_a_fault(data: bytes) -> None:
    for request, kind in ((ReadOpml(data), OpmlList), (FindFeedLinks(data, URL), FeedLinks)):
        try:
            (found,) = handle(request)
        except Rejected:
            continue
        assert isinstance(found, kind)
        assert PROTOCOL.results.read(io.BytesIO(PROTOCOL.results.encode(found))) == found


async def test_the_process_reads_and_refuses() -> None:
    found = await read_feed(rss(("Hafen", "Offen")).encode(), URL)
    assert [entry.title for entry in found.entries] == ["Hafen"]
    with pytest.raises(UnreadableFeed, match="is not a feed"):
        await read_feed(b"nothing", URL)
    with pytest.raises(UnreadableFeed, match="larger than 5 MB"):
        await read_feed(b" " * (MAX_FEED_BYTES + 1), URL)


async def test_a_bomb_of_entities_ends_nothing_but_its_process() -> None:
    levels = "".join(f"<!ENTITY e{n} '{f'&e{n - 1};' * 10}'>" for n in range(1, 12))
    bomb = (
        f"<!DOCTYPE rss [<!ENTITY e0 'boom'>{levels}]><rss version='2.0'><channel><title>&e11;</title></channel></rss>"
    )
    try:
        found = await read_feed(bomb.encode(), URL)
    except UnreadableFeed:
        return
    assert len(found.title) < 1000


async def test_cancelling_ends_the_process() -> None:
    task = asyncio.create_task(read_feed(rss(("a", "b")).encode() + b" " * 4_000_000, URL))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_page_names_its_feeds() -> None:
    page = b"""<html><head><base href="https://site.example/de/">
    <link rel="alternate" type="application/rss+xml" title="Kommentare" href="comments.xml">
    <link rel="ALTERNATE" type="application/atom+xml" href="feed.atom"><link rel="stylesheet" href="x.css">
    <link rel="alternate" hreflang="fr" href="/fr"><link rel="alternate" type="application/rss+xml" href="file:///etc">"""
    assert await feed_links(page, "https://other.example/") == [
        "https://site.example/de/feed.atom",
        "https://site.example/de/comments.xml",
    ]


async def test_opml_goes_out_and_comes_back() -> None:
    feeds = [
        FeedOutline("https://a.example/feed?x=1&y=2", "A & B", "https://a.example/", "de"),
        FeedOutline("https://b.example/", "Ω", None, None),
    ]
    written = write_opml(feeds, 0)
    assert b'<opml version="2.0">' in written
    assert await read_opml(written) == feeds


async def test_opml_of_others_with_folders() -> None:
    nested = b"""<opml version="1.0"><body><outline text="News"><outline text="T" xmlUrl="https://t.example/rss"
    language="fr-FR"/><outline text="again" xmlURL="https://t.example/rss"/></outline>
    <outline xmlUrl="javascript:alert(1)"/></body></opml>"""
    assert await read_opml(nested) == [FeedOutline("https://t.example/rss", "T", None, "fr")]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"<!DOCTYPE opml [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><opml><outline text='&x;'/></opml>", "entities"),
        ("<!DOCTYPE opml [<!ENTITY x 'y'>]><opml>&x;</opml>".encode("utf-16"), "entities"),
        (b"<html/>", "no <opml>"),
        (b"not xml", "is not OPML"),
        (b"", "is not OPML"),
    ],
)
async def test_opml_without_entities(data: bytes, fault: str) -> None:
    with pytest.raises(UnreadableFeed, match=fault):
        await read_opml(data)


def test_the_starter_list_is_sound() -> None:
    every = starter_feeds()
    assert len({each.url for each in every}) == len(every) >= 60
    languages = {each.language for each in every}
    assert languages >= {path.stem for path in I18N.glob("??.json")}
    for each in every:
        assert urlsplit(each.url).scheme == "https"
        assert each.name
        assert each.publisher
        assert len(each.country) == 2
