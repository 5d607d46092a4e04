"""Formulas of a DOCX are the word processor's own, and those that nobody knows stay as written."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.documents.document_parser import Parser
from eclair.documents.readers.office_formula import M, formula_text
from eclair.transfer.canvas_view import ExportedCanvas
from eclair.transfer.exporters.docx import render_canvas
from tests.documents.conftest import read
from tests.transfer.test_tex_formula import KNOWN, PIECES

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
CONTENT = r"(?:(?:r|sSub|sSup|sSubSup|f|rad|nary|func|limLow|limUpp|acc|bar|groupChr|d|m|eqArr) )*"
CHILDREN = {
    **dict.fromkeys(("oMath", "e", "num", "den", "sub", "sup", "lim", "deg", "fName"), CONTENT),
    **dict.fromkeys(
        ("chr", "limLoc", "subHide", "supHide", "degHide", "type", "pos", "vertJc", "begChr", "endChr"), ""
    ),
    **dict.fromkeys(("count", "mcJc", "sty", "scr", "nor", "lit", "t"), ""),
    "oMathPara": "oMath ",
    "r": "(?:rPr )?w:rPr t ",
    "rPr": "(?:lit )?(?:nor |(?:scr )?(?:sty )?)",
    "sSub": "e sub ",
    "sSup": "e sup ",
    "sSubSup": "e sub sup ",
    "f": "fPr num den ",
    "fPr": "type ",
    "rad": "(?:radPr )?deg e ",
    "radPr": "degHide ",
    "nary": "naryPr sub sup e ",
    "naryPr": "chr limLoc (?:subHide )?(?:supHide )?",
    "func": "fName e ",
    "limLow": "e lim ",
    "limUpp": "e lim ",
    "acc": "accPr e ",
    "accPr": "chr ",
    "bar": "barPr e ",
    "barPr": "pos ",
    "groupChr": "groupChrPr e ",
    "groupChrPr": "chr pos vertJc ",
    "d": "dPr e ",
    "dPr": "begChr endChr ",
    "m": "mPr (?:mr )+",
    "mPr": "mcs ",
    "mcs": "mc ",
    "mc": "mcPr ",
    "mcPr": "count mcJc ",
    "mr": "(?:e )+",
    "eqArr": "(?:e )+",
}
"""The children that the schema (ECMA-376, shared-math.xsd) allows each element that is written, in their order."""
VALUES = {
    "chr": ".",
    "begChr": ".?",
    "endChr": ".?",
    "limLoc": "undOvr|subSup",
    "type": "bar|noBar",
    "pos": "top|bot",
    "vertJc": "top|bot",
    "mcJc": "left|center",
    "sty": "p|b|i|bi",
    "scr": "double-struck|script|fraktur|sans-serif|monospace",
    "count": "[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]",
}


def document(text: str) -> bytes:
    return render_canvas(ExportedCanvas("Formulas", "markdown", text, (), 1_700_000_000_000))


def body(text: str) -> Element:
    with zipfile.ZipFile(io.BytesIO(document(text))) as archive:
        return ElementTree.fromstring(archive.read("word/document.xml"))


def check(root: Element) -> None:
    """Every element of a formula has the children and values that the schema allows, and no part is left empty."""
    for element in root.iter():
        if not element.tag.startswith(M):
            continue
        name = element.tag.removeprefix(M)
        children = "".join(f"{child.tag.removeprefix(M).replace(W, 'w:')} " for child in element)
        assert re.fullmatch(CHILDREN[name], children), (name, children)
        if name in VALUES:
            assert re.fullmatch(VALUES[name], element.get(M + "val", ""), re.DOTALL), ElementTree.tostring(element)
        if name in ("e", "num", "den", "lim", "fName"):
            assert len(element) > 0, "a word processor shows a box to fill in"
        if name == "m":
            assert len({len(row) for row in element.findall(M + "mr")}) == 1


def formulas(root: Element) -> list[Element]:
    return list(root.iter(M + "oMath"))


def test_known_formulas_are_native_in_a_line_and_on_lines_of_their_own() -> None:
    root = body("\n\n".join(f"$$\n{tex}\n$$\n\nand ${tex}$ here" for tex in KNOWN))
    check(root)
    assert len(formulas(root)) == 2 * len(KNOWN)
    assert len(list(root.iter(M + "oMathPara"))) == len(KNOWN)
    assert "\\" not in "".join(root.itertext())


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"E = mc^2", "E=mc^2"),
        (r"x_{i+1}^2 + f''(x) + {}_a^b", "x_(i+1)^2+f′′(x)+_a^b"),
        (r"\frac{-b \pm \sqrt{b^2-4ac}}{2a} + \sqrt[3]{x}", "(−b±√(b^2−4ac))/2a+√[3](x)"),
        (r"\sum_{n=1}^{\infty} \frac{1}{n^2} + \int f", "∑_(n=1)^∞ 1/(n^2)+∫ f"),
        (r"\sum_i \sum_j a_{ij} = \prod", "∑_i ∑_j a_ij=∏ "),
        (r"\lim_{x \to 0} \sin x + \ln(x) + \max", "lim_(x→0) sin x+ln(x)+max"),
        (r"\left[ \frac12 \right) \left. x \right\}", "[1/2)x}"),
        (r"\begin{pmatrix} a & b \\ c \end{pmatrix}", "(a, b; c, )"),
        (r"\begin{Vmatrix} a \end{Vmatrix} \begin{matrix} b \end{matrix}", "‖a‖b"),
        (r"\begin{cases} 1 & \text{if } x \\ 0 \end{cases}", "{1, if x; 0, "),
        (r"\begin{align} a &= b & c &= d \\ e &= f \end{align}", "a=b\u2003\u2003c=d; e=f"),
        (r"\hat{a} \vec x \overline{ab} \underline{c}", "a\u0302" + "x\u20d7" + "(ab)\u0305" + "c\u0332"),
        (r"\underbrace{a+b}_{n} \overbrace{c}^{m}", "(a+b)_nc^m"),
        (r"\binom{n}{k} \text{ for } a \quad \{1\} \&\% \Gamma", "(n¦k) for a\u2003{1}&%Γ"),
        (r"a \\ b \\", "a; b"),
        (r"x^\\", "x"),
    ],
)
def test_each_construct_keeps_its_parts_and_their_order(tex: str, text: str) -> None:
    root = body(f"$$\n{tex}\n$$")
    check(root)
    [formula] = formulas(root)
    assert formula_text(formula) == text


def test_letters_have_their_looks() -> None:
    root = body(r"$x \Gamma \mathrm{d} \mathbf{v} \boldsymbol{w} \mathbb{R} \mathcal{L} \text{if} \sin$")
    check(root)
    looks = {
        run.findtext(M + "t"): [(each.tag.removeprefix(M), each.get(M + "val")) for each in run.findall(f"{M}rPr/*")]
        for run in root.iter(M + "r")
    }
    upright = ("sty", "p")
    assert looks == {
        "x": [],
        "Γ": [upright],
        "d": [upright],
        "v": [("sty", "b")],
        "w": [("sty", "bi")],
        "R": [("scr", "double-struck"), upright],
        "L": [("scr", "script"), upright],
        "if": [("nor", None)],
        "sin": [upright],
    }


def test_limits_stand_below_only_on_lines_of_their_own() -> None:
    tex = r"\sum_{i} \lim_{x} y \int_a^b z \frac{1}{\sum_{k} k}"
    places = {
        text: [each.get(M + "val") for each in body(text).iter(M + "limLoc")] for text in (f"${tex}$", f"$$\n{tex}\n$$")
    }
    assert places == {f"${tex}$": ["subSup"] * 3, f"$$\n{tex}\n$$": ["undOvr", "subSup", "subSup"]}
    assert body(f"${tex}$").find(f".//{M}limLow") is None
    assert body(f"$$\n{tex}\n$$").find(f".//{M}limLow") is not None


@pytest.mark.parametrize("tex", [r"\ce{H_2O}", r"\frac{a}", r"\begin{matrix}" + "1 & " * 300 + r"1\end{matrix}"])
def test_a_formula_that_no_document_can_hold_stays_as_written(tex: str) -> None:
    root = body(f"In ${tex}$ line\n\n$$\n{tex}\n$$")
    assert formulas(root) == []
    assert "".join(root.itertext()).count(tex) == 2


def test_operators_of_operators_end_somewhere() -> None:
    root = body("$$\n" + r"\sum_i \ln " * 300 + "x\n$$")
    check(root)
    assert len(list(root.iter(M + "nary"))) == 300


@pytest.mark.asyncio
async def test_formulas_are_read_again(tmp_path: Path) -> None:
    path = tmp_path / "formulas.docx"
    text = "Half is $\\frac{1}{2}$.\n\n$$\nx^2\n$$\n\n- item $y_1$\n\n| a |\n|---|\n| $\\sqrt{2}$ |"
    path.write_bytes(document(text))
    parser = Parser()
    try:
        told = await read(parser, path, path.name)
    finally:
        await parser.close()
    assert told.remarks == []
    for words in ("Half is 1/2.", "x^2", "item y_1", "√(2)"):
        assert words in told.text


COMMANDS = (
    *(r"\sum", r"\lim", r"\hat", r"\mathbf", r"\overbrace", r"\begin{cases}", r"\end{cases}", "&", "é"),
    *PIECES,
)


@given(st.lists(st.sampled_from(COMMANDS), max_size=40).map(" ".join) | st.text(max_size=60))
def test_no_tex_breaks_a_document(tex: str) -> None:
    check(body(f"${tex}$\n\n$$\n{tex}\n$$\n\n\\[{tex}\\]"))
