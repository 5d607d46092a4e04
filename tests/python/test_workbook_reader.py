"""Workbooks that are damaged, locked or claim to be huge are one clear error, in bounded time."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclair.office.workbook_reader import read_sheets
from eclair.python.plain_workbooks import MAX_CELLS
from tests.documents.files import xlsx, zipped
from tests.python.test_python_service import conversation, run
from tests.support import Server

SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)
FIRST = '<row r="1"><c r="A1"><v>7</v></c></row>'


def with_part(data: bytes, name: str, part: bytes) -> bytes:
    """A workbook with one part in place of its own."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return zipped({each: part if each == name else archive.read(each) for each in archive.namelist()})


def sheet_of(rows: str) -> bytes:
    return with_part(xlsx({"A": [("a",)]}), "xl/worksheets/sheet1.xml", SHEET.format(rows).encode())


async def test_a_workbook_with_missing_rows_is_read_within_bounds(server: Server) -> None:
    id = await conversation(server)
    for row, error in ((20_000_000, "more cells than can be read"), (1_048_576, "more cells than can be read")):
        data = sheet_of(f'{FIRST}<row r="{row}"><c r="A{row}"><v>1</v></c></row>')
        assert len(data) < 8_000
        found = await run(server, id, f"open('a.xlsx', 'wb').write({data!r})\nread_workbook('a.xlsx')")
        assert error in found["error"].splitlines()[-1]
        assert found["milliseconds"] < 30_000
    assert read_sheets(io.BytesIO(sheet_of(f'{FIRST}<row r="1048576" ht="12"/>')), MAX_CELLS) == {"A": [[7]]}
    gap = sheet_of(f'{FIRST}<row r="4"><c r="B4"><v>8</v></c></row>')
    assert read_sheets(io.BytesIO(gap), 8) == {"A": [[7, None], [None, None], [None, None], [None, 8]]}
    with pytest.raises(ValueError, match="more cells than can be read"):
        read_sheets(io.BytesIO(gap), 7)
    wide = sheet_of("".join(f'<row r="{row}"><c r="XFD{row}"/></row>' for row in range(1, 100)))
    with pytest.raises(ValueError, match="more cells than can be read"):
        read_sheets(io.BytesIO(wide), 1_000)


DAMAGED = "the file is no XLSX workbook, or it is damaged or has a password"


def locked(data: bytes) -> bytes:
    """A ZIP file whose entries say that they have a password."""
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        pieces = data.split(mark)
        data = mark.join([pieces[0], *(each[: flags - 4] + b"\x01\x00" + each[flags - 2 :] for each in pieces[1:])])
    return data


@pytest.mark.parametrize(
    "data",
    [
        locked(xlsx({"A": [("a",)]})),
        sheet_of('<row r="1"><c r="A1" t="s"><v>99</v></c></row>'),
        sheet_of('<row r="1"><c r="A1" s="bold"><v>1</v></c></row>'),
        sheet_of('<row r="1"><c r="1A"><v>1</v></c></row>'),
        sheet_of("<row"),
        with_part(xlsx({"A": [("a",)]}), "xl/workbook.xml", b"<workbook"),
        zipped({"a.txt": b"a"}),
    ],
)
def test_a_damaged_workbook_is_one_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=f"^{DAMAGED}$"):
        read_sheets(io.BytesIO(data), MAX_CELLS)


BOOK = xlsx({"A": [("a", "b"), (1, 2.5)]}, {"B2": "0.00"})


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(deadline=None, max_examples=100)
@given(st.data())
def test_any_damage_to_a_part_is_read_or_is_one_error(data: st.DataObject) -> None:
    with zipfile.ZipFile(io.BytesIO(BOOK)) as archive:
        name = data.draw(st.sampled_from(archive.namelist()))
        part = archive.read(name)
    at = data.draw(st.integers(0, len(part)))
    broken = part[:at] + data.draw(st.binary(max_size=3)) + part[at + data.draw(st.integers(0, 20)) :]
    error = DAMAGED
    try:
        read_sheets(io.BytesIO(with_part(BOOK, name, broken)), MAX_CELLS)
    except ValueError as raised:
        error = str(raised)
    assert error == DAMAGED
