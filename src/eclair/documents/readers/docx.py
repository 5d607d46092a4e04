"""Reads DOCX: headings, paragraphs, lists, tables, formulas, notes and page breaks.

This reader is ours because citations rest on page breaks and list numbers, which general converters drop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element
from zipfile import ZipFile

from eclair.documents.readers.base import (
    ContentPart,
    NewPage,
    Opened,
    ReadPiece,
    SourceFile,
    collapse_spaces,
    damaged_file,
    paginate,
    single_line,
    table_part,
)
from eclair.documents.readers.office_formula import FORMULA, formula_text
from eclair.documents.readers.zip_xml import open_zip, parse_xml

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
PAGE_BREAK = "\x0c"
ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x")),
    *((9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)


@dataclass(slots=True)
class _Level:
    """Numbering of list items at one depth; `%1` in `text` stands for the number at the first depth."""

    form: str = "bullet"
    text: str = ""
    start: int = 1


@dataclass(slots=True)
class _Styles:
    headings: dict[str, int] = field(default_factory=dict[str, int])
    lists: dict[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])


def read(source: SourceFile) -> Iterator[ReadPiece]:
    yield Opened(source.media, None)
    with open_zip(source) as archive:
        names = set(archive.namelist())
        if "word/document.xml" not in names:
            raise damaged_file(source.name)
        document = _Document(archive, names, source)
        parts = list(document.parts())
    paged = any(isinstance(part, NewPage) for part in parts)
    yield from paginate(parts, cut=not paged)


class _Document:
    def __init__(self, archive: ZipFile, names: set[str], source: SourceFile) -> None:
        def part(name: str) -> Element | None:
            return parse_xml(archive, f"word/{name}.xml", source) if f"word/{name}.xml" in names else None

        self._body = parse_xml(archive, "word/document.xml", source)
        self._styles = _styles(part("styles"))
        self._levels = _levels(part("numbering"))
        self._notes = {kind: _notes(part(f"{kind}s"), kind) for kind in ("footnote", "endnote")}
        self._note_lines: list[str] = []
        self._counts: dict[str, list[int]] = {}

    def parts(self) -> Iterator[ContentPart | NewPage]:
        body = self._body.find(W + "body")
        items: list[str] = []
        for element in _children(body) if body is not None else ():
            if element.tag == W + "tbl":
                yield from _list(items)
                yield table_part(self._rows(element))
            elif element.tag == W + "p":
                yield from self._paragraph(element, items)
        yield from _list(items)
        if self._note_lines:
            yield ContentPart("paragraph", "\n".join(self._note_lines))

    def _paragraph(self, element: Element, items: list[str]) -> Iterator[ContentPart | NewPage]:
        pieces = self._text(element).split(PAGE_BREAK)
        level = self._heading(element)
        mark = self._mark(element) if any(piece.strip() for piece in pieces) else ""
        for number, piece in enumerate(pieces):
            if number:
                yield from _list(items)
                yield NewPage()
            text = single_line(piece) if level else collapse_spaces(piece)
            if not text:
                continue
            if mark and not level:
                items.append(mark + text)
                mark = ""
                continue
            yield from _list(items)
            yield ContentPart(
                "heading" if level else "paragraph", mark.strip("• ") + " " * bool(mark.strip("• ")) + text, level
            )
            mark = ""

    def _heading(self, element: Element) -> int:
        properties = element.find(W + "pPr")
        if properties is None:
            return 0
        outline = properties.find(W + "outlineLvl")
        if outline is not None and (level := _number(outline)) < 9:
            return min(6, level + 1)
        style = properties.find(W + "pStyle")
        return self._styles.headings.get(_value(style), 0) if style is not None else 0

    def _mark(self, element: Element) -> str:
        """Return the marker before a list item, counted as Word counts."""
        properties = element.find(W + "pPr")
        if properties is None:
            return ""
        style = properties.find(W + "pStyle")
        number, depth = self._styles.lists.get(_value(style), ("", 0)) if style is not None else ("", 0)
        own = properties.find(W + "numPr")
        if own is not None:
            each, level = own.find(W + "numId"), own.find(W + "ilvl")
            number = _value(each) if each is not None else number
            depth = _number(level) if level is not None else depth
        levels = self._levels.get(number)
        if not number or number == "0" or levels is None:
            return ""
        depth = max(0, min(8, depth))
        counts = self._counts.setdefault(number, [0] * 9)
        counts[depth] = counts[depth] + 1 if counts[depth] else levels[depth].start
        counts[depth + 1 :] = [0] * (8 - depth)
        level = levels[depth]
        indent = "  " * depth
        if level.form in ("bullet", "none") or not level.text:
            return indent + "• "
        text = level.text
        for at in range(depth + 1):
            text = text.replace(f"%{at + 1}", _format_number(counts[at] or levels[at].start, levels[at].form))
        return f"{indent}{text} "

    def _rows(self, element: Element) -> Iterator[list[str]]:
        for row in _children(element):
            if row.tag == W + "tr":
                yield [self._cell(cell) for cell in _children(row) if cell.tag == W + "tc"]

    def _cell(self, element: Element) -> str:
        return " ".join(
            text for part in element.iter(W + "p") if (text := single_line(self._text(part).replace(PAGE_BREAK, " ")))
        )

    def _text(self, element: Element) -> str:
        """Return a paragraph's text, with a form feed where a page ends."""
        words: list[str] = []
        self._collect(element, words)
        return "".join(words)

    def _collect(self, element: Element, words: list[str]) -> None:
        for child in element:
            match child.tag.removeprefix(W):
                case "t":
                    words.append(child.text or "")
                case "tab":
                    words.append("\t")
                case "br":
                    words.append(PAGE_BREAK if child.get(W + "type") == "page" else "\n")
                case "cr":
                    words.append("\n")
                case "noBreakHyphen":
                    words.append("-")
                case "lastRenderedPageBreak":
                    if not words or not words[-1].endswith(PAGE_BREAK):
                        words.append(PAGE_BREAK)
                case "footnoteReference" | "endnoteReference" as kind:
                    self._note(kind.removesuffix("Reference"), child, words)
                case "pPr" | "rPr" | "del" | "moveFrom" | "instrText":
                    pass
                case _ if child.tag == FORMULA:
                    words.append(formula_text(child))
                case _ if child.tag != FALLBACK:
                    self._collect(child, words)
                    if child.tag == W + "p":
                        words.append("\n")
                case _:
                    pass

    def _note(self, kind: str, element: Element, words: list[str]) -> None:
        text = self._notes[kind].get(element.get(W + "id", ""))
        if text:
            self._note_lines.append(f"[{len(self._note_lines) + 1}] {text}")
            words.append(f" [{len(self._note_lines)}]")


