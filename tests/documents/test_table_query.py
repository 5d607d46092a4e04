"""Tables computed: against plain Python, over figures as people write them."""

from __future__ import annotations

import string
from collections import defaultdict
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.documents.data_table import DataRow, DataTable, read_data_tables, read_number
from eclair.documents.table_query import RowFilter, TableQuery, compute, describe_query, describe_result
from eclair.schema.documents import Block, Page
from eclair.storage.documents import StoredPage

amounts = st.decimals(-10_000_000, 10_000_000, places=2)
regions = st.sampled_from(["North", "South", "Überall", "Île-de-France"])
days = st.dates(date(2020, 1, 1), date(2026, 12, 31))
records = st.lists(st.tuples(regions, amounts, days), min_size=1, max_size=60)
Record = tuple[str, Decimal, date]


def english(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def german(amount: Decimal) -> str:
    return f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))


def french(amount: Decimal) -> str:
    return f"{amount:,.2f}".replace(",", "\u202f").replace(".", ",")


def swiss(amount: Decimal) -> str:
    return f"{amount:,.2f}".replace(",", "’")


def table_of(rows: list[Record], write: object = english) -> DataTable:
    assert callable(write)
    cells = [(region, str(write(amount)), day.isoformat()) for region, amount, day in rows]
    return DataTable(
        "file_1", "sales.csv", 1, "", ("Region", "Amount", "Date"), tuple(DataRow(each, 0, 0) for each in cells)
    )


@given(records, st.sampled_from([english, german, french, swiss]))
def test_a_sum_is_exact_however_figures_are_written(rows: list[Record], write: object) -> None:
    result = compute(table_of(rows, write), TableQuery("sum", "Amount"))
    assert result.groups[0].value == sum(amount for _, amount, _ in rows)
    assert result.rows == tuple(range(len(rows)))
    assert result.left_out == 0


@given(records)
def test_groups_add_up_and_come_largest_first(rows: list[Record]) -> None:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for region, amount, _ in rows:
        sums[region] += amount
    result = compute(table_of(rows), TableQuery("sum", "Amount", "Region"))
    assert {group.name: group.value for group in result.groups} == sums
    values = [group.value for group in result.groups]
    assert values == sorted(sums.values(), reverse=True)
    first = compute(table_of(rows), TableQuery("sum", "Amount", "Region", top=1))
    assert {group.value for group in first.groups} == {max(sums.values())}


@given(records)
def test_months_group_by_year_and_month(rows: list[Record]) -> None:
    counts: dict[str, int] = defaultdict(int)
    for *_, day in rows:
        counts[f"{day:%Y-%m}"] += 1
    result = compute(table_of(rows), TableQuery("count", None, "Date", "month"))
    assert [(group.name, group.value) for group in result.groups] == sorted(counts.items())


@given(records, amounts, days, regions)
def test_conditions_choose_the_rows(rows: list[Record], bound: Decimal, day: date, region: str) -> None:
    query = TableQuery(
        "count",
        filters=(
            RowFilter("Amount", "over", (f"{bound:f}",)),
            RowFilter("Date", "from", (day.isoformat(),)),
            RowFilter("Region", "is not", (region,)),
        ),
    )
    expected = [at for at, row in enumerate(rows) if row[1] > bound and row[2] >= day and row[0] != region]
    assert list(compute(table_of(rows), query).rows) == expected


@given(records)
def test_the_smallest_largest_and_average(rows: list[Record]) -> None:
    table, values = table_of(rows), [amount for _, amount, _ in rows]
    largest = compute(table, TableQuery("max", "Amount"))
    assert largest.groups[0].value == max(values)
    assert all(values[at] == max(values) for at in largest.holders)
    assert compute(table, TableQuery("min", "Amount")).groups[0].value == min(values)
    average = compute(table, TableQuery("average", "Amount")).groups[0].value
    assert average is not None
    assert abs(average - sum(values, Decimal(0)) / len(values)) <= Decimal("0.00005")


texts = st.text(string.ascii_letters + string.digits + "äé ;:,.-€%", min_size=1, max_size=20).map(
    lambda text: " ".join(text.split())
)


@given(st.lists(st.lists(texts, min_size=3, max_size=3), min_size=3, max_size=20))
def test_rows_come_back_as_they_were_stored(rows: list[list[str]]) -> None:
    heads = ("Name", "Net amount", "Remark")
    lines = ["; ".join(f"{head}: {cell}" for head, cell in zip(heads, row, strict=True) if cell) for row in rows]
    if any(not all(row) or any(f"; {head}: " in f"; {cell}: " for head in heads for cell in row) for row in rows):
        return
    blocks, at = list[Block](), 0
    for number, line in enumerate(lines, 2):
        blocks.append(Block("row", at, at + len(line), ref=f"A{number}:C{number}"))
        at += len(line) + 1
    page = Page(1, "\n".join(lines), tuple(blocks), label="")
    tables = read_data_tables("file_1", "x.csv", [StoredPage(0, page)], has_plain_numbers=False)
    if tables and tables[0].heads == heads:
        assert [list(row.cells) for row in tables[0].rows] == rows


@pytest.mark.parametrize(
    ("cell", "mark", "value"),
    [
        ("1.234,56 €", ",", "1234.56"),
        ("€ 1,234.56", ".", "1234.56"),
        ("(12.50)", ".", "-12.50"),
        ("−3", None, "-3"),
        ("12 345", None, "12345"),
        ("7,5 %", ",", "7.5"),
        ("EUR 100", None, "100"),
        ("1.000", None, "1000"),
        ("12 May", None, None),
        ("A-7", None, None),
        ("", None, None),
    ],
)
def test_a_figure_is_read_as_it_is_meant(cell: str, mark: str | None, value: str | None) -> None:
    assert read_number(cell, mark) == (None if value is None else Decimal(value))


def test_what_was_computed_is_said_in_words() -> None:
    rows = [("North", Decimal("10.50"), date(2024, 3, 1)), ("South", Decimal(4), date(2024, 4, 1))] * 2
    table = table_of([*rows, ("North", Decimal(1), date(2023, 3, 1))])
    query = TableQuery(
        "sum", "Amount", filters=(RowFilter("Region", "is", ("North",)), RowFilter("Date", "is", ("2024",), "year"))
    )
    result = compute(table, query)
    words = "Sum of Amount over 2 rows of sales.csv where Region = North and year of Date = 2024"
    assert describe_query(table, result) == words
    assert describe_result(table, result) == f"{words}: 21.00."
    grouped = compute(table, TableQuery("average", "Amount", "Region"))
    assert describe_result(table, grouped).splitlines() == [
        "Average Amount by Region over 5 rows of sales.csv:",
        "Region | Average Amount | Rows",
        "North | 7.3333 | 3",
        "South | 4.0000 | 2",
    ]


def test_rows_without_a_number_are_counted() -> None:
    cells = [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "unknown"), ("f", "")]
    table = DataTable("file_1", "x.csv", 1, "", ("Name", "Price"), tuple(DataRow(each, 0, 0) for each in cells))
    result = compute(table, TableQuery("sum", "Price"))
    assert (result.groups[0].value, result.left_out) == (Decimal(10), 2)
    assert "2 rows without a number were left out." in describe_result(table, result)
