"""Reads plain text, Markdown, source code, JSON and XML, in any encoding."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from eclair.documents.readers.base import (
    MAX_PAGE_CHARS,
    ContentPart,
    NewPage,
    Opened,
    ReadPiece,
    SourceFile,
    paginate,
    table_part,
)
from eclair.documents.readers.file_type import HEAD_BYTES, detect_encoding
from eclair.sandbox.descriptors import open_input

MAX_MARKDOWN_BYTES = 8 << 20
"""Larger files are read as plain text, since the Markdown parser takes ten times their size."""

_ITEM = re.compile(r"\s{0,6}(?:[-*•‣–]|\d{1,3}[.)]|[a-z][.)])\s+\S")
_UNDERLINE = re.compile(r"(=|-|~|\*)\1{2,}")


def read_lines(source: SourceFile) -> Iterator[str]:
    """Yield the file's lines without line ends, very long ones in pieces."""
    with open_input(source.path) as file:
        coding = detect_encoding(file.read(HEAD_BYTES)) or "utf-8"
    with io.TextIOWrapper(open_input(source.path), coding, "replace", newline=None) as file:
        while piece := file.readline(MAX_PAGE_CHARS):
            yield piece.rstrip("\n")


def read(source: SourceFile) -> Iterator[ReadPiece]:
    yield Opened(source.media, None)
    match source.media:
        case "text/markdown" if source.path.stat().st_size <= MAX_MARKDOWN_BYTES:
            yield from paginate(markdown("\n".join(read_lines(source))))
        case "text/plain" | "text/markdown":
            yield from paginate(paragraphs(read_lines(source)))
        case _:
            yield from paginate(_code(read_lines(source)))


def paragraphs(rows: Iterator[str]) -> Iterator[ContentPart | NewPage]:
    """Yield blocks between empty lines; a form feed ends a page.

    Line breaks are kept: nobody knows which of them a program inserted.
    """
    block: list[str] = []
    size = 0
    for row in rows:
        if "\f" in row:
            before, _, row = row.rpartition("\f")
            yield from _paragraph([*block, before.replace("\f", "\n")])
            yield NewPage()
            block, size = [], 0
        if row.strip() and size < MAX_PAGE_CHARS // 2:
            block.append(row.rstrip())
            size += len(row) + 1
            continue
        yield from _paragraph(block)
        block, size = ([row.rstrip()], len(row)) if row.strip() else ([], 0)
    yield from _paragraph(block)


def _paragraph(block: list[str]) -> Iterator[ContentPart]:
    if len(block) == 2 and _UNDERLINE.fullmatch(block[1].strip()) and len(block[0]) < 100:
        yield ContentPart("heading", block[0], level=1 if block[1].strip()[0] == "=" else 2)
    elif block:
        kind = "list" if all(map(_ITEM.match, block)) else "paragraph"
        yield ContentPart(kind, "\n".join(block))


def _code(rows: Iterator[str]) -> Iterator[ContentPart]:
    """Yield sizable blocks that end at an empty line followed by an unindented one."""
    block: list[str] = []
    size = 0
    for row in rows:
        new = bool(block) and not block[-1].strip() and row[:1].strip() != ""
        if size > MAX_PAGE_CHARS // 2 or (new and size > 800):
            yield ContentPart("code", "\n".join(block))
            block, size = [], 0
        block.append(row)
        size += len(row) + 1
    yield ContentPart("code", "\n".join(block))


def markdown(text: str) -> Iterator[ContentPart]:
    """Yield the blocks of a Markdown text as they read."""
    tokens = MarkdownIt("commonmark", {"html": False}).enable("table").parse(text)
    at = 0
    while at < len(tokens):
        token = tokens[at]
        end = _end(tokens, at)
        inside = tokens[at : end + 1]
        match token.type:
            case "heading_open":
                yield ContentPart("heading", _inline(inside), level=int(token.tag[1]))
            case "bullet_list_open" | "ordered_list_open":
                yield ContentPart("list", "\n".join(_items(inside)))
            case "table_open":
                yield table_part(_rows(inside))
            case "fence" | "code_block":
                yield ContentPart("code", token.content)
            case _:
                yield ContentPart("paragraph", _inline(inside))
        at = end + 1


def _end(tokens: list[Token], at: int) -> int:
    """Return where the block that begins there ends."""
    depth = 0
    for place in range(at, len(tokens)):
        depth += tokens[place].nesting
        if depth == 0:
            return place
    return len(tokens) - 1


def _inline(tokens: list[Token]) -> str:
    return "\n".join(_token_text(token) for token in tokens if token.type in ("inline", "fence", "code_block"))


def _token_text(token: Token) -> str:
    if token.children is None:
        return token.content
    words: list[str] = []
    for child in token.children:
        match child.type:
            case "softbreak" | "hardbreak":
                words.append("\n" if child.type == "hardbreak" else " ")
            case "image":
                words.append(child.content)
            case _:
                words.append(child.content)
    return "".join(words)


def _items(tokens: list[Token]) -> Iterator[str]:
    marks: list[str] = []
    mark = ""
    depth = 0
    for token in tokens:
        match token.type:
            case "bullet_list_open" | "ordered_list_open":
                depth += 1
            case "bullet_list_close" | "ordered_list_close":
                depth -= 1
            case "list_item_open":
                mark = f"{token.info}{token.markup} " if token.info else "• "
                marks.append(mark)
            case "inline" | "fence" | "code_block":
                yield "  " * (depth - 1) + mark + _token_text(token).strip("\n")
                mark = ""
            case _:
                pass


def _rows(tokens: list[Token]) -> Iterator[list[str]]:
    row: list[str] = []
    for token in tokens:
        match token.type:
            case "tr_open":
                row = []
            case "inline":
                row.append(_token_text(token))
            case "tr_close":
                yield row
            case _:
                pass
