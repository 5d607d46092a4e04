"""What readers share: the file that is read, faults, clean text, and pages made of pieces one after another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from eclair.documents.limits import Limits
from eclair.sandbox.protocol import Rejected
from eclair.schema.documents import Block, BlockKind, Opened, Page, Remarked

FULL = 4_000
"""Characters after which a page of a file without pages of its own is full, at the next end of a block."""

LONGEST = 20_000
"""Characters after which such a page ends in the middle of a block."""

_UNCLEAN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_SPACES = re.compile(r"[^\S\n]+")


def damaged(name: str) -> Rejected:
    return Rejected(f"{name} is damaged and cannot be read; save it anew from the program that made it.")


def locked(name: str) -> Rejected:
    return Rejected(f"{name} is locked with a password; save it without one and send that.")


@dataclass(slots=True)
class Room:
    """How many bytes may still be unpacked, of this file and all files in it together."""

    left: int

    def take(self, count: int, name: str) -> None:
        self.left -= count
        if self.left < 0:
            raise Rejected(
                f"{name} unpacks to more than is read of one file; unpack it and send it in parts.", "too_large"
            )


@dataclass(frozen=True, slots=True)
class Source:
    """A file to be read: `name` is what people call it, `media` its type by its content. `after` pages are known.

    `depth` counts the archives around it; `labels` is the network that names what is in photos.
    """

    path: Path
    name: str
    media: str
    limits: Limits
    room: Room
    after: int = 0
    depth: int = 0
    labels: Path | None = None

    @property
    def ending(self) -> str:
        return Path(self.name).suffix.lower()


Piece = Opened | Page | Remarked
Reader = Callable[[Source], Iterator[Piece]]


@dataclass(frozen=True, slots=True)
class Part:
    """A block that has no place yet."""

    kind: BlockKind
    text: str
    level: int = 0
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """Here the next page begins."""


def clean(text: str) -> str:
    """The text as valid Unicode without NUL, half characters and what steers terminals."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _UNCLEAN.sub(_replaced, text) if _UNCLEAN.search(text) else text


def _replaced(found: re.Match[str]) -> str:
    char = found.group()
    if char in "\x0b\x0c\x85\u2028\u2029":
        return "\n"
    return "\ufffd" if "\ud800" <= char <= "\udfff" else ""


def line(text: str) -> str:
    """The text on one line, with single spaces."""
    return " ".join(clean(text).split())


def squeezed(text: str) -> str:
    """The text with single spaces, its lines kept."""
    return "\n".join(row for part in clean(text).split("\n") if (row := _SPACES.sub(" ", part).strip()))


@dataclass(slots=True)
class Sheet:
    """A page that grows block by block."""

    text: list[str] = field(default_factory=list[str])
    blocks: list[Block] = field(default_factory=list[Block])
    length: int = 0

    def add(self, part: Part) -> None:
        """`part.text` is clean and not empty."""
        self.blocks.append(Block(part.kind, self.length, self.length + len(part.text), part.level, part.ref))
        self.text.append(part.text)
        self.length += len(part.text) + 1

    def page(self, number: int, label: str | None) -> Page:
        return Page(number, "\n".join(self.text), tuple(self.blocks), label=label)


def flow(parts: Iterable[Part | Break], *, cut: bool = True) -> Iterator[Page]:
    """Pages of the parts, numbered from 1: where a `Break` says so and, with `cut`, wherever one is full, for then the
    file has none of its own. Without any text there is one empty page."""
    number, label, sheet = 0, "" if cut else None, Sheet()
    for part in parts:
        if isinstance(part, Break):
            if sheet.blocks:
                number += 1
                yield sheet.page(number, label)
                sheet = Sheet()
            continue
        for piece in _pieces(part):
            if sheet.length + len(piece.text) > LONGEST or (cut and sheet.length >= FULL):
                number += 1
                yield sheet.page(number, label)
                sheet = Sheet()
            sheet.add(piece)
    if sheet.blocks or number == 0:
        yield sheet.page(number + 1, label)


def _pieces(part: Part) -> Iterator[Part]:
    """The part cleaned, in pieces that fit a page each; none where nothing is left of it."""
    text = clean(part.text).strip("\n")
    if part.kind != "code":
        text = text.strip()
    while len(text) > LONGEST:
        at = max(text.rfind("\n", LONGEST // 2, LONGEST), text.rfind(" ", LONGEST // 2, LONGEST))
        at = at + 1 if at > 0 else LONGEST
        if piece := text[:at].rstrip():
            yield Part(part.kind, piece, part.level, part.ref)
        text = text[at:]
    if text.strip():
        yield Part(part.kind, text, part.level, part.ref)


def table(rows: Iterable[list[str]]) -> Part:
    """A table as a line a row, with ` | ` between cells."""
    return Part("table", "\n".join(" | ".join(map(line, row)) for row in rows if any(map(str.strip, row))))
