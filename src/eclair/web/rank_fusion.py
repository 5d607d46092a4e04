"""Joins what several services found into one order: by rank and freshness, doubles folded, no site too often on top."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from eclair.schema.web import WebHit
from eclair.text.facts import extract_facts

RRF_K = 60
"""How little the first places of a list count before the next ones (k of reciprocal rank fusion, Cormack 2009)."""

FRESHNESS_WEIGHT = 0.5
"""What a page of today gains where what is new is asked for; one that is older than that loses as much."""

TOP_HITS = 8
MAX_TOP_HITS_PER_SITE = 2
"""Of the first TOP hits, at most so many are of one site."""

MIN_TITLE_WORDS = 5
"""A title of so many words that two pages share makes them one, wherever they are."""

_TRACKING = re.compile(
    r"utm_\w+|at_(medium|campaign|custom\d+)|mc_[ce]id|pk_\w+|mtm_\w+|wt_\w+|(fb|g|tt|tw|ms|d|y)cl(k)?id|igshid|"
    r"cmpid|ncid|xtor|ocid|smid|ref_src|amp",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"(www\d?|m|mobile|amp)\.(?=.+\.)")
_NAME = re.compile(r"\s+(?:[-–—|·:•»]|::)\s+[^-–—|·•»]{1,60}$")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class RankedList:
    """What one service answered to one query, best first."""

    provider: str
    hits: tuple[WebHit, ...]


@dataclass(slots=True)
class _Double:
    """Hits that are one page, and what their places come to; `best` is the place of the first."""

    hit: WebHit
    best: int
    score: float


def fuse(lists: Iterable[RankedList], today: date, days: int | None = None) -> tuple[WebHit, ...]:
    """One order of all hits. Where what is new is asked for, `days` is how old it may be."""
    pages: list[_Double] = []
    known: dict[str, _Double] = {}
    for listed in lists:
        counted: set[int] = set()
        for place, hit in enumerate(listed.hits):
            keys = _keys(hit)
            page = next((known[key] for key in keys if key in known and not _tell_apart(known[key].hit, hit)), None)
            if page is None:
                page = _Double(hit, place, 0.0)
                pages.append(page)
            elif page.hit is not hit:
                _join(page, hit, place)
            for key in keys:
                known.setdefault(key, page)
            if id(page) not in counted:  # a list that has a page twice counts once
                page.score += 1 / (RRF_K + place)
                counted.add(id(page))
    order = sorted(pages, key=lambda page: (-page.score * _freshness(page.hit, today, days), page.best))
    return _spread([page.hit for page in order])


def canonical_url(url: str) -> str:
    """What the addresses of one page have in common: no scheme, `www.`, AMP, tracking, fragment or last slash."""
    parts = urlsplit(_unwrapped(url))
    path = re.sub(r"(\.amp)(?=\.html?$)|/(amp|index\.(html?|php))/?$|^/amp(?=/)", "", parts.path).rstrip("/")
    query = urlencode(sorted(_own(parts.query)))
    port = "" if parts.port in (None, 80, 443) else f":{parts.port}"
    return f"{site_host(url)}{port}{path}?{query}" if query else f"{site_host(url)}{port}{path}"


def strip_tracking(url: str) -> str:
    """The address without what only tells where one came from."""
    parts = urlsplit(url)
    kept = _own(parts.query)
    same = len(kept) == len(parse_qsl(parts.query, keep_blank_values=True))
    return url if same else urlunsplit(parts._replace(query=urlencode(kept)))


def site_host(url: str) -> str:
    """The host, as people know it."""
    host = (urlsplit(_unwrapped(url)).hostname or "").rstrip(".")
    return _ASIDE.sub("", host, count=1)


def _own(query: str) -> list[tuple[str, str]]:
    pairs = parse_qsl(query, keep_blank_values=True)
    return [(name, value) for name, value in pairs if not _TRACKING.fullmatch(name)]


def _unwrapped(url: str) -> str:
    """The page's own address, where this is a copy's in a cache of AMP."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if re.fullmatch(r"www\.google\.[a-z.]+", host):
        kept = re.match(r"/amp/(?:s/)?(?=[^/]+\.)", parts.path)
    elif host.endswith(".cdn.ampproject.org"):
        kept = re.match(r"/[a-z]/(?:s/)?(?=[^/]+\.)", parts.path)
    else:
        kept = None
    if kept is None:
        return url
    inner = f"https://{parts.path[kept.end() :]}?{parts.query}"
    try:
        return inner if urlsplit(inner).port is None else url
    except ValueError:
        return url


def _keys(hit: WebHit) -> tuple[str, ...]:
    """What makes it the same page as another: its address; its title, if that is long or the site is the same."""
    words = " ".join(_WORD.findall(_NAME.sub("", hit.title).casefold()))
    told = f"title {words}" if words.count(" ") >= MIN_TITLE_WORDS - 1 else f"title {words} at {site_host(hit.url)}"
    return canonical_url(hit.url), told


def _tell_apart(one: WebHit, other: WebHit) -> bool:
    """Whether two pages of different sites are two reports, whatever their titles: a number stands in one alone."""
    if site_host(one.url) == site_host(other.url) or not one.snippet or not other.snippet:
        return False
    mine, theirs = extract_facts(one.snippet).numbers, extract_facts(other.snippet).numbers
    return any(
        not any(number.matches(each) for each in against)
        for numbers, against in ((mine, theirs), (theirs, mine))
        for number in numbers
    )


def _join(page: _Double, hit: WebHit, place: int) -> None:
    first, other = (page.hit, hit) if page.best <= place else (hit, page.hit)
    page.best = min(page.best, place)
    page.hit = replace(
        first,
        snippet=first.snippet or other.snippet,
        published=first.published or other.published,
        providers=tuple(dict.fromkeys((*first.providers, *other.providers))),
    )


def _freshness(hit: WebHit, today: date, days: int | None) -> float:
    """What its age makes of its place; nothing where it is not known, or does not matter."""
    if days is None or hit.published is None:
        return 1.0
    age = max(0, (today - hit.published).days)
    return 1 - FRESHNESS_WEIGHT if age > days else 1 + FRESHNESS_WEIGHT * (1 - age / (days + 1))


def _spread(hits: Sequence[WebHit]) -> tuple[WebHit, ...]:
    """The same hits, those of a site that is too often on top after the top."""
    top: list[WebHit] = []
    rest: list[WebHit] = []
    seen = Counter[str]()
    for hit in hits:
        at = site_host(hit.url)
        if len(top) < TOP_HITS and seen[at] < MAX_TOP_HITS_PER_SITE:
            seen[at] += 1
            top.append(hit)
        else:
            rest.append(hit)
    return (*top, *rest)
