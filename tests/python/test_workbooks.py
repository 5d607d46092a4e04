"""Workbooks that code writes and reads without the data tools, through the HTTP door."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import openpyxl
from openpyxl.workbook import Workbook

from eclair.provenance.text_marks import read_text_mark
from tests.documents.files import xlsx
from tests.python.test_python_service import attach, conversation, read, run
from tests.python.test_tool import call, part
from tests.support import JSON, Server

SALES = b"region,revenue\nNorth,120\nSouth,80.5\n"
CONVERT = "import csv\nwrite_workbook('sales.xlsx', csv.reader(open('sales.csv')))"


def opened(data: bytes) -> Workbook:
    """Open a workbook; warnings of the reader are errors."""
    return openpyxl.load_workbook(io.BytesIO(data))


def values(data: bytes) -> dict[str, list[tuple[object, ...]]]:
    return {sheet.title: [*sheet.iter_rows(values_only=True)] for sheet in opened(data).worksheets}


async def written(server: Server, id: str, code: str) -> bytes:
    """The workbook that code writes."""
    found = await run(server, id, code)
    assert found["error"] is None, found["error"]
    return await read(server, found["files"][-1])


async def test_a_model_converts_a_table_to_a_marked_workbook(server: Server, tmp_path: Path) -> None:
    id = await conversation(server)
    await attach(server, id, "sales.csv", SALES)
    answer = await server.say(id, call(CONVERT))
    result = part(answer, "tool_result")["text"]
    assert "- sales.xlsx (application/vnd.openxmlformats-officedocument.spreadsheetml.sheet, version 1, " in result
    (file,) = (await server.get(f"/api/conversations/{id}/workspace")).body["files"]
    data = await read(server, file)
    assert values(data) == {"Sheet1": [("region", "revenue"), ("North", 120), ("South", 80.5)]}
    path = tmp_path / "sales.xlsx"
    path.write_bytes(data)
    found = read_text_mark(path)
    assert found is not None
    assert (found[1].state, found[1].how) == ("found", "created")
    book = opened(data)
    assert book.properties.title == "sales"
    assert (book.properties.description or "").startswith("Made with AI (scripted), by Python code in Éclair on 20")
    with zipfile.ZipFile(path) as archive:
        assert b"<oddFooter>&amp;CMade with AI (scripted), " in archive.read("xl/worksheets/sheet1.xml")


async def test_a_workbook_of_a_persons_own_code_has_no_mark(server: Server, tmp_path: Path) -> None:
    data = await written(server, await conversation(server), "write_workbook('a.xlsx', [['a'], [1]])")
    path = tmp_path / "a.xlsx"
    path.write_bytes(data)
    found = read_text_mark(path)
    assert found is not None
    assert found[1].state == "absent"
    assert opened(data).properties.description is None


async def test_cells_keep_their_kind(server: Server) -> None:
    id = await conversation(server)
    code = """
