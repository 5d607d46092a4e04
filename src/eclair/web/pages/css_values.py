"""Reads CSS values: colors, lengths, and the contrast of two colors."""

from __future__ import annotations

import colorsys
import re
from functools import lru_cache

from eclair.web.pages.style_rules import SCREEN_WIDTH_PX

Color = tuple[int, int, int]
"""Red, green and blue, from 0 to 255."""

WHITE: Color = (255, 255, 255)
BLACK: Color = (0, 0, 0)

MIN_CONTRAST = 1.2
"""Below this ratio (WCAG 2) nobody tells text from its ground, if the hues are alike too."""

MAX_HUE_DISTANCE = 64
"""The same for the largest difference of a channel."""

MIN_ALPHA = 0.1

_NAMED: dict[str, Color] = {
    "white": WHITE,
    "black": BLACK,
    "snow": (255, 250, 250),
    "ivory": (255, 255, 240),
    "ghostwhite": (248, 248, 255),
    "floralwhite": (255, 250, 240),
    "whitesmoke": (245, 245, 245),
    "azure": (240, 255, 255),
    "mintcream": (245, 255, 250),
    "aliceblue": (240, 248, 255),
    "seashell": (255, 245, 238),
    "lavenderblush": (255, 240, 245),
    "gainsboro": (220, 220, 220),
    "lightgray": (211, 211, 211),
    "lightgrey": (211, 211, 211),
    "silver": (192, 192, 192),
    "darkgray": (169, 169, 169),
    "gray": (128, 128, 128),
    "grey": (128, 128, 128),
    "red": (255, 0, 0),
    "maroon": (128, 0, 0),
    "yellow": (255, 255, 0),
    "orange": (255, 165, 0),
    "olive": (128, 128, 0),
    "lime": (0, 255, 0),
    "green": (0, 128, 0),
    "aqua": (0, 255, 255),
    "cyan": (0, 255, 255),
    "teal": (0, 128, 128),
    "blue": (0, 0, 255),
    "navy": (0, 0, 128),
    "fuchsia": (255, 0, 255),
    "magenta": (255, 0, 255),
    "purple": (128, 0, 128),
    "pink": (255, 192, 203),
    "brown": (165, 42, 42),
}
_HEX = re.compile(r"#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})\b")
_FUNCTION = re.compile(r"(rgb|hsl)a?\(([^()]*)\)")
_LENGTH = re.compile(
    r"(?<![\w.])([+-]?(?:\d++\.?\d*+|\.\d++))(px|pt|em|rem|ex|ch|vw|vh|vmin|vmax|%|cm|mm|in|pc)?(?![\w.])"
)
_UNITS = {"px": 1.0, "pt": 4 / 3, "rem": 16.0, "vw": SCREEN_WIDTH_PX / 100, "cm": 37.8, "mm": 3.78, "in": 96.0}
_OTHER_UNITS = {"pc": 16.0, "vh": 7.2, "vmin": 7.2, "vmax": SCREEN_WIDTH_PX / 100, "": 1.0}


@lru_cache(maxsize=1024)
def parse_color(value: str) -> Color | str | None:
    """Return a color; `transparent` for one that can't be seen through to, None for an unknown value."""
    if re.search(r"\btransparent\b", value):
        return "transparent"
    if found := _HEX.search(value):
        digits = found[1] if len(found[1]) > 4 else "".join(digit * 2 for digit in found[1])
        if len(digits) == 8 and int(digits[6:], 16) / 255 < MIN_ALPHA:
            return "transparent"
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)
    if found := _FUNCTION.search(value):
        return _parse_function(found[1], re.findall(r"-?[\d.]+%?", found[2]))
    return next((_NAMED[word] for word in re.findall(r"[a-z]+", value) if word in _NAMED), None)


def _parse_function(name: str, arguments: list[str]) -> Color | str | None:
    try:
        shares = [float(each.rstrip("%")) / (100 if each.endswith("%") else 1) for each in arguments]
        if len(shares) > 3 and shares[3] < MIN_ALPHA:
            return "transparent"
        if name == "hsl":
            red, green, blue = colorsys.hls_to_rgb(shares[0] / 360 % 1, shares[2], shares[1])
            return round(red * 255), round(green * 255), round(blue * 255)
        channels = [each * 255 if said.endswith("%") else each for each, said in zip(shares, arguments, strict=True)]
        return round(channels[0]), round(channels[1]), round(channels[2])
    except (ValueError, IndexError):
        return None


@lru_cache(maxsize=1024)
def is_camouflaged(text: Color, ground: Color) -> bool:
    """Return whether text of a color can't be told from its ground."""
    light, dark = sorted((_luminance(text), _luminance(ground)), reverse=True)
    distance = max(abs(one - other) for one, other in zip(text, ground, strict=True))
    return (light + 0.05) / (dark + 0.05) < MIN_CONTRAST and distance < MAX_HUE_DISTANCE


def _luminance(color: Color) -> float:
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in (channel / 255 for channel in color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def parse_lengths(value: str, em: float, percent: float) -> list[float]:
    """Return the lengths in a value in pixels; `em` is the size of the font, `percent` one percent of what is meant."""
    units = _UNITS | _OTHER_UNITS | {"em": em, "ex": em / 2, "ch": em / 2, "%": percent}
    return [float(number) * units[unit] for number, unit in _LENGTH.findall(value)]


def parse_number(value: str) -> float | None:
    """Return a number or percentage, such as an opacity."""
    try:
        return float(value.rstrip("%")) / (100 if value.endswith("%") else 1)
    except ValueError:
        return None
