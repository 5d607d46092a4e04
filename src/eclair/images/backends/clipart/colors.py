"""Colours in OKLCH, where equal steps look equal (Björn Ottosson's Oklab); and pictures in another colour.

A picture that is to be blue keeps its light and shade: what has the hue that most of it has becomes blue, each part as
much lighter or darker than the whole as it was, and the rest stays: the leaf of a blue apple is green.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple


class Colour(NamedTuple):
    """Lightness 0 to 1, chroma 0 to about 0.3, hue in degrees."""

    light: float
    chroma: float
    hue: float


COLOURS: dict[str, Colour] = {
    "red": Colour(0.60, 0.23, 27),
    "orange": Colour(0.74, 0.18, 55),
    "yellow": Colour(0.87, 0.17, 95),
    "green": Colour(0.64, 0.18, 145),
    "blue": Colour(0.58, 0.19, 257),
    "violet": Colour(0.54, 0.20, 300),
    "pink": Colour(0.76, 0.15, 355),
    "brown": Colour(0.47, 0.09, 52),
    "black": Colour(0.27, 0.008, 270),
    "white": Colour(0.97, 0.004, 90),
    "grey": Colour(0.65, 0.008, 260),
    "turquoise": Colour(0.76, 0.13, 192),
    "gold": Colour(0.80, 0.15, 85),
    "silver": Colour(0.82, 0.012, 250),
}
"""The order is that of `colours` in `grammar.toml`."""

NEAR = 48.0
"""Degrees within which hues are one colour in its lights and shades."""
FAINT = 0.045
"""Below this chroma a colour is a grey."""
CHROMATIC = 0.22
"""The share from which on a hue, rather than grey or white, is a picture's own colour."""

_PAINT = re.compile(r"\b(fill|stroke|stop-color)=\"(#[0-9a-fA-F]{3,8})\"")


def oklch(colour: str) -> Colour:
    """Of `#rgb` or `#rrggbb`."""
    digits = colour[1:]
    if len(digits) in (3, 4):
        digits = "".join(2 * digit for digit in digits)
    r, g, b = (_linear(int(digits[i : i + 2], 16) / 255) for i in (0, 2, 4))
    l_ = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    m_ = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    s_ = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    light = 0.2104542553 * l_ + 0.7936177850 * m_ - 0.0040720468 * s_
    a = 1.9779984951 * l_ - 2.4285922050 * m_ + 0.4505937099 * s_
    b = 0.0259040371 * l_ + 0.7827717662 * m_ - 0.8086757660 * s_
    return Colour(light, math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360)


def srgb(colour: Colour) -> str:
    """As `#rrggbb`; with less chroma where the screen has no such colour."""
    light = min(1.0, max(0.0, colour.light))
    low, high = 0.0, max(0.0, colour.chroma)
    if _fits(_channels(light, high, colour.hue)):
        low = high
    for _ in range(0 if low == high else 12):
        middle = (low + high) / 2
        low, high = (middle, high) if _fits(_channels(light, middle, colour.hue)) else (low, middle)
    values = (round(255 * _gamma(min(1.0, max(0.0, each)))) for each in _channels(light, low, colour.hue))
    return "#" + "".join(f"{value:02x}" for value in values)


def mixed(first: str, second: str, share: float) -> str:
    """The first with so much of the second, in sRGB."""
    pairs = ((int(first[i : i + 2], 16), int(second[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def main_colour(colours: Sequence[tuple[str, float]]) -> tuple[Colour, bool]:
    """The colour that most of a picture has in its lights and shades, and whether it is one (else it is a grey)."""
    known = [(oklch(colour), share) for colour, share in colours]
    hued = [(colour, share) for colour, share in known if colour.chroma > FAINT]
    most, best = 0.0, hued
    for centre, _ in hued:
        group = [(colour, share) for colour, share in hued if apart(colour.hue, centre.hue) <= NEAR * 0.75]
        total = sum(share for _, share in group)
        if total > most:
            most, best = total, group
    grey = [(colour, share) for colour, share in known if colour.chroma <= FAINT and colour.light > 0.35]
    lively = most >= CHROMATIC or not grey
    chosen = best if lively else grey
    if not chosen:
        return Colour(0.5, 0.0, 0.0), False
    return _mean(chosen), lively


def recoloured(svg: str, colours: Sequence[tuple[str, float]], target: Colour) -> str:
    """The picture with its own colour exchanged for that one."""
    own, lively = main_colour(colours)
    spread = 0.55 if target.chroma < 0.02 else 0.8

    def exchanged(found: re.Match[str]) -> str:
        old = oklch(found[2])
        if not (_of_hue(old, own) if lively else old.chroma <= FAINT and old.light > 0.4):
            return found[0]
        light = target.light + (old.light - own.light) * spread
        ratio = old.chroma / own.chroma if lively and own.chroma > 0 else 1.0
        chroma = target.chroma * min(1.25, max(0.25, ratio))
        return f'{found[1]}="{srgb(Colour(min(0.98, max(0.1, light)), chroma, target.hue))}"'

    return _PAINT.sub(exchanged, svg)


def _of_hue(colour: Colour, own: Colour) -> bool:
    """Whether it is a light or a shade of the picture's own colour; dark browns and near greys are outlines."""
    if colour.chroma < 0.03 or (colour.light < 0.42 and colour.chroma < 0.07):
        return False
    return apart(colour.hue, own.hue) <= (NEAR if colour.chroma > 0.1 else NEAR * 1.2)


def apart(first: float, second: float) -> float:
    """Degrees between two hues."""
    return abs((first - second + 180) % 360 - 180)


def _mean(colours: Sequence[tuple[Colour, float]]) -> Colour:
    total = sum(share for _, share in colours)
    light = sum(colour.light * share for colour, share in colours) / total
    a = sum(colour.chroma * math.cos(math.radians(colour.hue)) * share for colour, share in colours) / total
    b = sum(colour.chroma * math.sin(math.radians(colour.hue)) * share for colour, share in colours) / total
    return Colour(light, math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360)


def _channels(light: float, chroma: float, hue: float) -> tuple[float, float, float]:
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    l3 = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    m3 = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s3 = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * l3 - 3.3077115913 * m3 + 0.2309699292 * s3,
        -1.2684380046 * l3 + 2.6097574011 * m3 - 0.3413193965 * s3,
        -0.0041960863 * l3 - 0.7034186147 * m3 + 1.7076147010 * s3,
    )


def _fits(channels: tuple[float, float, float]) -> bool:
    return all(-0.001 <= each <= 1.001 for each in channels)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _gamma(value: float) -> float:
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
