"""Figures of sentences held against what calculations printed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.citations.computed_lines import MAX_LINES, ComputedLines

OUTPUT = """Output:
region  revenue
north  1234.5
south  76
share 0.42345
3
mean 17.666666666666668 of 9 rows

Files made: none"""


def lines(question: str = "", output: str = OUTPUT) -> ComputedLines:
    found = ComputedLines(question)
    found.add("call_1", output)
    return found


@pytest.mark.parametrize(
    ("sentence", "line"),
    [
        ("The south made 76.", "south  76"),
        ("The north made 1,234.50 euros.", "north  1234.5"),
        ("Der Norden machte 1.234,5 Euro.", "north  1234.5"),
        ("The north made about 1,235.", "north  1234.5"),
        ("Its share is 42.3 %.", "share 0.42345"),
        ("The mean is 17.67.", "mean 17.666666666666668 of 9 rows"),
        ("There are 3 regions.", "3"),
        ("There are 9 rows.", None),
        ("The mean is 17.7 over 12 rows.", None),
        ("The south made 77.", None),
        ("The mean is 17.65.", None),
        ("The south is poor.", None),
        ("On 7 January 1943 it rained.", None),
    ],
)
def test_a_sentence_has_its_figures_from_a_line(sentence: str, line: str | None) -> None:
    found = lines().find(sentence)
    assert (found.text if found is not None else None) == line


def test_figures_of_the_question_need_no_line() -> None:
    assert lines("What is it for 2025?").find("In 2025 the south made 76.") is not None
    assert lines().find("In 2026 the north and south made 76 each.") is None
    assert lines("In 2025?").find("In 2025.") is None
    assert lines("Is it 76?").find("It is 76.") is not None


def test_a_result_counts_once_and_no_more_lines_than_can_be_searched() -> None:
    found = lines()
    found.add("call_1", "999")
    assert found.find("It is 999.") is None
    found.add("call_2", "\n".join(f"row {number}" for number in range(2 * MAX_LINES)))
    assert found.find(f"It is {MAX_LINES + 100}.") is None
    assert not ComputedLines("")


@given(st.floats(10, 1e9).map(lambda value: round(value, 6)), st.integers(1, 4))
def test_a_rounded_figure_is_found(value: float, decimals: int) -> None:
    assert lines(output=repr(value)).find(f"The result is {value:.{decimals}f}.") is not None
