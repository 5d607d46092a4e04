"""The body of a DOCX document: Markdown tokens as WordprocessingML."""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

from eclair.office.package import clean
from eclair.transfer.exporters.docx_formula import block_formula, inline_formula
from eclair.transfer.footnotes import MARK_SENTINEL
from eclair.transfer.markdown_tokens import make_parser

MAX_IMAGE_WIDTH_EMU = 5_760_000
"""The width of the text on a page, 16 cm."""
MAX_IMAGE_HEIGHT_EMU = 7_200_000
EMU_PER_PIXEL = 9525
MAX_LIST_LEVEL = 8

_MARK = re.compile(rf"{MARK_SENTINEL}(\d+|\?){MARK_SENTINEL}")
_DATA_URL = re.compile(r"data:image/(png|jpeg);base64,")

ListKind = Literal["bullet", "ordered"]


@dataclass(frozen=True, slots=True)
class MediaPart:
    """An image in the document."""

    name: str
    data: bytes


@dataclass(slots=True)
class DocxParts:
    """Targets of the body's references: links by relation id, images, and the numbering of each ordered list."""

    links: dict[str, str] = field(default_factory=dict[str, str])
    images: list[MediaPart] = field(default_factory=list[MediaPart])
    list_starts: list[int] = field(default_factory=list[int])

    def link(self, url: str) -> str:
        return self.links.setdefault(url, f"link{len(self.links) + 1}")

    def number(self, start: int) -> int:
        """Begin an ordered list; returns the id of its numbering. Number 1 is that of bullets."""
        self.list_starts.append(start)
        return len(self.list_starts) + 1


@dataclass(frozen=True, slots=True)
class RunStyle:
    """Formatting of a run of text."""

    bold: bool = False
    italic: bool = False
    strike: bool = False
    style: str | None = None

    def xml(self) -> str:
        style = f'<w:rStyle w:val="{self.style}"/>' if self.style else ""
        flags = (("b", self.bold), ("i", self.italic), ("strike", self.strike))
        inner = style + "".join(f"<w:{name}/>" for name, is_on in flags if is_on)
        return f"<w:rPr>{inner}</w:rPr>" if inner else ""


PLAIN = RunStyle()


def text_run(text: str, style: RunStyle = PLAIN) -> str:
    """Write a run of text; line breaks stay."""
    lines = [f'<w:t xml:space="preserve">{clean(line)}</w:t>' for line in text.split("\n")]
    return f"<w:r>{style.xml()}{'<w:br/>'.join(lines)}</w:r>"


def paragraph(runs: str, style: str | None = None, more: str = "") -> str:
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    properties = f"<w:pPr>{named}{more}</w:pPr>" if named or more else ""
    return f"<w:p>{properties}{runs}</w:p>"


def hyperlink(parts: DocxParts, url: str, runs: str) -> str:
    return f'<w:hyperlink r:id="{parts.link(url)}" w:history="1">{runs}</w:hyperlink>'


def bookmark(number: int, name: str, runs: str) -> str:
    return f'<w:bookmarkStart w:id="{number}" w:name="{name}"/>{runs}<w:bookmarkEnd w:id="{number}"/>'


