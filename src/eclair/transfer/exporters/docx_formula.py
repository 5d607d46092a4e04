"""Writes formulas as OMML, the formulas of word processors (ECMA-376 part 1, section 22.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from eclair.office.package import clean
from eclair.transfer.exporters.tex_formula import MathNode, read_formula

MATH_NAMESPACE = "http://schemas.openxmlformats.org/officeDocument/2006/math"
MAX_COLUMNS = 255
"""Of a matrix, by the schema."""
MAX_OPERATORS_IN_OPERATORS = 10
"""As in the sum of the sum of a term. Further ones stand beside each other."""

_FONT = '<w:rPr><w:rFonts w:ascii="Cambria Math" w:hAnsi="Cambria Math" w:cs="Cambria Math"/></w:rPr>'
_LOOKS: Final = {
    "upright": '<m:sty m:val="p"/>',
    "bold": '<m:sty m:val="b"/>',
    "slanted": '<m:sty m:val="bi"/>',
    "italic": '<m:sty m:val="i"/>',
    "bb": '<m:scr m:val="double-struck"/><m:sty m:val="p"/>',
    "cal": '<m:scr m:val="script"/><m:sty m:val="p"/>',
    "frak": '<m:scr m:val="fraktur"/><m:sty m:val="p"/>',
    "sans": '<m:scr m:val="sans-serif"/><m:sty m:val="p"/>',
    "mono": '<m:scr m:val="monospace"/><m:sty m:val="p"/>',
}
_UPRIGHT = _LOOKS["upright"]
_TEXT = "<m:nor/>"
_LITERAL = "<m:lit/>"
_INTEGRALS: Final = frozenset("∫∬∭∮")
_LARGE_OPERATORS: Final = _INTEGRALS | frozenset("∑∏∐⋃⋂⨁⨂⋁⋀")
_CLOSINGS: Final = {"(": ")", "[": "]", "{": "}", "|": "|", "‖": "‖"}
_SPACES: Final = {0.17: "\u2009", 0.22: "\u205f", 0.28: "\u2005", 0.33: "\u2004", 1.0: "\u2003", 2.0: "\u2003\u2003"}
"""Spaces by width in em; there is none that moves back."""
_THIN_SPACE = "\u2009"
_COLUMN_SPACE = "\u2003\u2003"
_NOTHING = "\u200b"
"""In place of a part that is empty: a word processor would show a box to fill in."""


class _TooWide(Exception):
    """A matrix has more columns than a document can hold."""


def inline_formula(tex: str) -> str | None:
    """Write a formula within a line; None if part of it is unknown."""
    return _formula(tex, _Writer())


def block_formula(tex: str) -> str | None:
    """Write a formula on lines of its own; None if part of it is unknown."""
    formula = _formula(tex, _Writer(is_display=True))
    return None if formula is None else f"<m:oMathPara>{formula}</m:oMathPara>"


def _formula(tex: str, writer: _Writer) -> str | None:
    tree = read_formula(tex)
    if tree is None:
        return None
    try:
        return f"<m:oMath>{writer.node(tree)}</m:oMath>"
    except _TooWide:
        return None


@dataclass(frozen=True, slots=True)
class _Written:
    """An item of a row; `operators` counts those that hold each other in it."""

    xml: str
    is_operand: bool
    operators: int = 0


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes nodes in a look: properties of its runs, empty for that of variables and numbers."""

    is_display: bool = False
    look: str = ""

    def node(self, node: MathNode) -> str:
        match node["kind"]:
            case "row":
                return self._row(node)
            case "sign":
                return self._sign(_string(node, "text"))
            case "text":
                return self._text(_string(node, "text"))
            case "function":
                return _run(_string(node, "text"), _UPRIGHT)
            case "space":
                width = cast("float", node["em"])
                return _run(_SPACES[width]) if width > 0 else ""
            case "attach":
                return self._attach(node)
            case "look":
                return replace(self, look=_LOOKS[_string(node, "look")]).node(_child(node, "body"))
            case "fraction":
                return self._fraction(node, "bar")
            case "binom":
                return _fence("(", self._fraction(node, "noBar"), ")")
            case "root":
                return self._root(node)
            case "matrix":
                opening, table = _optional_string(node, "delimiter"), self._table(node, "center")
                return table if opening is None else _fence(opening, table, _CLOSINGS[opening])
            case "cases":
                return _fence("{", self._table(node, "left"), "")
            case "lines":
                return self._aligned(node)
            case _:
                return self._around(node)

    def _around(self, node: MathNode) -> str:
        """Write what has a sign, a line or a brace around it."""
        body = _child(node, "body") if "body" in node else None
        match node["kind"]:
            case "fenced":
                opening, inner, closing = cast("list[MathNode]", cast("MathNode", body)["items"])
                return _fence(str(opening.get("text", "")), self.node(inner), str(closing.get("text", "")))
            case "accent":
                sign = _string(node, "accent")
                return f'<m:acc><m:accPr><m:chr m:val="{sign}"/></m:accPr>{self._part("e", body)}</m:acc>'
            case "overline" | "underline" as kind:
                place = "top" if kind == "overline" else "bot"
                return f'<m:bar><m:barPr><m:pos m:val="{place}"/></m:barPr>{self._part("e", body)}</m:bar>'
            case "overbrace" | "underbrace" as kind:
                sign, place, base = ("⏞", "top", "bot") if kind == "overbrace" else ("⏟", "bot", "top")
                properties = f'<m:chr m:val="{sign}"/><m:pos m:val="{place}"/><m:vertJc m:val="{base}"/>'
                inner = self._part("e", body)
                return f"<m:groupChr><m:groupChrPr>{properties}</m:groupChrPr>{inner}</m:groupChr>"
            case _:  # a line that ends within an argument, which has no second one
                return ""

    def _part(self, name: str, node: MathNode | None) -> str:
        return _part(name, "" if node is None else self.node(node))

    def _small_part(self, name: str, node: MathNode | None) -> str:
        """Write a part in which limits stand beside their operator, as within a line."""
        return replace(self, is_display=False)._part(name, node)

    def _row(self, node: MathNode) -> str:
        lines: list[list[MathNode]] = [[]]
        for item in cast("list[MathNode]", node["items"]):
            if item["kind"] == "newline":
                lines.append([])
            else:
                lines[-1].append(item)
        if len(lines) > 1 and not lines[-1]:
            lines.pop()
        written = [self._line(line) for line in lines]
        return written[0] if len(written) == 1 else _lines(written)

    def _line(self, items: Sequence[MathNode]) -> str:
        """Write items; sums, integrals and functions hold the item that follows them."""
        written: list[_Written] = []
        for item in reversed(items):
            base, scripts = (_child(item, "base"), item) if item["kind"] == "attach" else (item, None)
            following = written[-1] if written and written[-1].operators < MAX_OPERATORS_IN_OPERATORS else None
            if base["kind"] == "sign" and base["text"] in _LARGE_OPERATORS:
                if following is not None:
                    written.pop()
                xml = self._large_operator(_string(base, "text"), scripts, following.xml if following else "")
                written.append(_Written(xml, is_operand=True, operators=following.operators + 1 if following else 1))
            elif base["kind"] == "function" and following is not None and following.is_operand:
                written.pop()
                xml = f"<m:func>{self._part('fName', item)}{_part('e', following.xml)}</m:func>"
                written.append(_Written(xml, is_operand=True, operators=following.operators + 1))
            elif base["kind"] == "function" and written and written[-1].is_operand:
                written.append(_Written(self.node(item) + _run(_THIN_SPACE), is_operand=False))
            else:
                written.append(_Written(self.node(item), _is_operand(base)))
        return "".join(each.xml for each in reversed(written))

    def _sign(self, text: str) -> str:
        if text == "&":
            return _run(text, _LITERAL)
        return _run(text, self.look or (_UPRIGHT if "Γ" <= text <= "Ω" else ""))

    def _text(self, text: str) -> str:
        return _run(text, self.look if text.isdigit() else _TEXT)

    def _attach(self, node: MathNode) -> str:
        base, top, bottom = _child(node, "base"), _optional(node, "top"), _optional(node, "bottom")
        written = self.node(base)
        is_limit = self.is_display and base.get("limits") is True
        if is_limit or base["kind"] in ("overbrace", "underbrace"):
            if bottom is not None:
                written = f"<m:limLow>{_part('e', written)}{self._small_part('lim', bottom)}</m:limLow>"
            if top is not None:
                written = f"<m:limUpp>{_part('e', written)}{self._small_part('lim', top)}</m:limUpp>"
            return written
        name = "sSubSup" if top and bottom else "sSup" if top else "sSub"
        scripts = self._small_part("sub", bottom) if bottom else ""
        scripts += self._small_part("sup", top) if top else ""
        return f"<m:{name}>{_part('e', written)}{scripts}</m:{name}>"

    def _large_operator(self, sign: str, scripts: MathNode | None, operand: str) -> str:
        bottom, top = (_optional(scripts, "bottom"), _optional(scripts, "top")) if scripts else (None, None)
        place = "undOvr" if self.is_display and sign not in _INTEGRALS else "subSup"
        properties, beside = f'<m:chr m:val="{sign}"/><m:limLoc m:val="{place}"/>', ""
        for name, script in (("sub", bottom), ("sup", top)):
            properties += f'<m:{name}Hide m:val="1"/>' if script is None else ""
            beside += f"<m:{name}/>" if script is None else self._small_part(name, script)
        return f"<m:nary><m:naryPr>{properties}</m:naryPr>{beside}{_part('e', operand)}</m:nary>"

    def _fraction(self, node: MathNode, line: str) -> str:
        over, under = self._small_part("num", _child(node, "over")), self._small_part("den", _child(node, "under"))
        return f'<m:f><m:fPr><m:type m:val="{line}"/></m:fPr>{over}{under}</m:f>'

    def _root(self, node: MathNode) -> str:
        index = _optional(node, "index")
        hidden = '<m:radPr><m:degHide m:val="1"/></m:radPr><m:deg/>'
        degree = hidden if index is None else self._small_part("deg", index)
        return f"<m:rad>{degree}{self._part('e', _child(node, 'body'))}</m:rad>"

    def _table(self, node: MathNode, align: str) -> str:
        rows = _rows(node)
        columns = max(len(row) for row in rows)
        if columns > MAX_COLUMNS:
            raise _TooWide
        layout = f'<m:mc><m:mcPr><m:count m:val="{columns}"/><m:mcJc m:val="{align}"/></m:mcPr></m:mc>'
        lines = ""
        for row in rows:
            cells = "".join(self._small_part("e", cell) for cell in row)
            lines += f"<m:mr>{cells}{_part('e', '') * (columns - len(row))}</m:mr>"
        return f"<m:m><m:mPr><m:mcs>{layout}</m:mcs></m:mPr>{lines}</m:m>"

    def _aligned(self, node: MathNode) -> str:
        """Write lines whose cells are set right, left, right… of the points between them."""
        lines: list[str] = []
        for row in _rows(node):
            line = ""
            for at, cell in enumerate(row):
                line += (_run("&") if at else "") + (_run(_COLUMN_SPACE) if at and at % 2 == 0 else "")
                line += self.node(cell)
            lines.append(line)
        return _lines(lines)


