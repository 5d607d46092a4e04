"""Open an export, JSON, CSV or zip, and split it without loading it whole.

Declared sizes are not trusted: unpacked bytes are counted as they come.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import mmap
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson

from eclair.errors import InvalidInput, TooLarge
from eclair.util.zip_directory import read_directory_bytes

MAX_CONVERSATION_BYTES = 32 << 20
MAX_UNPACKED_BYTES = 1 << 30
MAX_ZIP_DIRECTORY_BYTES = 32 << 20
"""A zip's file list takes ten times its size once parsed."""
READ_CHUNK_BYTES = 1 << 20

_MARK = re.compile(rb'["\[\]{}]')
_SPACE = re.compile(rb"\s*")
_COMMAS = b", \t\r\n"
_READABLE = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error, ValueError)

Data = bytes | mmap.mmap


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A JSON or CSV file, standalone or inside a zip."""

    name: str
    file: BinaryIO


def open_export_files(file: BinaryIO, name: str, folder: Path, others: Callable[[str], None]) -> Iterator[ExportFile]:
    """Yield the file itself, or each JSON or CSV file in a zip, unpacked into `folder` while in use.

    `others` is called with the names of the rest. Raises InvalidInput and TooLarge.
    """
    file.seek(0)
    if not file.read(4).startswith(b"PK"):
        yield ExportFile(name, file)
        return
    try:
        if read_directory_bytes(file) > MAX_ZIP_DIRECTORY_BYTES:
            raise TooLarge(f"{name} holds too many files; unpack it and send the JSON files in it one by one.")
        with zipfile.ZipFile(file) as archive:
            room = MAX_UNPACKED_BYTES
            for info in archive.infolist():
                if info.filename[-1:] in ("", "/"):  # a folder, or a file without a name
                    continue
                if not info.filename.endswith((".json", ".csv")):
                    others(info.filename)
                    continue
                if info.flag_bits & 1:
                    raise InvalidInput(f"{name} is locked with a password; unpack it and send the JSON in it.")
                if info.compress_type not in _READABLE:
                    raise InvalidInput(f"{name} is packed in an uncommon way; unpack it and send the JSON in it.")
                with archive.open(info) as packed, tempfile.TemporaryFile(dir=folder) as unpacked:
                    while piece := packed.read(READ_CHUNK_BYTES):
                        room -= len(piece)
                        if room < 0:
                            raise TooLarge(
                                f"{name} unpacks to more than {MAX_UNPACKED_BYTES >> 20:,} MiB; unpack it and send the "
                                "JSON files in it one by one."
                            )
                        unpacked.write(piece)
                    yield ExportFile(info.filename, unpacked)
    except _DAMAGE as error:
        raise _damaged(name) from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # raised for an offset before the start of the file
            raise
        raise _damaged(name) from error


def read_member(file: BinaryIO, name: str, member: str) -> Iterator[bytes]:
    """Yield the bytes of a zip's member, piece by piece. Raises InvalidInput."""
    try:
        if read_directory_bytes(file) > MAX_ZIP_DIRECTORY_BYTES:
            raise TooLarge(f"{name} holds too many files to be read here.")
        with zipfile.ZipFile(file) as archive, archive.open(member) as packed:
            while piece := packed.read(READ_CHUNK_BYTES):
                yield piece
    except KeyError:
        raise InvalidInput(f"{member} is missing in {name}; export it again.") from None
    except (*_DAMAGE, RuntimeError) as error:  # a RuntimeError where a password is missing
        raise _damaged(name) from error


def _damaged(name: str) -> InvalidInput:
    return InvalidInput(f"{name} is a damaged zip file; download the export again.")


def read_rows(file: BinaryIO, header: tuple[str, ...]) -> Iterator[dict[str, object]] | None:
    """Return the rows of a CSV file with this header, read as they are asked for; None for any other file.

    Surplus cells are dropped, missing ones are empty.
    """
    file.seek(0)
    first = file.read(3 + len(",".join(header)) + 2).removeprefix(b"\xef\xbb\xbf")
    if not re.match(rb"%b\r?(?:\n|\Z)" % ",".join(header).encode(), first):
        return None
    file.seek(0)
    lines = io.TextIOWrapper(file, "utf-8-sig", "replace", newline="")
    csv.field_size_limit(MAX_CONVERSATION_BYTES)
    rows = csv.reader(lines)
    next(rows)
    return _as_objects(rows, header, lines)


