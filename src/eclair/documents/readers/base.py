"""Building blocks of readers: source file, text cleaning, pagination."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from eclair.documents.limits import Limits
from eclair.sandbox.protocol import Rejected
from eclair.schema.documents import Block, BlockKind, Opened, Page, SoundMember, UnreadPart

PAGE_TARGET_CHARS = 4_000
"""A page of a file without pages ends at the next block after this many characters."""

MAX_PAGE_CHARS = 20_000
"""Such a page ends in the middle of a block after this many characters."""

_UNCLEAN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_SPACES = re.compile(r"[^\S\n]+")


def damaged_file(name: str) -> Rejected:
    return Rejected(f"{name} is damaged and cannot be read; save it again from the program that made it.")


def locked_file(name: str) -> Rejected:
    return Rejected(f"{name} is locked with a password; save it without one and send that.")


@dataclass(slots=True)
class UnpackBudget:
    """Bytes that may still be unpacked, of this file and all files in it together."""

    left: int

    def spend(self, count: int, name: str) -> None:
        self.left -= count
        if self.left < 0:
            raise Rejected(
                f"{name} unpacks to more than is read of one file; unpack it and send it in parts.", "too_large"
            )


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read: its `name` for people, and its `media` type by content. The first `after` pages are skipped.

    `depth` counts the archives around it; `labels` is the network that labels photos.
    """

    path: Path
    name: str
    media: str
    limits: Limits
    unpack_budget: UnpackBudget
    after: int = 0
    depth: int = 0
    labels: Path | None = None


ReadPiece = Opened | Page | UnreadPart | SoundMember
Reader = Callable[[SourceFile], Iterator[ReadPiece]]


@dataclass(frozen=True, slots=True)
class ContentPart:
    """A block without a position yet."""

    kind: BlockKind
    text: str
    level: int = 0
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class NewPage:
    """The next page begins here."""


def clean(text: str) -> str:
    """Return valid Unicode without NUL, lone surrogates and terminal control characters."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _UNCLEAN.sub(_replacement, text) if _UNCLEAN.search(text) else text


def _replacement(found: re.Match[str]) -> str:
    char = found.group()
    if char in "\x0b\x0c\x85\u2028\u2029":
        return "\n"
    return "\ufffd" if "\ud800" <= char <= "\udfff" else ""


def single_line(text: str) -> str:
    """Return the text on one line, with single spaces."""
    return " ".join(clean(text).split())


def collapse_spaces(text: str) -> str:
    """Return the text with single spaces, keeping its lines."""
    return "\n".join(row for part in clean(text).split("\n") if (row := _SPACES.sub(" ", part).strip()))


@dataclass(slots=True)
class PageBuilder:
    """A page that grows block by block."""

    text: list[str] = field(default_factory=list[str])
    blocks: list[Block] = field(default_factory=list[Block])
    length: int = 0

    def add(self, part: ContentPart) -> None:
        """Add a part, whose text is clean and not empty."""
        self.blocks.append(Block(part.kind, self.length, self.length + len(part.text), part.level, part.ref))
        self.text.append(part.text)
        self.length += len(part.text) + 1

    def page(self, number: int, label: str | None) -> Page:
        return Page(number, "\n".join(self.text), tuple(self.blocks), label=label)


def paginate(parts: Iterable[ContentPart | NewPage], *, cut: bool = True) -> Iterator[Page]:
    """Yield pages of the parts, numbered from 1: at each `NewPage` and, with `cut`, wherever a page is full.

    With `cut` the file has no pages of its own. A file without text has one empty page.
    """
    number, label, sheet = 0, "" if cut else None, PageBuilder()
    for part in parts:
        if isinstance(part, NewPage):
            if sheet.blocks:
                number += 1
                yield sheet.page(number, label)
                sheet = PageBuilder()
            continue
        for piece in _page_sized(part):
            if sheet.length + len(piece.text) > MAX_PAGE_CHARS or (cut and sheet.length >= PAGE_TARGET_CHARS):
                number += 1
                yield sheet.page(number, label)
                sheet = PageBuilder()
            sheet.add(piece)
    if sheet.blocks or number == 0:
        yield sheet.page(number + 1, label)


def _page_sized(part: ContentPart) -> Iterator[ContentPart]:
    """Clean a part and cut it into pieces that fit a page each; none if nothing is left."""
    text = clean(part.text).strip("\n")
    if part.kind != "code":
        text = text.strip()
    while len(text) > MAX_PAGE_CHARS:
        at = max(
            text.rfind("\n", MAX_PAGE_CHARS // 2, MAX_PAGE_CHARS), text.rfind(" ", MAX_PAGE_CHARS // 2, MAX_PAGE_CHARS)
        )
        at = at + 1 if at > 0 else MAX_PAGE_CHARS
        if piece := text[:at].rstrip():
            yield ContentPart(part.kind, piece, part.level, part.ref)
        text = text[at:]
    if text.strip():
        yield ContentPart(part.kind, text, part.level, part.ref)


def table_part(rows: Iterable[list[str]]) -> ContentPart:
    """Return a table with a line per row and ` | ` between cells."""
    return ContentPart(
        "table", "\n".join(" | ".join(map(single_line, row)) for row in rows if any(map(str.strip, row)))
    )
