"""Unpacks files from ZIP containers within a budget; claimed sizes aren't trusted."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO
from xml.etree import ElementTree

from eclair.documents.readers.base import SourceFile, damaged_file, locked_file
from eclair.sandbox.descriptors import open_input
from eclair.sandbox.protocol import Rejected
from eclair.util.zip_directory import read_directory_bytes

MAX_DIRECTORY_BYTES = 16 << 20
"""Size of a ZIP's central directory, which takes ten times that in memory."""

READ_CHUNK_BYTES = 1 << 20
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    struct.error,
    ElementTree.ParseError,
    OSError,
)


@contextmanager
def open_zip(source: SourceFile) -> Generator[zipfile.ZipFile]:
    """Open the archive. Raises Rejected for damage, here and while it is open."""
    try:
        with open_input(source.path) as file:
            directory_bytes = read_directory_bytes(file)
        if directory_bytes > MAX_DIRECTORY_BYTES:
            raise Rejected(f"{source.name} holds too many files; unpack it and send them in parts.", "too_large")
        with open_input(source.path) as file, zipfile.ZipFile(file) as archive:
            yield archive
    except ZIP_ERRORS as error:
        raise damaged_file(source.name) from error
    except RuntimeError as error:  # which is what zipfile says of a password
        if "password" in str(error) or "encrypted" in str(error):
            raise locked_file(source.name) from error
        raise


def read_zipped(archive: zipfile.ZipFile, name: str, source: SourceFile) -> bytes:
    """Return one file of the archive. Raises Rejected over budget, and KeyError where there is none."""
    pieces: list[bytes] = []
    with archive.open(name) as file:
        while piece := file.read(READ_CHUNK_BYTES):
            source.unpack_budget.spend(len(piece), source.name)
            pieces.append(piece)
    return b"".join(pieces)


def extract(archive: zipfile.ZipFile, name: zipfile.ZipInfo, source: SourceFile, target: IO[bytes]) -> None:
    """Unpack one file of the archive into another."""
    with archive.open(name) as file:
        while piece := file.read(READ_CHUNK_BYTES):
            source.unpack_budget.spend(len(piece), source.name)
            target.write(piece)
    target.flush()


STRICT_NAMESPACE = (b"http://purl.oclc.org/ooxml/", b"http://schemas.openxmlformats.org/")
"""Namespaces of the strict form of Office files, and of the usual form."""


def parse_xml(archive: zipfile.ZipFile, name: str, source: SourceFile) -> ElementTree.Element:
    """Parse an XML file of the archive."""
    data = read_zipped(archive, name, source)
    if STRICT_NAMESPACE[0] in data[:4096]:
        data = data.replace(
            STRICT_NAMESPACE[0] + b"wordprocessingml/main", STRICT_NAMESPACE[1] + b"wordprocessingml/2006/main"
        )
    return ElementTree.fromstring(data)  # noqa: S314  expat bounds what entities make
