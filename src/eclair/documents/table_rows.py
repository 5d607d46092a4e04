"""Tells the cells of a row of a passage's table by the names of their columns."""

from __future__ import annotations

from eclair.schema.messages import Passage
from eclair.text.sentences import Span


def is_header(passage: Passage, start: int) -> bool:
    """Tell whether the line at a place of a passage names the columns of the rows below it."""
    begin, end = _line(passage.text, start)
    below = passage.text[slice(*_line(passage.text, end + 1))] if end < len(passage.text) else ""
    is_row = "|" in passage.text[begin:end] and "|" in below
    return is_row and _table_start(passage, begin) == begin and not _goes_on(passage, begin)


def name_cells(passage: Passage, start: int) -> str | None:
    """Return the row at a place as `column: cell; column: cell`; None if it isn't one, or its columns have no names."""
    begin, end = _line(passage.text, start)
    row = passage.text[begin:end]
    if "|" not in row:
        return None
    top = _table_start(passage, begin)
    goes_on = _goes_on(passage, top)
    if top == begin and not goes_on:
        return None
    names = _cells(passage.heading[-1] if goes_on else passage.text[slice(*_line(passage.text, top))])
    cells = _cells(row)
    if len(names) != len(cells):
        return None
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in zip(names, cells, strict=True) if cell)


def _goes_on(passage: Passage, top: int) -> bool:
    """Tell whether a table at the top of a passage began in the one before: its first line is the last heading then."""
    return bool(passage.heading) and "|" in passage.heading[-1] and not passage.text[:top].strip()


def _table_start(passage: Passage, begin: int) -> int:
    """Return where the first line of a row's table begins."""
    while begin > passage.body:
        before, end = _line(passage.text, begin - 1)
        if "|" not in passage.text[before:end]:
            break
        begin = before
    return begin


def _line(text: str, place: int) -> Span:
    end = text.find("\n", place)
    return text.rfind("\n", 0, place) + 1, len(text) if end < 0 else end


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.split("|")]
