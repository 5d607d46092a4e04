"""Composes positioned lines into blocks: headings, paragraphs, lists, tables.

The lines come from a PDF or from OCR; each word of the text keeps its box.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from eclair.documents.page_lines import PageLines, PlacedWord, TextLine, heading_key
from eclair.schema.documents import Block, BlockKind, Page, Word

LIST_MARKER = re.compile(r"(?:[•●▪■◦‣⁃∙·–—▸►✓❖*-]|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,4})[.)])$")
"""A first word that begins a list item."""

_ENDED = re.compile(r"[.!?:;…»”\"')\]]$")
_CJK = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
"""Chinese and Japanese characters. Each is a word here, as these scripts have no spaces between words."""

_AMOUNT = re.compile(
    r"(?:[-−+]\s?)?(?:[€$£]\s?|(?:EUR|CHF|USD|GBP)\s)?[-−]?\d{1,3}(?:[.,'’ ]?\d{3})*[.,]\d{2}"
    r"(?:\s?(?:[€$£%]|EUR|CHF|USD|GBP|zł|Kč|kr))?(?:\s?[A-Z*]{1,2})?"
)
"""An amount of money, with a receipt's mark of its tax rate."""

MAX_ROW_HEIGHT = 4.5
"""Greatest distance of two rows of one table, in sizes of their text."""

_LEFTWARDS = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")


class PageComposer:
    """Composes pages from lines; learns the document's usual font size and its words on the way."""

    def __init__(self) -> None:
        self._sizes = Counter[float]()
        self._words = set[str]()

    def learn(self, page: PageLines) -> None:
        for line in page.lines:
            self._sizes[round(line.size, 1)] += len(line.tokens)
            self._words.update(line.text.casefold().split(" "))

    def page(self, page: PageLines) -> Page:
        body = self._sizes.most_common(1)[0][0] if self._sizes else 10.0
        return _rotate_back(_Composer(page, body, self._joiner).compose(), page.quarter % 4)

    def _joiner(self, first: str, second: str) -> str:
        """Return what joins a word broken at the end of a line: a hyphen or nothing."""
        head, tail = first.lstrip("(\"'„«“").casefold(), second.rstrip(".,;:!?()\"'“”»").casefold()
        if head + tail in self._words:
            return ""
        if f"{head}-{tail}" in self._words or not (second[:1].islower() and head[-2:].isalpha()):
            return "-"
        return ""


def _rotate_back(page: Page, quarter: int) -> Page:
    """Undo the turn that a page was given to be read."""
    if quarter == 0 or page.width is None or page.height is None:
        return page
    wide, high = page.width, page.height

    def back(word: Word) -> Word:
        start, end, left, top, right, bottom = word
        match quarter:
            case 1:
                return Word(start, end, round(high - bottom, 2), left, round(high - top, 2), right)
            case 2:
                return Word(
                    start, end, *(round(side, 2) for side in (wide - right, high - bottom, wide - left, high - top))
                )
            case _:
                return Word(start, end, top, round(wide - right, 2), bottom, round(wide - left, 2))

    sides = (wide, high) if quarter == 2 else (high, wide)
    return replace(page, words=tuple(map(back, page.words)), width=sides[0], height=sides[1])


@dataclass(slots=True)
class _Cell:
    tokens: list[PlacedWord]
    left: float
    right: float


