"""Writes XLSX workbooks: sheets of cells, whose first row is their header. It has no formulas."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import PurePosixPath

from eclair.office.package import (
    RELATIONSHIPS,
    clean,
    content_types,
    core_properties,
    custom_properties,
    package_relations,
    relations,
    write_package,
)

CellValue = str | int | float | Decimal | date | None
"""Value of a cell; a bool is an int, and a datetime is a date."""

MAX_ROWS, MAX_COLUMNS, MAX_CELL_CHARS = 1_048_576, 16_384, 32_767
"""Limits of programs for workbooks."""
MIN_WIDTH_CHARS, MAX_WIDTH_CHARS = 6, 60

WORKBOOK_SUFFIX = ".xlsx"
PLAIN_NUMBER = re.compile(r"(?=-?[0-9.]{1,16}\Z)(?!-0\Z)-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,14})?")
"""A number in a text that a workbook holds exactly, which has 15 digits at most.

One with a zero in front is none, such as a postcode. Zeros at the end of its decimals are shown by a format.
"""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of texts that a program computes where they are typed in, or read from a CSV file."""

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_EXACT_DIGITS = 15
_MAX_EXPONENT = 300
_FIRST_DAY = datetime(1900, 3, 1)
"""Days before it are counted in two ways, since there was no 29 February 1900."""
_DAY_ZERO = datetime(1899, 12, 30)
_HEADER, _DAY, _TIME, _QUOTE_PREFIX, _HEADER_QUOTE_PREFIX = 1, 2, 3, 4, 5
"""Styles of `_styles`, which are named by their place."""
_DECIMALS = 5
"""The style that shows a number of decimals is that number plus this."""
_MAX_DECIMALS = 14
_FIRST_FORMAT = 164
"""Number of the first format that isn't built in."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet. A text below the header that is a plain number is written as that number."""

    name: str
    rows: Sequence[Sequence[CellValue]]


@dataclass(frozen=True, slots=True)
class Workbook:
    """Sheets, at least one; `at` is in UTC. The `notice` says that AI made it, and is None if people alone did."""

    title: str
    sheets: Sequence[Sheet]
    at: datetime
    notice: str | None


def is_workbook_name(name: str) -> bool:
    """Tell if a file's name is that of an XLSX workbook."""
    return PurePosixPath(name).suffix.lower() == WORKBOOK_SUFFIX


def write_workbook(book: Workbook) -> bytes:
    """Write a workbook, with its mark where AI made it."""
    return write_package(_parts(book))


def _parts(book: Workbook) -> Iterator[tuple[str, str]]:
    numbers = range(1, len(book.sheets) + 1)
    yield (
        "[Content_Types].xml",
        content_types(
            {
                "/xl/workbook.xml": f"{_KIND}.sheet.main+xml",
                "/xl/styles.xml": f"{_KIND}.styles+xml",
                **{f"/xl/worksheets/sheet{number}.xml": f"{_KIND}.worksheet+xml" for number in numbers},
            }
        ),
    )
    yield "_rels/.rels", package_relations("xl/workbook.xml")
    yield "docProps/core.xml", core_properties(book.title, book.at, book.notice)
    yield "docProps/custom.xml", custom_properties(made_by_ai=book.notice is not None)
    sheets = "".join(
        f'<sheet name="{clean(sheet.name)}" sheetId="{number}" r:id="sheet{number}"/>'
        for number, sheet in zip(numbers, book.sheets, strict=True)
    )
    yield (
        "xl/workbook.xml",
        f'<workbook xmlns="{_MAIN}" xmlns:r="{RELATIONSHIPS}"><sheets>{sheets}</sheets></workbook>',
    )
    yield (
        "xl/_rels/workbook.xml.rels",
        relations(
            ("styles", f"{RELATIONSHIPS}/styles", "styles.xml", False),
            *(
                (f"sheet{number}", f"{RELATIONSHIPS}/worksheet", f"worksheets/sheet{number}.xml", False)
                for number in numbers
            ),
        ),
    )
    yield "xl/styles.xml", _styles()
    for number, sheet in zip(numbers, book.sheets, strict=True):
        yield f"xl/worksheets/sheet{number}.xml", _sheet(sheet.rows, book.notice)