def _children(element: Element) -> Iterator[Element]:
    """Yield an element's children, unwrapping content controls and accepted changes."""
    for child in element:
        if child.tag in (W + "sdt", W + "sdtContent", W + "ins", W + "moveTo", W + "smartTag", W + "customXml"):
            yield from _children(child)
        else:
            yield child


def _list(items: list[str]) -> Iterator[ContentPart]:
    if items:
        yield ContentPart("list", "\n".join(items))
        items.clear()


def _value(element: Element | None) -> str:
    return element.get(W + "val", "") if element is not None else ""


def _number(element: Element | None) -> int:
    value = _value(element)
    return int(value) if value.isdigit() and len(value) < 6 else 0


def _styles(root: Element | None) -> _Styles:
    """Return which styles are headings of which level, and which are list items; styles inherit."""
    found = _Styles()
    if root is None:
        return found
    styles = {style.get(W + "styleId", ""): style for style in root.iter(W + "style")}
    for name in styles:
        at, seen = name, set[str]()
        while at in styles and at not in seen:
            seen.add(at)
            style = styles[at]
            if name not in found.headings and (level := _style_level(style)):
                found.headings[name] = level
            own = style.find(f"{W}pPr/{W}numPr/{W}numId")
            if own is not None and name not in found.lists:
                depth = style.find(f"{W}pPr/{W}numPr/{W}ilvl")
                found.lists[name] = (_value(own), _number(depth) if depth is not None else 0)
            at = _value(style.find(W + "basedOn"))
    return found


def _style_level(style: Element) -> int:
    name = _value(style.find(W + "name")).casefold()
    if name == "title":
        return 1
    if name.startswith("heading ") and name[8:].isdigit():
        return max(1, min(6, int(name[8:9])))
    outline = style.find(f"{W}pPr/{W}outlineLvl")
    return min(6, _number(outline) + 1) if outline is not None and _number(outline) < 9 else 0


def _levels(root: Element | None) -> dict[str, list[_Level]]:
    if root is None:
        return {}
    kinds = {each.get(W + "abstractNumId", ""): each for each in root.iter(W + "abstractNum")}
    found: dict[str, list[_Level]] = {}
    for number in root.iter(W + "num"):
        levels = [_Level() for _ in range(9)]
        kind = kinds.get(_value(number.find(W + "abstractNumId")))
        for level in kind.iter(W + "lvl") if kind is not None else ():
            depth = level.get(W + "ilvl", "")
            if depth.isdigit() and int(depth) < 9:
                start = level.find(W + "start")
                levels[int(depth)] = _Level(
                    _value(level.find(W + "numFmt")),
                    _value(level.find(W + "lvlText")),
                    _number(start) if start is not None else 1,
                )
        found[number.get(W + "numId", "")] = levels
    return found


def _notes(root: Element | None, kind: str) -> dict[str, str]:
    if root is None:
        return {}
    return {
        note.get(W + "id", ""): single_line("".join(text.text or "" for text in note.iter(W + "t")))
        for note in root.iter(W + kind)
        if note.get(W + "type") is None
    }


def _format_number(number: int, form: str) -> str:
    match form:
        case "lowerLetter" | "upperLetter":
            letters = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 % 4 + 1)
            return letters if form == "lowerLetter" else letters.upper()
        case "lowerRoman" | "upperRoman":
            roman = _roman(number)
            return roman if form == "lowerRoman" else roman.upper()
        case "decimalZero":
            return f"{number:02d}"
        case _:
            return str(number)


def _roman(number: int) -> str:
    found = ""
    for value, letters in ROMAN:
        while number >= value and len(found) < 30:
            found += letters
            number -= value
    return found