@dataclass(slots=True)
class _Composer:
    source: PageLines
    body: float
    joiner: Callable[[str, str], str]
    text: list[str] = field(default_factory=list[str])
    length: int = 0
    blocks: list[Block] = field(default_factory=list[Block])
    words: list[Word] = field(default_factory=list[Word])

    def compose(self) -> Page:
        lines = self.source.lines
        self._gap = _usual_gap(lines)
        self._kinds = {id(line): self._kind(line) for line in lines}
        at = 0
        while at < len(lines):
            if lines[at].furniture:
                self._begin()
                self._line(lines[at])
                self._end("furniture")
                at += 1
            elif (end := self._find_rows(lines, at)) > at + len(rows := self._find_table(lines, at)):
                at = self._add_rows(lines[at:end], end)
            elif rows:
                at = self._add_table(rows, at)
            else:
                at = self._add_prose(lines, at)
        page = self.source
        return Page(
            page.number,
            "".join(self.text),
            tuple(self.blocks),
            tuple(self.words),
            page.width,
            page.height,
            page.label,
            read=page.read,
        )

    # text

    def _begin(self) -> int:
        if self.length:
            self._append("\n")
        self._start = self.length
        return self.length

    def _end(self, kind: BlockKind, level: int = 0) -> None:
        self.blocks.append(Block(kind, self._start, self.length, level))

    _start: int = 0
    _gap: float = 0.0
    _kinds: dict[int, tuple[BlockKind, int]] = field(default_factory=dict[int, tuple[BlockKind, int]])

    def _append(self, text: str) -> None:
        self.text.append(text)
        self.length += len(text)

    def _line(self, line: TextLine) -> None:
        self._tokens(line.tokens)

    def _tokens(self, tokens: Sequence[PlacedWord]) -> None:
        text, words, at = self.text, self.words, self.length
        before: PlacedWord | None = None
        for token in tokens:
            word, left, top, right, bottom = token
            if before is not None and not (word[0] > "\u2e80" and _are_adjacent(before, token)):
                text.append(" ")
                at += 1
            end = at + len(word)
            text.append(word)
            words.append(Word(at, end, left, top, right, bottom))
            at, before = end, token
        self.length = at

    # prose

    def _add_prose(self, lines: Sequence[TextLine], at: int) -> int:
        """Add the heading, paragraph, list or code that begins at a line; return where the next block begins."""
        first = lines[at]
        kind, level = self._kinds[id(first)]
        end = at + 1
        while end < len(lines) and self._continues(kind, level, lines[end - 1], lines[end], first):
            end += 1
        self._begin()
        if kind == "code":
            self._code(lines[at:end])
        else:
            self._paragraph(lines[at:end], items=kind == "list")
        self._end(kind, level)
        return end

    def _kind(self, line: TextLine) -> tuple[BlockKind, int]:
        text = line.text
        if self.source.titles and (level := self.source.titles.get(heading_key(text))):
            return "heading", level
        if line.mono:
            return "code", 0
        if LIST_MARKER.match(line.tokens[0].text) and len(line.tokens) > 1 and line.size < self.body * 1.15:
            return "list", 0
        if len(text) < 160 and any(map(str.isalpha, text)):
            ratio = line.size / self.body
            if ratio >= (1.15 if self.source.read == "text" else 1.4):  # OCR measures less exactly
                return "heading", 1 if ratio >= 1.75 else 2 if ratio >= 1.35 else 3
            if line.bold and len(text) < 100 and not text.endswith((".", ",", ";")):
                return "heading", 4
        return "paragraph", 0

    def _continues(self, kind: BlockKind, level: int, before: TextLine, line: TextLine, first: TextLine) -> bool:
        """Return whether the line belongs to the block."""
        if line.furniture:
            return False
        new, new_level = self._kinds[id(line)]
        gap = line.top - before.bottom
        if kind == "code":
            return new == "code" and gap < line.size * 1.2
        if kind == "heading":
            close = -line.size < gap < line.size * 0.8
            return (
                close
                and new == kind
                and new_level == level
                and abs(line.size - before.size) < 0.5
                and not (self.source.titles and heading_key(line.text) in self.source.titles)
            )
        if new in ("heading", "code"):
            return new == "code" and kind == "paragraph" and before.mono
        if before.hyphen:
            return True
        if kind == "list":
            return gap < line.size * 1.5 and (new == "list" or line.left > first.left + 2)
        if new == "list":
            return False
        if gap < -line.size:  # the next column: the same sentence may go on there
            return not _ENDED.search(before.text) and line.text[:1].islower()
        if gap > max(line.size * 0.55, self._gap) or abs(line.size - before.size) > 1.5:
            return False
        if len(_LEFTWARDS.findall(line.text)) * 3 > len(line.text):
            indented = line.right < before.right - line.size * 0.8 and before.right >= first.right - 1
            short = before.left > min(line.left, first.left) + line.size * 4
        else:
            indented = line.left > before.left + line.size * 0.8 and before.left <= first.left + 1
            short = before.right < max(line.right, first.right) - line.size * 4
        return not ((indented and len(before.tokens) > 1) or (short and bool(_ENDED.search(before.text))))

    def _paragraph(self, lines: Sequence[TextLine], *, items: bool) -> None:
        for at, line in enumerate(lines):
            before = lines[at - 1] if at else None
            if before is not None:
                if (items and LIST_MARKER.match(line.tokens[0].text)) or self._breaks(before, line, lines):
                    self._append("\n")
                elif before.hyphen:
                    self._append(self.joiner(before.tokens[-1].text, line.tokens[0].text))
                elif not (_CJK.match(before.tokens[-1].text[-1]) and _CJK.match(line.tokens[0].text)):
                    self._append(" ")
            self._line(line)

    def _breaks(self, before: TextLine, line: TextLine, lines: Sequence[TextLine]) -> bool:
        """Return whether a photo's line ends where it does on purpose: it is a row, or the next word had fit there."""
        if self.source.read != "ocr" or before.hyphen:
            return False
        if len(split_row(before)) > 1 or len(split_row(line)) > 1:
            return True
        margin = max(other.right for other in lines if other.left < before.right and other.right > before.left)
        first = line.tokens[0]
        return before.right + line.size * 0.5 + first.right - first.left < margin

    def _code(self, lines: Sequence[TextLine]) -> None:
        """Add lines verbatim; their positions tell their indentation."""
        left = min(line.left for line in lines)
        for at, line in enumerate(lines):
            letters = sum(len(token.text) for token in line.tokens[:1])
            letter = (line.tokens[0].right - line.tokens[0].left) / letters if letters else line.size * 0.6
            if at:
                self._append("\n" if not lines[at - 1].hyphen else "-\n")
            self._append(" " * min(40, round((line.left - left) / letter)) if letter > 0 else "")
            self._line(line)

    # tables

    def _find_rows(self, lines: Sequence[TextLine], at: int) -> int:
        """Return where rows end that begin at a line of a photo: at least two. Their cells needn't be aligned."""
        end = at
        while (
            self.source.read == "ocr"
            and end < len(lines)
            and len(split_row(lines[end])) > 1
            and not lines[end].furniture
            and (end == at or -0.5 <= (lines[end].bottom - lines[end - 1].bottom) / lines[end].size <= MAX_ROW_HEIGHT)
        ):
            end += 1
        return end if end > at + 1 else at

    def _add_rows(self, rows: Sequence[TextLine], end: int) -> int:
        self._begin()
        for number, row in enumerate(rows):
            if number:
                self._append("\n")
            for place, tokens in enumerate(split_row(row)):
                if place:
                    self._append(" | ")
                self._tokens(tokens)
        self._end("table")
        return end

    def _find_table(self, lines: Sequence[TextLine], at: int) -> list[list[_Cell | None]]:
        """Return the rows of a table that begins at a line: at least three with cells below each other.

        Each row has a place for every column. A line that only continues cells is part of the row above.
        """
        columns = _cells(lines[at])
        if len(columns) < 2:
            return []
        rows: list[list[_Cell | None]] = [list(columns)]
        edges = [(cell.left, cell.right) for cell in columns]
        full = 1
        for place in range(at + 1, len(lines)):
            line = lines[place]
            if line.furniture or line.top - lines[place - 1].bottom > line.size * 2.5 or line.top < lines[at].top:
                break
            cells = _match_columns(line, edges)
            if cells is None:
                break
            filled = sum(cell is not None for cell in cells)
            if filled > 1:
                full += 1
            elif cells[0] is not None or line.top - lines[place - 1].bottom > line.size * 0.6:
                break
            rows.append(cells)
            edges = [
                (min(left, cell.left), max(right, cell.right)) if cell is not None else (left, right)
                for (left, right), cell in zip(edges, cells, strict=True)
            ]
        while rows and sum(cell is not None for cell in rows[-1]) < 2 and full < 3:
            rows.pop()
        return rows if full >= 3 or (full == 2 and len(columns) >= 3) else []

    def _add_table(self, rows: list[list[_Cell | None]], at: int) -> int:
        self._begin()
        if _is_columns(rows):
            for column in range(2):
                for row in rows:
                    if (cell := row[column]) is not None:
                        if self.length > self._start:
                            self._append(" ")
                        self._tokens(cell.tokens)
            self._end("paragraph")
            return at + len(rows)
        merged: list[list[list[PlacedWord]]] = []
        for row in rows:
            if row[0] is None and merged:
                for cells, cell in zip(merged[-1], row, strict=True):
                    cells.extend(cell.tokens if cell is not None else ())
            else:
                merged.append([list(cell.tokens) if cell is not None else [] for cell in row])
        for number, row in enumerate(merged):
            if number:
                self._append("\n")
            for place, tokens in enumerate(row):
                if place:
                    self._append(" | ")
                self._tokens(tokens)
        self._end("table")
        return at + len(rows)


