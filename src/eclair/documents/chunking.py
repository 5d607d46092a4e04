"""Cuts pages into chunks along the structure of their document, as they come.

A sentence is only cut when it is longer than `MAX_SENTENCE_CHARS`, a row or table only when it is larger than a chunk
may be. No chunk continues past a heading of the first two levels. A chunk's text is the document's, character for
character, except for furniture, which becomes spaces: `text[i]` is the document's character at `start + i`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from eclair.schema.documents import Block, Chunk, Page
from eclair.text.sentences import split_sentences

MAX_CHUNK_CHARS = 900
"""Sentences permitting."""

MIN_CHUNK_CHARS = 300
"""Document permitting."""

MAX_WHOLE_TABLE_CHUNKS = 2
"""A table up to this many times `MAX_CHUNK_CHARS` stays in one chunk."""

MAX_SENTENCE_CHARS = 4000
"""Longer sentences are cut, at white space if there is any."""

MAX_HEADING_CHARS = 200
"""A longer heading is shortened in the path."""

MAX_DIVIDING_LEVEL = 2
"""Headings up to this level end a chunk."""

_ENDED = re.compile(r"[.!?…:;。！？؟۔।][\"'”’“»›)\]」』）]*\s*\Z")
_BLANK = re.compile(r"\n[ \t]*\n")
_SOLID = re.compile(r"\S")


@dataclass(frozen=True, slots=True)
class _Unit:
    """Characters `start` to `end`, which are never cut.

    `whole` is the length of the paragraph that the unit begins, 0 in the middle of one. `header` is the first line of
    the table that the unit continues.
    """

    start: int
    end: int
    whole: int
    target: int
    heading: bool = False
    header: str | None = None


class Chunker:
    """Cuts one document, fed page by page in order.

    The same pages make the same chunks, wherever reading stopped and was resumed.
    """

    def __init__(self, document: str, max_chars: int = MAX_CHUNK_CHARS) -> None:
        self._document = document
        self._max_chars = max_chars
        self._min_chars = min(MIN_CHUNK_CHARS, max_chars // 2)
        self._count = 0
        self._text, self._base = "", 0
        self._pages: list[tuple[int, int]] = []
        self._location: tuple[str | None, str | None] | None = None
        self._path: list[tuple[int, str]] = []
        self._open: tuple[int, int] | None = None
        self._held: list[_Unit] = []
        self._chunk_heading: tuple[str, ...] = ()
        self._done: list[Chunk] = []

    def add(self, page: Page) -> list[Chunk]:
        """Return the chunks that this page completes. An unfinished sentence waits for the next page."""
        location = (page.member, page.label if page.width is None and page.read != "speech" else None)
        if self._location is not None and location != self._location:
            self._end_paragraph()
            self._flush()
            self._path = []
        self._location = location
        start = self._base + len(self._text)
        blocks = list(_blocks(page))
        self._text += _blank_furniture(page.text, blocks) + "\n"
        self._pages.append((start, page.number))
        content = [block for block in blocks if block.kind != "furniture"]
        for first, block in zip([True] + [False] * len(content), content, strict=False):
            self._add(replace(block, start=start + block.start, end=start + block.end), first=first)
        if self._open is not None and (
            _ENDED.search(self._slice(self._open)) or _size(self._open) > MAX_SENTENCE_CHARS
        ):
            self._end_paragraph()
        return self._pop_done()

    def finish(self) -> list[Chunk]:
        """Return the remaining chunks once there are no more pages."""
        self._end_paragraph()
        self._flush()
        return self._pop_done()

    def _add(self, block: Block, *, first: bool) -> None:
        span = (block.start, block.end)
        match block.kind:
            case "heading":
                self._end_paragraph()
                self._add_heading(block)
            case "paragraph" if first and self._open is not None:
                self._open = (self._open[0], block.end)
            case "speech" if self._open is not None and not self._has_ended(self._open):
                self._open = (self._open[0], block.end)
            case "paragraph" | "speech":
                self._end_paragraph()
                self._open = span
            case "list":
                self._end_paragraph()
                self._add_units(self._sentences(span, self._slice(span)))
            case "table" if _size(span) > MAX_WHOLE_TABLE_CHUNKS * self._max_chars:
                self._end_paragraph()
                self._add_units(self._lines(span, titled=True))
            case "code" if _size(span) > self._max_chars:
                self._end_paragraph()
                self._add_units(self._lines(span, titled=False))
            case _:
                self._end_paragraph()
                self._add_units(_make_units([span], self._text, self._base, _size(span)))

    def _add_heading(self, block: Block) -> None:
        level = max(block.level, 1)
        dividing = level <= MAX_DIVIDING_LEVEL and any(not unit.heading for unit in self._held)
        if dividing or self._length() >= self._min_chars:
            self._flush()
        title = " ".join(self._slice((block.start, block.end)).split())[:MAX_HEADING_CHARS]
        self._path = [(other, words) for other, words in self._path if other < level]
        self._path.append((level, title))
        units = _make_units([(block.start, block.end)], self._text, self._base, block.end - block.start)
        self._add_units(replace(unit, heading=True) for unit in units)

    def _has_ended(self, spoken: tuple[int, int]) -> bool:
        """Return whether a sentence of a recording has ended. Speech without full stops is cut as it comes."""
        return _ENDED.search(self._slice(spoken)) is not None or _size(spoken) > self._max_chars

    def _end_paragraph(self) -> None:
        """End the open paragraph."""
        if self._open is not None:
            span, self._open = self._open, None
            self._add_units(self._sentences(span, self._slice(span).replace("\n", " ")))

    def _sentences(self, span: tuple[int, int], text: str) -> Iterator[_Unit]:
        begins = [span[0], *(span[0] + begin for begin, _ in split_sentences(text)[1:])]
        return _make_units(pairwise([*begins, span[1]]), self._text, self._base, self._target(span))

    def _lines(self, span: tuple[int, int], *, titled: bool) -> Iterator[_Unit]:
        """Split a table below its first line, and code at blank lines or else by line."""
        text = self._slice(span)
        breaks = [found.end() for found in _BLANK.finditer(text)] if not titled else []
        bounds = [0, *breaks, len(text)]
        parts: list[tuple[int, int]] = []
        for start, end in pairwise(bounds):
            if end - start <= self._max_chars and not titled:
                parts.append((span[0] + start, span[0] + end))
            else:
                ends = [start + found.end() for found in re.finditer(r"\n", text[start:end])]
                lines = [start, *ends, end]
                parts += [(span[0] + a, span[0] + b) for a, b in pairwise(lines)]
        header = " ".join(text.partition("\n")[0].split())[:MAX_HEADING_CHARS] if titled else None
        for number, unit in enumerate(_make_units(parts, self._text, self._base, self._target(span))):
            yield replace(unit, header=header if number else None)

    def _target(self, span: tuple[int, int]) -> int:
        """Return the length of even parts of a unit that is too long for one chunk."""
        length = _size(span)
        return length // -(-length // self._max_chars) if length > self._max_chars else self._max_chars

    def _add_units(self, units: Iterable[_Unit]) -> None:
        for unit in units:
            if self._held and self._starts_new_chunk(unit):
                self._flush()
            if not any(not held.heading for held in self._held):
                self._chunk_heading = (*(words for _, words in self._path), *([unit.header] if unit.header else []))
            self._held.append(unit)

    def _starts_new_chunk(self, unit: _Unit) -> bool:
        """Return whether the next chunk begins with the unit."""
        length, with_it = self._length(), unit.end - self._held[0].start
        if all(held.heading for held in self._held):
            return with_it > MAX_SENTENCE_CHARS
        if length < self._min_chars:
            return with_it > self._max_chars * 3 // 2 and unit.end - unit.start > self._max_chars
        if unit.whole:
            return length + unit.whole > self._max_chars
        return with_it > self._max_chars or length + (unit.end - unit.start) // 2 > unit.target

    def _flush(self) -> None:
        if not self._held:
            return
        start, end = self._held[0].start, self._held[-1].end
        page = self._pages[bisect_right(self._pages, (start, 1 << 62)) - 1][1]
        text = self._slice((start, end))
        self._done.append(Chunk(self._document, self._count, page, start, end, self._chunk_heading, text))
        self._count += 1
        self._held = []

    def _pop_done(self) -> list[Chunk]:
        """Return the finished chunks and drop the text before what is still held."""
        done, self._done = self._done, []
        held = self._held[0].start if self._held else self._open[0] if self._open else self._base + len(self._text)
        self._text, self._base = self._text[held - self._base :], held
        while len(self._pages) > 1 and self._pages[1][0] <= held:
            del self._pages[0]
        return done

    def _length(self) -> int:
        return self._held[-1].end - self._held[0].start if self._held else 0

    def _slice(self, span: tuple[int, int]) -> str:
        return self._text[span[0] - self._base : span[1] - self._base]


def _size(span: tuple[int, int]) -> int:
    return span[1] - span[0]


def _blocks(page: Page) -> Iterator[Block]:
    """Return the page's blocks in order, without overlaps; text outside them becomes paragraphs."""
    at, end = 0, len(page.text)
    for block in sorted(page.blocks, key=lambda block: (block.start, block.end)):
        if block.start > at:
            yield from _split_paragraphs(page.text, at, min(block.start, end))
        start, stop = max(block.start, at), min(block.end, end)
        if _SOLID.search(page.text, start, stop):
            yield replace(block, start=start, end=stop)
        at = max(at, stop)
    yield from _split_paragraphs(page.text, at, end)


