"""Answers of several services become one order."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.schema.web import WebHit
from eclair.web.rank_fusion import (
    MAX_TOP_HITS_PER_SITE,
    TOP_HITS,
    RankedList,
    canonical_url,
    fuse,
    site_host,
    strip_tracking,
)

TODAY = date(2026, 11, 25)


def hit(url: str, title: str = "", by: str = "a", **more: object) -> WebHit:
    return WebHit(url, title or url, providers=(by,), **more)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "url",
    [
        "https://www.example.org/news/1",
        "http://example.org/news/1/",
        "https://example.org/news/1#top",
        "https://example.org/news/1?utm_source=x&utm_medium=y&fbclid=z",
        "https://m.example.org/news/1",
        "https://example.org/news/1/amp",
        "https://example.org/amp/news/1",
        "https://amp.example.org:443/news/1?amp=1",
        "https://www.google.com/amp/s/example.org/news/1",
        "https://example-org.cdn.ampproject.org/c/s/example.org/news/1",
    ],
)
def test_one_page_has_one_address(url: str) -> None:
    assert canonical_url(url) == "example.org/news/1"
    assert site_host(url) == "example.org"


def test_other_pages_have_others() -> None:
    urls = ("https://a.org/x?id=1", "https://a.org/x?id=2", "https://a.org:8080/x?id=1", "https://b.a.org/x?id=1")
    assert len({canonical_url(url) for url in urls}) == 4
    assert canonical_url("https://a.org/x?b=2&a=1") == canonical_url("https://a.org/x?a=1&b=2")
    assert site_host("https://m.de/") == "m.de"


def test_what_only_tells_where_one_came_from_is_left_out() -> None:
    assert strip_tracking("https://a.org/x?id=1&utm_source=s&gclid=t#part") == "https://a.org/x?id=1#part"
    assert strip_tracking("https://a.org/x?q=%20a+b&c") == "https://a.org/x?q=%20a+b&c"


def test_what_several_have_high_is_first() -> None:
    one = RankedList("one", (hit("https://a.org/", by="one"), hit("https://b.org/", by="one"), hit("https://c.org/")))
    two = RankedList("two", (hit("https://www.b.org", by="two", snippet="b", published=TODAY), hit("https://d.org/")))
    hits = fuse([one, two], TODAY)
    assert [each.url for each in hits] == ["https://www.b.org", "https://a.org/", "https://d.org/", "https://c.org/"]
    assert hits[0] == hit("https://www.b.org", by="two", snippet="b", published=TODAY) or hits[0].providers == (
        "two",
        "one",
    )
    assert hits[0].providers == ("two", "one")
    assert (hits[0].snippet, hits[0].published) == ("b", TODAY)


def test_a_report_that_many_print_is_one() -> None:
    title = "Parliament votes for the new budget law"
    listed = RankedList(
        "x", (hit("https://a.org/1", f"{title} - A Times"), hit("https://b.org/2", f"{title.upper()} | B"))
    )
    assert [each.url for each in fuse([listed], TODAY)] == ["https://a.org/1"]
    short = RankedList(
        "x", (hit("https://a.org/1", "Home"), hit("https://b.org/2", "Home"), hit("https://a.org/3", "Home"))
    )
    assert [each.url for each in fuse([short], TODAY)] == ["https://a.org/1", "https://b.org/2"]


def test_what_is_new_goes_first_where_that_is_asked_for() -> None:
    ages = (400, None, 0, 5)
    listed = RankedList(
        "x",
        tuple(
            hit(f"https://{n}.org/", published=None if age is None else TODAY - timedelta(days=age))
            for n, age in enumerate(ages)
        ),
    )
    assert [each.url for each in fuse([listed], TODAY)] == [f"https://{n}.org/" for n in range(4)]
    assert [urlsplit(each.url).hostname for each in fuse([listed], TODAY, 7)] == ["2.org", "3.org", "1.org", "0.org"]


def test_no_site_fills_the_top() -> None:
    many = RankedList("x", tuple(hit(f"https://a.org/{n}") for n in range(9)))
    few = RankedList("y", tuple(hit(f"https://{name}.org/") for name in "bcd"))
    hits = fuse([many, few], TODAY)
    assert len(hits) == 12
    assert [site_host(each.url) for each in hits[:5]].count("a.org") == MAX_TOP_HITS_PER_SITE
    assert [each.url for each in hits[5:]] == [f"https://a.org/{n}" for n in range(2, 9)]


PATHS = st.sampled_from(["/", "/a", "/a/amp", "/b?utm_source=x", "/b", "/c?id=1"])
HITS = st.builds(
    WebHit,
    st.builds("https://{}{}".format, st.sampled_from(["a.org", "www.a.org", "b.org", "c.org", "m.c.org"]), PATHS),
    st.sampled_from(["One", "Two", "A title of more words than five", "A title of more words than five - Site"]),
    published=st.none() | st.dates(date(2020, 1, 1), TODAY),
    providers=st.just(("x",)),
)


@given(st.lists(st.lists(HITS, max_size=8), max_size=4), st.none() | st.integers(0, 400))
def test_nothing_is_lost_and_nothing_doubled(lists: list[list[WebHit]], days: int | None) -> None:
    listed = [RankedList(str(number), tuple(hits)) for number, hits in enumerate(lists)]
    hits = fuse(listed, TODAY, days)
    addresses = [canonical_url(each.url) for each in hits]
    assert len(addresses) == len(set(addresses))
    assert {site_host(each.url) for each in hits} <= {
        site_host(each.url) for listed_hits in lists for each in listed_hits
    }
    assert bool(hits) == any(lists)
    sites = Counter(site_host(each.url) for each in hits)
    if len(hits) > TOP_HITS and len(sites) >= TOP_HITS // MAX_TOP_HITS_PER_SITE:
        assert max(Counter(site_host(each.url) for each in hits[:TOP_HITS]).values()) <= max(
            MAX_TOP_HITS_PER_SITE, TOP_HITS - len(hits)
        )


@given(st.text() | st.builds("https://{}/{}".format, st.text(), st.text()))
def test_any_address_of_the_web_can_be_folded(url: str) -> None:
    from eclair.web.providers.base import is_web_url

    if is_web_url(url):
        assert canonical_url(url).startswith(site_host(url))
        assert canonical_url(strip_tracking(url)) == canonical_url(url)
