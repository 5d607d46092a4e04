"""Reads XLSX workbooks as rows of values; a formula is what it came to when the workbook was saved."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterable
from datetime import date
from typing import Any, BinaryIO

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from eclair.office.workbook import CellValue

MAX_UNPACKED_BYTES = 256 << 20
_DAMAGED = (
    InvalidFileException,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    KeyError,
    SyntaxError,
    OSError,
    EOFError,
)


def read_sheets(file: BinaryIO, max_cells: int) -> dict[str, list[list[CellValue]]]:
    """Return the rows of each sheet, all of one length, without what is empty below and to the right.

    Raises ValueError for a file that is no workbook, or has more than `max_cells`.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
        if unpacked > MAX_UNPACKED_BYTES:
            raise ValueError(
                f"the workbook has {unpacked >> 20} MB unpacked, and at most {MAX_UNPACKED_BYTES >> 20} are read"
            )
        book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        found: dict[str, list[list[CellValue]]] = {}
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # what a sheet claims of its size is not believed
            found[sheet.title], count = _read_rows(sheet.iter_rows(values_only=True), max_cells)
            max_cells -= count
    except _DAMAGED as error:
        raise ValueError("the file is no XLSX workbook, or it is damaged") from error
    return found


def _read_rows(rows: Iterable[tuple[Any, ...]], max_cells: int) -> tuple[list[list[CellValue]], int]:
    """Return rows and the number of their cells."""
    found: list[list[CellValue]] = []
    width = 0
    for row in rows:
        cells = [_cell(value) for value in row]
        while cells and cells[-1] is None:
            cells.pop()
        found.append(cells)
        width = max(width, len(cells))
        if len(found) * width > max_cells:
            raise ValueError("the workbook has more cells than can be read here")
    while found and not found[-1]:
        found.pop()
    return [[*cells, *[None] * (width - len(cells))] for cells in found], len(found) * width


def _cell(value: Any) -> CellValue:
    """Return a value; times of day and lengths of time are text, as in 17:42:00."""
    return value if value is None or isinstance(value, (str, int, float, date)) else str(value)
