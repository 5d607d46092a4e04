"""Reads the TeX of formulas into a tree, for PDF and DOCX. What it doesn't know stays as written."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

MAX_FORMULA_DEPTH = 10
"""Of groups and commands in each other: typesetting nests calls only so far."""
MAX_FORMULA_WORDS = 2000

MathNode = dict[str, object]
"""A `kind` with its fields, as the template reads them."""

_WORD = re.compile(r"\\[A-Za-z]+\*?|\\.|[0-9]+|\s+|.", re.DOTALL)


def _pairs(text: str) -> dict[str, str]:
    """Map commands to what they stand for."""
    words = text.split()
    return {f"\\{name}": meaning for name, meaning in zip(words[::2], words[1::2], strict=True)}


_SIGNS: Final = _pairs(
    "alpha α beta β gamma γ delta δ epsilon ϵ varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι kappa κ lambda λ "
    "mu μ nu ν xi ξ pi π varpi ϖ rho ρ varrho ϱ sigma σ varsigma ς tau τ upsilon υ phi ϕ varphi φ chi χ psi ψ omega ω "
    "Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Upsilon Υ Phi Φ Psi Ψ Omega Ω "
    "times × div ÷ cdot ⋅ pm ± mp ∓ ast ∗ star ⋆ circ ∘ bullet ∙ oplus ⊕ ominus ⊖ otimes ⊗ odot ⊙ dagger † "
    "le ≤ leq ≤ leqslant ≤ ge ≥ geq ≥ geqslant ≥ ne ≠ neq ≠ ll ≪ gg ≫ equiv ≡ approx ≈ sim ∼ simeq ≃ cong ≅ "
    "propto ∝ mid ∣ nmid ∤ parallel ∥ perp ⟂ models ⊨ vdash ⊢ prec ≺ succ ≻ doteq ≐ asymp ≍ "
    "in ∈ notin ∉ ni ∋ subset ⊂ subseteq ⊆ supset ⊃ supseteq ⊇ cup ∪ cap ∩ setminus ∖ emptyset ∅ varnothing ∅ "
    "forall ∀ exists ∃ nexists ∄ neg ¬ lnot ¬ land ∧ wedge ∧ lor ∨ vee ∨ top ⊤ bot ⊥ "
    "to → rightarrow → leftarrow ← gets ← leftrightarrow ↔ Rightarrow ⇒ Leftarrow ⇐ Leftrightarrow ⇔ implies ⟹ "
    "iff ⟺ mapsto ↦ longrightarrow ⟶ longleftarrow ⟵ uparrow ↑ downarrow ↓ rightleftharpoons ⇌ hookrightarrow ↪ "
    "infty ∞ partial ∂ nabla ∇ hbar ℏ ell ℓ Re ℜ Im ℑ aleph ℵ wp ℘ angle ∠ triangle △ square □ prime ′ degree ° "
    "sum ∑ prod ∏ coprod ∐ int ∫ iint ∬ iiint ∭ oint ∮ bigcup ⋃ bigcap ⋂ bigoplus ⨁ bigotimes ⨂ bigvee ⋁ bigwedge ⋀ "
    "ldots … dots … dotsc … dotsb ⋯ cdots ⋯ vdots ⋮ ddots ⋱ colon : "
    "langle ⟨ rangle ⟩ lfloor ⌊ rfloor ⌋ lceil ⌈ rceil ⌉ lbrace { rbrace } lbrack [ rbrack ] vert | Vert ‖ lvert | "
    "rvert | lVert ‖ rVert ‖ backslash \\ blacksquare ■ checkmark ✓ therefore ∴ because ∵ imath ı jmath ȷ "
    "{ { } } | ‖ % % $ $ # # _ _ & &"
)
_CHARACTERS: Final = {"-": "−", "*": "∗", "'": "′"}
_FUNCTIONS: Final = frozenset(
    {
        *("arccos", "arcsin", "arctan", "arg", "cos", "cosh", "cot", "coth", "csc", "deg", "dim", "exp", "hom", "ker"),
        *("lg", "ln", "log", "sec", "sin", "sinh", "tan", "tanh"),
    }
)
_LIMITS: Final = frozenset({"det", "gcd", "inf", "lim", "liminf", "limsup", "max", "min", "Pr", "sup"})
"""Functions with scripts above and below them."""
_LOOKS: Final = _pairs(
    "mathrm upright rm upright mathbf bold boldsymbol slanted bm slanted mathbb bb mathcal cal mathscr cal "
    "mathfrak frak mathsf sans mathtt mono mathit italic"
)
_ACCENTS: Final = _pairs(
    "hat \u0302 widehat \u0302 tilde \u0303 widetilde \u0303 bar \u0304 vec \u20d7 dot \u0307 ddot \u0308 "
    "check \u030c acute \u0301"
)
_LINES: Final = {"\\overline": "overline", "\\underline": "underline"}
_BRACES: Final = {"\\overbrace": "overbrace", "\\underbrace": "underbrace"}
_SPACES: Final = {
    "~": 0.33,
    "\\ ": 0.33,
    "\\!": -0.17,
    "\\,": 0.17,
    "\\:": 0.22,
    "\\>": 0.22,
    "\\;": 0.28,
    "\\quad": 1.0,
    "\\qquad": 2.0,
}
"""Widths in em."""
_TEXTS: Final = frozenset({"\\text", "\\textrm", "\\mbox", "\\textit", "\\textbf", "\\textnormal"})
_SIZES: Final = re.compile(r"\\(?:[bB]igg?[lrm]?|displaystyle|textstyle|limits|nolimits)")
_MATRICES: Final = {
    "matrix": None,
    "smallmatrix": None,
    "array": None,
    "pmatrix": "(",
    "bmatrix": "[",
    "Bmatrix": "{",
    "vmatrix": "|",
    "Vmatrix": "‖",
}
"""Environments with their delimiters."""
_ALIGNED: Final = frozenset({"aligned", "align", "align*", "split", "gather", "gather*", "gathered", "equation"})


class _Unknown(Exception):
    """The formula has something that isn't known here."""