def image_paragraph(parts: DocxParts, url: str, label: str) -> str | None:
    """Write an image of a `data:` address as a paragraph; None for one that Word can't show."""
    found = _DATA_URL.match(url)
    if found is None:
        return None
    try:
        data = base64.b64decode(url[found.end() :], validate=True)
    except (binascii.Error, ValueError):
        return None
    size = _png_size(data) if found[1] == "png" else _jpeg_size(data)
    if size is None:
        return None
    number = len(parts.images) + 1
    parts.images.append(MediaPart(f"image{number}.{found[1]}", data))
    width, height = (pixels * EMU_PER_PIXEL for pixels in size)
    scale = min(1.0, MAX_IMAGE_WIDTH_EMU / width, MAX_IMAGE_HEIGHT_EMU / height)
    extent = f'cx="{int(width * scale)}" cy="{int(height * scale)}"'
    named = f'id="{number}" name="image{number}" descr="{clean(label)}"'
    picture = (
        f"<pic:pic><pic:nvPicPr><pic:cNvPr {named}/><pic:cNvPicPr/></pic:nvPicPr>"
        f'<pic:blipFill><a:blip r:embed="image{number}"/><a:stretch><a:fillRect/></a:stretch></pic:blipFill>'
        f'<pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext {extent}/></a:xfrm>'
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></pic:spPr></pic:pic>'
    )
    kind = "http://schemas.openxmlformats.org/drawingml/2006/picture"
    return paragraph(
        f"<w:r><w:drawing><wp:inline><wp:extent {extent}/><wp:docPr {named}/>"
        f'<a:graphic><a:graphicData uri="{kind}">{picture}</a:graphicData></a:graphic>'
        "</wp:inline></w:drawing></w:r>"
    )


def _tex(token: Token) -> str:
    """Write a formula as it was written, since part of it is unknown."""
    return text_run(token.content, RunStyle(style="Formula"))


def _png_size(data: bytes) -> tuple[int, int] | None:
    if data[:8] != b"\x89PNG\r\n\x1a\n" or len(data) < 24:
        return None
    width, height = struct.unpack(">II", data[16:24])
    return (width, height) if width and height else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 <= len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return (width, height) if width and height else None
        at += 2 + max(length, 2)
    return None


