"""Positioned lines of a page, and detection of running heads and page numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from eclair.schema.documents import Read
from eclair.text.lexicon.loader import merge_literals


class PlacedWord(NamedTuple):
    """A word with its box in points from the top left."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(slots=True)
class TextLine:
    """Words on one line.

    `size` is the font size in points; with `hyphen` the last word continues on the next line. `label_words` are the
    first words that label the others, where that is known.
    """

    tokens: list[PlacedWord]
    size: float
    bold: bool = False
    mono: bool = False
    hyphen: bool = False
    furniture: bool = False
    label_words: int = 0
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
class PageLines:
    """A page before its blocks are known.

    `titles` are the table of contents' entries on it, with their levels. It was turned `quarter` quarter turns to the
    left to be read, and lines are in that orientation.
    """

    number: int
    lines: list[TextLine]
    width: float
    height: float
    label: str | None = None
    read: Read = "text"
    quarter: int = 0
    titles: dict[str, int] = field(default_factory=dict[str, int])
    edges: list[tuple[str, TextLine]] | None = None
    """Text at the page's edges, as `mark_furniture` found it, without numbers."""


_NUMBER = re.compile(r"\d+")
MARGIN_SHARE = 0.13
"""Share of a page's height, at its top and bottom, in which furniture stands."""


@cache
def _page_number() -> re.Pattern[str]:
    """Matches a printed page number, such as `7`, `Page 7 of 12` or `- vii -`."""
    page = merge_literals(lambda lexicon: lexicon.page_numbers.page)
    of = merge_literals(lambda lexicon: lexicon.page_numbers.of)
    return re.compile(
        rf"(?:{page})?\s*+[-–—]?\s*+(?:\d{{1,4}}|[ivxlcdm]{{1,7}})\s*+[-–—]?\s*+(?:(?:/|{of})\s*+\d{{1,4}})?",
        re.IGNORECASE,
    )


def heading_key(title: str) -> str:
    """Return a heading in the form in which it is compared with the table of contents."""
    return "".join(char for char in title.casefold() if char.isalnum())


def mark_furniture(page: PageLines, near: Sequence[PageLines]) -> None:
    """Mark page numbers, and lines that repeat at the same height on pages nearby, numbers aside."""
    others = [edge for other in near for edge in _edges(other)]
    for shape, line in _edges(page):
        line.furniture = _page_number().fullmatch(line.text) is not None or any(
            shape == each and abs(line.top - other.top) < 4 and abs(line.size - other.size) < 1
            for each, other in others
        )


def _edges(page: PageLines) -> list[tuple[str, TextLine]]:
    if page.edges is None:
        page.edges = [(_NUMBER.sub("#", line.text), line) for line in _outermost(page)]
    return page.edges


def _outermost(page: PageLines) -> list[TextLine]:
    """Return the outermost lines in the margins that have nothing close on their inner side."""
    found: list[TextLine] = []
    ordered = sorted(page.lines, key=lambda line: line.top)
    for lines, inner in ((ordered, 1), (ordered[::-1], -1)):
        for at, line in enumerate(lines[:3]):
            inside = (
                line.bottom < page.height * MARGIN_SHARE if inner > 0 else line.top > page.height * (1 - MARGIN_SHARE)
            )
            if not inside:
                break
            found.append(line)
            following = lines[at + 1] if at + 1 < len(lines) else None
            if following is not None:
                gap = following.top - line.bottom if inner > 0 else line.top - following.bottom
                if gap > 0.5 * line.size:
                    break
    return found