def _sheet(table: Sequence[Sequence[CellValue]], notice: str | None) -> str:
    """Write a sheet whose header stays in view; the notice is in the footer of a printed page."""
    columns = max(map(len, table), default=0)
    widths = [max((_width(row[at]) for row in table if at < len(row)), default=0) for at in range(columns)]
    cols = "".join(
        f'<col min="{at}" max="{at}" width="{min(max(width, MIN_WIDTH_CHARS), MAX_WIDTH_CHARS) + 2}" customWidth="1"/>'
        for at, width in enumerate(widths, 1)
    )
    letters = [*map(_letters, range(columns))]
    rows = "".join(
        f'<row r="{number}">{"".join(_cell(cell, letters[at], number) for at, cell in enumerate(row))}</row>'
        for number, row in enumerate(table, 1)
    )
    footer = f"<headerFooter><oddFooter>{clean(_footer(notice))}</oddFooter></headerFooter>" if notice else ""
    return (
        f'<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" '
        'activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
        f"{f'<cols>{cols}</cols>' if cols else ''}<sheetData>{rows}</sheetData>{footer}</worksheet>"
    )


def _footer(text: str) -> str:
    """Write a text in the middle of a footer."""
    return f"&C{text.replace('&', '&&')}"


def _width(cell: CellValue) -> int:
    return 0 if cell is None else len(str(cell))


def _cell(cell: CellValue, column: str, row: int) -> str:
    place = f'r="{column}{row}"'
    header = f' s="{_HEADER}"' if row == 1 else ""
    match cell:
        case None | "":
            return ""
        case bool():
            return f'<c {place}{header} t="b"><v>{cell:d}</v></c>'
        case int() if abs(cell) < 10**_EXACT_DIGITS:
            return f"<c {place}{header}><v>{cell}</v></c>"
        case float():
            return f"<c {place}{header}><v>{cell}</v></c>"
        case Decimal() if _is_exact(cell):
            return f"<c {place}{header}><v>{cell}</v></c>"
        case date() if (days := _days(cell)) is not None:
            return f'<c {place} s="{_TIME if isinstance(cell, datetime) else _DAY}"><v>{days}</v></c>'
        case str() if row > 1 and PLAIN_NUMBER.fullmatch(cell):
            decimals = len(cell.partition(".")[2]) if cell.endswith("0") else 0
            style = f' s="{_DECIMALS + decimals}"' if decimals else ""
            return f"<c {place}{style}><v>{cell}</v></c>"
        case _:
            text = str(cell)
            quoted = f' s="{_HEADER_QUOTE_PREFIX if row == 1 else _QUOTE_PREFIX}"'
            style = quoted if text.startswith(FORMULA_STARTS) else header
            return f'<c {place}{style} t="inlineStr"><is><t xml:space="preserve">{clean(text)}</t></is></c>'


def _is_exact(number: Decimal) -> bool:
    """Tell if a workbook holds a number as it is."""
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    return len(digits) <= _EXACT_DIGITS and abs(number.adjusted()) <= _MAX_EXPONENT


def _days(day: date) -> float | None:
    """Return a date as a workbook counts it, in days; None for one that it doesn't count, or that has a time zone."""
    time = day if isinstance(day, datetime) else datetime(day.year, day.month, day.day)
    if time.tzinfo is not None or time < _FIRST_DAY:
        return None
    passed = time - _DAY_ZERO
    return passed.days + round(passed.seconds / 86_400, 9) if isinstance(day, datetime) else passed.days


def _letters(column: int) -> str:
    """Return a column's name: 0 is A, 26 is AA."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def _styles() -> str:
    """Write the styles: plain, a header's, days, times, those of text that editing doesn't compute, and decimals."""
    font = '<font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font>'
    decimals = range(1, _MAX_DECIMALS + 1)
    formats = "".join(f'<numFmt numFmtId="{_FIRST_FORMAT + each}" formatCode="0.{"0" * each}"/>' for each in decimals)
    shown = "".join(f'<xf numFmtId="{_FIRST_FORMAT + each}" applyNumberFormat="1" xfId="0"/>' for each in decimals)
    return (
        f'<styleSheet xmlns="{_MAIN}"><numFmts count="{_MAX_DECIMALS}">{formats}</numFmts>'
        f'<fonts count="2">{font}</fonts><fills count="2"><fill><patternFill '
        'patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>'
        '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
        f'<cellXfs count="{_DECIMALS + 1 + _MAX_DECIMALS}">'
        '<xf xfId="0"/><xf fontId="1" applyFont="1" xfId="0"/><xf numFmtId="14" applyNumberFormat="1" xfId="0"/>'
        '<xf numFmtId="22" applyNumberFormat="1" xfId="0"/><xf quotePrefix="1" xfId="0"/>'
        f'<xf fontId="1" applyFont="1" quotePrefix="1" xfId="0"/>{shown}</cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    )
