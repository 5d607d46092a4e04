"""What is packed in a zip, taken out under a bound: what a file claims of itself is not believed."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO
from xml.etree import ElementTree

from eclair.documents.readers.base import Source, damaged, locked
from eclair.sandbox.protocol import Rejected

LARGEST_DIRECTORY = 16 << 20
"""Bytes of a zip's list of files, each of which takes ten times that once read."""

PIECE = 1 << 20
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error, ElementTree.ParseError, OSError)


@contextmanager
def opened(source: Source) -> Generator[zipfile.ZipFile]:
    """The archive that the file is. What is broken in it becomes a Rejected."""
    try:
        _check_directory(source)
        with zipfile.ZipFile(source.path) as archive:
            yield archive
    except BROKEN as error:
        raise damaged(source.name) from error
    except RuntimeError as error:  # which is what zipfile says of a password
        if "password" in str(error) or "encrypted" in str(error):
            raise locked(source.name) from error
        raise


def taken(archive: zipfile.ZipFile, name: str, source: Source) -> bytes:
    """One file of the archive. Raises Rejected where it unpacks to more than is left, KeyError where there is none."""
    pieces: list[bytes] = []
    with archive.open(name) as file:
        while piece := file.read(PIECE):
            source.room.take(len(piece), source.name)
            pieces.append(piece)
    return b"".join(pieces)


def copied(archive: zipfile.ZipFile, name: zipfile.ZipInfo, source: Source, target: IO[bytes]) -> None:
    """Unpack one file of the archive into another."""
    with archive.open(name) as file:
        while piece := file.read(PIECE):
            source.room.take(len(piece), source.name)
            target.write(piece)
    target.flush()


STRICT = (b"http://purl.oclc.org/ooxml/", b"http://schemas.openxmlformats.org/")
"""The names that the strict form of Office files has for the same things, and those of the usual form."""


def tree(archive: zipfile.ZipFile, name: str, source: Source) -> ElementTree.Element:
    """One file of XML in the archive."""
    data = taken(archive, name, source)
    if STRICT[0] in data[:4096]:
        data = data.replace(STRICT[0] + b"wordprocessingml/main", STRICT[1] + b"wordprocessingml/2006/main")
    return ElementTree.fromstring(data)  # noqa: S314  expat bounds what entities make


def _check_directory(source: Source) -> None:
    """Refuse a zip whose list of files alone would fill the memory; its size stands near the file's end."""
    with source.path.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(max(0, end - (1 << 16) - 22 - 20 - 56))
        tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + 22 > len(tail):
        raise zipfile.BadZipFile
    (size,) = struct.unpack_from("<I", tail, at + 12)
    if at >= 76 and tail[at - 20 : at - 16] == b"PK\6\7" and tail[at - 76 : at - 72] == b"PK\6\6":
        (size,) = struct.unpack_from("<Q", tail, at - 76 + 40)
    if size > LARGEST_DIRECTORY:
        raise Rejected(f"{source.name} holds too many files; unpack it and send them in parts.", "too_large")
