"""Files in a file, of an archive or attached to a message: each by its own reader, their pages numbered on.

Their names are only ever shown: what is unpacked lies under names of our own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from eclair.documents.readers import reader
from eclair.documents.readers.base import Piece, Remarked, Source, clean
from eclair.documents.readers.file_type import sniff
from eclair.sandbox.protocol import Rejected
from eclair.schema.documents import Page


def member(source: Source, path: Path, name: str, before: int = 0) -> Source:
    """A file in `source`, unpacked at `path`; `before` pages precede it. Raises Rejected where no reader takes it."""
    after = max(0, source.after - before)
    return replace(source, path=path, name=name, media=sniff(path, name), after=after, depth=source.depth + 1)


def pages(source: Source, path: Path, name: str, before: int) -> Iterator[Piece]:
    """What is in a file in `source`; a remark in place of what cannot be read. Raises Rejected where more was unpacked
    than may be."""
    try:
        inner = member(source, path, name, before)
        for piece in reader(inner.media)(inner):
            if isinstance(piece, Page):
                shown = f"{name}/{piece.member}" if piece.member else name
                yield replace(piece, number=before + piece.number, member=shown)
            elif isinstance(piece, Remarked):
                yield piece
    except Rejected as fault:
        if source.room.left < 0:
            raise
        yield Remarked(f"In {source.name}: {fault.message}")
    except MemoryError:
        raise
    except Exception as error:  # libraries raise whatever they like on damaged files
        yield Remarked(f"In {source.name}: {name} is damaged and was not read ({type(error).__name__}).")


def shown(name: str) -> str:
    """A name without ways out of a folder, in one line."""
    parts = clean(name).replace("\\", "/").replace("\n", " ").split("/")
    return "/".join(part for part in parts if part not in ("", ".", ".."))[-300:] or "a file without a name"