def read_formula(tex: str) -> MathNode | None:
    """Return the tree of a formula; None if part of it is unknown or wrong."""
    words = _WORD.findall(tex)
    if len(words) > MAX_FORMULA_WORDS:
        return None
    try:
        return _Reader(words).formula()
    except _Unknown:
        return None


class _Reader:
    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._at = 0
        self._depth = 0

    def formula(self) -> MathNode:
        row = self._row(frozenset())
        if self._at < len(self._words):
            raise _Unknown
        return row

    def _peek(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def _next(self) -> str:
        if not (word := self._peek()):
            raise _Unknown
        self._at += 1
        return word

    def _skip_space(self) -> None:
        while self._peek().isspace():
            self._at += 1

    def _row(self, ends: frozenset[str]) -> MathNode:
        """Read up to one of the words that end the row, or the end of the formula; the word stays."""
        self._depth += 1
        if self._depth > MAX_FORMULA_DEPTH:
            raise _Unknown
        items: list[MathNode] = []
        while (word := self._peek()) and word not in ends:
            self._at += 1
            if word in "^_'":
                self._script(items, word)
            elif not word.isspace() and not _SIZES.fullmatch(word):
                items.append(self._atom(word))
        self._depth -= 1
        return {"kind": "row", "items": items}

    def _script(self, items: list[MathNode], word: str) -> None:
        base = items.pop() if items else _row_of()
        if base["kind"] != "attach":
            base = {"kind": "attach", "base": base, "top": None, "bottom": None}
        place = "bottom" if word == "_" else "top"
        added = _sign("′") if word == "'" else self._argument()
        present = base[place]
        if isinstance(present, dict):
            if place == "bottom" or present.get("text") != "′":
                raise _Unknown
            added = _row_of(_sign("′"), added)
        items.append({**base, place: added})

    def _argument(self) -> MathNode:
        """Read a group, a character, or a command with arguments of its own."""
        self._skip_space()
        word = self._next()
        if word.isdigit() and len(word) > 1:
            self._at -= 1
            self._words = [*self._words[: self._at], word[1:], *self._words[self._at + 1 :]]
            return _text(word[0])
        is_nested = word.startswith("\\") and word not in _SIGNS
        self._depth += is_nested
        if self._depth > MAX_FORMULA_DEPTH:
            raise _Unknown
        atom = self._atom(word)
        self._depth -= is_nested
        return atom

    def _atom(self, word: str) -> MathNode:
        if word == "{":
            return self._closed("}")
        if word in _SIGNS:
            return _sign(_SIGNS[word])
        if word in _SPACES:
            return {"kind": "space", "em": _SPACES[word]}
        if word in _LOOKS:
            return {"kind": "look", "look": _LOOKS[word], "body": self._argument()}
        if word in _ACCENTS:
            return {"kind": "accent", "accent": _ACCENTS[word], "body": self._argument()}
        if word in _LINES or word in _BRACES:
            return {"kind": (_LINES | _BRACES)[word], "body": self._argument()}
        if word in _TEXTS:
            return _text(self._raw())
        if not word.startswith("\\"):
            return _character(word)
        if (name := word[1:]) in _FUNCTIONS or name in _LIMITS:
            return _function(name, limits=name in _LIMITS)
        known: Callable[[], MathNode] | None = {
            "\\frac": self._fraction,
            "\\dfrac": self._fraction,
            "\\tfrac": self._fraction,
            "\\binom": lambda: self._fraction("binom"),
            "\\sqrt": self._root,
            "\\left": self._fenced,
            "\\begin": self._environment,
            "\\operatorname": lambda: _function(self._raw()),
            "\\operatorname*": lambda: _function(self._raw(), limits=True),
            "\\\\": lambda: dict[str, object](kind="newline"),
            "\\pmod": lambda: _row_of(_sign("("), _text("mod "), self._argument(), _sign(")")),
            "\\bmod": lambda: _function("mod"),
        }.get(word)
        if known is None:
            raise _Unknown
        return known()

    def _closed(self, end: str) -> MathNode:
        row = self._row(frozenset({end}))
        self._next()
        return row

    def _fraction(self, kind: str = "fraction") -> MathNode:
        return {"kind": kind, "over": self._argument(), "under": self._argument()}

    def _root(self) -> MathNode:
        self._skip_space()
        index = None
        if self._peek() == "[":
            self._at += 1
            index = self._closed("]")
        return {"kind": "root", "index": index, "body": self._argument()}

    def _fence(self) -> MathNode:
        self._skip_space()
        word = self._next()
        if word == ".":
            return _row_of()
        return _sign({"<": "⟨", ">": "⟩"}.get(word) or _SIGNS.get(word) or _only(word, "()[]|/"))

    def _fenced(self) -> MathNode:
        opening = self._fence()
        body = self._row(frozenset({"\\right"}))
        self._next()
        return {"kind": "fenced", "body": _row_of(opening, body, self._fence())}

    def _environment(self) -> MathNode:
        name = self._raw()
        if name == "array":
            self._raw()
        rows: list[list[MathNode]] = [[]]
        while True:
            rows[-1].append(self._row(frozenset({"&", "\\\\", "\\end"})))
            match self._next():
                case "&":
                    pass
                case "\\end":
                    break
                case _:
                    rows.append([])
        if self._raw() != name:
            raise _Unknown
        if len(rows) > 1 and len(rows[-1]) == 1 and not rows[-1][0]["items"]:
            rows.pop()
        if name in _MATRICES:
            return {"kind": "matrix", "delimiter": _MATRICES[name], "rows": rows}
        if name == "cases":
            return {"kind": "cases", "rows": rows}
        if name in _ALIGNED:
            return {"kind": "lines", "rows": rows}
        raise _Unknown

    def _raw(self) -> str:
        """Read a group as text."""
        self._skip_space()
        if self._next() != "{":
            raise _Unknown
        text = ""
        while (word := self._next()) != "}":
            if word in ("{", "$") or (word.startswith("\\") and word not in _SIGNS and word not in _SPACES):
                raise _Unknown
            text += _SIGNS.get(word, " " if word in _SPACES else word)
        return text


def _row_of(*items: MathNode) -> MathNode:
    return {"kind": "row", "items": list(items)}


def _text(text: str) -> MathNode:
    return {"kind": "text", "text": text}


def _sign(text: str) -> MathNode:
    return {"kind": "sign", "text": text}


def _function(name: str, *, limits: bool = False) -> MathNode:
    return {"kind": "function", "text": name, "limits": limits}


def _character(word: str) -> MathNode:
    if word in ("}", "&", "$", "#", "%") or not word.isprintable():
        raise _Unknown
    return _text(word) if word.isdigit() else _sign(_CHARACTERS.get(word, word))


def _only(word: str, allowed: str) -> str:
    if word not in allowed:
        raise _Unknown
    return word
