"""Rows of a passage's table are told with the names of their columns, to the search for what is closest as well."""

from __future__ import annotations

from eclair.documents.closest_sentences import describe_closest
from eclair.documents.quotes import rank_by_words
from eclair.documents.table_rows import is_header, name_cells
from eclair.schema.messages import Passage

ACCOUNTS = """\
2. Accounts
Stellan reported on the second quarter.
| first quarter | second quarter
rents | £22,140 | £23,015
energy | £6,820 |
Energy was cheap."""


def passage(text: str, *heading: str) -> Passage:
    return Passage(1, "file", "minutes.md", 1, "", heading, 0, len(text), text)


def told(of: Passage, line: str) -> str | None:
    return name_cells(of, of.text.index(line))


def test_cells_have_the_names_of_their_columns() -> None:
    shown = passage(ACCOUNTS, "Minutes", "2. Accounts")
    assert told(shown, "rents") == "rents; first quarter: £22,140; second quarter: £23,015"
    assert told(shown, "energy |") == "energy; first quarter: £6,820"


def test_a_header_and_other_lines_are_no_rows() -> None:
    shown = passage(ACCOUNTS, "Minutes", "2. Accounts")
    place = shown.text.index("first quarter")
    assert is_header(shown, place)
    assert name_cells(shown, place) is None
    for line in ("Stellan", "Energy was"):
        assert told(shown, line) is None
        assert not is_header(shown, shown.text.index(line))


def test_a_table_that_goes_on_has_its_names_in_the_last_heading() -> None:
    shown = passage("repairs | £1,975 | £2,430\nlift | £90 | £5,600", "2. Accounts", "| first quarter | second quarter")
    assert not is_header(shown, 0)
    assert told(shown, "repairs") == "repairs; first quarter: £1,975; second quarter: £2,430"
    assert told(shown, "lift") == "lift; first quarter: £90; second quarter: £5,600"


def test_a_row_of_other_cells_than_its_header_is_left_as_it_is() -> None:
    assert told(passage("vehicle | price\nbus | 38 | 62"), "bus") is None


def test_a_single_line_with_a_bar_is_no_header() -> None:
    assert not is_header(passage("Tel. 555 | Fax 556\n\nWe are open."), 0)


def test_the_row_of_the_asked_column_is_closest_and_told_by_its_columns() -> None:
    shown = passage(ACCOUNTS.replace("energy | £6,820 |", "energy | £6,820 | £4,150"), "Minutes", "2. Accounts")
    ranked = rank_by_words("What was paid for energy in the second quarter?", [shown])
    assert ranked[0].text == "energy | £6,820 | £4,150"
    assert all("first quarter |" not in each.text for each in ranked)
    assert describe_closest(ranked[:1]) == "[1] 2. Accounts: energy; first quarter: £6,820; second quarter: £4,150"