from datetime import date, datetime, time
from decimal import Decimal
write_workbook('kinds.xlsx', [
    ['2024', 2025, date(2026, 5, 9)],
    ['007', -1.5, Decimal('0.10')],
    [True, None, ''],
    [date(2026, 5, 9), datetime(2026, 5, 9, 17, 42, 30), time(9, 30)],
    [10 ** 20, date(1815, 6, 18), 'a < b & "c"'],
])
read_workbook('kinds.xlsx')
"""
    found = await run(server, id, code)
    assert found["error"] is None, found["error"]
    (sheet,) = opened(await read(server, found["files"][0])).worksheets
    assert [[cell.value for cell in row] for row in sheet.iter_rows()][1:3] == [["007", -1.5, 0.1], [True, None, None]]
    assert [cell.data_type for cell in sheet[1]] == ["s", "n", "d"]
    assert [cell.data_type for cell in sheet[4]] == ["d", "d", "s"]
    expected = (
        "[['2024', 2025, datetime.datetime(2026, 5, 9, 0, 0)], ['007', -1.5, 0.1], [True, None, None], "
        "[datetime.datetime(2026, 5, 9, 0, 0), datetime.datetime(2026, 5, 9, 17, 42, 30), '09:30:00'], "
        "['100000000000000000000', '1815-06-18', 'a < b & \"c\"']]\n"
    )
    assert found["output"] == expected


async def test_a_text_that_begins_as_a_formula_stays_a_text(server: Server) -> None:
    code = "write_workbook('a.xlsx', [['name'], ['=1+1'], ['@SUM(A1)'], ['+49 30 1'], ['-5']])"
    (sheet,) = opened(await written(server, await conversation(server), code)).worksheets
    cells = [row[0] for row in sheet.iter_rows(min_row=2)]
    assert [cell.value for cell in cells] == ["=1+1", "@SUM(A1)", "+49 30 1", -5]
    assert [cell.data_type for cell in cells] == ["s", "s", "s", "n"]
    assert [cell.quotePrefix for cell in cells] == [True, True, True, False], "it stays one when it is edited"


async def test_rows_may_be_dicts_and_sheets_several(server: Server) -> None:
    id = await conversation(server)
    await attach(server, id, "sales.csv", SALES)
    code = """
import csv
rows = csv.DictReader(open('sales.csv'))
write_workbook('/work/two.xlsx', {'Sales & more': rows, 'Sums': ((name, n) for name, n in [('all', 2)]), 'None': []})
"""
    data = await written(server, id, code)
    assert values(data) == {
        "Sales & more": [("region", "revenue"), ("North", 120), ("South", 80.5)],
        "Sums": [("all", 2)],
        "None": [],
    }
    assert (await run(server, id, "read_workbook('two.xlsx', 'Sums') + read_workbook('two.xlsx', 1)"))["output"] == (
        "[['all', 2], ['all', 2]]\n"
    )
    uneven = await written(server, id, "write_workbook('a.xlsx', [{'a': 1}, {'b': 2}])")
    assert values(uneven) == {"Sheet1": [("a", "b"), (1, None), (None, 2)]}


async def test_a_table_written_as_text_under_the_name_of_a_workbook_becomes_one(server: Server) -> None:
    id = await conversation(server)
    await attach(server, id, "sales.csv", SALES)
    convert = """
import csv
with open('sales.csv') as file, open('sales.xlsx', 'w', newline='') as out:
    csv.writer(out).writerows(csv.reader(file))
