"""Reads HTML: the visible text in blocks, however malformed the tags are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from eclair.documents.readers.base import (
    ContentPart,
    Opened,
    ReadPiece,
    SourceFile,
    collapse_spaces,
    paginate,
    single_line,
    table_part,
)
from eclair.documents.readers.text import read_lines
from eclair.schema.documents import BlockKind

HIDDEN_TAGS = re.compile("title|script|style|head|template|noscript|iframe|object|svg|math|select|nav")
BLOCK_TAGS = re.compile(
    "address|article|aside|blockquote|body|center|dd|details|dialog|div|dl|dt|fieldset|figcaption|figure|footer|form|"
    "header|hgroup|hr|html|legend|main|ol|p|section|summary|ul|pre|li|h[1-6]"
)
VOID_TAGS = re.compile("area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr")
MAX_NESTING = 200
"""Closing tags are matched up to this depth."""


def read(source: SourceFile) -> Iterator[ReadPiece]:
    yield Opened(source.media, None)
    yield from paginate(visible_parts(row + "\n" for row in read_lines(source)))


def visible_parts(text: Iterator[str]) -> Iterator[ContentPart]:
    """Yield the blocks of an HTML page given in pieces."""
    page = VisibleText()
    for piece in text:
        page.feed(piece)
        yield from page.drain()
    page.close()
    page.finish()
    yield from page.drain()


class VisibleText(HTMLParser):
    """Collects the visible text of a page, block by block."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._found: list[ContentPart] = []
        self._text: list[str] = []
        self._open: list[str] = []
        self._hidden = 0
        self._kind: BlockKind = "paragraph"
        self._level = 0
        self._lists: list[int | None] = []  # the number of the last item, None where items have none
        self._items: list[str] = []
        self._rows: list[list[list[str]]] = []  # of tables in each other, only the outermost is one
        self._tables = 0

    def drain(self) -> list[ContentPart]:
        """Return the blocks since the last call."""
        found, self._found = self._found, []
        return found

    def finish(self) -> None:
        """Close whatever is open at the end of the page."""
        self._tables = min(self._tables, 1)
        if self._tables:
            self._end_table()
        self._lists.clear()
        self._end_block()
        self._end_list()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not VOID_TAGS.fullmatch(tag) and len(self._open) < MAX_NESTING:
            self._open.append(tag)
        if HIDDEN_TAGS.fullmatch(tag):
            self._hidden += 1
        if self._hidden:
            return
        match tag:
            case "br":
                self._text.append("\n")
            case "td" | "th":
                if self._rows and self._tables == 1:
                    self._rows[-1].append([])
                else:
                    self._text.append(" ")
            case "tr":
                if self._tables == 1:
                    self._rows.append([])
                else:
                    self._text.append("\n")
            case "table":
                self._tables += 1
                if self._tables == 1:
                    self._end_block()
                    self._end_list()
                    self._rows = []
            case "pre":
                self._end_block()
                self._kind = "code"
            case "h1" | "h2" | "h3" | "h4" | "h5" | "h6":
                self._end_block()
                self._kind, self._level = "heading", int(tag[1])
            case "li":
                self._end_block()
                self._begin_item(dict(attrs))
            case "ul" | "ol":
                self._end_block()
                if len(self._lists) < MAX_NESTING:
                    self._lists.append(_parse_int(dict(attrs).get("start"), 1) - 1 if tag == "ol" else None)
            case _ if BLOCK_TAGS.fullmatch(tag):
                self._end_block()
            case _:
                pass

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open:
                closed = self._open.pop()
                if HIDDEN_TAGS.fullmatch(closed):
                    self._hidden -= 1
                if closed == tag:
                    break
        elif tag != "p":
            return
        if self._hidden or HIDDEN_TAGS.fullmatch(tag):
            return
        if tag == "table" and self._tables:
            self._tables -= 1
            if self._tables == 0:
                self._end_table()
        elif tag in ("ul", "ol"):
            self._end_block()
            if self._lists:
                self._lists.pop()
            if not self._lists:
                self._end_list()
        elif BLOCK_TAGS.fullmatch(tag):
            self._end_block()

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._tables == 1 and self._rows and self._rows[-1]:
            self._rows[-1][-1].append(data)
            return
        self._text.append(data if self._kind == "code" else data.replace("\n", " "))

    def _begin_item(self, attributes: dict[str, str | None]) -> None:
        mark = "• "
        if self._lists and (number := self._lists[-1]) is not None:
            self._lists[-1] = number = _parse_int(attributes.get("value"), number + 1)
            mark = f"{number}. "
        self._text.append("\0" + "  " * max(0, len(self._lists) - 1) + mark)  # a NUL is never in cleaned text

    def _end_block(self) -> None:
        if self._tables:
            if self._rows and self._rows[-1]:
                self._rows[-1][-1].append(" ")
            return
        text, self._text = "".join(self._text), []
        kind, level = self._kind, self._level
        self._kind, self._level = "paragraph", 0
        if kind == "code":
            self._end_list()
            self._found.append(ContentPart("code", text.strip("\n")))
        elif self._lists or text.lstrip(" ").startswith("\0"):
            text = text.rpartition("\0")[2]
            indent = text[: len(text) - len(text.lstrip(" "))]
            if body := collapse_spaces(text):
                self._items.append(indent + body)
        elif body := (single_line(text) if kind == "heading" else collapse_spaces(text)):
            self._end_list()
            self._found.append(ContentPart(kind, body, level))

    def _end_list(self) -> None:
        if self._items:
            self._found.append(ContentPart("list", "\n".join(self._items)))
            self._items = []

    def _end_table(self) -> None:
        rows = [[single_line("".join(cell)) for cell in row] for row in self._rows if row]
        self._rows, self._tables = [], 0
        if any(len(row) > 1 for row in rows):
            self._found.append(table_part(rows))
        else:  # a table that only places things
            self._found += [ContentPart("paragraph", cell) for row in rows for cell in row if cell]


def _parse_int(value: str | None, otherwise: int) -> int:
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 9 else otherwise
