"""The accent color of a house: adjusted to light and dark, so that text in it and on it can be read (WCAG 2, AA)."""

from __future__ import annotations

import colorsys
import re
from dataclasses import dataclass
from typing import Final

MIN_CONTRAST: Final = 4.5
"""WCAG 2.2, 1.4.3 (AA), for text."""
LIGHT_GROUNDS: Final = ("#fcf9f4", "#ffffff", "#f5efe6", "#ebe1d3", "#e9dcca")
DARK_GROUNDS: Final = ("#1d1815", "#171310", "#27201c", "#2c241f", "#3a2f27")
"""Grounds of the page on which the accent color stands, as ui/src/styles/tokens.css has them."""
STEPS: Final = 200
STRONGER: Final = 0.06
_COLOR: Final = re.compile("#[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class AccentShade:
    """The accent color in a theme: as it is, stronger, and the color of text on it.

    `contrast` is the lowest with a ground of the theme.
    """

    color: str
    strong: str
    text: str
    contrast: float


@dataclass(frozen=True, slots=True)
class AccentShades:
    light: AccentShade
    dark: AccentShade


def check_color(text: str) -> str:
    """Return a color in its usual form. Raises ValueError."""
    color = text.strip().lower()
    if _COLOR.fullmatch(color) is None:
        raise ValueError(f"{text!r} is no color; write # and six digits, such as #834317")
    return color


def adjust_accent(color: str) -> AccentShades:
    """Return the shades of a color for both themes: as near to it as can be read on every ground."""
    return AccentShades(_shade(color, LIGHT_GROUNDS, -1), _shade(color, DARK_GROUNDS, 1))


def accent_style(color: str) -> str:
    """Return the style sheet that sets the accent color, unless a person asked for more contrast."""
    shades = adjust_accent(color)
    usual = ':root:not([data-contrast="more"])'
    dark = _rule(f'{usual}:not([data-theme="light"])', shades.dark)
    return (
        _rule(usual, shades.light)
        + f"@media (prefers-color-scheme: dark) {{\n{dark}}}\n"
        + _rule(f'{usual}[data-theme="dark"]', shades.dark)
    )


def _rule(selector: str, shade: AccentShade) -> str:
    return (
        f"{selector} {{\n"
        f"  --accent: {shade.color};\n  --accent-strong: {shade.strong};\n  --on-accent: {shade.text};\n"
        "}\n"
    )


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colors, from 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _shade(color: str, grounds: tuple[str, ...], direction: int) -> AccentShade:
    hue, lightness, saturation = colorsys.rgb_to_hls(*(part / 255 for part in _parts(color)))
    found = color
    for step in range(STEPS + 1):
        if step:
            found = _hex(hue, lightness + direction * step / STEPS, saturation)
        if min(contrast(found, ground) for ground in grounds) >= MIN_CONTRAST:
            break
    _, reached, _ = colorsys.rgb_to_hls(*(part / 255 for part in _parts(found)))
    strong = _hex(hue, reached + direction * STRONGER, saturation)
    text = max(("#ffffff", "#000000"), key=lambda each: min(contrast(each, found), contrast(each, strong)))
    return AccentShade(found, strong, text, round(min(contrast(found, ground) for ground in grounds), 2))


def _hex(hue: float, lightness: float, saturation: float) -> str:
    parts = colorsys.hls_to_rgb(hue, min(1.0, max(0.0, lightness)), saturation)
    return "#" + "".join(f"{round(part * 255):02x}" for part in parts)


def _parts(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _luminance(color: str) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in _fractions(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _fractions(color: str) -> list[float]:
    return [part / 255 for part in _parts(color)]