class MarkdownBody:
    """Writes the Markdown of answers; marks of sources become links to their places below the answer."""

    def __init__(self, parts: DocxParts, top_level: int = 2) -> None:
        """`top_level` is the level of the highest heading."""
        self._parts = parts
        self._top_level = top_level
        self._parser: MarkdownIt = make_parser()
        self._anchors = ""

    def write(self, markdown: str, anchors: str) -> str:
        """Write a text. The bookmark of source 3 is `anchors` and its number."""
        self._anchors = anchors
        return "".join(self._blocks(self._parser.parse(markdown)))

    def _blocks(self, tokens: Sequence[Token]) -> Iterable[str]:
        lists: list[int] = []
        quotes, first_in_item, at = 0, False, 0
        while at < len(tokens):
            token = tokens[at]
            match token.type:
                case "bullet_list_open":
                    lists.append(1)
                case "ordered_list_open":
                    lists.append(self._parts.number(int(token.attrGet("start") or 1)))
                case "bullet_list_close" | "ordered_list_close":
                    lists.pop()
                case "list_item_open":
                    first_in_item = True
                case "blockquote_open":
                    quotes += 1
                case "blockquote_close":
                    quotes -= 1
                case "inline":
                    yield from self._inline_block(token, tokens[at - 1], lists, quotes, first_in_item)
                    first_in_item = False
                case "fence" | "code_block":
                    yield paragraph(text_run(token.content.rstrip("\n")), "Code")
                case "math_block":
                    yield paragraph(block_formula(token.content) or _tex(token), "FormulaBlock")
                case "hr":
                    yield paragraph("", "Rule")
                case "table_open":
                    end = next(i for i in range(at, len(tokens)) if tokens[i].type == "table_close")
                    yield self._table(tokens[at:end])
                    at = end
                case _:
                    pass
            at += 1

    def _inline_block(
        self, token: Token, opening: Token, lists: Sequence[int], quotes: int, first: bool
    ) -> Iterable[str]:
        runs, images = self._inline(token.children or [])
        if opening.type == "heading_open":
            level = min(int(opening.tag[1]) + self._top_level - 1, 6)
            yield paragraph(runs, f"Heading{level}")
        elif lists:
            level = min(len(lists) - 1, MAX_LIST_LEVEL)
            number = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{lists[-1]}"/></w:numPr>' if first else ""
            indent = "" if first else f'<w:ind w:left="{720 * (level + 1)}"/>'
            yield paragraph(runs, "ListParagraph", number + indent)
        elif runs:
            yield paragraph(runs, "Quote" if quotes else None)
        yield from images

    def _table(self, tokens: Sequence[Token]) -> str:
        rows: list[str] = []
        cells: list[str] = []
        is_head, columns = False, 0
        for token in tokens:
            match token.type:
                case "thead_open" | "tbody_open":
                    is_head = token.type == "thead_open"
                case "inline":
                    runs, images = self._inline(token.children or [], RunStyle(bold=is_head))
                    cells.append(f"<w:tc><w:tcPr/>{paragraph(runs)}{''.join(images)}</w:tc>")
                case "tr_close":
                    columns = max(columns, len(cells))
                    head = "<w:trPr><w:tblHeader/></w:trPr>" if is_head else ""
                    rows.append(f"<w:tr>{head}{''.join(cells)}</w:tr>")
                    cells = []
                case _:
                    pass
        width = MAX_IMAGE_WIDTH_EMU // 635 // max(columns, 1)
        grid = f'<w:gridCol w:w="{width}"/>' * columns
        properties = '<w:tblPr><w:tblStyle w:val="TableGrid"/><w:tblW w:w="0" w:type="auto"/></w:tblPr>'
        return f"<w:tbl>{properties}<w:tblGrid>{grid}</w:tblGrid>{''.join(rows)}</w:tbl>{paragraph('')}"

    def _inline(self, children: Sequence[Token], style: RunStyle = PLAIN) -> tuple[str, list[str]]:
        """Write inline tokens as runs; embedded images come after the paragraph."""
        runs: list[str] = []
        images: list[str] = []
        link: tuple[str, int] | None = None
        for token in children:
            match token.type:
                case "text":
                    runs += self._text(token.content, style)
                case "code_inline":
                    runs.append(text_run(token.content, replace(style, style="CodeChar")))
                case "math":
                    runs.append(inline_formula(token.content) or _tex(token))
                case "softbreak" | "hardbreak":
                    runs.append("<w:r><w:br/></w:r>")
                case "strong_open" | "strong_close":
                    style = replace(style, bold=token.nesting > 0)
                case "em_open" | "em_close":
                    style = replace(style, italic=token.nesting > 0)
                case "s_open" | "s_close":
                    style = replace(style, strike=token.nesting > 0)
                case "link_open":
                    link = str(token.attrGet("href") or ""), len(runs)
                    style = replace(style, style="Hyperlink")
                case "link_close" if link is not None:
                    style = replace(style, style=None)
                    url, begin = link
                    if re.match(r"(?:https?://|mailto:)", url, re.IGNORECASE):
                        runs[begin:] = [hyperlink(self._parts, url, "".join(runs[begin:]))]
                    link = None
                case "image":
                    self._image(token, runs, images)
                case _:
                    pass
        return "".join(runs), images

    def _image(self, token: Token, runs: list[str], images: list[str]) -> None:
        url, label = str(token.attrGet("src") or ""), token.content
        shown = image_paragraph(self._parts, url, label)
        if shown is not None:
            images.append(shown)
        elif url.lower().startswith(("http://", "https://")):
            runs.append(hyperlink(self._parts, url, text_run(label or url, RunStyle(style="Hyperlink"))))
        else:
            runs.append(text_run(label))

    def _text(self, text: str, style: RunStyle) -> Iterable[str]:
        at = 0
        for found in _MARK.finditer(text):
            if found.start() > at:
                yield text_run(text[at : found.start()], style)
            at = found.end()
            number = text_run(found[1], RunStyle(style="SourceMark"))
            if found[1] == "?":
                yield number
            else:
                yield f'<w:hyperlink w:anchor="{self._anchors}{found[1]}">{number}</w:hyperlink>'
        if rest := text[at:].replace(MARK_SENTINEL, ""):
            yield text_run(rest, style)
