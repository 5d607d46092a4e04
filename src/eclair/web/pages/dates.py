"""The day that a page is from, by what it says of itself: none rather than a wrong one, and never one to come.

It is asked in this order: JSON-LD, meta, `time` elements, the address, what is seen beside a word such as `published`,
and last when it was changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache

from babel import Locale, UnknownLocaleError

from eclair.text.lexicon.loader import merge_patterns
from eclair.web.pages.dom import Element
from eclair.web.pages.json_ld import Node, article_nodes, node_types, text_value

FIRST_YEAR = 1991
"""The year in which the web began."""

ZONE = timedelta(hours=14)
"""How far a place may be ahead of UTC."""

MAX_ELEMENTS = 4000
"""Elements in which a date that is seen is looked for."""

MAX_LINE_CHARS = 160
"""Characters of a line that tells a date; what is longer is prose."""

_PUBLISHED = (
    *("article:published_time", "og:article:published_time", "og:published_time", "datepublished", "date"),
    *("dc.date.issued", "dcterms.issued", "dc.date", "dcterms.date", "dcterms.created", "dc.date.created"),
    *("pubdate", "publishdate", "publish-date", "publication_date", "citation_publication_date", "parsely-pub-date"),
    *(
        "sailthru.date",
        "cxenseparse:recs:publishtime",
        "article.published",
        "last-published",
        "originalpublicationdate",
    ),
)
_MODIFIED = ("article:modified_time", "og:updated_time", "datemodified", "last-modified", "dcterms.modified")

_APART = re.compile(
    r"\b(?:comments?|kommentare?|commentaires?|replies|related|teasers?|recommended|sidebar|footer|widget|disqus)\b"
)
_DATED = re.compile(r"(?:^|[\s_-])(?:date|datum|published|pubdate|dateline|byline|timestamp|posted|veroeffentlicht)\b")
_ISO = re.compile(r"\d{4}-\d{1,2}-\d{1,2}")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T?\d{4,6}Z?)?")
_IN_URL = (
    re.compile(r"/(\d{4})/(\d{1,2})/(\d{1,2})(?=[/_.-]|$)"),
    re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)"),
    re.compile(r"(?<=[/_-])(\d{4})(\d{2})(\d{2})(?=[/_.-]|$)"),
)


def find_date(tree: Element, nodes: Sequence[Node], url: str, language: str | None, today: date) -> date | None:
    """The day; `today` is that of UTC."""
    ways = (
        _linked(tree, nodes, "datePublished", today),
        _meta(tree, _PUBLISHED, today),
        _elements(tree, today),
        _address(url, today),
        _seen(tree, language, today),
        _linked(tree, nodes, "dateModified", today),
        _meta(tree, _MODIFIED, today),
    )
    return next((found for way in ways if (found := next(way, None)) is not None), None)


def parse_date(said: str, today: date) -> date | None:
    """A date in ISO 8601, as RFC 5322 has it, or as eight digits; None where it is none or can be none of a page."""
    said = said.strip()[:60]
    try:
        if found := _COMPACT.fullmatch(said):
            return _possible(date(*map(int, found.groups())), today)
        if _ISO.match(said.replace("/", "-")):
            return _possible(_moment(said.replace("/", "-", 2)), today)
        return _possible(parsedate_to_datetime(said), today) if "," in said or said[:1].isalpha() else None
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def _moment(said: str) -> date:
    """Raises ValueError. What stands behind the day is not always as it should be."""
    try:
        return datetime.fromisoformat(said)
    except ValueError:
        day = _ISO.match(said)
        assert day is not None
        return date(*map(int, day.group().split("-")))


def _possible(found: date, today: date) -> date | None:
    """Where a place is ahead of UTC, its day may be tomorrow, which counts as today."""
    day = found.date() if isinstance(found, datetime) else found
    if isinstance(found, datetime) and found.tzinfo is not None:
        ahead = found.astimezone(UTC).date() > today
    else:
        ahead = day > today + timedelta(days=1)
    return None if ahead or day.year < FIRST_YEAR else min(day, today)


def _linked(tree: Element, nodes: Sequence[Node], field: str, today: date) -> Iterator[date]:
    """What the article says; of several, that which is called what the page is called."""
    own = article_nodes(nodes) or [node for node in nodes if "WebPage" in node_types(node)]
    days = [(node, day) for node in own if (day := parse_date(text_value(node.get(field)), today)) is not None]
    if len({day for _, day in days}) > 1:
        titles = {_folded(heading.text_content()) for heading in tree.iter("h1", "title")}
        days = [(node, day) for node, day in days if _folded(text_value(node.get("headline"))) in titles]
        days = days if len({day for _, day in days}) == 1 else []
    yield from (day for _, day in days)


def _folded(said: str) -> str:
    return " ".join(said.split()).casefold()


def _meta(tree: Element, names: Sequence[str], today: date) -> Iterator[date]:
    said: dict[str, str] = {}
    for element in tree.iter("meta"):
        name = element.get("property") or element.get("name") or element.get("itemprop")
        if name and (content := element.get("content")):
            said.setdefault(name.lower(), content)
    for name in names:
        if name in said and (day := parse_date(said[name], today)) is not None:
            yield day


def _elements(tree: Element, today: date) -> Iterator[date]:
    """`time` elements: one that is marked, else the first, unless the page lists several articles."""
    found: list[tuple[Element, date]] = []
    for element in tree.iter("time", "abbr", "span"):
        said = element.get("datetime") or (element.get("content") if element.get("itemprop") else None)
        if said and not _aside(element) and (day := parse_date(said, today)) is not None:
            found.append((element, day))
    for element, day in found:
        if element.get("itemprop") == "datePublished" or element.get("pubdate") is not None:
            yield day
    around = {id(next(element.iterancestors("article"), tree)) for element, _ in found}
    if len(around) == 1:
        yield found[0][1]


def _aside(element: Element) -> bool:
    """Whether it stands in comments, in a list of other pages, or at the page's edge."""
    return any(each.tag in ("aside", "footer", "nav") or _APART.search(_classes(each)) for each in _up(element, 30))


