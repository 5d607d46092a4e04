"""Formulas are read and set in a PDF, and those that nobody knows stay as written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.transfer.exporters.tex_formula import MAX_FORMULA_DEPTH, read_formula
from tests.transfer.test_pdf import conversation, is_standard, pdf, text_of

KNOWN = (
    r"\frac{-b \pm \sqrt{b^2-4ac}}{2a} + \sqrt[3]{x} + \frac12",
    r"\int_0^\infty e^{-x^2}\,dx = \frac{\sqrt{\pi}}{2}",
    r"\sum_{n=1}^{\infty} \frac{1}{n^2} \quad \lim_{x \to 0} \sin x",
    r"\begin{pmatrix} a & b \\ c & d \\ \end{pmatrix} \begin{array}{cc} 1 & 2 \end{array}",
    r"f(x) = \begin{cases} x^2 & \text{if } x \ge 0 \\ -x & \text{otherwise} \end{cases}",
    r"\begin{align*} a &= b & c &= d \\ e &= f & g &= h \end{align*}",
    r"\left( \frac{a}{b} \right)^{12} \Big| \left\{ x \right.",
    r"\vec{F} = m\hat{a}, \overline{x+y}, \underline{z}, \underbrace{a+b}_{n}, \overbrace{c}^{m}",
    r"\mathbb{R}^n \to \mathcal{L}(\mathbf{x}), \mathrm{d}\boldsymbol{\alpha}, \mathfrak{g}",
    r"\mathsf{s}\mathtt{t}\mathit{u}",
    r"f'(x), f''(x), x'^2, x_{i}^{2}, {}_a^b, \binom{n}{k}, \operatorname{rank} A, a \equiv b \pmod{n}",
    r"\frac{}{a} {} x^{} \sqrt{} \{1, 2\} \| \% \\ y",
)


@pytest.mark.asyncio
async def test_known_formulas_are_set() -> None:
    for tex in KNOWN:
        assert read_formula(tex) is not None, tex
    text = "\n\n".join(f"$$\n{tex}\n$$\n\nand ${tex}$ here" for tex in KNOWN)
    data = await pdf(conversation(text))
    assert is_standard(data)
    shown = text_of(data)
    assert "\\" not in shown
    for sign in "∑∫±∞𝜋":
        assert sign in shown


@pytest.mark.parametrize(
    "tex",
    [
        *(r"\ce{H2O}", r"\color{red}x", r"\frac{a}", "{", "}", "a & b", r"\begin{x}a\end{x}", r"\begin{matrix}a"),
        *(r"\left( a", "x^2^3", "x_1_2", r"\text{a$b$}", "\u200b", "#x", "{" * 20 + "x" + "}" * 20, "x" * 3000),
        *(r"\hat " * 20 + "x", r"\sqrt " * 900 + "x", r"x^\frac " * 20 + "1"),
        *(r"\begin{matrix}a\end{cases}", r"\sqrt[3", r"\left x y \right)", "^", r"\text"),
    ],
)
def test_unknown_formulas_stay_as_written(tex: str) -> None:
    assert read_formula(tex) is None


@pytest.mark.asyncio
async def test_the_deepest_formulas_in_the_deepest_lists_are_set() -> None:
    groups = MAX_FORMULA_DEPTH - 1
    formulas = [
        r"\frac{1}{" * groups + "x9" + "}" * groups,
        r"\sqrt{x^{" * (groups // 2) + "x9" + "}}" * (groups // 2),
        r"\left(\begin{matrix} " * (groups // 2) + "x9" + r" \end{matrix}\right)" * (groups // 2),
        "x" + "+y" * 40,
        "x" + "+y" * 400,
    ]
    assert all(read_formula(tex) for tex in formulas)
    text = "\n".join("  " * depth + f"- ${tex}$" for tex in formulas for depth in range(8))
    data = await pdf(conversation(text + "\n\n" + "\n\n".join(f"$$\n{tex}\n$$" for tex in formulas)))
    assert is_standard(data)


PIECES = (
    *(r"\frac", r"\sqrt", r"\left(", r"\right)", r"\begin{matrix}", r"\end{matrix}", r"\\", r"\alpha", r"\text{a}"),
    *("{", "}", "^", "_", "'", "&", "[", "]", "x", "12"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join) | st.text(max_size=60))
def test_any_text_is_read_or_refused(tex: str) -> None:
    assert json.dumps(read_formula(tex))
