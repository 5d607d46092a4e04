"""Fuses hits of several providers into one list, without duplicates."""

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
"""k of reciprocal rank fusion (Cormack, 2009); a larger one makes top ranks count less."""

FRESHNESS_WEIGHT = 0.5
"""Share that a page of today gains if recent ones are asked for; one that is too old loses as much."""

TOP_HITS = 8
MAX_TOP_HITS_PER_SITE = 2
"""Among the first `TOP_HITS`."""

MIN_TITLE_WORDS = 5
"""Pages with the same title of at least this many words are one page, even on different sites."""

_TRACKING = re.compile(
    r"utm_\w+|at_(medium|campaign|custom\d+)|mc_[ce]id|pk_\w+|mtm_\w+|wt_\w+|(fb|g|tt|tw|ms|d|y)cl(k)?id|igshid|"
    r"cmpid|ncid|xtor|ocid|smid|ref_src|amp",
    re.IGNORECASE,
)
_SUBDOMAIN = re.compile(r"\A(?:www\d?|m|mobile|amp)\.(?=[^.]++\.)")
_SITE_NAME = re.compile(r"(?<!\s)\s++(?:[-–—|·:•»]|::)\s++[^-–—|·•»]{1,60}$")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class RankedList:
    """The hits of one provider for one query, best first."""

    provider: str
    hits: tuple[WebHit, ...]


@dataclass(slots=True)
class _MergedHit:
    """Hits that are one page, merged, with their score and best rank."""

    hit: WebHit
    best_rank: int
    score: float


def fuse(lists: Iterable[RankedList], today: date, days: int | None = None) -> tuple[WebHit, ...]:
    """Merge the lists, best hits first. `days` is how old hits may be if recent ones are asked for."""
    pages: list[_MergedHit] = []
    known: dict[str, _MergedHit] = {}
    for listed in lists:
        counted: set[int] = set()
        for rank, hit in enumerate(listed.hits):
            keys = _keys(hit)
            page = next((known[key] for key in keys if key in known and not _are_distinct(known[key].hit, hit)), None)
            if page is None:
                page = _MergedHit(hit, rank, 0.0)
                pages.append(page)
            elif page.hit is not hit:
                _merge(page, hit, rank)
            for key in keys:
                known.setdefault(key, page)
            if id(page) not in counted:  # a list that has a page twice counts once
                page.score += 1 / (RRF_K + rank)
                counted.add(id(page))
    order = sorted(pages, key=lambda page: (-page.score * _freshness(page.hit, today, days), page.best_rank))
    return _diversify([page.hit for page in order])


def canonical_url(url: str) -> str:
    """Return the form that all URLs of a page share: no scheme, `www.`, AMP, tracking, fragment or last slash."""
    parts = urlsplit(_unwrap_amp(url))
    path = re.sub(r"(\.amp)(?=\.html?$)|/(amp|index\.(html?|php))/?$|^/amp(?=/)", "", parts.path).rstrip("/")
    query = urlencode(sorted(_without_tracking(parts.query)))
    port = "" if parts.port in (None, 80, 443) else f":{parts.port}"
    return f"{site_host(url)}{port}{path}?{query}" if query else f"{site_host(url)}{port}{path}"


def strip_tracking(url: str) -> str:
    """Remove the parameters that only track where a visitor came from."""
    parts = urlsplit(url)
    kept = _without_tracking(parts.query)
    same = len(kept) == len(parse_qsl(parts.query, keep_blank_values=True))
    return url if same else urlunsplit(parts._replace(query=urlencode(kept)))


def site_host(url: str) -> str:
    """Return the site's host without `www.` and the like."""
    host = (urlsplit(_unwrap_amp(url)).hostname or "").rstrip(".")
    return _SUBDOMAIN.sub("", host, count=1)


def _without_tracking(query: str) -> list[tuple[str, str]]:
    pairs = parse_qsl(query, keep_blank_values=True)
    return [(name, value) for name, value in pairs if not _TRACKING.fullmatch(name)]


def _unwrap_amp(url: str) -> str:
    """Return the page's own URL if this is that of an AMP cache."""
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
    """Return the keys by which hits are one page: URL, and title (with its site unless the title is long)."""
    words = " ".join(_WORD.findall(_SITE_NAME.sub("", hit.title).casefold()))
    title = f"title {words}" if words.count(" ") >= MIN_TITLE_WORDS - 1 else f"title {words} at {site_host(hit.url)}"
    return canonical_url(hit.url), title


def _are_distinct(one: WebHit, other: WebHit) -> bool:
    """Return whether pages of different sites with one title still differ: a number is in only one snippet."""
    if site_host(one.url) == site_host(other.url) or not one.snippet or not other.snippet:
        return False
    mine, theirs = extract_facts(one.snippet).numbers, extract_facts(other.snippet).numbers
    return any(
        not any(number.matches(each) for each in against)
        for numbers, against in ((mine, theirs), (theirs, mine))
        for number in numbers
    )


def _merge(page: _MergedHit, hit: WebHit, rank: int) -> None:
    first, other = (page.hit, hit) if page.best_rank <= rank else (hit, page.hit)
    page.best_rank = min(page.best_rank, rank)
    page.hit = replace(
        first,
        snippet=first.snippet or other.snippet,
        published=first.published or other.published,
        providers=tuple(dict.fromkeys((*first.providers, *other.providers))),
    )


def _freshness(hit: WebHit, today: date, days: int | None) -> float:
    """Return the factor on a hit's score by its age; 1 if the age is unknown or doesn't matter."""
    if days is None or hit.published is None:
        return 1.0
    age = max(0, (today - hit.published).days)
    return 1 - FRESHNESS_WEIGHT if age > days else 1 + FRESHNESS_WEIGHT * (1 - age / (days + 1))


def _diversify(hits: Sequence[WebHit]) -> tuple[WebHit, ...]:
    """Move surplus hits of a site from the top to below it."""
    top: list[WebHit] = []
    rest: list[WebHit] = []
    seen = Counter[str]()
    for hit in hits:
        site = site_host(hit.url)
        if len(top) < TOP_HITS and seen[site] < MAX_TOP_HITS_PER_SITE:
            seen[site] += 1
            top.append(hit)
        else:
            rest.append(hit)
    return (*top, *rest)
