"""A canvas as exporters render it: its title, blocks of Markdown, slides and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markdown_it.token import Token

from eclair.transfer.export_view import file_name, format_time
from eclair.transfer.markdown_tokens import make_parser

MAX_SLIDE_LINES = 9
MAX_SLIDE_CHARS = 620
_TITLE = re.compile(r"\s*#[ \t]+([^\s#][^\n]*)(?:\n|$)")


@dataclass(frozen=True, slots=True)
class ExportedCanvas:
    """A version of a canvas. `models` wrote it or one that it was made from; `at` is the time of export."""

    title: str
    language: str
    text: str
    models: tuple[str, ...]
    at: int

    @property
    def name(self) -> str:
        """File name without suffix, valid on every system."""
        return file_name(self.title, "canvas")

    @property
    def heading(self) -> str:
        """The heading that the text begins with, or else the title."""
        found = _TITLE.match(self.text)
        return self.title if found is None else "".join(_plain(found[1].rstrip(" \t#")))

    @property
    def body(self) -> str:
        """The text without the heading that it begins with."""
        found = _TITLE.match(self.text)
        return self.text if found is None else self.text[found.end() :]

    @property
    def notice(self) -> str | None:
        """Sentences for people: AI made the text; None if people alone wrote it."""
        if not self.models:
            return None
        return f"Made with AI ({', '.join(self.models)}). Exported from Éclair on {format_time(self.at)}."


@dataclass(frozen=True, slots=True)
class SlideLine:
    """A line of a slide: its depth in lists, from 0, and whether it is code."""

    text: str
    depth: int = 0
    is_bullet: bool = False
    is_code: bool = False


TableRows = tuple[tuple[str, ...], ...]
"""Rows of cells; the first row is the header."""


@dataclass(slots=True)
class Slide:
    title: str
    lines: list[SlideLine] = field(default_factory=list[SlideLine])
    tables: list[TableRows] = field(default_factory=list[TableRows])


def list_tables(markdown: str) -> list[TableRows]:
    """List the tables of a text."""
    tokens = make_parser().parse(markdown)
    return [_table(tokens[at : _closing(tokens, at)]) for at, token in enumerate(tokens) if token.type == "table_open"]


def list_slides(canvas: ExportedCanvas) -> list[Slide]:
    """Make a slide of each heading of the two highest levels; what doesn't fit goes to another one."""
    slides = [Slide(canvas.heading)]
    tokens = make_parser().parse(canvas.body)
    depth, at, first = 0, 0, False
    while at < len(tokens):
        token = tokens[at]
        match token.type:
            case "heading_open" if token.tag in ("h1", "h2"):
                slides.append(Slide(inline_text(tokens[at + 1])))
                at += 2
            case "bullet_list_open" | "ordered_list_open":
                depth += 1
            case "bullet_list_close" | "ordered_list_close":
                depth -= 1
            case "list_item_open":
                first = True
            case "inline":
                slides[-1].lines.append(SlideLine(inline_text(token), max(depth - 1, 0), is_bullet=first and depth > 0))
                first = False
            case "fence" | "code_block" | "math_block":
                lines = token.content.rstrip("\n").split("\n")
                slides[-1].lines += [SlideLine(line, is_code=True) for line in lines]
            case "table_open":
                end = _closing(tokens, at)
                slides[-1].tables.append(_table(tokens[at:end]))
                at = end
            case _:
                pass
        at += 1
    return [part for slide in slides for part in _split(slide)]


def inline_text(token: Token) -> str:
    """Return the words of an inline token, without marks."""
    return "".join(_words(token.children or [])).strip()


def _plain(markdown: str) -> Iterator[str]:
    for token in make_parser().parseInline(markdown):
        yield inline_text(token)


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in ("softbreak", "hardbreak"):
            yield " "
        elif token.type in ("text", "code_inline", "math", "image"):
            yield token.content


def _closing(tokens: Sequence[Token], at: int) -> int:
    return next(index for index in range(at, len(tokens)) if tokens[index].type == "table_close")


def _table(tokens: Sequence[Token]) -> TableRows:
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(inline_text(token))
    return tuple(map(tuple, rows))


def _split(slide: Slide) -> Iterator[Slide]:
    """Divide a slide whose lines don't fit; each table is a slide of its own where there are lines too."""
    part = Slide(slide.title)
    chars = 0
    for line in slide.lines:
        if part.lines and (len(part.lines) >= MAX_SLIDE_LINES or chars + len(line.text) > MAX_SLIDE_CHARS):
            yield part
            part, chars = Slide(slide.title), 0
        part.lines.append(line)
        chars += len(line.text)
    if part.lines or not slide.tables:
        yield part
    for table in slide.tables:
        yield Slide(slide.title, tables=[table])