def _usual_gap(lines: Sequence[TextLine]) -> float:
    """Return slightly more than the gap between lines of a paragraph; 0 where there are too few lines."""
    gaps = [line.top - before.bottom for before, line in pairwise(lines) if line.top > before.top]
    gaps = sorted(gap for gap in gaps if gap < 25)
    return gaps[len(gaps) // 3] * 1.25 if len(gaps) >= 9 else 0.0


def _are_adjacent(before: PlacedWord, token: PlacedWord) -> bool:
    """Return whether two words follow each other without a space, as in Chinese."""
    return (
        bool(_CJK.match(before.text[-1]) and _CJK.match(token.text))
        and token.left - before.right < (token.bottom - token.top) * 0.5
    )


def _cells(line: TextLine) -> list[_Cell]:
    """Cut a line at its wide gaps."""
    cells: list[_Cell] = []
    for token in line.tokens:
        if cells and token.left - cells[-1].right < line.size * 1.5:
            cells[-1].tokens.append(token)
            cells[-1].right = token.right
        else:
            cells.append(_Cell([token], token.left, token.right))
    return cells


def split_row(line: TextLine) -> list[list[PlacedWord]]:
    """Return the cells of a row: cut at wide gaps, and before an amount at its end. One cell is no row."""
    if line.label_words:
        return [line.tokens[: line.label_words], line.tokens[line.label_words :]]
    cells = [cell.tokens for cell in _cells(line)]
    last = cells[-1]
    amount = next((at for at in range(1, len(last)) if _AMOUNT.fullmatch(" ".join(t.text for t in last[at:]))), None)
    return cells if amount is None else [*cells[:-1], last[:amount], last[amount:]]


def _match_columns(line: TextLine, edges: Sequence[tuple[float, float]]) -> list[_Cell | None] | None:
    """Return the line's cells by column, matched by their left or right edge; None where one matches none.

    A cell may end close to the next column, so a word that begins where a column does begins a cell too.
    """
    placed: list[_Cell | None] = [None] * len(edges)
    column = -1
    for cell in _cells(line):
        parts = [_Cell([], cell.left, cell.left)]
        for token in cell.tokens:
            begins = any(abs(token.left - left) < 1 for left, _ in edges) and parts[-1].tokens
            if begins and token.left - parts[-1].right > line.size * 0.4:
                parts.append(_Cell([], token.left, token.left))
            parts[-1].tokens.append(token)
            parts[-1].right = token.right
        for part in parts:
            found = next(
                (
                    number
                    for number in range(column + 1, len(edges))
                    if abs(part.left - edges[number][0]) < 2.5 or abs(part.right - edges[number][1]) < 2.5
                ),
                None,
            )
            if found is None:
                return None
            column = found
            placed[column] = part
    return placed


def _is_columns(rows: list[list[_Cell | None]]) -> bool:
    """Return whether this is two columns of prose written line by line across the page, and no table."""
    if len(rows) < 6 or len(rows[0]) != 2:
        return False
    lengths = [[len(" ".join(t.text for t in cell.tokens)) for row in rows if (cell := row[n])] for n in (0, 1)]
    return all(len(each) > 5 and sum(each) / len(each) > 28 for each in lengths)
