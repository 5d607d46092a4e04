"""The body of a PDF: Markdown tokens as blocks and runs, which the template lays out."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from markdown_it.token import Token

from eclair.transfer.exporters.tex_formula import MathNode, read_formula
from eclair.transfer.footnotes import MARK_SENTINEL
from eclair.transfer.markdown_tokens import EMBEDDED_PICTURES, make_parser

MAX_DEPTH = 6
"""Lists and quotes nested deeper stay at this depth: typesetting nests calls only so far."""
MAX_TABLE_COLUMNS = 16
"""Of a table that fits a page; wider ones are set as lines of text."""
MAX_LEVEL = 6
MAX_UNBROKEN_CHARS = 72
"""Of a word on a whole line; one in a table breaks earlier."""

MAX_URL_CHARS = 8000

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_MARK = re.compile(rf"{MARK_SENTINEL}(\d+|\?){MARK_SENTINEL}")
_LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)

RunKind = Literal["text", "code", "formula", "source", "break"]


@dataclass(frozen=True, slots=True)
class PdfRun:
    """Text of one look.

    That of a `source` leads `to` the name of a reference, if it is there. A `formula` has its `math` if it can be set.
    """

    kind: RunKind
    text: str = ""
    bold: bool = False
    italic: bool = False
    strike: bool = False
    url: str | None = None
    to: str | None = None
    math: MathNode | None = None


@dataclass(frozen=True, slots=True)
class PdfCell:
    runs: tuple[PdfRun, ...]


PdfBlock = dict[str, object]
"""A `kind` with its fields, as the template reads them."""


def clean(text: str) -> str:
    """Leave out characters that no font has, and let long words break."""
    return _breakable(_CONTROLS.sub("", text), MAX_UNBROKEN_CHARS)


def _breakable(text: str, chars: int) -> str:
    return re.sub(rf"\S{{{chars}}}(?=\S)", "\\g<0>\u200b", text)


def plain(text: str, *, bold: bool = False) -> list[PdfRun]:
    """Return runs of a text; line breaks stay."""
    runs: list[PdfRun] = []
    for line in clean(text).split("\n"):
        runs += [PdfRun("break")] if runs else []
        runs.append(PdfRun("text", line, bold))
    return runs


def paragraph(runs: Sequence[PdfRun], kind: str = "paragraph") -> PdfBlock:
    return {"kind": kind, "runs": runs}


def code(text: str) -> PdfBlock:
    return {"kind": "code", "text": clean(text.rstrip("\n"))}


class PdfMarkdown:
    """Reads the Markdown of answers. `keep` stores the `data:` address of an image and returns its number."""

    def __init__(self, keep: Callable[[str], int | None], top_level: int = 2) -> None:
        """`top_level` is the level of the highest heading."""
        self._top_level = top_level
        self._keep = keep
        self._parser = make_parser()
        self._anchors = ""
        self._sources: Collection[int] = ()
        self._level = top_level - 1

    def read(self, markdown: str, anchors: str, sources: Collection[int]) -> list[PdfBlock]:
        """Return the blocks of a text. The reference of source 3 is named `anchors` and its number."""
        self._anchors, self._sources, self._level = anchors, sources, self._top_level - 1
        return self._blocks(iter(self._parser.parse(markdown)), 0)

    def _blocks(self, tokens: Iterator[Token], depth: int) -> list[PdfBlock]:
        """Read blocks up to the token that closes them."""
        blocks: list[PdfBlock] = []
        for token in tokens:
            match token.type:
                case "inline":
                    blocks += self._inline_block(token)
                case "heading_open":
                    blocks += self._heading(next(tokens), int(token.tag[1]))
                case "fence" | "code_block":
                    blocks.append(code(token.content))
                case "math_block":
                    blocks.append(
                        {"kind": "formula", "text": clean(token.content), "math": read_formula(token.content)}
                    )
                case "hr":
                    blocks.append({"kind": "rule"})
                case "table_open":
                    blocks += self._table(tokens)
                case "blockquote_open":
                    inner = self._blocks(tokens, depth + 1)
                    quote: PdfBlock = {"kind": "quote", "blocks": inner}
                    blocks += [quote] if depth < MAX_DEPTH else inner
                case "bullet_list_open" | "ordered_list_open":
                    blocks += self._list(token, tokens, depth)
                case "bullet_list_close" | "ordered_list_close" | "list_item_close" | "blockquote_close":
                    return blocks
                case _:
                    pass
        return blocks

    def _heading(self, inline: Token, level: int) -> list[PdfBlock]:
        """Read a heading. Below the message's own no level is left out, and none is empty, as PDF/UA asks."""
        runs, images = self._inline(inline.children or [])
        if not any(run.text.strip() for run in runs):
            return images
        self._level = min(level + self._top_level - 1, self._level + 1, MAX_LEVEL)
        return [{"kind": "heading", "level": self._level, "runs": runs}, *images]

    def _inline_block(self, token: Token) -> list[PdfBlock]:
        runs, images = self._inline(token.children or [])
        return [*([paragraph(runs)] if runs else []), *images]

    def _list(self, opening: Token, tokens: Iterator[Token], depth: int) -> list[PdfBlock]:
        items: list[list[PdfBlock]] = []
        for token in tokens:
            if token.type != "list_item_open":
                break
            items.append(self._blocks(tokens, depth + 1))
        if depth >= MAX_DEPTH:
            return [block for item in items for block in item]
        tight = all(len([block for block in item if block["kind"] == "paragraph"]) < 2 for item in items)
        if opening.type == "bullet_list_open":
            return [{"kind": "bullets", "tight": tight, "items": items}]
        return [{"kind": "numbers", "tight": tight, "items": items, "start": int(opening.attrGet("start") or 1)}]

    def _table(self, tokens: Iterator[Token]) -> list[PdfBlock]:
        rows: list[list[PdfCell]] = []
        align: list[str] = []
        after: list[PdfBlock] = []
        for token in tokens:
            match token.type:
                case "table_close":
                    break
                case "tr_open":
                    rows.append([])
                case "th_open":
                    align.append(str(token.attrGet("style") or "").rpartition(":")[2])
                case "inline":
                    runs, images = self._inline(token.children or [])
                    rows[-1].append(PdfCell(tuple(runs)))
                    after += images
                case _:
                    pass
        if len(align) > MAX_TABLE_COLUMNS:
            return [*(paragraph(_joined(row)) for row in rows), *after]
        head, *body = [[_narrow(cell, MAX_UNBROKEN_CHARS // len(align)) for cell in row] for row in rows]
        return [{"kind": "table", "columns": len(align), "align": align, "head": head, "rows": body}, *after]

    def _inline(self, children: Sequence[Token]) -> tuple[list[PdfRun], list[PdfBlock]]:
        """Read inline tokens; embedded images come after the paragraph."""
        runs: list[PdfRun] = []
        images: list[PdfBlock] = []
        look = PdfRun("text")
        for token in children:
            match token.type:
                case "text":
                    runs += self._text(token.content, look)
                case "code_inline":
                    runs.append(replace(look, kind="code", text=clean(token.content)))
                case "math":
                    runs.append(
                        replace(look, kind="formula", text=clean(token.content), math=read_formula(token.content))
                    )
                case "softbreak" | "hardbreak":
                    runs.append(PdfRun("break"))
                case "strong_open" | "strong_close":
                    look = replace(look, bold=token.nesting > 0)
                case "em_open" | "em_close":
                    look = replace(look, italic=token.nesting > 0)
                case "s_open" | "s_close":
                    look = replace(look, strike=token.nesting > 0)
                case "link_open":
                    look = replace(look, url=_linkable(str(token.attrGet("href") or "")))
                case "link_close":
                    look = replace(look, url=None)
                case "image":
                    self._image(token, look, runs, images)
                case _:
                    pass
        return runs, images

    def _image(self, token: Token, look: PdfRun, runs: list[PdfRun], images: list[PdfBlock]) -> None:
        url, label = str(token.attrGet("src") or ""), clean(token.content)
        if url.lower().startswith(EMBEDDED_PICTURES) and (number := self._keep(url)) is not None:
            images.append({"kind": "picture", "picture": number, "alt": label or "Picture"})
        else:
            address = _linkable(url)
            runs.append(replace(look, text=label or clean(address or ""), url=address or look.url))

    def _text(self, text: str, look: PdfRun) -> Iterator[PdfRun]:
        at = 0
        for found in _MARK.finditer(text):
            if found.start() > at:
                yield replace(look, text=clean(text[at : found.start()]))
            at = found.end()
            known = found[1] != "?" and int(found[1]) in self._sources
            yield PdfRun("source", found[1], to=f"{self._anchors}{found[1]}" if known else None)
        if rest := text[at:].replace(MARK_SENTINEL, ""):
            yield replace(look, text=clean(rest))


def _linkable(url: str) -> str | None:
    url = _CONTROLS.sub("", url)
    return url if _LINK.match(url) and len(url) <= MAX_URL_CHARS else None


def _narrow(cell: PdfCell, chars: int) -> PdfCell:
    return PdfCell(tuple(replace(run, text=_breakable(run.text, chars)) for run in cell.runs))


def _joined(cells: Sequence[PdfCell]) -> list[PdfRun]:
    """Set a table's row as a line."""
    runs: list[PdfRun] = []
    for cell in cells:
        runs += [PdfRun("text", " | ")] if runs else []
        runs += cell.runs
    return runs