def _split_paragraphs(text: str, start: int, end: int) -> Iterator[Block]:
    """Return the paragraphs of a text that has no blocks."""
    bounds = [start, *(found.end() for found in _BLANK.finditer(text, start, end)), end]
    for begin, stop in pairwise(bounds):
        if _SOLID.search(text, begin, stop):
            yield Block("paragraph", begin, stop)


def _blank_furniture(text: str, blocks: Iterable[Block]) -> str:
    for block in blocks:
        if block.kind == "furniture":
            text = text[: block.start] + " " * (block.end - block.start) + text[block.end :]
    return text


def _make_units(spans: Iterable[tuple[int, int]], text: str, base: int, target: int) -> Iterator[_Unit]:
    """Cut one paragraph into units without white space at their ends, none too long."""
    units: list[tuple[int, int]] = []
    for start, end in spans:
        units += _trim(text, base, start, end)
    whole = units[-1][1] - units[0][0] if units else 0
    for number, (start, end) in enumerate(units):
        yield _Unit(start, end, 0 if number else whole, target)


def _trim(text: str, base: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        piece = text[start - base : end - base]
        if not piece.strip():
            return
        start += len(piece) - len(piece.lstrip())
        stop = end - (len(piece) - len(piece.rstrip()))
        if stop - start > MAX_SENTENCE_CHARS:
            space = max(
                text.rfind(" ", start - base, start + MAX_SENTENCE_CHARS - base),
                text.rfind("\n", start - base, start + MAX_SENTENCE_CHARS - base),
            )
            stop = space + base if space + base > start + MAX_SENTENCE_CHARS // 2 else start + MAX_SENTENCE_CHARS
            kept = text[start - base : stop - base].rstrip()
            yield start, start + len(kept)
            start = stop
            continue
        yield start, stop
        return
