"""Reads and writes XLSX workbooks for code that has no pandas. Values come from the code, and are checked here."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, cast

from eclair.office.workbook import (
    MAX_CELL_CHARS,
    MAX_COLUMNS,
    MAX_ROWS,
    WORKBOOK_SUFFIX,
    CellValue,
    Sheet,
    Workbook,
    is_workbook_name,
    write_workbook,
)

MAX_CELLS = 500_000
MAX_SHEETS = 50
MAX_SHEET_NAME_CHARS = 31
DELIMITERS = ",;\t|"
MAX_SHOWN_CHARS = 40
"""Of a value that an error names."""

_NO_SHEET_NAME = re.compile(r"[\[\]:*?/\\\x00-\x1f]|^'|'$")
_MARKDOWN_RULE = re.compile(r"\s*:?-+:?\s*")
_EXAMPLE = "[['region', 'revenue'], ['North', 270]]"

PRELUDE = """
def _listed(value):
    if isinstance(value, (str, bytes, dict)):
        return value
    try:
        return list(value)
    except TypeError:
        return value

def write_workbook(name, rows):
    sheets = {}
    for sheet, listed in rows.items() if isinstance(rows, dict) else [("Sheet1", _listed(rows))]:
        listed = _listed(listed)
        sheets[str(sheet)] = [_listed(row) for row in listed] if isinstance(listed, list) else listed
    _write_workbook(name, sheets)

def read_workbook(name, sheet_name=0):
    sheets = _read_workbook(str(name))
    if sheet_name is None:
        return sheets
    if isinstance(sheet_name, int):
        sheet_name = list(sheets)[sheet_name]
    if sheet_name not in sheets:
        raise ValueError(f"there is no sheet {sheet_name!r}; the sheets are {', '.join(sheets)}")
    return sheets[sheet_name]
"""
"""Code that a session begins with: what it calls is given plain lists, and gives them back."""


def workbook_functions(
    read: Callable[[str], bytes], write: Callable[[str, bytes], None], model: str
) -> dict[str, Callable[..., Any]]:
    """Return the functions that the prelude calls; wrong values raise ValueError. `model` wrote the code, if any."""

    def write_file(name: Any, sheets: Any) -> None:
        if not isinstance(name, str) or not isinstance(sheets, Mapping):
            raise ValueError(f"call write_workbook with a name and rows: write_workbook('table.xlsx', {_EXAMPLE})")
        path = PurePosixPath(name)
        if not is_workbook_name(name):
            raise ValueError(f"the name of a workbook ends with {WORKBOOK_SUFFIX}, and this is {name!r}")
        write(name, write_workbook(_workbook(path.stem, cast("Mapping[str, Any]", sheets), model)))

    def read_file(name: str) -> dict[str, list[list[CellValue]]]:
        from eclair.office.workbook_reader import read_sheets  # it takes half a second

        return read_sheets(io.BytesIO(read(name)), MAX_CELLS)

    return {"_write_workbook": write_file, "_read_workbook": read_file}


def is_archive(data: bytes) -> bool:
    """Tell if a file is a ZIP archive, as a workbook is."""
    return data.startswith(b"PK\x03\x04")


def convert_text(name: str, data: bytes, model: str) -> bytes | None:
    """Return the workbook of a table that was written as text under the name of one; None for what is no text.

    Raises ValueError for a text that is no table, or more than a workbook holds.
    """
    if is_archive(data):
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if (rows := read_table(text)) is None:
        raise no_workbook(name)
    return write_workbook(_workbook(PurePosixPath(name).stem, {"Sheet1": rows}, model))


def no_workbook(name: str) -> ValueError:
    """Return the error of text that is no workbook."""
    return ValueError(
        f"text is no workbook, so no program opens {name}; write it with write_workbook({name!r}, rows), where rows "
        f"is a list of lists such as {_EXAMPLE}"
    )


def read_table(text: str) -> list[list[str]] | None:
    """Read CSV of two or more rows, all of the same two or more columns; None for any other text.

    JSON and a table of Markdown are none. Raises ValueError for more than a workbook holds.
    """
    if text.lstrip().startswith(("{", "[")):
        return None
    for delimiter in DELIMITERS:
        if (rows := _records(text, delimiter)) is not None:
            is_markdown = delimiter == "|" and all(_MARKDOWN_RULE.fullmatch(cell) or not cell for cell in rows[1])
            return None if is_markdown else rows
    return None


def _records(text: str, delimiter: str) -> list[list[str]] | None:
    """Read the records of CSV, without empty lines; None where they don't make a table by that delimiter."""
    found: list[list[str]] = []
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            if record:
                found.append(record)
                if len(record) < 2 or len(record) != len(found[0]):
                    return None
                _check_cells(len(found) * len(record))
    except csv.Error:
        return None
    return found if len(found) > 1 else None