def _as_objects(
    rows: Iterator[list[str]], header: tuple[str, ...], lines: io.TextIOWrapper
) -> Iterator[dict[str, object]]:
    try:
        for row in rows:
            yield dict(zip(header, [*row, *[""] * len(header)], strict=False))
    except csv.Error as error:
        raise InvalidInput(f"A row of the CSV file cannot be read ({error}); download the export again.") from error
    finally:
        lines.detach()  # the caller closes the file


def split_values(file: BinaryIO, name: str) -> Iterator[bytes | TooLarge]:
    """Yield each value of a top-level array, or the single top-level object, as JSON.

    A value over the limit is yielded as TooLarge, and anything between values that is not JSON as it stands. Raises
    InvalidInput if there is neither array nor object, and where the file breaks off.
    """
    file.flush()
    if file.seek(0, 2) == 0:
        raise InvalidInput(f"{name} is empty; download the export again.")
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        begin = 3 if data[:3] == b"\xef\xbb\xbf" else 0
        begin = _past(_SPACE, data, begin)
        if data[begin : begin + 1] == b"{":
            yield _piece(data, begin, len(data), name)
        elif data[begin : begin + 1] == b"[":
            yield from _array(data, begin + 1, name)
        else:
            raise InvalidInput(f"{name} is neither JSON nor a zip; send the file that the export gave.")


def _array(data: Data, at: int, name: str) -> Iterator[bytes | TooLarge]:
    while True:
        mark = _MARK.search(data, at)
        if mark is None:
            raise InvalidInput(f"{name} breaks off in the middle; download the export again.")
        if stray := data[at : mark.start()].strip(_COMMAS):
            yield stray[:READ_CHUNK_BYTES]
        if mark.group() == b"]":
            if rest := data[mark.end() : mark.end() + READ_CHUNK_BYTES].strip():
                yield rest
            return
        at = _end(data, mark.start(), name)
        yield _piece(data, mark.start(), at, name)


def _piece(data: Data, begin: int, end: int, name: str) -> bytes | TooLarge:
    if end - begin > MAX_CONVERSATION_BYTES:
        return TooLarge(
            f"A conversation in {name} is larger than {MAX_CONVERSATION_BYTES >> 20} MiB and was left out; "
            "take it out of the file, or cut it in two."
        )
    return data[begin:end]


def _end(data: Data, at: int, name: str) -> int:
    """Find the end of the value that starts at `at` with a quote or bracket."""
    depth = 0
    while mark := _MARK.search(data, at):
        at = mark.end()
        match mark.group():
            case b'"':
                at = _end_of_string(data, at)
                if at == 0:
                    break
            case b"{" | b"[":
                depth += 1
            case _:
                depth -= 1
        if depth <= 0:
            return at
    raise InvalidInput(f"{name} breaks off in the middle; download the export again.")


def _end_of_string(data: Data, at: int) -> int:
    """Find the end of the string whose opening quote is before `at`; 0 if it doesn't end."""
    begin = at
    while (quote := data.find(b'"', at)) >= 0:
        before = quote
        while before > begin and data[before - 1 : before] == b"\\":
            before -= 1
        if (quote - before) % 2 == 0:
            return quote + 1
        at = quote + 1
    return 0


def _past(pattern: re.Pattern[bytes], data: Data, at: int) -> int:
    found = pattern.match(data, at)
    return at if found is None else found.end()


def parse_json(data: bytes) -> object:
    """Parse JSON, accepting lone surrogates, which some exports hold. Raises ValueError."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if b"\\ud" not in data and b"\\uD" not in data:
            raise
        try:
            return json.loads(data)
        except RecursionError:
            raise error from None
