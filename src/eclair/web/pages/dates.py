"""Finds a page's publication date; rather none than a wrong one.

Sources in order: JSON-LD, meta tags, `time` elements, the URL, visible text beside a word such as `published`, and last
the dates of its modification.
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
"""The web has no older pages."""

MAX_ELEMENTS = 4000
"""Elements that are searched for a visible date."""

MAX_LINE_CHARS = 160
"""A longer line is prose, and its dates aren't the page's."""

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

_ASIDE_CLASSES = re.compile(
    r"\b(?:comments?|kommentare?|commentaires?|replies|related|teasers?|recommended|sidebar|footer|widget|disqus)\b"
)
_DATE_CLASSES = re.compile(
    r"(?:^|[\s_-])(?:date|datum|published|pubdate|dateline|byline|timestamp|posted|veroeffentlicht)\b"
)
_ISO = re.compile(r"\d{4}-\d{1,2}-\d{1,2}")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T?\d{4,6}Z?)?")
_IN_URL = (
    re.compile(r"/(\d{4})/(\d{1,2})/(\d{1,2})(?=[/_.-]|$)"),
    re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)"),
    re.compile(r"(?<=[/_-])(\d{4})(\d{2})(\d{2})(?=[/_.-]|$)"),
)


def find_date(tree: Element, nodes: Sequence[Node], url: str, language: str | None, today: date) -> date | None:
    """Return the publication date. `today` is in UTC."""
    ways = (
        _from_json_ld(tree, nodes, "datePublished", today),
        _from_meta(tree, _PUBLISHED, today),
        _from_time_elements(tree, today),
        _from_url(url, today),
        _from_visible_text(tree, language, today),
        _from_json_ld(tree, nodes, "dateModified", today),
        _from_meta(tree, _MODIFIED, today),
    )
    return next((found for way in ways if (found := next(way, None)) is not None), None)


def parse_date(said: str, today: date) -> date | None:
    """Parse a date in ISO 8601 or RFC 5322, or of eight digits; None if it is invalid or implausible."""
    said = said.strip()[:60]
    try:
        if found := _COMPACT.fullmatch(said):
            return _plausible(date(*map(int, found.groups())), today)
        if _ISO.match(said.replace("/", "-")):
            return _plausible(_parse_iso(said.replace("/", "-", 2)), today)
        return _plausible(parsedate_to_datetime(said), today) if "," in said or said[:1].isalpha() else None
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def _parse_iso(said: str) -> date:
    """Parse ISO 8601, ignoring a malformed time after the date. Raises ValueError."""
    try:
        return datetime.fromisoformat(said)
    except ValueError:
        day = _ISO.match(said)
        assert day is not None
        return date(*map(int, day.group().split("-")))


def _plausible(found: date, today: date) -> date | None:
    """Return the date unless it is before the web or in the future; tomorrow, ahead of UTC, counts as today."""
    day = found.date() if isinstance(found, datetime) else found
    if isinstance(found, datetime) and found.tzinfo is not None:
        ahead = found.astimezone(UTC).date() > today
    else:
        ahead = day > today + timedelta(days=1)
    return None if ahead or day.year < FIRST_YEAR else min(day, today)


def _from_json_ld(tree: Element, nodes: Sequence[Node], field: str, today: date) -> Iterator[date]:
    """Yield the article's date; of several articles, that of the one with the page's title."""
    own = article_nodes(nodes) or [node for node in nodes if "WebPage" in node_types(node)]
    days = [(node, day) for node in own if (day := parse_date(text_value(node.get(field)), today)) is not None]
    if len({day for _, day in days}) > 1:
        titles = {_fold(heading.text_content()) for heading in tree.iter("h1", "title")}
        days = [(node, day) for node, day in days if _fold(text_value(node.get("headline"))) in titles]
        days = days if len({day for _, day in days}) == 1 else []
    yield from (day for _, day in days)


def _fold(said: str) -> str:
    return " ".join(said.split()).casefold()


def _from_meta(tree: Element, names: Sequence[str], today: date) -> Iterator[date]:
    said: dict[str, str] = {}
    for element in tree.iter("meta"):
        name = element.get("property") or element.get("name") or element.get("itemprop")
        if name and (content := element.get("content")):
            said.setdefault(name.lower(), content)
    for name in names:
        if name in said and (day := parse_date(said[name], today)) is not None:
            yield day


def _from_time_elements(tree: Element, today: date) -> Iterator[date]:
    """Yield the date of the `time` element marked as publication, else of the first if there is one article."""
    found: list[tuple[Element, date]] = []
    for element in tree.iter("time", "abbr", "span"):
        said = element.get("datetime") or (element.get("content") if element.get("itemprop") else None)
        if said and not _is_aside(element) and (day := parse_date(said, today)) is not None:
            found.append((element, day))
    for element, day in found:
        if element.get("itemprop") == "datePublished" or element.get("pubdate") is not None:
            yield day
    around = {id(next(element.iterancestors("article"), tree)) for element, _ in found}
    if len(around) == 1:
        yield found[0][1]


def _is_aside(element: Element) -> bool:
    """Return whether an element is in comments, a list of other pages, or a footer."""
    return any(
        each.tag in ("aside", "footer", "nav") or _ASIDE_CLASSES.search(_classes(each))
        for each in _self_and_ancestors(element, 30)
    )


def _self_and_ancestors(element: Element, limit: int) -> Iterator[Element]:
    at: Element | None = element
    for _ in range(limit):
        if at is None or at.tag in ("body", "html"):
            return
        yield at
        at = at.getparent()


def _classes(element: Element) -> str:
    return f"{element.get('class') or ''} {element.get('id') or ''} {element.get('itemprop') or ''}".lower()


def _from_url(url: str, today: date) -> Iterator[date]:
    for form in _IN_URL:
        if found := form.search(url):
            yield from _plausible_days([found.groups()], today)


@cache
def _dateline_words() -> re.Pattern[str]:
    """Matches a word beside which a page's date stands, such as `published`."""
    return re.compile(rf"\b(?:{merge_patterns(lambda lexicon: lexicon.web_pages.dateline)})\b", re.IGNORECASE)


