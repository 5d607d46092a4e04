"""Pairs the values of a column chart with their labels.

Values stand over their labels at different heights, so that reading line by line would mix them up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from eclair.documents.page_lines import PlacedWord

MIN_COLUMNS = 3
MIN_VALUES = 2
MIN_VALUED_SHARE = 0.5
"""Share of the labels that must have a value; one that is too small to be read has none."""
MAX_SPACING_ERROR = 0.3
"""Greatest deviation of two labels' distance, as a share of the usual one."""
MAX_OFFSET = 0.3
"""Greatest distance of a value's middle from its label's, as a share of the labels' distance."""

_VALUE = re.compile(r"[-−+]?\s?[€$£]?\s?\d[\d.,'’ ]*(?:\s?(?:%|‰|°|[€$£]|[A-Za-zµ]{1,3}))?")
_YEAR = re.compile(r"(?:19|20)\d\d")


def find_chart_columns(texts: Sequence[PlacedWord]) -> list[tuple[int, int | None]]:
    """Return the places of a chart's labels from left to right, each with its value's; empty if there is no chart."""
    for row in sorted(_rows(texts), key=lambda row: -texts[row[0]].top):
        if columns := _columns(texts, row):
            return columns
    return []


def _rows(texts: Sequence[PlacedWord]) -> list[list[int]]:
    """Return the texts that are beside each other, from left to right."""
    rows: list[list[int]] = []
    for at in sorted(range(len(texts)), key=lambda at: texts[at].top + texts[at].bottom):
        middle = (texts[at].top + texts[at].bottom) / 2
        if rows and texts[rows[-1][0]].top < middle < texts[rows[-1][0]].bottom:
            rows[-1].append(at)
        else:
            rows.append([at])
    return [sorted(row, key=lambda at: texts[at].left) for row in rows]


def _columns(texts: Sequence[PlacedWord], row: Sequence[int]) -> list[tuple[int, int | None]]:
    """Return the columns whose labels are `row`; empty if it labels none."""
    if len(row) < MIN_COLUMNS or not all(_is_label(texts[at].text) for at in row):
        return []
    middles = [_middle(texts[at]) for at in row]
    spacing = median(right - left for left, right in pairwise(middles))
    if any(abs(right - left - spacing) > spacing * MAX_SPACING_ERROR for left, right in pairwise(middles)):
        return []
    values: list[int | None] = []
    for middle in middles:
        above = [
            at
            for at, text in enumerate(texts)
            if text.bottom <= texts[row[0]].top + (text.bottom - text.top) / 2
            and abs(_middle(text) - middle) < spacing * MAX_OFFSET
            and _VALUE.fullmatch(text.text)
        ]
        if len(above) > 1:  # a table's column
            return []
        values.append(above[0] if above else None)
    known = [texts[at] for at in values if at is not None]
    if len(known) < max(MIN_VALUES, len(row) * MIN_VALUED_SHARE) or _are_beside(known):
        return []
    return list(zip(row, values, strict=True))


def _is_label(text: str) -> bool:
    return _YEAR.fullmatch(text) is not None or _VALUE.fullmatch(text) is None


def _are_beside(texts: Sequence[PlacedWord]) -> bool:
    """Return whether the texts are one row, as of a table."""
    return max(text.top for text in texts) < min(text.bottom for text in texts)


def _middle(text: PlacedWord) -> float:
    return (text.left + text.right) / 2
