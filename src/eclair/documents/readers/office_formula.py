"""Reads the formulas of office documents (OMML) as a line of text: a fraction as `(a+b)/2`, a power as `x^2`."""

from __future__ import annotations

from xml.etree.ElementTree import Element

M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
FORMULA = M + "oMath"
_TEXT = frozenset({M + "t", "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}t"})
_ALIGNMENT = "&"
_NOTHING = "\u200b"
_LINES = {"top": "\u0305", "bot": "\u0332"}


def formula_text(element: Element) -> str:
    """Return a formula as text; what belongs together and isn't one word or number is in parentheses."""
    if element.tag in _TEXT:
        return (element.text or "").replace(_NOTHING, "")
    parts = {child.tag.removeprefix(M): child for child in element if child.tag.startswith(M)}

    def part(name: str) -> str:
        return formula_text(parts[name]) if name in parts else ""

    def group(name: str) -> str:
        return _group(part(name))

    match element.tag.removeprefix(M):
        case "f":
            line = "¦" if _property(element, "type") == "noBar" else "/"
            return f"{group('num')}{line}{group('den')}"
        case "sSub" | "sSup" | "sSubSup":
            return group("e") + _script("_", part("sub")) + _script("^", part("sup"))
        case "sPre":
            return _script("_", part("sub")) + _script("^", part("sup")) + group("e")
        case "limLow":
            return group("e") + _script("_", part("lim"))
        case "limUpp":
            return group("e") + _script("^", part("lim"))
        case "rad":
            degree = part("deg")
            return f"√{f'[{degree}]' if degree else ''}({part('e')})"
        case "nary":
            sign = _property(element, "chr") or "∫"
            return f"{sign}{_script('_', part('sub'))}{_script('^', part('sup'))} {part('e')}"
        case "func":
            return f"{part('fName')} {part('e')}"
        case "acc":
            return _over(part("e"), _property(element, "chr") or "\u0302")
        case "bar":
            return _over(part("e"), _LINES.get(_property(element, "pos") or "bot", ""))
        case "d":
            opening, between, closing = (_property(element, name) for name in ("begChr", "sepChr", "endChr"))
            inner = (between or "|").join(formula_text(child) for child in element.findall(M + "e"))
            return f"{'(' if opening is None else opening}{inner}{')' if closing is None else closing}"
        case "m":
            rows = (", ".join(formula_text(cell) for cell in row.findall(M + "e")) for row in element.findall(M + "mr"))
            return "; ".join(rows)
        case "eqArr":
            return "; ".join(formula_text(line).replace(_ALIGNMENT, "") for line in element.findall(M + "e"))
        case _:
            return "".join(formula_text(child) for child in element)


def _group(text: str) -> str:
    return text if len(text) < 2 or text.isalnum() else f"({text})"


def _over(text: str, combining: str) -> str:
    """Set a combining character on a text."""
    return (text if len(text) == 1 else f"({text})") + combining


def _script(sign: str, text: str) -> str:
    if not text or text.strip("′") == "":
        return text
    return sign + _group(text)


def _property(element: Element, name: str) -> str | None:
    """Return a property of an object; None where it isn't set."""
    kind = element.tag
    found = element.find(f"{kind}Pr/{M}{name}")
    return None if found is None else found.get(M + "val", "")
