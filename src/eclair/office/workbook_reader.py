"""Reads XLSX workbooks as rows of values; a formula is what it came to when the workbook was saved."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import date
from typing import Any, BinaryIO

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from eclair.office.workbook import MAX_ROWS, CellValue

MAX_UNPACKED_BYTES = 256 << 20
EMPTY_SHARE = 20
"""Empty cells and missing rows that are looked at, for each cell that may be read."""
DAMAGED_WORKBOOK_ERRORS = (
    InvalidFileException,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""Errors of zipfile and openpyxl, which trust a file. RuntimeError is that of a password."""


def read_sheets(file: BinaryIO, max_cells: int) -> dict[str, list[list[CellValue]]]:
    """Return the rows of each sheet, all of one length, without what is empty below and to the right.

    Raises ValueError for a file that is no workbook, or has more than `max_cells`.
    """
    with _one_error(), zipfile.ZipFile(file) as archive:
        unpacked = sum(info.file_size for info in archive.infolist())
    if unpacked > MAX_UNPACKED_BYTES:
        raise ValueError(
            f"the workbook has {unpacked >> 20} MB unpacked, and at most {MAX_UNPACKED_BYTES >> 20} are read"
        )
    with _one_error():
        book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
    reading = _Reading(max_cells)
    return {sheet.title: reading.read_rows(_raw_rows(sheet)) for sheet in book.worksheets}


@contextmanager
def _one_error() -> Generator[None]:
    """Turn what the libraries raise of a damaged file into one error."""
    try:
        yield
    except DAMAGED_WORKBOOK_ERRORS as error:
        raise ValueError("the file is no XLSX workbook, or it is damaged or has a password") from error


def _raw_rows(sheet: Any) -> Generator[tuple[Any, ...]]:
    """Yield all rows up to the last one, and one more than a sheet may have if the file claims more."""
    with _one_error():
        sheet.reset_dimensions()  # what a sheet claims of its size is not believed
        yield from sheet.iter_rows(max_row=MAX_ROWS + 1, values_only=True)


class _Reading:
    """Reads sheets within bounds that they share."""

    def __init__(self, max_cells: int) -> None:
        self._cells_left = max_cells
        self._looks_left = max_cells * EMPTY_SHARE

    def read_rows(self, rows: Iterable[tuple[Any, ...]]) -> list[list[CellValue]]:
        """Return the rows of a sheet, without the empty ones below. Raises ValueError beyond the bounds."""
        found: list[list[CellValue]] = []
        width = 0
        for number, row in enumerate(rows, 1):
            self._looks_left -= len(row) or 1
            if number > MAX_ROWS or self._looks_left < 0:
                raise _too_large()
            filled = len(row)
            while filled and row[filled - 1] is None:
                filled -= 1
            if not filled:
                continue
            width = max(width, filled)
            if number * width > self._cells_left:
                raise _too_large()
            found.extend([] for _ in range(number - len(found) - 1))
            found.append([_cell(value) for value in row[:filled]])
        self._cells_left -= len(found) * width
        return [[*cells, *[None] * (width - len(cells))] for cells in found]


def _too_large() -> ValueError:
    return ValueError("the workbook has more cells than can be read here")


def _cell(value: Any) -> CellValue:
    """Return a value; times of day and lengths of time are text, as in 17:42:00."""
    return value if value is None or isinstance(value, (str, int, float, date)) else str(value)
