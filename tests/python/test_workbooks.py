"""Workbooks that code writes and reads without the data tools, through the HTTP door."""

from __future__ import annotations

import csv
import dataclasses
import io
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.workbook import Workbook

from eclair.office.workbook import PLAIN_NUMBER
from eclair.provenance.text_marks import read_text_mark
from eclair.python.plain_workbooks import convert_text, read_table, workbook_functions
from eclair.python.python_sessions import MAX_SESSIONS, PythonSession, SessionResult
from eclair.schema.messages import Attachment
from eclair.schema.principal import Principal
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
    code = "write_workbook('a.xlsx', [['=2+2'], ['=1+1'], ['@SUM(A1)'], ['+49 30 1'], ['-5']])"
    (sheet,) = opened(await written(server, await conversation(server), code)).worksheets
    cells = [row[0] for row in sheet.iter_rows()]
    assert [cell.value for cell in cells] == ["=2+2", "=1+1", "@SUM(A1)", "+49 30 1", -5]
    assert [cell.data_type for cell in cells] == ["s", "s", "s", "s", "n"]
    assert [cell.quotePrefix for cell in cells] == [True, True, True, True, False], "it stays one when it is edited"
    assert [cell.font.b for cell in cells] == [True, False, False, False, False]


async def test_a_number_that_a_workbook_would_change_stays_a_text(server: Server) -> None:
    code = """
from decimal import Decimal
write_workbook('a.xlsx', [
    ['Release', 'Card', 'Sum'],
    ['1.10', '4111111111111111', Decimal('12345678901.123456')],
    ['1.1', '411111111111111', Decimal('123456789.123456')],
    ['-0', '0.50', Decimal('1E-400')],
])
"""
    data = await written(server, await conversation(server), code)
    assert values(data)["Sheet1"][1:] == [
        (1.1, "4111111111111111", "12345678901.123456"),
        (1.1, 411111111111111, 123456789.123456),
        ("-0", 0.5, "1E-400"),
    ]
    sheet = opened(data).worksheets[0]
    assert [sheet[place].number_format for place in ("A2", "A3", "B4")] == ["0.00", "General", "0.00"]


@given(st.one_of(st.decimals(allow_nan=False, allow_infinity=False).map(str), st.from_regex(r"-?[0-9.]{1,20}")))
def test_a_plain_number_is_shown_as_the_text_was(text: str) -> None:
    if PLAIN_NUMBER.fullmatch(text):
        assert f"{float(text):.{len(text.partition('.')[2])}f}" == text


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


STORED = "sales.xlsx: the text was stored as a workbook\n"


async def test_a_table_written_as_text_under_the_name_of_a_workbook_becomes_one(server: Server) -> None:
    id = await conversation(server)
    await attach(server, id, "sales.csv", SALES)
    convert = """
import csv
with open('sales.csv') as file, open('sales.xlsx', 'w', newline='') as out:
    csv.writer(out).writerows(csv.reader(file))
print('done')
"""
    found = await run(server, id, convert)
    assert (found["output"], found["error"]) == (f"done\n{STORED}", None), "the model and the person read it"
    table = {"Sheet1": [("region", "revenue"), ("North", 120), ("South", 80.5)]}
    assert values(await read(server, found["files"][0])) == table
    assert (await run(server, id, "read_workbook('sales.xlsx')[1]"))["output"] == "['North', 120]\n"
    semicolons = await written(server, id, "open('a.xlsx', 'w').write('a;b\\n1,5;2\\n')")
    assert values(semicolons) == {"Sheet1": [("a", "b"), ("1,5", 2)]}


async def test_text_under_the_name_of_a_workbook_stays_where_the_code_fails(server: Server) -> None:
    id = await conversation(server)
    found = await run(server, id, "open('sales.xlsx', 'w').write('a,b\\n1,2\\n')\n1 / 0")
    assert found["error"].endswith("ZeroDivisionError: division by zero")
    assert found["output"] == ""
    assert await read(server, found["files"][0]) == b"a,b\n1,2\n"


NO_TABLE = (
    "",
    "Dear Ann,\nall is well.\n",
    "region\nNorth\nSouth\n",
    "region,revenue\n",
    "region,revenue\nNorth\n",
    '[["a", "b"],\n ["c", "d"]]',
    '{"a": 1, "b": 2}\n{"a": 3, "b": 4}\n',
    "| a | b |\n| --- | :-: |\n| 1 | 2 |\n",
    "a|b\n-|-\n1|2\n",
)


async def test_text_that_is_no_table_is_an_error_that_names_the_function(server: Server) -> None:
    id = await conversation(server)
    for text in NO_TABLE:
        found = await run(server, id, f"open('a.xlsx', 'w').write({text!r})\nopen('b.xlsx', 'w').write('a,b\\n1,2')")
        assert found["error"].startswith(
            "ValueError: text is no workbook, so no program opens a.xlsx; write it with write_workbook('a.xlsx', rows)"
        ), text
        made = {file["name"]: await read(server, file) for file in found["files"]}
        assert made.get("a.xlsx", text.encode()) == text.encode()
        if "b.xlsx" in made:
            assert values(made["b.xlsx"]) == {"Sheet1": [("a", "b"), (1, 2)]}
            assert found["output"].endswith("b.xlsx: the text was stored as a workbook\n")
        await run(server, id, "from pathlib import Path\nPath('a.xlsx').unlink()\nPath('b.xlsx').unlink()")
    large = await run(server, id, "open('a.xlsx', 'w').write('a,b\\n' * 250001)")
    assert large["error"].startswith("ValueError: a workbook has at most 500,000 cells here")
    binary = await run(server, id, "open('c.xlsx', 'wb').write(b'\\x00\\xff')")
    assert binary["error"] is None
    assert await read(server, binary["files"][-1]) == b"\0\xff", "it is no text"


