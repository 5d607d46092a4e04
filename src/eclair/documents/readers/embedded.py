"""Reads files inside archives and attachments, with continued page numbers.

Their names are only ever shown; unpacked files have names of our own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from eclair.documents.readers import reader
from eclair.documents.readers.base import ReadPiece, SourceFile, UnreadPart, clean
from eclair.documents.readers.file_type import SOUND_TYPES, sniff
from eclair.sandbox.protocol import Rejected
from eclair.schema.documents import Page, SoundMember


def open_member(source: SourceFile, path: Path, name: str, before: int = 0) -> SourceFile:
    """Return a file of `source`, unpacked at `path`; `before` pages precede it. Raises Rejected."""
    after = max(0, source.after - before)
    return replace(source, path=path, name=name, media=sniff(path, name), after=after, depth=source.depth + 1)


def read_member(source: SourceFile, path: Path, name: str, before: int) -> Iterator[ReadPiece]:
    """Yield the pages of a file in `source`, or a notice that it can't be read.

    Raises Rejected where more was unpacked than allowed.
    """
    try:
        inner = open_member(source, path, name, before)
        for piece in reader(inner.media)(inner):
            if isinstance(piece, Page):
                shown = f"{name}/{piece.member}" if piece.member else name
                yield replace(piece, number=before + piece.number, member=shown)
            elif isinstance(piece, SoundMember):
                yield piece if inner.media in SOUND_TYPES else replace(piece, name=f"{name}/{piece.name}")
            elif isinstance(piece, UnreadPart):
                yield piece
    except Rejected as fault:
        if source.unpack_budget.left < 0:
            raise
        yield UnreadPart(f"In {source.name}: {fault.message}")
    except MemoryError:
        raise
    except Exception as error:  # libraries raise whatever they like on damaged files
        yield UnreadPart(f"In {source.name}: {name} is damaged and was not read ({type(error).__name__}).")


def unique_names(names: Iterable[str]) -> list[str]:
    """Return names as people see them. One that is there already gets a number, so that each names one file."""
    unique: dict[str, None] = {}
    numbers = Counter[str]()
    for name in map(display_name, names):
        numbered = name
        while numbered in unique:
            numbers[name] += 1
            stem, dot, ending = name.rpartition(".")
            number = numbers[name] + 1
            numbered = f"{stem} ({number}).{ending}" if dot else f"{name} ({number})"
        unique[numbered] = None
    return list(unique)


def find_name(names: Iterable[str], member: str) -> tuple[str, str] | None:
    """Return which of the names `member` begins with, and the name inside of that file; empty for the file itself."""
    found = [name for name in names if member == name or member.startswith(f"{name}/")]
    longest = max(found, key=len, default=None)
    return None if longest is None else (longest, member[len(longest) + 1 :])


def display_name(name: str) -> str:
    """Return a name on one line, without ways out of a folder."""
    parts = clean(name).replace("\\", "/").replace("\n", " ").split("/")
    return "/".join(part for part in parts if part not in ("", ".", ".."))[-300:] or "a file without a name"