def _run(text: str, look: str = "") -> str:
    properties = f"<m:rPr>{look}</m:rPr>" if look else ""
    return f'<m:r>{properties}{_FONT}<m:t xml:space="preserve">{clean(text)}</m:t></m:r>'


def _part(name: str, inner: str) -> str:
    return f"<m:{name}>{inner or _run(_NOTHING)}</m:{name}>"


def _fence(opening: str, inner: str, closing: str) -> str:
    signs = f'<m:begChr m:val="{clean(opening)}"/><m:endChr m:val="{clean(closing)}"/>'
    return f"<m:d><m:dPr>{signs}</m:dPr>{_part('e', inner)}</m:d>"


def _lines(lines: Sequence[str]) -> str:
    return f"<m:eqArr>{''.join(_part('e', line) for line in lines)}</m:eqArr>"


def _is_operand(base: MathNode) -> bool:
    """Tell whether a function may be of this item: not of a sign such as `+` or `(`, nor of a space."""
    match base["kind"]:
        case "sign":
            return _string(base, "text").isalpha()
        case "row":
            return bool(base["items"])
        case "space" | "newline" | "function":
            return False
        case _:
            return True


def _string(node: MathNode, name: str) -> str:
    return cast("str", node[name])


def _child(node: MathNode, name: str) -> MathNode:
    return cast("MathNode", node[name])


def _optional(node: MathNode, name: str) -> MathNode | None:
    return cast("MathNode | None", node[name])


def _optional_string(node: MathNode, name: str) -> str | None:
    return cast("str | None", node[name])


def _rows(node: MathNode) -> list[list[MathNode]]:
    return cast("list[list[MathNode]]", node["rows"])
