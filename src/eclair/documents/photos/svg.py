"""Renders SVG with resvg from the file alone; nothing else is opened."""

from __future__ import annotations

import io
import re
from typing import Any

import resvg_py
from lxml import etree as _untyped  # pyright: ignore
from PIL import Image

etree: Any = _untyped  # pyright: ignore[reportUnknownVariableType]

RENDERED_SIDE_PX = 2048
"""Longer side of the rendered picture."""

MAX_SVG_BYTES = 32 << 20

_LOCAL_REFERENCE = re.compile(r"\s*(?:#|data:image/(?:png|jpe?g|gif|webp)[;,])", re.IGNORECASE)
_NUMBER = re.compile(r"\s*+(\d++(?:\.\d*+)?|\.\d++)\s*+(?:px|pt|pc|mm|cm|in)?\s*+")


class UnreadableSvg(Exception):
    """The file is not an SVG, or has nothing to render."""


def render_svg(data: bytes, background: str | None = "#ffffff") -> Image.Image:
    """Return the picture on a background, transparent without one. Raises UnreadableSvg."""
    parser = etree.XMLParser(no_network=True, huge_tree=False, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableSvg(str(error)) from error
    if etree.QName(root).localname != "svg":
        raise UnreadableSvg("it is not an SVG")
    for element in root.iter(etree.Element):
        for name, value in [*element.attrib.items()]:
            if etree.QName(name).localname == "href" and not _LOCAL_REFERENCE.match(value):
                del element.attrib[name]
    wide, high = _sides(root)
    size = (RENDERED_SIDE_PX, None) if wide >= high else (None, RENDERED_SIDE_PX)
    svg: str = etree.tostring(root, encoding="unicode")
    try:
        png = resvg_py.svg_to_bytes(svg_string=svg, background=background, width=size[0], height=size[1])
    except ValueError as error:
        raise UnreadableSvg(str(error)) from error
    image = Image.open(io.BytesIO(png))
    image.load()
    return image if background is None else image.convert("RGB")


def _sides(root: Any) -> tuple[float, float]:
    """Return width and height, as far as they tell which is longer."""
    box = re.split(r"[\s,]+", root.get("viewBox", "").strip())
    if len(box) == 4 and all(map(_NUMBER.fullmatch, box[2:])):
        return float(box[2]), float(box[3])
    found = [_NUMBER.fullmatch(root.get(name, "")) for name in ("width", "height")]
    wide, high = (float(each[1]) if each else 1.0 for each in found)
    return wide, high