def _up(element: Element, most: int) -> Iterator[Element]:
    at: Element | None = element
    for _ in range(most):
        if at is None or at.tag in ("body", "html"):
            return
        yield at
        at = at.getparent()


def _classes(element: Element) -> str:
    return f"{element.get('class') or ''} {element.get('id') or ''} {element.get('itemprop') or ''}".lower()


def _address(url: str, today: date) -> Iterator[date]:
    for form in _IN_URL:
        if found := form.search(url):
            yield from _days([found.groups()], today)


@cache
def _cue() -> re.Pattern[str]:
    """Matches a word beside which a page's date stands, such as `published`."""
    return re.compile(rf"\b(?:{merge_patterns(lambda lexicon: lexicon.web_pages.dateline)})\b", re.IGNORECASE)


def _seen(tree: Element, language: str | None, today: date) -> Iterator[date]:
    """What is seen in a short line that is marked as a date, or that says what the date is of."""
    for number, element in enumerate(tree.iter("p", "div", "span", "time", "li", "small", "td", "dd", "address")):
        if number == MAX_ELEMENTS:
            return
        if len(element) > 6:
            continue
        said = " ".join(element.text_content().split())
        if not 6 <= len(said) <= MAX_LINE_CHARS or not any(map(str.isdigit, said)):
            continue
        if not _cue().search(said) and not any(_DATED.search(_classes(each)) for each in _up(element, 3)):
            continue
        if not _aside(element):
            yield from spelled_dates(said, language, today)


def spelled_dates(said: str, language: str | None, today: date) -> Iterator[date]:
    """The dates in a line, as people of that language write them, or in English."""
    for code in dict.fromkeys((language or "en", "en")):
        names, form = _months(code)
        for found in form.finditer(said.casefold()):
            first, month, last, month_first, day, year = found.groups()
            if month_first is not None:
                yield from _days([(year, names[month_first], day)], today)
            else:
                year, day = (first, last) if len(first) == 4 else (last, first)
                yield from _days([(year, names[month], day)], today)
    for found in re.finditer(r"(?<![\d.])(\d{1,2})[./](\d{1,2})[./](\d{4})(?!\d)", said):
        day, month, year = found.groups()
        if "/" not in found.group() or language not in (None, "en") or int(day) > 12:
            yield from _days([(year, month, day)], today)
    for found in re.finditer(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)", said):
        yield from _days([found.groups()], today)


def _days(said: Iterable[Sequence[str | int | None]], today: date) -> Iterator[date]:
    for year, month, day in said:
        try:
            found = _possible(date(int(year or 0), int(month or 0), int(day or 0)), today)
        except ValueError:
            continue
        if found is not None:
            yield found


@lru_cache(maxsize=32)
def _months(code: str) -> tuple[dict[str, int], re.Pattern[str]]:
    """The names of months, long and short, and the form of dates with one: `14. September 2026`, `September 14, 2026`,
    `2026. szeptember 14.`"""
    try:
        months = Locale.parse(code).months
    except (UnknownLocaleError, ValueError):
        months = Locale.parse("en").months
    names: dict[str, int] = {}
    for kind in ("format", "stand-alone"):
        for width in ("wide", "abbreviated"):
            for number, name in months[kind][width].items():
                names.setdefault(name.casefold().rstrip("."), number)
    any_of = "|".join(sorted((re.escape(name) for name in names if not name.isdigit()), key=len, reverse=True))
    form = (
        rf"(?<!\d)(\d{{1,2}}|\d{{4}})(?:\.|er|º|st|nd|rd|th)?\s+(?:de\s+|of\s+)?({any_of})\.?,?\s+(?:de\s+)?"
        rf"(\d{{4}}|\d{{1,2}})(?!\d)|\b({any_of})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})(?!\d)"
    )
    return names, re.compile(form)