def _workbook(title: str, sheets: Mapping[str, Any], model: str) -> Workbook:
    """Read what the code gives as a workbook. Raises ValueError."""
    if not 1 <= len(sheets) <= MAX_SHEETS:
        raise ValueError(f"a workbook has 1 to {MAX_SHEETS} sheets, and this one {len(sheets)}")
    read: list[Sheet] = []
    cells = 0
    for name, rows in sheets.items():
        sheet = Sheet(_sheet_name(name, sheets), _rows(name, rows))
        cells += sum(map(len, sheet.rows))
        _check_cells(cells)
        read.append(sheet)
    now = datetime.now(UTC)
    notice = f"Made with AI ({model}), by Python code in Éclair on {now:%Y-%m-%d %H:%M} UTC." if model else None
    return Workbook(title, read, now, notice)


def _check_cells(count: int) -> None:
    if count > MAX_CELLS:
        raise ValueError(f"a workbook has at most {MAX_CELLS:,} cells here, and this one {count:,} or more")


def _sheet_name(name: str, all: Mapping[str, Any]) -> str:
    if not name.strip() or len(name) > MAX_SHEET_NAME_CHARS or _NO_SHEET_NAME.search(name):
        raise ValueError(
            f"the name of a sheet has 1 to {MAX_SHEET_NAME_CHARS} characters and none of [ ] : * ? / \\, and this is "
            f"{name!r}"
        )
    if sum(each.casefold() == name.casefold() for each in all) > 1:
        raise ValueError(f"two sheets can't have the name {name!r}")
    return name


def _rows(name: str, given: Any) -> Sequence[Sequence[CellValue]]:
    """Read rows: lists of cells, or dicts by the names of their columns, which are the header then."""
    if not isinstance(given, list):
        raise ValueError(
            f"write_workbook takes a list of rows, such as {_EXAMPLE}, and got {_shown(given)} for the sheet {name!r}"
        )
    rows = cast("list[Any]", given)
    if len(rows) >= MAX_ROWS:
        raise ValueError(f"a sheet has less than {MAX_ROWS:,} rows, and {name!r} has {len(rows):,}")
    if rows and all(isinstance(row, dict) for row in rows):
        columns = [*dict.fromkeys(key for row in rows for key in row)]
        _check_columns(f"the rows of {name!r} have", len(columns))
        _check_cells((len(rows) + 1) * len(columns))
        rows = [columns, *([row.get(column) for column in columns] for row in rows)]
    return [_row(name, number, row) for number, row in enumerate(rows, 1)]


def _row(name: str, number: int, row: Any) -> Sequence[CellValue]:
    if not isinstance(row, list):
        raise ValueError(
            f"each row is a list of cells, such as ['North', 270], and row {number} of {name!r} is {_shown(row)}"
        )
    cells = cast("list[Any]", row)
    _check_columns(f"row {number} of {name!r} has", len(cells))
    return [_cell(f"row {number} of {name!r}", cell) for cell in cells]


def _check_columns(having: str, count: int) -> None:
    if count > MAX_COLUMNS:
        raise ValueError(f"a row has at most {MAX_COLUMNS:,} cells, and {having} {count:,}")


def _cell(place: str, cell: Any) -> CellValue:
    match cell:
        case None | int() | date():
            return cell
        case float() | Decimal() if math.isfinite(cell):
            return cell
        case str() if len(cell) <= MAX_CELL_CHARS:
            return cell
        case str():
            raise ValueError(f"a cell has at most {MAX_CELL_CHARS:,} characters, and one in {place} {len(cell):,}")
        case time():
            return cell.isoformat("seconds")
        case float() | Decimal():
            raise ValueError(f"a cell can't hold {cell}; write None for an empty one, in {place}")
        case _:
            raise ValueError(f"a cell holds a text, a number, a date or None, and one in {place} is {_shown(cell)}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[: MAX_SHOWN_CHARS - 1]}…"
