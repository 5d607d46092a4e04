"""The process in which one drawing is rendered: bounded, without a network, and gone afterwards.

Standard input has a line of JSON with the width, the height and the file of the lettering's font, then the SVG;
standard output gets the PNG.
"""

from __future__ import annotations

import sys

import orjson
import resvg_py

from eclair.sandbox.worker import enter

MEMORY = 2 << 30
SECONDS = 60


def main() -> None:
    out = enter(MEMORY, SECONDS)
    order = orjson.loads(sys.stdin.buffer.readline())
    svg = sys.stdin.buffer.read().decode()
    png = resvg_py.svg_to_bytes(
        svg_string=svg,
        width=order["width"],
        height=order["height"],
        skip_system_fonts=True,
        font_files=[order["font"]] if order["font"] else None,
        font_family="Comfortaa",
    )
    out.write(png)
    out.flush()