"""
    assert values(await written(server, id, convert)) == {
        "Sheet1": [("region", "revenue"), ("North", 120), ("South", 80.5)]
    }
    assert (await run(server, id, "read_workbook('sales.xlsx')[1]"))["output"] == "['North', 120]\n"
    semicolons = await written(server, id, "open('a.xlsx', 'w').write('a;b\\n1,5;2\\n')")
    assert values(semicolons) == {"Sheet1": [("a", "b"), ("1,5", 2)]}
    column = await written(server, id, "from pathlib import Path; Path('b.xlsx').write_text('a')")
    assert values(column) == {"Sheet1": [("a",)]}
    found = await run(server, id, "open('c.xlsx', 'wb').write(b'\\x00\\xff')")
    assert await read(server, found["files"][-1]) == b"\0\xff", "it is no text"


WRONG = (
    ("write_workbook('a.csv', [['a']])", "ValueError: the name of a workbook ends with .xlsx, and this is 'a.csv'"),
    ("write_workbook([['a']], 'a.xlsx')", "ValueError: call write_workbook with a name and rows: write_workbook("),
    ("write_workbook('a.xlsx', 3)", "ValueError: write_workbook takes a list of rows, such as [['region'"),
    ("write_workbook('a.xlsx', {'North': 270})", "and got 270 for the sheet 'North'"),
    ("write_workbook('a.xlsx', ['a', 'b'])", "ValueError: each row is a list of cells, such as ['North', 270], and"),
    ("write_workbook('a.xlsx', [['a'], [[1]]])", "a date or None, and one in row 2 of 'Sheet1' is [1]"),
    ("write_workbook('a.xlsx', [[float('nan')]])", "ValueError: a cell can't hold nan; write None for an empty one"),
    ("write_workbook('a.xlsx', [['x' * 40000]])", "ValueError: a cell has at most 32,767 characters, and one in row"),
    ("write_workbook('a.xlsx', [[1] * 20000])", "ValueError: a row has at most 16,384 cells, and row 1 of 'Sheet1'"),
    ("write_workbook('a.xlsx', [[1] * 10000] * 51)", "ValueError: a workbook has at most 500,000 cells here, and"),
    ("write_workbook('a.xlsx', {})", "ValueError: a workbook has 1 to 50 sheets, and this one 0"),
    ("write_workbook('a.xlsx', {'a/b': []})", "ValueError: the name of a sheet has 1 to 31 characters and none of"),
    ("write_workbook('a.xlsx', {'a': [], 'A': []})", "ValueError: two sheets can't have the name 'a'"),
    ("write_workbook('../a.xlsx', [['a']])", "FileNotFoundError: [Errno 2] No such file or directory"),
    ("write_workbook('/etc/a.xlsx', [['a']])", "FileNotFoundError: [Errno 2] No such file or directory"),
    ("read_workbook('/etc/passwd')", "FileNotFoundError: [Errno 2] No such file or directory"),
    ("read_workbook('nowhere.xlsx')", "FileNotFoundError: [Errno 2] No such file or directory"),
)


async def test_what_is_no_workbook_is_one_clear_error(server: Server) -> None:
    id = await conversation(server)
    for code, error in WRONG:
        found = await run(server, id, f"1\n{code}")
        assert error in found["error"].splitlines()[-1], code
        assert (found["line"], found["files"]) == (2, []), code


def claiming(data: bytes, size: int) -> bytes:
    """A ZIP file whose directory claims a size of its first file."""
    at = data.index(b"PK\x01\x02") + 24
    return data[:at] + struct.pack("<I", size) + data[at + 4 :]


async def test_an_attached_workbook_is_read(server: Server) -> None:
    id = await conversation(server)
    book = xlsx({"Rents": [("Tenant", "Rent", None), ("Ann", 512.5, None), (None, None, None), ("Bo", 498)]})
    await attach(server, id, "rents.xlsx", book)
    convert = """
import csv
with open('rents.csv', 'w') as file:
    csv.writer(file).writerows(read_workbook('rents.xlsx'))
open('rents.csv').read()
"""
    found = await run(server, id, convert)
    assert found["output"] == repr("Tenant,Rent\nAnn,512.5\n,\nBo,498\n") + "\n"
    wrong = await run(server, id, "read_workbook('rents.xlsx', 'Rent')")
    assert wrong["error"].splitlines()[-1] == "ValueError: there is no sheet 'Rent'; the sheets are Rents"
    bomb = claiming(book, (256 << 20) + 1)
    for name, data, error in (
        ("bomb.xlsx", bomb, "ValueError: the workbook has 256 MB unpacked, and at most 256 are read"),
        ("cut.xlsx", book[: len(book) // 2], "ValueError: the file is no XLSX workbook, or it is damaged"),
        ("text.xlsx", b"region;revenue\n", "ValueError: the file is no XLSX workbook, or it is damaged"),
    ):
        found = await run(server, id, f"open({name!r}, 'wb').write({data!r})\nread_workbook({name!r})")
        assert found["error"].splitlines()[-1].startswith(error)


async def test_many_rows_are_written_and_read(server: Server) -> None:
    id = await conversation(server)
    code = "write_workbook('many.xlsx', [[n, str(n), 'text'] for n in range(20000)])\nread_workbook('many.xlsx')[-1]"
    found: JSON = await run(server, id, code)
    assert found["output"] == "[19999, 19999, 'text']\n"
