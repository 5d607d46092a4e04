"""Turns the HTML that other assistants made of Markdown back into Markdown."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from eclair.transfer.normalize import code_block

_BLOCKS = {"p", "div", "section", "article", "header", "footer", "figure", "dl", "dt", "dd", "table"}
_MARKS = {"strong": "**", "b": "**", "em": "*", "i": "*", "del": "~~", "s": "~~"}
_HIDDEN = {"script", "style", "template", "head"}
_BLANK_LINES = re.compile(r"\n{3,}")
_ITEM_MARK = re.compile(r"\n?+ *+(?:-|\d++\.) ")
_CODE = re.compile(r"\0(\d+)\0")
"""Stands for a code block, whose lines stay as they are."""
_SPACES = re.compile(r"\s+")


def html_to_markdown(html: str) -> str:
    """Convert paragraphs, headings, lists, quotes, tables, code, emphasis and links; other tags leave their text."""
    converter = _Converter()
    converter.feed(html)
    converter.close()
    return converter.markdown()


class _Converter(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._out: list[str] = []
        self._lists: list[int | None] = []
        """The number of the next item of each open list; None without numbers."""
        self._quotes: list[int] = []
        """The place in the output where each open quote begins."""
        self._links: list[tuple[int, str]] = []
        self._hidden = 0
        self._blocks: list[str] = []
        self._code: list[str] | None = None
        self._language = ""
        self._cells: list[str] | None = None
        self._cell = 0
        self._has_head_row = False

    def markdown(self) -> str:
        text = _without_blank_lines("".join(self._out))
        return _CODE.sub(lambda found: self._blocks[int(found[1])], text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in _HIDDEN:
            self._hidden += 1
        elif tag == "pre":
            self._code, self._language = [], ""
        elif tag == "code":
            self._start_code(given.get("class", ""))
        elif tag == "br":
            self._out.append("\n")
        elif tag == "hr":
            self._out.append("\n\n---\n\n")
        elif re.fullmatch("h[1-6]", tag):
            self._out.append(f"\n\n{'#' * int(tag[1])} ")
        elif tag in ("ul", "ol"):
            self._out.append("\n" if self._lists else "\n\n")
            self._lists.append(1 if tag == "ol" else None)
        elif tag == "li":
            self._start_item()
        elif tag == "blockquote":
            self._out.append("\n\n")
            self._quotes.append(len(self._out))
        elif tag == "a" and given.get("href", "").startswith(("http://", "https://", "mailto:")):
            self._links.append((len(self._out), given["href"]))
        elif tag == "tr":
            self._cells = []
        elif tag in ("td", "th"):
            self._cell = len(self._out)
        elif tag in _MARKS:
            self._out.append(_MARKS[tag])
        elif tag in _BLOCKS:
            self._start_block(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag == "pre" and self._code is not None:
            code, self._code = "".join(self._code).strip("\n"), None
            self._out.append(f"\n\n\0{len(self._blocks)}\0\n\n")
            self._blocks.append(code_block(code, self._language))
        elif tag == "code" and self._code is None:
            self._out.append("`")
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
            self._out.append("\n" if self._lists else "\n\n")
        elif tag == "blockquote" and self._quotes:
            self._end_quote(self._quotes.pop())
        elif tag == "a" and self._links:
            start, address = self._links.pop()
            if text := "".join(self._out[start:]).strip():
                self._out[start:] = [f"[{text}](<{address}>)"]
        elif tag in ("td", "th") and self._cells is not None:
            self._cells.append(_SPACES.sub(" ", "".join(self._out[self._cell :])).strip().replace("|", "\\|"))
            del self._out[self._cell :]
        elif tag == "tr" and self._cells is not None:
            self._end_row(self._cells)
        elif tag in _MARKS:
            self._out.append(_MARKS[tag])
        elif tag in _BLOCKS or re.fullmatch("h[1-6]", tag):
            self._out.append("\n" if self._lists else "\n\n")

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._code is not None:
            self._code.append(data)
        else:
            self._out.append(_SPACES.sub(" ", data.replace("\0", "\ufffd")))

    def _start_block(self, tag: str) -> None:
        if tag == "table":
            self._has_head_row = False
        at_item = bool(self._lists) and bool(self._out) and _ITEM_MARK.fullmatch(self._out[-1]) is not None
        self._out.append("" if at_item else "\n\n")

    def _start_code(self, css_class: str) -> None:
        if self._code is None:
            self._out.append("`")
        elif match := re.search(r"\blanguage-([\w+#-]+)", css_class):
            self._language = match[1]

    def _start_item(self) -> None:
        number = self._lists[-1] if self._lists else None
        mark = "- " if number is None else f"{number}. "
        if number is not None:
            self._lists[-1] = number + 1
        lead = "" if self._out and self._out[-1].endswith("\n") else "\n"
        self._out.append(f"{lead}{'   ' * (len(self._lists) - 1)}{mark}")

    def _end_quote(self, start: int) -> None:
        lines = _without_blank_lines("".join(self._out[start:])).split("\n")
        self._out[start:] = ["\n".join(f"> {line}".rstrip() for line in lines), "\n\n"]

    def _end_row(self, cells: list[str]) -> None:
        self._out.append(f"\n| {' | '.join(cells)} |")
        if not self._has_head_row:
            self._out.append("\n|" + " --- |" * len(cells))
            self._has_head_row = True
        self._cells = None


def _without_blank_lines(text: str) -> str:
    """Leave one blank line between paragraphs, and none at the ends."""
    return _BLANK_LINES.sub("\n\n", "\n".join(line.rstrip() for line in text.split("\n"))).strip()
