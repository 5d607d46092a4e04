"""What a document is once it has been read: plain values that import nothing of ours.

A document's text is that of its pages, each followed by a newline. Places in it are offsets in that whole text,
counted in characters, so that a sentence may run over the end of a page; what stands in a page counts from the page's
own start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal, NamedTuple

BlockKind = Literal["heading", "paragraph", "list", "table", "row", "code", "furniture"]
"""`row` is one of a sheet, whose text names each column beside its value; `furniture` is what repeats on every page,
such as running titles and page numbers, and is no part of what the document says."""

Read = Literal["text", "ocr"]
Wall = Literal["pay", "consent", "script"]
Shed = Literal["place", "serial", "name"]
"""What a photo's metadata gives away: where it was taken, the number of a camera, the name of a person."""

DESCRIPTION = "simple description"
PLACE = "where it was taken"
"""What the pages call themselves that follow a photo."""


class Word(NamedTuple):
    """Where characters `start` to `end` of a page's text stand on it: a box in points (1/72 inch) from its top left."""

    start: int
    end: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Block:
    """Characters `start` to `end` of a page's text. `level` is a heading's, from 1; `ref` the cells of a row or table,
    such as `A2:F2`."""

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page, slide, sheet or file of an archive. `number` counts from 1; `label` is what it calls itself, such as
    `xii` or a sheet's name, where that is not the number, and empty where the file has no pages of its own.

    `member` is the file of an archive in which it stands. `width` and `height` are in points, None where it has no
    fixed form and thus no picture; then it has no words either.
    """

    number: int
    text: str
    blocks: tuple[Block, ...] = ()
    words: tuple[Word, ...] = ()
    width: float | None = None
    height: float | None = None
    label: str | None = None
    member: str | None = None
    read: Read = "text"


@dataclass(frozen=True, slots=True)
class Opened:
    """A document could be opened. `media` is its type (RFC 6838) by its content; `pages` None where they are only known
    at the end."""

    media: str
    pages: int | None


@dataclass(frozen=True, slots=True)
class Remarked:
    """Something of it could not be read; a sentence for people that names it."""

    message: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture as a model is shown it, of type `media`. `shed` is what its file says and this does not."""

    media: str
    width: int
    height: int
    shed: tuple[Shed, ...]
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class About:
    """What a page of the web says of itself. `language` is its ISO 639-1 code, `published` the day that it is from.

    `wall` is why it shows less than it has: it wants to be paid, to be agreed to, or it is made by a script.
    """

    title: str = ""
    author: str | None = None
    language: str | None = None
    published: date | None = None
    wall: Wall | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document that is found as one: characters `start` to `end` of its whole text, beginning on `page`.

    `document` is the SHA-256 of the file in hex; `number` counts from 0 in reading order. `heading` is the path of
    headings above it, outermost first.
    """

    document: str
    number: int
    page: int
    start: int
    end: int
    heading: tuple[str, ...]
    text: str
