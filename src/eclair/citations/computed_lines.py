"""Finds the line of a calculation's output that a sentence of an answer takes its figures from.

Lines aren't sources: nothing is doubted for lack of one. A figure that a line states is merely not without a source.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from eclair.text.facts import extract_facts
from eclair.text.written_numbers import Number, extract_numbers, is_certain

MAX_LINES = 1000
MAX_LINE_CHARS = 300
"""A line is shown up to here, and only figures before that count."""
SMALL = 10
"""A single digit is by chance in many a line, so it needs one that states nothing else."""


@dataclass(frozen=True, slots=True)
class ComputedLine:
    """A line that the result of `call` has."""

    call: str
    text: str


@dataclass(slots=True)
class ComputedLines:
    """The lines of calculations that an answer had made. Figures of the `question` need no line."""

    question: str
    _lines: list[tuple[ComputedLine, tuple[Number, ...]]] = field(
        default_factory=list[tuple[ComputedLine, tuple[Number, ...]]]
    )
    _calls: set[str] = field(default_factory=set[str])

    def add(self, call: str, result: str) -> None:
        """Take the lines of a result that have figures, once for each call."""
        if call in self._calls:
            return
        self._calls.add(call)
        for line in result.splitlines():
            shown = line.strip()[:MAX_LINE_CHARS]
            if any(map(str.isdigit, shown)) and len(self._lines) < MAX_LINES:
                self._lines.append((ComputedLine(call, shown), extract_numbers(shown)))

    def __bool__(self) -> bool:
        return bool(self._lines)

    def find(self, sentence: str) -> ComputedLine | None:
        """Return the line that states most figures of a sentence, if lines or the question state all of them."""
        asked = extract_facts(self.question).numbers
        figures = [number for number in extract_facts(sentence).numbers if is_certain(number)]
        missing = (figure for figure in figures if not self._is_stated(figure))
        if not figures or not all(any(figure.matches(other) for other in asked) for figure in missing):
            return None
        counts = [sum(_states(numbers, figure) for figure in figures) for _, numbers in self._lines]
        most = max(counts, default=0)
        return self._lines[counts.index(most)][0] if most else None

    def _is_stated(self, figure: Number) -> bool:
        return any(_states(numbers, figure) for _, numbers in self._lines)


def _states(numbers: Iterable[Number], figure: Number) -> bool:
    """Tell whether one of the numbers of a line is the figure, perhaps rounded or as a percentage."""
    known = list(numbers)
    is_small = all(value.is_integer() and abs(value) < SMALL for value in figure.values)
    if is_small and len(known) > 1:
        return False
    return any(_is_rounded(figure, value) for number in known for value in number.values)


def _is_rounded(figure: Number, value: float) -> bool:
    """Tell whether a figure is a value of a line, with fewer decimals if that has some."""
    digits = figure.text.replace(",", ".").rpartition(".")[2] if any(sign in figure.text for sign in ".,") else ""
    decimals = sum(map(str.isdigit, digits))
    values = (value, value * 100) if figure.unit == "%" or "%" in figure.text else (value,)
    for stated in figure.values:
        is_small = stated.is_integer() and abs(stated) < SMALL
        slack = 0.0 if is_small else 0.5 * 10.0 ** -(0 if stated.is_integer() else decimals)
        for each in values:
            if math.isclose(stated, each, rel_tol=1e-9):
                return True
            if not each.is_integer() and abs(stated - each) <= slack * (1 + 1e-9):
                return True
    return False