def _from_visible_text(tree: Element, language: str | None, today: date) -> Iterator[date]:
    """Yield dates in short lines that are marked as a date by their class or by a word."""
    for number, element in enumerate(tree.iter("p", "div", "span", "time", "li", "small", "td", "dd", "address")):
        if number == MAX_ELEMENTS:
            return
        if len(element) > 6:
            continue
        said = " ".join(element.text_content().split())
        if not 6 <= len(said) <= MAX_LINE_CHARS or not any(map(str.isdigit, said)):
            continue
        if not _dateline_words().search(said) and not any(
            _DATE_CLASSES.search(_classes(each)) for each in _self_and_ancestors(element, 3)
        ):
            continue
        if not _is_aside(element):
            yield from spelled_dates(said, language, today)


def spelled_dates(said: str, language: str | None, today: date) -> Iterator[date]:
    """Yield the dates in a line, as written in the language or in English."""
    for code in dict.fromkeys((language or "en", "en")):
        names, form = _months(code)
        for found in form.finditer(said.casefold()):
            first, month, last, month_first, day, year = found.groups()
            if month_first is not None:
                yield from _plausible_days([(year, names[month_first], day)], today)
            else:
                year, day = (first, last) if len(first) == 4 else (last, first)
                yield from _plausible_days([(year, names[month], day)], today)
    for found in re.finditer(r"(?<![\d.])(\d{1,2})[./](\d{1,2})[./](\d{4})(?!\d)", said):
        day, month, year = found.groups()
        if "/" not in found.group() or language not in (None, "en") or int(day) > 12:
            yield from _plausible_days([(year, month, day)], today)
    for found in re.finditer(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)", said):
        yield from _plausible_days([found.groups()], today)


def _plausible_days(said: Iterable[Sequence[str | int | None]], today: date) -> Iterator[date]:
    for year, month, day in said:
        try:
            found = _plausible(date(int(year or 0), int(month or 0), int(day or 0)), today)
        except ValueError:
            continue
        if found is not None:
            yield found


@lru_cache(maxsize=32)
def _months(code: str) -> tuple[dict[str, int], re.Pattern[str]]:
    """Return the months by name, long and short, and a pattern for dates with one.

    Such as `14. September 2026`, `September 14, 2026` and `2026. szeptember 14.`
    """
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
