"""An XLSX workbook or a CSV file of the tables of a canvas."""

from __future__ import annotations

import csv
import io
import re

from eclair.office.workbook import FORMULA_STARTS, MAX_CELL_CHARS, Sheet, Workbook, write_workbook
from eclair.transfer.canvas_view import ExportedCanvas, list_tables
from eclair.transfer.export_view import to_datetime

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


def render_csv(canvas: ExportedCanvas) -> bytes:
    """Write the first table. A cell that a spreadsheet would compute has an apostrophe before it."""
    out = io.StringIO()
    csv.writer(out).writerows([_inert(cell) for cell in row] for row in list_tables(canvas.text)[0])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def render_xlsx(canvas: ExportedCanvas) -> bytes:
    """Write a sheet for each table. Plain numbers are numbers, and all else is text."""
    tables = [[list(map(_shortened, row)) for row in table] for table in list_tables(canvas.text)]
    sheets = [Sheet(str(number), table) for number, table in enumerate(tables, 1)]
    return write_workbook(Workbook(canvas.heading, sheets, to_datetime(canvas.at), canvas.notice))


def _shortened(cell: str) -> str:
    """Cut what is longer than programs open, which would take the file for a damaged one."""
    return cell if len(cell) <= MAX_CELL_CHARS else f"{cell[: MAX_CELL_CHARS - 1]}…"


def _inert(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) and not _NUMBER.fullmatch(cell) else cell
