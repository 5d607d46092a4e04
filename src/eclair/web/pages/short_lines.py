"""Short lines of a page with a fact, which the extraction of an article takes for furniture: prices, hours, data.

A price counts where it stands nearest to the page's heading, so that those of other products don't.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from eclair.web.pages.dom import Element
from eclair.web.pages.markup_facts import fact_labels, locale_of

MAX_LINE_CHARS = 160
MAX_LINES = 4000
"""Lines looked at per page."""

MAX_KEPT_LINES = 30
MAX_BARE_CHARS = 24
"""A line of at most this many characters that is an amount and nothing else is a price."""

MAX_LINK_SHARE = 0.6
MAX_SCOPE_STEPS = 8
"""Elements around the heading that are searched for a price, from the inside out."""

_BLOCKS = frozenset(
    (
        *(
            "p",
            "div",
            "li",
            "ul",
            "ol",
            "dl",
            "dt",
            "dd",
            "tr",
            "table",
            "tbody",
            "thead",
            "section",
            "article",
            "main",
        ),
        *("header", "footer", "aside", "nav", "h1", "h2", "h3", "h4", "h5", "h6", "form", "fieldset", "figure"),
        *("figcaption", "blockquote", "address", "button", "label", "details", "summary", "pre", "body", "option"),
    )
)
_CELLS = frozenset(("td", "th"))
_FURNITURE = frozenset(("nav", "footer", "aside", "select", "option", "head"))
_ASIDE = re.compile(
    r"\b(?:related|recommend|similar|upsell|cross-?sell|teaser|sidebar|widget|comments?|reviews?|footer|breadcrumbs?"
    r"|also|accessor(?:y|ies)|carousel|recently|ad|ads|advert|banner|cookie|newsletter|cart|basket)"
)
_DATA_BOX = re.compile(r"infobox|factbox|key-?facts|steckbrief")
_MONEY_SIGN = r"(?:€|\$|£|zł|kč|ft|chf|eur|usd|gbp|pln|czk|huf|sek|dkk|nok|ron|kr|lei|euros?|franken)"
_AMOUNT = (
    r"\d{1,3}(?:[ .,'’\u00a0\u202f]\d{3}){0,3}(?:[.,]\d{1,2}|[.,][–-]{1,2})?|\d{1,7}(?:[.,](?:\d{1,2}|[–-]{1,2}))?"
)
_MONEY = re.compile(rf"{_MONEY_SIGN} ?(?:{_AMOUNT})(?!\d)|(?<![\d.,])(?:{_AMOUNT}) ?{_MONEY_SIGN}(?!\w)", re.IGNORECASE)
_HOURS = re.compile(
    r"(?<!\d)\d{1,2}(?:[:.h]\d{2}| ?h|)(?: ?(?:uhr|am|pm|a\.m\.|p\.m\.))? ?(?:[–—-]|bis|to|till|à|a|alle|do) ?"
    r"\d{1,2}(?:[:.h]\d{2}| ?h| ?uhr| ?am| ?pm)(?!\d)",
    re.IGNORECASE,
)
_LABELED = re.compile(r"[^\W\d][^:|]{1,40}(?::| \|) ?\S")


@dataclass(slots=True)
class _Line:
    """A line of text; `path` are the elements around it, the innermost last. `struck` is what is crossed out in it."""

    text: str
    path: tuple[Element, ...]
    link_chars: int = 0
    struck: str = ""
    is_data: bool = False


@dataclass(slots=True)
class _Collector:
    """Collects lines while a tree is walked."""

    lines: list[_Line] = field(default_factory=list[_Line])
    words: list[str] = field(default_factory=list[str])
    struck: list[str] = field(default_factory=list[str])
    link_chars: int = 0

    def add(self, text: str | None, *, in_link: bool, is_struck: bool) -> None:
        if not text:
            return
        words = self.struck if is_struck else self.words
        if words and words[-1][-1:].isalpha() and text[0].isdigit():
            words.append(" ")  # a label and its value in elements of their own
        words.append(text)
        self.link_chars += len(text.strip()) if in_link else 0

    def end(self, path: tuple[Element, ...], *, is_data: bool = False) -> None:
        text = " ".join("".join(self.words).split()).strip("| ")
        if text and len(text) <= MAX_LINE_CHARS:
            struck = " ".join("".join(self.struck).split())
            self.lines.append(_Line(text, path, self.link_chars, struck, is_data))
        self.words, self.struck, self.link_chars = [], [], 0


@dataclass(frozen=True, slots=True)
class ShortLines:
    """Short lines with facts, in the page's order, and those of them that are an amount of money and nothing else."""

    facts: tuple[str, ...]
    amounts: tuple[str, ...]

    def missing_in(self, text: str) -> list[str]:
        """Return the facts that a text lacks."""
        known = _squeeze(text)
        return [fact for fact in self.facts if _squeeze(fact) not in known][:MAX_KEPT_LINES]


