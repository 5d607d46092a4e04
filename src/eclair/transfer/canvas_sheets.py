"""An XLSX workbook or a CSV file of the tables of a canvas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

from eclair.transfer.canvas_view import ExportedCanvas, TableRows, list_tables
from eclair.transfer.office_package import (
    RELATIONSHIPS,
    clean,
    content_types,
    core_properties,
    custom_properties,
    package_relations,
    relations,
    write_package,
)

MAX_WIDTH_CHARS = 60
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,10})?")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def render_csv(canvas: ExportedCanvas) -> bytes:
    """Write the first table. A cell that a spreadsheet would compute has an apostrophe before it."""
    out = io.StringIO()
    csv.writer(out).writerows([_inert(cell) for cell in row] for row in list_tables(canvas.text)[0])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def render_xlsx(canvas: ExportedCanvas) -> bytes:
    """Write a sheet for each table. Plain numbers are numbers, and all else is text."""
    return write_package(_parts(canvas, list_tables(canvas.text)))


def _inert(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(cell) else cell


def _parts(canvas: ExportedCanvas, tables: Sequence[TableRows]) -> Iterator[tuple[str, str]]:
    numbers = range(1, len(tables) + 1)
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
    yield "docProps/core.xml", core_properties(canvas.heading, canvas.at, canvas.notice)
    yield "docProps/custom.xml", custom_properties(made_by_ai=bool(canvas.models))
    sheets = "".join(f'<sheet name="{number}" sheetId="{number}" r:id="sheet{number}"/>' for number in numbers)
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
    for number, table in zip(numbers, tables, strict=True):
        yield f"xl/worksheets/sheet{number}.xml", _sheet(table, canvas.notice)


def _sheet(table: TableRows, notice: str | None) -> str:
    """Write a sheet whose header stays in view; the notice is in the footer of a printed page."""
    columns = max(map(len, table), default=0)
    widths = [max((len(row[at]) for row in table if at < len(row)), default=0) for at in range(columns)]
    cols = "".join(
        f'<col min="{at}" max="{at}" width="{min(max(width, 6), MAX_WIDTH_CHARS) + 2}" customWidth="1"/>'
        for at, width in enumerate(widths, 1)
    )
    rows = "".join(
        f'<row r="{number}">{"".join(_cell(cell, at, number) for at, cell in enumerate(row))}</row>'
        for number, row in enumerate(table, 1)
    )
    footer = f"<headerFooter><oddFooter>{clean(notice.replace('&', '&&'))}</oddFooter></headerFooter>" if notice else ""
    return (
        f'<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" '
        'activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
        f"<cols>{cols}</cols><sheetData>{rows}</sheetData>{footer}</worksheet>"
    )


def _cell(text: str, column: int, row: int) -> str:
    style = ' s="1"' if row == 1 else ""
    place = f'r="{_letters(column)}{row}"{style}'
    if row > 1 and _NUMBER.fullmatch(text):
        return f"<c {place}><v>{text}</v></c>"
    return f'<c {place} t="inlineStr"><is><t xml:space="preserve">{clean(text)}</t></is></c>'


def _letters(column: int) -> str:
    """Return a column's name: 0 is A, 26 is AA."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def _styles() -> str:
    font = '<font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font>'
    return (
        f'<styleSheet xmlns="{_MAIN}"><fonts count="2">{font}</fonts><fills count="2"><fill><patternFill '
        'patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>'
        '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="2">'
        '<xf xfId="0"/><xf fontId="1" applyFont="1" xfId="0"/></cellXfs></styleSheet>'
    )
