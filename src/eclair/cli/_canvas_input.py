"""Arguments of calls of canvas tools, as they come: the words in them, for people, each piece read once. No I/O."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from eclair.tools.canvases import EDIT_CANVAS_TOOL_NAME, OPEN_CANVAS_TOOL_NAME

CANVAS_TOOLS: Final = (OPEN_CANVAS_TOOL_NAME, EDIT_CANVAS_TOOL_NAME)
_SIGNS: Final[Mapping[str, Mapping[tuple[str | None, ...], str]]] = {
    OPEN_CANVAS_TOOL_NAME: {("title",): "", ("text",): ""},
    EDIT_CANVAS_TOOL_NAME: {("changes", None, "old"): "- ", ("changes", None, "new"): "+ "},
}
"""Signs before each line of a string, by where it stands."""
_MARK = re.compile(r'[{}\[\],:"]')
_WHOLE = re.compile(r'(?:[^"\\]++|\\[^u]|\\u(?:[^"\\]{4}|[^"\\]{0,3}(?=["\\])))*+')
"""The part of a string that no further piece changes."""


class CanvasInput:
    """The arguments of one call: title and text of a new canvas, or what goes and what comes for it."""

    def __init__(self, tool: str) -> None:
        self._signs = _SIGNS[tool]
        self._strings = _JsonStrings()
        self._is_empty = True

    def read(self, more: str) -> str:
        """Return what there is to show of more of the arguments."""
        shown: list[str] = []
        for place, text in self._strings.read(more):
            sign = self._signs.get(place)
            if sign is None:
                continue
            if text is None:
                shown.append(sign if self._is_empty else f"\n{sign}")
                self._is_empty = False
            else:
                shown.append(text.replace("\n", f"\n{sign}"))
        return "".join(shown)


class _JsonStrings:
    """The strings of a JSON text that comes in pieces, each with its place: names, and None for a list's items."""

    def __init__(self) -> None:
        self._place: list[str | None] = []
        self._rest = ""
        self._is_in_string = False
        self._is_name = False
        """True if the next string is a name, or the one that it is in."""
        self._pairs = codecs.getincrementaldecoder("utf-16-le")("replace")
        """Joins surrogates, which are escaped one by one."""

    def read(self, more: str) -> Iterator[tuple[tuple[str | None, ...], str | None]]:
        """Yield more of the strings that are values; each begins with None."""
        text, at = self._rest + more, 0
        self._rest = ""
        while at < len(text):
            if not self._is_in_string:
                mark = _MARK.search(text, at)
                if mark is None:
                    return
                at = mark.end()
                if self._open(mark[0]):
                    yield tuple(self._place), None
                continue
            whole = _WHOLE.match(text, at)
            assert whole is not None  # it matches nothing too
            at = whole.end()
            has_ended = text.startswith('"', at)
            words = self._decode(whole[0], is_last=has_ended)
            if self._is_name:
                self._place[-1] = f"{self._place[-1]}{words}"
            elif words:
                yield tuple(self._place), words
            if not has_ended:
                self._rest = text[at:]
                return
            at += 1
            self._is_in_string = False

    def _open(self, mark: str) -> bool:
        """Follow a mark outside strings; return True if it begins a string that is a value."""
        match mark:
            case "{" | "[":
                self._place.append("" if mark == "{" else None)
                self._is_name = mark == "{"
            case "}" | "]":
                del self._place[-1:]
                self._is_name = False
            case ",":
                self._is_name = bool(self._place) and self._place[-1] is not None
            case ":":
                self._is_name = False
            case _:
                self._is_in_string = True
                if self._is_name:
                    self._place[-1] = ""
        return self._is_in_string and not self._is_name

    def _decode(self, written: str, *, is_last: bool) -> str:
        try:
            words = json.loads(f'"{written}"', strict=False) if "\\" in written else written
        except ValueError:  # it is no JSON: it is shown as it is
            words = written
        return self._pairs.decode(words.encode("utf-16-le", "surrogatepass"), is_last)