def find_short_lines(tree: Element, language: str | None) -> ShortLines:
    """Find the short lines with facts. A line that is only an amount gets the label of a price."""
    lines, labels = list(_lines(tree)), fact_labels(language)
    prices = _price_lines(tree, lines)
    chosen = {id(line): f"{labels.price}: {line.text}" if _is_bare(line) else line.text for line in prices}
    for before, line in zip([None, *lines], lines, strict=False):
        if _HOURS.search(line.text) and not _MONEY.search(line.text):
            chosen[id(line)] = _with_day(before, line, language)
        elif line.is_data and not _is_aside(line):
            chosen.setdefault(id(line), line.text)
    facts = dict.fromkeys(chosen[id(line)] for line in lines if id(line) in chosen)
    return ShortLines(tuple(facts), tuple(line.text for line in prices if _is_bare(line)))


def _squeeze(text: str) -> str:
    return "".join(re.findall(r"[\w€$£%.,:]", text.casefold()))


def _lines(tree: Element) -> Iterator[_Line]:
    made = _Collector()
    body = next(iter(tree.iter("body")), tree)
    _collect(body, (), made, in_link=False, is_struck=False)
    made.end((body,))
    yield from made.lines


def _collect(element: Element, path: tuple[Element, ...], made: _Collector, *, in_link: bool, is_struck: bool) -> None:
    """Add the lines of an element; a row and a term with its description are a line each."""
    if len(made.lines) >= MAX_LINES or len(path) > 100:
        return
    tag = element.tag if isinstance(element.tag, str) else ""
    if tag in _BLOCKS and tag != "dd":
        made.end(path)
    path = (*path, element) if tag in _BLOCKS else path
    in_link, is_struck = in_link or tag == "a", is_struck or tag in ("del", "s", "strike")
    made.add(element.text, in_link=in_link, is_struck=is_struck)
    for child in element:
        _collect(child, path, made, in_link=in_link, is_struck=is_struck)
        made.add(child.tail, in_link=in_link, is_struck=is_struck)
    if tag == "dt" and any(map(str.strip, made.words)):
        made.words.append("" if "".join(made.words).rstrip().endswith(":") else ": ")
    elif tag in _CELLS:
        made.words.append(" | ")
    elif tag == "br":
        made.words.append(" ")
    elif tag in _BLOCKS:
        made.end(path, is_data=tag in ("dd", "tr") or (tag in ("li", "p", "div") and _is_labeled(made)))


def _is_labeled(made: _Collector) -> bool:
    """Return whether the open line is a label with a value that has a digit, such as `Height: 1493 m`."""
    text = " ".join("".join(made.words).split())
    return len(text) <= 80 and _LABELED.match(text) is not None and any(map(str.isdigit, text.partition(":")[2]))


def _is_aside(line: _Line) -> bool:
    if line.link_chars > MAX_LINK_SHARE * len(line.text):
        return True
    if line.is_data and any(_DATA_BOX.search((each.get("class") or "").lower()) for each in line.path):
        return False
    return any(
        each.tag in _FURNITURE or _ASIDE.search(f"{each.get('class') or ''} {each.get('id') or ''}".lower())
        for each in line.path
    )


def _price_lines(tree: Element, lines: Sequence[_Line]) -> list[_Line]:
    """Return the lines with an amount of money nearest to the heading."""
    priced = [line for line in lines if _MONEY.search(line.text) and not _is_aside(line)]
    heading = next(iter(tree.iter("h1")), None)
    if heading is None or not priced:
        return priced[:3]
    for _, around in zip(range(MAX_SCOPE_STEPS), heading.iterancestors(), strict=False):
        near = [line for line in priced if any(each is around for each in line.path)]
        if near:
            return near[:4]
    return []


def _is_bare(line: _Line) -> bool:
    return len(line.text) <= MAX_BARE_CHARS and _MONEY.fullmatch(line.text) is not None


def _with_day(before: _Line | None, line: _Line, language: str | None) -> str:
    """Return opening hours with the day, if it stands in a line of its own before them."""
    is_alone = before is not None and not any(map(str.isdigit, before.text)) and len(before.text) <= 30
    if (
        before is None
        or not is_alone
        or _day_names(language).search(line.text)
        or not _day_names(language).search(before.text)
    ):
        return line.text
    return f"{before.text.rstrip(':')}: {line.text}"


@cache
def _day_names(language: str | None) -> re.Pattern[str]:
    days = locale_of(language).days["format"]
    names = {re.escape(name.rstrip(".")) for width in ("wide", "abbreviated") for name in days[width].values()}
    return re.compile(rf"(?<!\w)(?:{'|'.join(sorted(names, key=len, reverse=True))})(?!\w)", re.IGNORECASE)
