"""Draws simple charts as SVG for code that has no matplotlib: bars, lines and shares."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterable, Sequence
from html import escape, unescape
from typing import Any

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 50, 60
COLORS = ("#2457c5", "#d9622b", "#1c8a6a", "#8a4fbf", "#b98900", "#c2376b", "#4d7f9c", "#6b6f78")
MAX_VALUES = 500
MAX_LABEL_CHARS = 24
MAX_SHOWN_LABELS = 16
MAX_TICKS = 6

_USES_MATPLOTLIB = re.compile(r"\bplt\.|\bpyplot\.")
_TITLE = re.compile(rb"<title>([^<]{1,300})</title>")

SaveFile = Callable[[str, str], None]
"""Keeps an SVG under a name, or one of its own."""


_KINDS = ("bar", "line", "pie")

PRELUDE = "\n".join(
    f"""
def {kind}_chart(labels, values=None, title="", name=""):
    if values is None:
        labels, values = labels.keys(), labels.values()
    _{kind}_chart(list(labels), list(values), str(title), str(name))
"""
    for kind in _KINDS
)
"""Code that a session begins with: what it calls is given plain lists."""


def chart_functions(save: SaveFile) -> dict[str, Callable[..., None]]:
    """Return the functions that the prelude calls; wrong values raise ValueError."""
    return {
        f"_{kind}_chart": _function(draw, save)
        for kind, draw in zip(_KINDS, (draw_bars, draw_line, draw_pie), strict=True)
    }


def _function(draw: Callable[[Sequence[str], Sequence[float], str], str], save: SaveFile) -> Callable[..., None]:
    def call(labels: Any, values: Any, title: Any, name: Any) -> None:
        save(draw(*_read(labels, values), str(title)), str(name))

    return call


def drop_matplotlib(code: str) -> str:
    """Return code without functions of these names that draw with matplotlib, which isn't there; lines keep places."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return code
    lines = code.splitlines()
    for node in tree.body:
        is_own = isinstance(node, ast.FunctionDef) and node.name.removesuffix("_chart") in _KINDS
        if is_own and any(map(_imports_matplotlib, ast.walk(node))):
            _blank(lines, node)
    if not _USES_MATPLOTLIB.search("\n".join(lines)):
        for node in filter(_imports_matplotlib, tree.body):
            _blank(lines, node)
    return "\n".join(lines)


def _blank(lines: list[str], node: ast.stmt) -> None:
    for at in range(node.lineno - 1, node.end_lineno or node.lineno):
        lines[at] = ""


def _imports_matplotlib(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(each.name.startswith("matplotlib") for each in node.names)
    return isinstance(node, ast.ImportFrom) and (node.module or "").startswith("matplotlib")


def describe_chart(svg: bytes) -> str:
    """Return the title of an SVG, for those who can't see it."""
    found = _TITLE.search(svg[:4096])
    return "" if found is None else " ".join(unescape(found[1].decode(errors="replace")).split())


def draw_bars(labels: Sequence[str], values: Sequence[float], title: str) -> str:
    """Draw a bar for each value, from zero. Raises ValueError if a label comes more than once."""
    _require_distinct(labels)
    scale = _Scale(min(0.0, *values), max(0.0, *values))
    step = (WIDTH - LEFT - RIGHT) / len(values)
    parts = [*scale.grid()]
    for at, (label, value) in enumerate(zip(labels, values, strict=True)):
        top, end = sorted((scale.y(value), scale.y(0.0)))
        left = LEFT + step * (at + 0.15)
        parts.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{step * 0.7:.1f}" height="{end - top:.1f}" fill="{COLORS[0]}">'
            f"<title>{escape(label)}: {_number(value)}</title></rect>"
        )
        if len(values) <= MAX_SHOWN_LABELS:
            parts.append(_text(left + step * 0.35, top - 6, _number(value), "middle"))
    return _svg(title, [*parts, *_labels(labels, [LEFT + step * (at + 0.5) for at in range(len(values))])])


def _require_distinct(labels: Sequence[str]) -> None:
    """Raise ValueError for rows that nobody has summed up: two bars of one name would mislead."""
    twice = next((label for at, label in enumerate(labels) if label in labels[:at]), None)
    if twice is not None:
        raise ValueError(
            f"the label {twice!r} comes more than once: add up the values of each label in a dict first, "
            "and chart that dict"
        )


def draw_line(labels: Sequence[str], values: Sequence[float], title: str) -> str:
    """Draw a line through the values."""
    scale = _Scale(min(values), max(values))
    step = (WIDTH - LEFT - RIGHT) / max(1, len(values) - 1)
    places = [LEFT + step * at for at in range(len(values))]
    points = " ".join(f"{x:.1f},{scale.y(value):.1f}" for x, value in zip(places, values, strict=True))
    parts = [f'<polyline points="{points}" fill="none" stroke="{COLORS[0]}" stroke-width="2.5"/>']
    for x, label, value in zip(places, labels, values, strict=True):
        parts.append(
            f'<circle cx="{x:.1f}" cy="{scale.y(value):.1f}" r="3.5" fill="{COLORS[0]}">'
            f"<title>{escape(label)}: {_number(value)}</title></circle>"
        )
    return _svg(title, [*scale.grid(), *parts, *_labels(labels, places)])


