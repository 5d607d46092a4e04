"""What many places have: a sky with its lights and clouds, grass, firs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from eclair.images.backends.clipart.colors import mixed
from eclair.images.backends.clipart.scene import Time
from eclair.images.backends.clipart.strokes import Ground, circle, gradient, path, rect

SKIES: dict[Time, Sequence[tuple[float, str]]] = {
    "day": ((0, "#69bff5"), (0.6, "#b4e2fb"), (1, "#eaf7fd")),
    "night": ((0, "#0c1238"), (0.55, "#1f2c66"), (1, "#46569c")),
    "sunset": ((0, "#4a3f8f"), (0.38, "#c65c8c"), (0.72, "#fb9a62"), (1, "#ffd98a")),
}


def sky(g: Ground, *, clouds: bool = True, light: bool = True) -> str:
    """With stars and a moon, or clouds and a sun."""
    out = f"<defs>{gradient('sky', SKIES[g.time])}</defs>" + rect(0, 0, g.w, max(g.y + 60, 0.3 * g.h), "url(#sky)")
    if g.night:
        out += stars(g, g.y, 70) + ("" if g.bare or not light else _moon(g))
        return out
    left = g.chance.random() < 0.5
    if light and not g.bare:
        out += _sun(g, left)
    return out + (_clouds(g, left) if clouds and not g.bare else "")


def stars(g: Ground, bottom: float, count: int) -> str:
    out = ""
    for _ in range(int(count * g.w * bottom / 6e5) + 14):
        x, y = g.chance.uniform(0, g.w), g.chance.uniform(0, bottom) * g.chance.uniform(0.5, 1)
        out += circle(x, y, g.chance.choice((1.4, 1.8, 2.2, 3.2)), "#fff8dc", g.chance.uniform(0.45, 1))
    return out


def _moon(g: Ground) -> str:
    x, y, r = g.w * g.chance.choice((0.17, 0.83)), g.h * 0.16, 58.0
    out = circle(x, y, r * 2.1, "#dfe6ff", 0.08) + circle(x, y, r * 1.5, "#dfe6ff", 0.12) + circle(x, y, r, "#f6efd2")
    craters = ((-0.3, -0.2, 0.2), (0.25, 0.3, 0.26), (0.3, -0.35, 0.13), (-0.3, 0.42, 0.12))
    return out + "".join(circle(x + a * r, y + b * r, c * r, "#ddd3ae", 0.8) for a, b, c in craters)


def _sun(g: Ground, left: bool) -> str:
    if g.time == "sunset":
        x, y = g.w * g.chance.uniform(0.35, 0.65), g.y - 0.03 * g.h
        rings = ((250, 0.10), (180, 0.14), (125, 0.2))
        return "".join(circle(x, y, r, "#fff0b8", o) for r, o in rings) + circle(x, y, 92, "#fff3c9")
    x, y = g.w * (0.13 if left else 0.87), 0.13 * g.h
    return circle(x, y, 150, "#fff6cf", 0.25) + circle(x, y, 105, "#fff3bd", 0.4) + circle(x, y, 66, "#ffe27a")


def _clouds(g: Ground, left: bool) -> str:
    """Two or three beside the sun, apart from each other."""
    count, out = g.chance.randint(2, 3), ""
    for n in range(count):
        x = 0.28 + 0.72 * (n + 0.5 + g.chance.uniform(-0.25, 0.25)) / count
        out += _cloud(g, g.w * (x if left else 1 - x))
    return out


def _cloud(g: Ground, x: float) -> str:
    y, s = g.chance.uniform(0.08, 0.3) * g.h, g.chance.uniform(0.6, 1.1)
    fill, opacity = g.tone("#ffffff", "#8b97cf", "#ffd2c2"), 0.85 if g.time == "day" else 0.5
    puffs = ((-78, 12, 38), (-30, -14, 54), (34, -24, 62), (88, 6, 44))
    shape = "".join(f'<circle cx="{x + a * s:.1f}" cy="{y + b * s:.1f}" r="{r * s:.1f}"/>' for a, b, r in puffs)
    floor = rect(x - 78 * s, y, 166 * s, 50 * s, fill, f'rx="{20 * s:.1f}"')
    return f'<g fill="{fill}" opacity="{opacity}">{shape}{floor}</g>'


def tufts(g: Ground, colour: str) -> str:
    """Grass, and some small flowers by day."""
    out, top = "", g.y + 0.13 * g.h
    for _ in range(int(26 * g.w / 1000)):
        x, y = g.chance.uniform(0, g.w), g.chance.uniform(top, g.h)
        s = 6 + 12 * (y - top) / max(1, g.h - top)
        d = f"M{x - s:.1f} {y:.1f} q{s * 0.2:.1f} {-s:.1f} {-s * 0.1:.1f} {-s * 1.4:.1f}"
        d += f" M{x:.1f} {y:.1f} v{-s * 1.9:.1f}"
        d += f" M{x + s:.1f} {y:.1f} q{-s * 0.2:.1f} {-s:.1f} {s * 0.1:.1f} {-s * 1.4:.1f}"
        out += f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{s / 3.2:.1f}" stroke-linecap="round"/>'
        if g.time == "day" and g.chance.random() < 0.5:
            a, b = x + g.chance.uniform(-50, 50), y + g.chance.uniform(-12, 12)
            petal = g.chance.choice(("#ffffff", "#fff2a8", "#f9c7dd"))
            out += "".join(
                circle(a + s * 0.45 * math.cos(t), b + s * 0.3 * math.sin(t), s * 0.3, petal)
                for t in (0, 1.6, 3.1, 4.7)
            ) + circle(a, b, s * 0.24, "#f5b93a")
    return out


def fir(g: Ground, x: float, y: float, s: float, snowy: bool = False, colour: str = "") -> str:
    green = colour or g.tone("#4d8f78", "#20355c", "#7a5d72")
    out = rect(x - s * 0.05, y - s * 0.12, s * 0.1, s * 0.14, mixed(green, "#3b2414", 0.6))
    for n in range(3):
        half, top = s * (0.34 - 0.075 * n), y - s * (0.1 + 0.27 * n)
        out += path(f"M{x - half:.1f} {top:.1f} L{x + half:.1f} {top:.1f} L{x:.1f} {top - s * 0.42:.1f}Z", green)
    if snowy:
        tip = y - s * 1.06
        out += path(
            f"M{x - s * 0.1:.1f} {tip + s * 0.22:.1f} L{x + s * 0.1:.1f} {tip + s * 0.22:.1f} L{x:.1f} {tip:.1f}Z",
            "#f4f9ff",
        )
    return out
