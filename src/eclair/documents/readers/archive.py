"""ZIP: each file in it by its own reader, one after another; their pages are numbered on.

Their names are only ever shown: what is unpacked lies under names of our own.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from eclair.documents.readers import member, reader
from eclair.documents.readers.base import Fault, Opened, Piece, Remarked, Source, clean
from eclair.documents.readers.packed import copied, opened
from eclair.documents.values import Page

_APART = re.compile(r"(?:^|/)(?:__MACOSX|\.[^./][^/]*|Thumbs\.db|desktop\.ini)(?:/|$)")
"""What systems leave in archives."""


def read(source: Source) -> Iterator[Piece]:
    if source.depth >= source.limits.nesting:
        raise Fault("unreadable", f"{source.name} is an archive in an archive in an archive; unpack it and send that.")
    yield Opened(source.media, None)
    before = 0
    with opened(source) as archive:
        for info in _files(archive, source):
            number = 0
            try:
                with _unpacked(archive, info, source, before) as file:
                    for piece in reader(file.media)(file):
                        match piece:
                            case Page():
                                number = piece.number
                                yield _placed(piece, before, info.filename)
                            case Remarked():
                                yield piece
                            case Opened():
                                pass
            except Fault as fault:
                if fault.kind == "large" and source.room.left < 0:
                    raise
                yield Remarked(f"In {source.name}: {fault.message}")
            except (OSError, MemoryError):
                raise
            except Exception as error:  # libraries raise whatever they like on damaged files
                yield Remarked(
                    f"In {source.name}: {_shown(info.filename)} is damaged and was not read ({type(error).__name__})."
                )
            before += number


def _files(archive: zipfile.ZipFile, source: Source) -> list[zipfile.ZipInfo]:
    files = [info for info in archive.infolist() if not info.is_dir() and not _APART.search(info.filename)]
    if len(files) > source.limits.members:
        raise Fault(
            "large",
            f"{source.name} holds {len(files):,} files and the limit is {source.limits.members:,}; unpack it and send "
            "them in parts.",
        )
    if not files:
        raise Fault("unreadable", f"{source.name} holds no files; send one with something in it.")
    return files


@contextmanager
def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: Source, before: int) -> Generator[Source]:
    name = _shown(info.filename)
    if info.flag_bits & 1:
        raise Fault("unreadable", f"{name} is locked with a password; send it without one.")
    with tempfile.NamedTemporaryFile(prefix="member-") as file:
        copied(archive, info, source, file)
        yield member(source, Path(file.name), name, before)


def _placed(page: Page, before: int, name: str) -> Page:
    shown = _shown(name)
    return replace(page, number=before + page.number, member=f"{shown}/{page.member}" if page.member else shown)


def _shown(name: str) -> str:
    """The name without ways out of the folder, in one line."""
    parts = clean(name).replace("\\", "/").replace("\n", " ").split("/")
    return "/".join(part for part in parts if part not in ("", ".", ".."))[-300:] or "a file without a name"


@contextmanager
def member_of(source: Source, page: int) -> Generator[tuple[Source, int]]:
    """The file in which that page stands, and its number there. Raises Fault of kind `missing`."""
    if source.depth >= source.limits.nesting:
        raise Fault("missing", f"{source.name} is not read.")
    before = 0
    with opened(source) as archive:
        for info in _files(archive, source):
            try:
                with _unpacked(archive, info, source, 0) as file:
                    count = _count(file)
                    if before < page <= before + count:
                        yield file, page - before
                        return
            except Fault as fault:
                if fault.kind == "missing":
                    raise
                count = 0
            before += count
    raise Fault("missing", f"{source.name} has no page {page}.")


def _count(source: Source) -> int:
    """How many pages a file has, without OCR."""
    if source.media == "application/pdf":
        from eclair.documents.readers.pdf import open_pdf

        with open_pdf(source) as document:
            return len(document)
    if source.media.startswith("image/"):
        from eclair.documents.readers.image import frames

        return frames(source)
    return max((piece.number for piece in reader(source.media)(source) if isinstance(piece, Page)), default=0)
