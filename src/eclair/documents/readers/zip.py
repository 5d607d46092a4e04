"""Reads the files in a ZIP archive one after another."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from eclair.documents.readers import reader
from eclair.documents.readers.base import Opened, ReadPiece, SourceFile, UnreadPart
from eclair.documents.readers.embedded import find_name, open_member, read_member, unique_names
from eclair.documents.readers.zip_xml import ZIP_ERRORS, extract, open_zip
from eclair.sandbox.protocol import Rejected
from eclair.schema.documents import Page

_APART = re.compile(r"(?:^|/)(?:__MACOSX|\.[^./][^/]*|Thumbs\.db|desktop\.ini)(?:/|$)")
"""Files that operating systems leave in archives."""


def read(source: SourceFile) -> Iterator[ReadPiece]:
    if source.depth >= source.limits.nesting:
        raise Rejected(f"{source.name} is an archive in an archive in an archive; unpack it and send that.")
    yield Opened(source.media, None)
    before = 0
    with open_zip(source) as archive:
        for name, info in _files(archive, source).items():
            with tempfile.NamedTemporaryFile(prefix="member-") as file:
                if fault := _unpack(archive, info, name, source, file):
                    yield UnreadPart(f"In {source.name}: {fault}")
                    continue
                number = before
                for piece in read_member(source, Path(file.name), name, before):
                    if isinstance(piece, Page):
                        number = piece.number
                    yield piece
            before = number


def _files(archive: zipfile.ZipFile, source: SourceFile) -> dict[str, zipfile.ZipInfo]:
    """Return the files by their names as people see them."""
    files = [
        info for info in archive.infolist() if info.filename[-1:] not in ("", "/") and not _APART.search(info.filename)
    ]
    if len(files) > source.limits.members:
        raise Rejected(
            f"{source.name} holds {len(files):,} files and the limit is {source.limits.members:,}; unpack it and send "
            "them in parts.",
            "too_large",
        )
    if not files:
        raise Rejected(f"{source.name} holds no files; send one with something in it.")
    return dict(zip(unique_names(info.filename for info in files), files, strict=True))


def _unpack(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, source: SourceFile, target: IO[bytes]
) -> str | None:
    """Unpack a file; return a sentence if that isn't possible."""
    if info.flag_bits & 1:
        return f"{name} is locked with a password; send it without one."
    try:
        extract(archive, info, source, target)
    except ZIP_ERRORS:
        return f"{name} is damaged and was not read; pack it again."
    return None


@contextmanager
def find_member(source: SourceFile, page: int) -> Generator[tuple[SourceFile, int]]:
    """Return the file that contains a page, and its number there. Raises Rejected of kind `missing`."""
    if source.depth >= source.limits.nesting:
        raise Rejected(f"{source.name} is not read.", "missing")
    before = 0
    with open_zip(source) as archive:
        for name, info in _files(archive, source).items():
            with tempfile.NamedTemporaryFile(prefix="member-") as file:
                if _unpack(archive, info, name, source, file):
                    continue
                try:
                    inner = open_member(source, Path(file.name), name)
                    count = _count(inner)
                except Rejected:
                    continue
                if before < page <= before + count:
                    yield inner, page - before
                    return
                before += count
    raise Rejected(f"{source.name} has no page {page}.", "missing")


@contextmanager
def open_named(source: SourceFile, member: str) -> Generator[tuple[SourceFile, str]]:
    """Return the file that `member` begins with, unpacked, and the name inside of it. Raises Rejected."""
    with open_zip(source) as archive:
        files = _files(archive, source)
        found = find_name(files, member)
        if found is None:
            raise Rejected(f"{source.name} has no file {member}.", "missing")
        name, rest = found
        with tempfile.NamedTemporaryFile(prefix="member-") as file:
            if fault := _unpack(archive, files[name], name, source, file):
                raise Rejected(fault)
            yield open_member(source, Path(file.name), name), rest


def _count(source: SourceFile) -> int:
    """Return a file's number of pages, without OCR."""
    if source.media == "application/pdf":
        from eclair.documents.readers.pdf import open_pdf

        with open_pdf(source) as document:
            return len(document)
    if source.media.startswith("image/"):
        from eclair.documents.photos.open import count_pages

        return count_pages(source)
    return max((piece.number for piece in reader(source.media)(source) if isinstance(piece, Page)), default=0)
