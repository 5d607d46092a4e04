"""Lines of words with their places on a page, and which of them are its furniture: running heads, page numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from eclair.schema.documents import Read
from eclair.text.lexicon.loader import merge_words


class Token(NamedTuple):
    """A word with its box, in points from the top left."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(slots=True)
class Line:
    """Words on one line. `size` is that of its letters in points; `hyphen`: its last word goes on in the next line."""

    tokens: list[Token]
    size: float
    bold: bool = False
    mono: bool = False
    hyphen: bool = False
    furniture: bool = False
    left: float = field(init=False)
    right: float = field(init=False)
    top: float = field(init=False)
    bottom: float = field(init=False)
    text: str = field(init=False)

    def __post_init__(self) -> None:
        texts, lefts, tops, rights, bottoms = zip(*self.tokens, strict=True)
        self.left, self.top, self.right, self.bottom = min(lefts), min(tops), max(rights), max(bottoms)
        self.text = " ".join(texts)


@dataclass(slots=True)
class Drawn:
    """A page before its blocks are known. `titles` are those the document's table of contents has on it, with their
    levels. It was turned `quarter` quarters to the left to be read, and lines stand as they do then."""

    number: int
    lines: list[Line]
    width: float
    height: float
    label: str | None = None
    read: Read = "text"
    quarter: int = 0
    titles: dict[str, int] = field(default_factory=dict[str, int])
    edges: list[tuple[str, Line]] | None = None
    """What `mark_furniture` found at the page's edges, with numbers left out."""


_NUMBER = re.compile(r"\d+")
MARGIN = 0.13
"""The share of a page's height, at its top and bottom, in which furniture stands."""


@cache
def _page_number() -> re.Pattern[str]:
    """Matches a printed page number, such as `7`, `Page 7 of 12` or `- vii -`."""
    page = "|".join(map(re.escape, merge_words(lambda lexicon: lexicon.page_numbers.page)))
    of = "|".join(map(re.escape, merge_words(lambda lexicon: lexicon.page_numbers.of)))
    return re.compile(
        rf"(?:{page})?\s*[-–—]?\s*(?:\d{{1,4}}|[ivxlcdm]{{1,7}})\s*[-–—]?\s*(?:(?:/|{of})\s*\d{{1,4}})?", re.IGNORECASE
    )


def known(title: str) -> str:
    """A heading as it is compared with one in the table of contents."""
    return "".join(char for char in title.casefold() if char.isalnum())


def mark_furniture(page: Drawn, near: Sequence[Drawn]) -> None:
    """Mark what stands at the same height of a page near it in the same words, numbers aside, and page numbers."""
    others = [edge for other in near for edge in _edges(other)]
    for shape, line in _edges(page):
        line.furniture = _page_number().fullmatch(line.text) is not None or any(
            shape == each and abs(line.top - other.top) < 4 and abs(line.size - other.size) < 1
            for each, other in others
        )


def _edges(page: Drawn) -> list[tuple[str, Line]]:
    if page.edges is None:
        page.edges = [(_NUMBER.sub("#", line.text), line) for line in _outermost(page)]
    return page.edges


def _outermost(page: Drawn) -> list[Line]:
    """The outermost lines in the margins, which nothing stands close to on the inner side."""
    found: list[Line] = []
    ordered = sorted(page.lines, key=lambda line: line.top)
    for lines, inner in ((ordered, 1), (ordered[::-1], -1)):
        for at, line in enumerate(lines[:3]):
            inside = line.bottom < page.height * MARGIN if inner > 0 else line.top > page.height * (1 - MARGIN)
            if not inside:
                break
            found.append(line)
            following = lines[at + 1] if at + 1 < len(lines) else None
            if following is not None:
                gap = following.top - line.bottom if inner > 0 else line.top - following.bottom
                if gap > 0.5 * line.size:
                    break
    return found
