"""Reads XLSX row by row: what cells display, formulas by their stored results."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import openpyxl

from eclair.documents.readers.base import Opened, ReadPiece, SourceFile, UnreadPart, damaged_file, single_line
from eclair.documents.readers.csv import SheetRow, sheet_pages
from eclair.office.workbook import MAX_ROWS
from eclair.office.workbook_reader import DAMAGED_WORKBOOK_ERRORS
from eclair.sandbox.descriptors import open_input

_DIGITS = re.compile(r"[0#?][0#?,]*(?:\.([0#?]+))?")
_EXACT = Context(prec=400)
_CURRENCY = re.compile(r"\[\$([^\[\]-]*+)(?:-[^\[\]]*+)?\]|\"([^\"]*+)\"|([€$£¥])")


def read(source: SourceFile) -> Iterator[ReadPiece]:
    source.unpack_budget.spend(_unpacked_size(source), source.name)
    with open_input(source.path) as file:  # by its name, openpyxl would judge it by its ending
        try:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        except DAMAGED_WORKBOOK_ERRORS as error:
            raise damaged_file(source.name) from error
        yield Opened(source.media, None)
        before = 0
        for each in book.worksheets:
            number = before
            for page in sheet_pages(_rows(each, source.name), each.title, before):
                number = page.number
                yield page
            before = number
            if each.sheet_state != "visible" and number:
                yield UnreadPart(f"The sheet {each.title} of {source.name} is hidden in it and was read all the same.")


def _unpacked_size(source: SourceFile) -> int:
    import zipfile

    with open_input(source.path) as file, zipfile.ZipFile(file) as archive:
        return sum(info.file_size for info in archive.infolist())


def _rows(each: Any, name: str) -> Iterator[SheetRow]:
    """Yield the rows that hold something. Raises Rejected for damage."""
    for number, cells in enumerate(_cells(each, name), 1):
        if number > MAX_ROWS:
            raise damaged_file(name)
        values = ["" if cell is None else display_value(*cell) for cell in cells]
        while values and not values[-1]:
            values.pop()
        if values:
            yield SheetRow(number, values)


def _cells(each: Any, name: str) -> Iterator[list[tuple[object, str] | None]]:
    """Yield value and format of each row's cells, None for empty ones; of rows, one more than there may be."""
    each.reset_dimensions()  # what a sheet claims of its size is not believed
    try:
        for row in each.iter_rows(max_row=MAX_ROWS + 1):
            yield [None if cell.value is None else (cell.value, cell.number_format) for cell in row]
    except DAMAGED_WORKBOOK_ERRORS as error:
        raise damaged_file(name) from error


def display_value(value: object, form: str) -> str:
    """Return a cell's value as its format shows it, independent of the reader's locale.

    Dates are ISO 8601; numbers keep their decimals, percent and currency, with a decimal point and no separator of
    thousands.
    """
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case datetime():
            return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "seconds")
        case date():
            return value.isoformat()
        case time():
            return value.isoformat("seconds")
        case timedelta():
            seconds = round(value.total_seconds())
            return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        case int() | float():
            return _number(value, form)
        case _:
            return single_line(str(value))


def _number(value: float, form: str) -> str:
    first = form.split(";")[0]
    marks = [mark for mark in _CURRENCY.finditer(first) if any(mark.groups())]
    bare = _CURRENCY.sub(lambda mark: " " * len(mark.group()), first)
    percent = "%" in bare
    exact = Decimal(repr(value)) * (100 if percent else 1)
    digits = _DIGITS.search(bare)
    if first == "General" or digits is None or not exact.is_finite() or "E" in bare or "/" in bare:
        text = f"{exact.normalize():f}" if abs(exact) < Decimal(10) ** 21 else str(exact)
    else:
        text = _round(exact, digits.group(1) or "")
    if percent:
        return text + "%"
    if marks and digits is not None:
        mark = next(filter(None, marks[0].groups())).strip()
        before = marks[0].start() < digits.start()
        return (f"{mark}{text}" if before else f"{text} {mark}").strip()
    return text


def _round(value: Decimal, decimals: str) -> str:
    """Round to the format's decimals; those of `#` only where they are not 0."""
    text = f"{value.quantize(Decimal(1).scaleb(-len(decimals)), ROUND_HALF_UP, _EXACT):f}"
    for place in reversed(decimals):
        if place == "0" or not text.endswith("0"):
            break
        text = text[:-1]
    return text.removesuffix(".")
