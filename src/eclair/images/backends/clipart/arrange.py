"""Lay scenes out as SVG: rows of pictures in lines, as large as possible."""

from __future__ import annotations

import re
from itertools import groupby

from eclair.images.backends.clipart.book import book
from eclair.images.backends.clipart.scene import ClipArtScene

GROUNDS = ("#fdf3e3", "#e8f3fb", "#eaf6ea", "#f6ecf7", "#fff6d6", "#eef0f4")
MARGIN, PICTURE = 0.06, 0.86  # parts of the shorter side, and of a cell

_ID = re.compile(r'\bid="([^"]+)"')


def to_svg(scene: ClipArtScene, width: int, height: int, seed: int) -> str:
    """The drawing; the seed chooses the color of its ground."""
    by_row = sorted(scene.items, key=lambda item: -item.row)
    rows = [[item for item in row for _ in range(item.count)] for _, row in groupby(by_row, lambda item: item.row)]
    margin = 2 * MARGIN * min(width, height)
    cell, across = max(
        (min((width - margin) / n, (height - margin) / sum(-(-len(row) // n) for row in rows)), n)
        for n in range(1, max(map(len, rows)) + 1)
    )
    lines = [row[at : at + across] for row in rows for at in range(0, len(row), across)]
    largest = max(item.size for item in scene.items)
    symbols, uses = dict[tuple[int, str | None], str](), ""
    for number, line in enumerate(lines):
        for place, item in enumerate(line):
            name = symbols.setdefault((item.picture, item.color), f"p{len(symbols)}")
            side = cell * PICTURE * item.size / largest
            x = (width - cell * len(line) - side) / 2 + cell * (place + 0.5)
            y = (height - cell * len(lines)) / 2 + cell * (number + (1 + PICTURE) / 2) - side
            uses += f'<use xlink:href="#{name}" x="{x:.2f}" y="{y:.2f}" width="{side:.2f}" height="{side:.2f}"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width} {height}"><rect width="100%" height="100%" fill="{GROUNDS[seed % len(GROUNDS)]}"/>'
        f"<defs>{''.join(_symbol(name, *each) for each, name in symbols.items())}</defs>{uses}</svg>"
    )


def _symbol(name: str, picture: int, color: str | None) -> str:
    """A picture, with ids that no other has."""
    svg = book().svg(picture, color)
    for own in set(_ID.findall(svg)):
        svg = re.sub(rf'(id="|url\(#|href="#){re.escape(own)}(?=["\)])', rf"\g<1>{name}-{own}", svg)
    return f'<symbol id="{name}" viewBox="0 0 128 128">{svg}</symbol>'
