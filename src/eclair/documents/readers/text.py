"""Plain text, Markdown, source code, JSON and XML, in whatever encoding."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from eclair.documents.readers.base import LONGEST, Break, Opened, Part, Piece, Source, flow, table
from eclair.documents.readers.file_type import HEAD, encoding_of

LARGEST_MARKDOWN = 8 << 20
"""Bytes up to which Markdown is looked at as such; its reader takes ten times that."""

_ITEM = re.compile(r"\s{0,6}(?:[-*•‣–]|\d{1,3}[.)]|[a-z][.)])\s+\S")
_UNDERLINE = re.compile(r"(=|-|~|\*)\1{2,}")


def lines(source: Source) -> Iterator[str]:
    """The file's lines without their ends, the longest in pieces."""
    with source.path.open("rb") as file:
        coding = encoding_of(file.read(HEAD)) or "utf-8"
    with source.path.open(encoding=coding, errors="replace", newline=None) as file:
        while piece := file.readline(LONGEST):
            yield piece.rstrip("\n")


def read(source: Source) -> Iterator[Piece]:
    yield Opened(source.media, None)
    match source.media:
        case "text/markdown" if source.path.stat().st_size <= LARGEST_MARKDOWN:
            yield from flow(markdown("\n".join(lines(source))))
        case "text/plain" | "text/markdown":
            yield from flow(paragraphs(lines(source)))
        case _:
            yield from flow(_code(lines(source)))


def paragraphs(rows: Iterator[str]) -> Iterator[Part | Break]:
    """Blocks between empty lines; a form feed ends a page. Lines stay lines: nobody knows which of them were broken
    by a program."""
    block: list[str] = []
    size = 0
    for row in rows:
        if "\f" in row:
            before, _, row = row.rpartition("\f")
            yield from _paragraph([*block, before.replace("\f", "\n")])
            yield Break()
            block, size = [], 0
        if row.strip() and size < LONGEST // 2:
            block.append(row.rstrip())
            size += len(row) + 1
            continue
        yield from _paragraph(block)
        block, size = ([row.rstrip()], len(row)) if row.strip() else ([], 0)
    yield from _paragraph(block)


def _paragraph(block: list[str]) -> Iterator[Part]:
    if len(block) == 2 and _UNDERLINE.fullmatch(block[1].strip()) and len(block[0]) < 100:
        yield Part("heading", block[0], level=1 if block[1].strip()[0] == "=" else 2)
    elif block:
        kind = "list" if all(map(_ITEM.match, block)) else "paragraph"
        yield Part(kind, "\n".join(block))


def _code(rows: Iterator[str]) -> Iterator[Part]:
    """Blocks of some size that end at an empty line followed by one that is not indented."""
    block: list[str] = []
    size = 0
    for row in rows:
        new = bool(block) and not block[-1].strip() and row[:1].strip() != ""
        if size > LONGEST // 2 or (new and size > 800):
            yield Part("code", "\n".join(block))
            block, size = [], 0
        block.append(row)
        size += len(row) + 1
    yield Part("code", "\n".join(block))


def markdown(text: str) -> Iterator[Part]:
    """The blocks of a text in Markdown, as they read."""
    tokens = MarkdownIt("commonmark", {"html": False}).enable("table").parse(text)
    at = 0
    while at < len(tokens):
        token = tokens[at]
        end = _end(tokens, at)
        inside = tokens[at : end + 1]
        match token.type:
            case "heading_open":
                yield Part("heading", _inline(inside), level=int(token.tag[1]))
            case "bullet_list_open" | "ordered_list_open":
                yield Part("list", "\n".join(_items(inside)))
            case "table_open":
                yield table(_rows(inside))
            case "fence" | "code_block":
                yield Part("code", token.content)
            case _:
                yield Part("paragraph", _inline(inside))
        at = end + 1


def _end(tokens: list[Token], at: int) -> int:
    """Where the block that begins there ends."""
    depth = 0
    for place in range(at, len(tokens)):
        depth += tokens[place].nesting
        if depth == 0:
            return place
    return len(tokens) - 1


def _inline(tokens: list[Token]) -> str:
    return "\n".join(_plain(token) for token in tokens if token.type in ("inline", "fence", "code_block"))


def _plain(token: Token) -> str:
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
                yield "  " * (depth - 1) + mark + _plain(token).strip("\n")
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
                row.append(_plain(token))
            case "tr_close":
                yield row
            case _:
                pass
