"""A parsed document as plain values.

A document's text is that of its pages, each followed by a newline. Positions in it are offsets in that whole text,
counted in characters, so that a sentence may cross pages; positions inside a page count from the page's start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal, NamedTuple

BlockKind = Literal["heading", "paragraph", "list", "table", "row", "code", "furniture", "speech"]
"""`row` belongs to a sheet, and its text repeats each column's name; `furniture` repeats on every page, such as running
heads and page numbers, and is not part of the content; `speech` is about a sentence of a recording.
"""

Read = Literal["text", "ocr", "speech"]
"""The way in which a page was read. A page that was heard is a minute of a recording."""
Wall = Literal["pay", "consent", "script"]
Shed = Literal["place", "serial", "name"]
"""Revealing metadata of a photo: the place, a camera's serial number, a person's name."""

DESCRIPTION = "simple description"
PLACE = "where it was taken"
"""Labels of the pages that follow a photo."""


class Word(NamedTuple):
    """Characters `start` to `end` of a page's text, and their box in points (1/72 inch) from the top left."""

    start: int
    end: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Block:
    """Characters `start` to `end` of a page's text.

    `level` is a heading's, from 1; `ref` the cells of a row or table, such as `A2:F2`, or the seconds of speech, such
    as `t=760.2,768.9` (W3C Media Fragments).
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    ref: str | None = None

    @property
    def seconds(self) -> tuple[float, float] | None:
        """The beginning and end of speech in its recording, in seconds; None for what isn't speech."""
        if self.kind != "speech" or self.ref is None:
            return None
        begin, end = self.ref.removeprefix("t=").split(",")
        return float(begin), float(end)


@dataclass(frozen=True, slots=True)
class Page:
    """One page, slide, sheet or archived file, numbered from 1.

    `label` is the page's own name, such as `xii`, a sheet's name or the moment `12:00` of a recording, None if that is
    its number, and empty if the file has no pages. `member` is the archived file that contains it. `width` and `height`
    are in points; None without a fixed layout, and then the page has no picture and no words either.
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
    """A document was opened: its media type (RFC 6838) by content, and its pages if known in advance."""

    media: str
    pages: int | None


@dataclass(frozen=True, slots=True)
class UnreadPart:
    """A part of the document couldn't be read; the message is a sentence for people that names the file."""

    message: str


@dataclass(frozen=True, slots=True)
class SoundMember:
    """A recording in an archive or e-mail, by its name and media type there. What is said in it is heard by itself."""

    name: str
    media: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture prepared for a model. `shed` is metadata of its file that was removed."""

    media: str
    width: int
    height: int
    shed: tuple[Shed, ...]
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class About:
    """Metadata of a web page: `language` is an ISO 639-1 code, `published` a day.

    `wall` is why the page shows less than it has: it wants payment or consent, or is built by a script.
    """

    title: str = ""
    author: str | None = None
    language: str | None = None
    published: date | None = None
    wall: Wall | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document that search returns: characters `start` to `end` of its text, beginning on `page`.

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