def draw_pie(labels: Sequence[str], values: Sequence[float], title: str) -> str:
    """Draw the values as shares of their sum.

    Raises ValueError for a negative value, if all are zero, and if a label comes more than once.
    """
    _require_distinct(labels)
    total = sum(values)
    if min(values) < 0 or total <= 0:
        raise ValueError("a pie chart needs values that are not negative, and one above zero")
    x, y, radius = 210.0, TOP + (HEIGHT - TOP) / 2 - 10, 145.0
    parts: list[str] = []
    angle = -math.pi / 2
    for at, (label, value) in enumerate(zip(labels, values, strict=True)):
        color, share = COLORS[at % len(COLORS)], value / total
        turn = min(2 * math.pi * share, 2 * math.pi - 1e-4)
        start = f"{x + radius * math.cos(angle):.2f} {y + radius * math.sin(angle):.2f}"
        end = f"{x + radius * math.cos(angle + turn):.2f} {y + radius * math.sin(angle + turn):.2f}"
        arc = f"A{radius} {radius} 0 {int(turn > math.pi)} 1 {end}"
        parts.append(f'<path d="M{x} {y}L{start}{arc}Z" fill="{color}" stroke="#fff"/>')
        if at < MAX_SHOWN_LABELS:
            line = TOP + 20 + 22 * at
            parts.append(f'<rect x="400" y="{line - 10}" width="12" height="12" fill="{color}"/>')
            parts.append(_text(420, line, f"{_short(label)}: {_number(value)} ({share:.0%})", "start"))
        angle += turn
    return _svg(title, parts)


class _Scale:
    """The axis of values, with round ticks."""

    def __init__(self, low: float, high: float) -> None:
        spread = (high - low) or abs(high) or 1.0
        raw = spread / (MAX_TICKS - 1)
        unit = 10.0 ** math.floor(math.log10(raw))
        self._step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= raw)
        self._low = math.floor(low / self._step) * self._step
        self._high = max(math.ceil(high / self._step), math.floor(low / self._step) + 1) * self._step

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (value - self._low) / (self._high - self._low) * (HEIGHT - TOP - BOTTOM)

    def grid(self) -> Iterable[str]:
        for at in range(round((self._high - self._low) / self._step) + 1):
            value = self._low + at * self._step
            y = self.y(value)
            color = "#767b85" if abs(value) < self._step / 1000 else "#e4e6ea"
            yield f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="{color}"/>'
            yield _text(LEFT - 8, y + 4, _number(value), "end")


def _read(labels: Any, values: Any) -> tuple[list[str], list[float]]:
    """Read labels and values. Raises ValueError."""
    names = [str(each) for each in labels]
    if any(isinstance(each, (list, tuple, dict)) for each in values):
        raise ValueError("each value of a chart is one number, and these are lists: add up each list with sum first")
    try:
        numbers = [float(each) for each in values]
    except (TypeError, ValueError):
        raise ValueError("the values of a chart are numbers") from None
    if not numbers or len(names) != len(numbers):
        raise ValueError(f"a chart needs as many labels as values, and got {len(names)} and {len(numbers)}")
    if len(numbers) > MAX_VALUES or not all(map(math.isfinite, numbers)):
        raise ValueError(f"a chart shows at most {MAX_VALUES} finite values")
    return names, numbers


def _svg(title: str, parts: Iterable[str]) -> str:
    head = escape(" ".join(title.split()))
    shown = f'<text x="{LEFT - 40}" y="30" font-size="18" font-weight="bold" fill="#1d2129">{head}</text>'
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
            f'height="{HEIGHT}" font-family="system-ui, sans-serif">',
            f"<title>{head or 'Chart'}</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
            shown,
            *parts,
            "</svg>\n",
        )
    )


def _labels(labels: Sequence[str], places: Sequence[float]) -> Iterable[str]:
    """Write the labels below the chart, all or every so many; long ones aslant."""
    every = math.ceil(len(labels) / MAX_SHOWN_LABELS)
    width = (WIDTH - LEFT - RIGHT) / max(1, len(labels)) * every
    is_aslant = max(map(len, map(_short, labels))) * 7 > width
    for label, x in [*zip(labels, places, strict=True)][::every]:
        y = HEIGHT - BOTTOM + 20
        turned = f' transform="rotate(-30 {x:.1f} {y})"' if is_aslant else ""
        yield _text(x, y, _short(label), "end" if is_aslant else "middle", turned)


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="13" fill="#4a4f59" text-anchor="{anchor}"{more}>'
        f"{escape(text)}</text>"
    )


def _short(label: str) -> str:
    return label if len(label) <= MAX_LABEL_CHARS else f"{label[: MAX_LABEL_CHARS - 1]}…"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:,.4g}"