async def test_no_text_is_appended_to_a_workbook(server: Server) -> None:
    id = await conversation(server)
    before = await written(server, id, "write_workbook('a.xlsx', [['a'], [1]])")
    found = await run(server, id, "1\nopen('a.xlsx', 'a').write('2\\n')")
    assert (
        "ValueError: text is no workbook, so no program opens a.xlsx; write it with write_workbook(" in found["error"]
    )
    assert (found["line"], found["files"]) == (2, [])
    assert (await run(server, id, "read_workbook('a.xlsx')"))["output"] == "[['a'], [1]]\n"
    pieces = "for row in ('a,b', '1,2'):\n    with open('b.xlsx', 'a') as file:\n        file.write(row + '\\n')"
    assert values(await written(server, id, pieces)) == {"Sheet1": [("a", "b"), (1, 2)]}
    assert values(before) == {"Sheet1": [("a",), (1,)]}


cells = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from(",;\t|\"'\n =+-."), max_size=12)
tables = st.integers(2, 5).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=2, max_size=8)
)
quotings = st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC))


def csv_of(rows: list[list[str]], delimiter: str = ",", quoting: Any = csv.QUOTE_MINIMAL) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=quoting).writerows(rows)
    return out.getvalue()


@given(tables, quotings)
def test_each_table_that_csv_writes_is_read_as_it_was(rows: list[list[str]], quoting: Any) -> None:
    rows[0][0] = f"a{rows[0][0]}"  # JSON begins with another character
    assert read_table(csv_of(rows, quoting=quoting)) == rows


@given(tables, st.sampled_from(";\t|"))
def test_each_delimiter_is_found(rows: list[list[str]], delimiter: str) -> None:
    plain = [[f"a{cell.translate(str.maketrans('', '', ',;|' + chr(9)))}" for cell in row] for row in rows]
    assert read_table(csv_of(plain, delimiter)) == plain


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=50)
@given(tables)
def test_each_table_that_csv_writes_is_in_the_workbook(rows: list[list[str]]) -> None:
    rows[0] = [f"a{cell}" for cell in rows[0]]  # openpyxl leaves out what is empty at the end
    data = convert_text("a.xlsx", csv_of(rows).encode(), "")
    assert data is not None
    found = [[cell if isinstance(cell, str) else _written(cell) for cell in row] for row in values(data)["Sheet1"]]
    assert [*found, *[[""] * len(rows[0])] * (len(rows) - len(found))] == rows


def _written(cell: object) -> str:
    return "" if cell is None else f"{cell:.15g}"


def test_a_long_table_whose_last_row_has_quotes_is_read_as_it_was() -> None:
    rows = [["name", "note"], *([f"n{n}", "it's 'fine', all of it"] for n in range(600)), ["end", 'a "quoted" word']]
    assert len(text := csv_of(rows)) > 16_000
    assert read_table(text) == rows


def test_rows_of_many_columns_are_refused_before_they_are_a_matrix() -> None:
    kept: dict[str, bytes] = {}
    write = workbook_functions(kept.__getitem__, kept.__setitem__, "")["_write_workbook"]
    rows = [{str(number): 1} for number in range(4_000)]
    wide = [dict.fromkeys(range(20_000), 1)]
    for table, error in ((rows, "at most 500,000 cells here"), (wide, "at most 16,384 cells")):
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match=error):
                write("a.xlsx", {"Sheet1": table})
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 8 << 20


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
        ("cut.xlsx", book[: len(book) // 2], "ValueError: the file is no XLSX workbook, or it is damaged or has a"),
        ("text.xlsx", b"region;revenue\n", "ValueError: the file is no XLSX workbook, or it is damaged or has a"),
    ):
        found = await run(server, id, f"open({name!r}, 'wb').write({data!r})\nread_workbook({name!r})")
        assert found["error"].splitlines()[-1].startswith(error)


async def test_a_preview_of_a_workbook_ends_no_session_and_a_failed_one_is_tried_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = server.app.python
    for number in range(MAX_SESSIONS):
        await service.run_in_container(f"container {number}", "x = 1")
    headers = {"Content-Type": "application/octet-stream"}
    file = (await server.post("/api/files?name=rents.xlsx", data=xlsx({"Rents": [("Ann", 5)]}), headers=headers)).body
    attached = [Attachment(file["id"], "rents.xlsx", file["size"], "")]

    async def lines() -> tuple[str, ...]:
        (found,) = await service.preview_files(Principal("local"), "conversation", attached)
        return found.lines

    ask = PythonSession.run

    async def fail(session: PythonSession, *args: Any) -> SessionResult:
        found = await ask(session, *args)
        return dataclasses.replace(found, run=dataclasses.replace(found.run, output="", error="MemoryError"))

    with monkeypatch.context() as patch:
        patch.setattr(PythonSession, "run", fail)
        assert await lines() == ()
    assert await lines() == ("sheet 'Rents':", "['Ann', 5]")
    assert [service.has_container(f"container {number}") for number in range(MAX_SESSIONS)] == [True] * MAX_SESSIONS
    with monkeypatch.context() as patch:
        patch.setattr(PythonSession, "run", fail)
        assert await lines() == ("sheet 'Rents':", "['Ann', 5]"), "what succeeded is kept"


async def test_many_rows_are_written_and_read(server: Server) -> None:
    id = await conversation(server)
    code = "write_workbook('many.xlsx', [[n, str(n), 'text'] for n in range(20000)])\nread_workbook('many.xlsx')[-1]"
    found: JSON = await run(server, id, code)
    assert found["output"] == "[19999, 19999, 'text']\n"
