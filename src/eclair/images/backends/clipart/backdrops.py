"""What is behind the things: sky and ground, as SVG. Each place is a function of the sheet."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from eclair.images.backends.clipart.colors import COLOURS, Colour, mixed, srgb
from eclair.images.backends.clipart.scene import Around, Place
from eclair.images.backends.clipart.skies import SKIES, fir, sky, stars, tufts
from eclair.images.backends.clipart.strokes import Ground, circle, ellipse, gradient, path, rect, rolling, stops_of


def backdrop(
    place: Place | None, around: Around, size: tuple[float, float], horizon: float, main: Colour, chance: random.Random,
    bare: bool,
) -> str:  # fmt: skip
    """The SVG of what is behind. `main` is the colour that stands out before it."""
    w, h = size
    ground = Ground(w, h, horizon * h, around.time or "day", chance, bare, around.weather == "snowing")
    if place is None:
        return _plain(ground, around, main)
    return _PLACES[place](ground)


def _meadow(g: Ground) -> str:
    far, mid, near = (
        g.grown("#a9dba0", "#2c4a63", "#a8806f"),
        g.grown("#86cb76", "#264a51", "#8a7a58"),
        g.grown("#67b85a", "#1d3d3f", "#6c6b45"),
    )
    out = sky(g) + rolling(g, g.y - 30, 34, 3, far) + rolling(g, g.y + 22, 24, 3, mid)
    out += f"<defs>{gradient('near', ((0, near), (1, mixed(near, '#0b2a1a', 0.28))))}</defs>"
    out += rolling(g, g.y + 0.09 * g.h, 16, 4, "url(#near)")
    return out if g.white else out + tufts(g, mixed(near, "#ffffff", 0.2))


def _sea(g: Ground) -> str:
    top, deep = g.tone("#5cc3e6", "#27407f", "#d98a8c"), g.tone("#1673b4", "#0d1a4d", "#5a4a8c")
    out = (
        sky(g)
        + f"<defs>{gradient('water', ((0, top), (1, deep)))}</defs>"
        + rect(0, g.y, g.w, g.h - g.y, "url(#water)")
    )
    return out + _ripples(g, g.y, g.h)


def _ripples(g: Ground, top: float, bottom: float) -> str:
    out, shine = "", g.tone("#ffffff", "#aebcf2", "#ffe0b0")
    for _ in range(int(40 * g.w / 1000)):
        y = top + (bottom - top) * g.chance.random() ** 1.4
        near = (y - top) / max(1, bottom - top)
        x, length = g.chance.uniform(0, g.w), 24 + 90 * near
        d = f"M{x:.1f} {y:.1f} q{length / 4:.1f} {-3 - 6 * near:.1f} {length / 2:.1f} 0 t{length / 2:.1f} 0"
        look = f'stroke="{shine}" stroke-width="{2 + 3.4 * near:.1f}" stroke-linecap="round"'
        out += path(d, "none", f'{look} opacity="{0.2 + 0.3 * near:.2f}"')
    return out


def waterline(g: Ground, y: float) -> str:
    """Water before the hulls, down to the lower edge."""
    front = g.tone("#2f93cb", "#16286a", "#7c5b96")
    return rolling(g, y, 9, 6, front, 'opacity="0.82"') + _ripples(g, y + 18, g.h)


def _beach(g: Ground) -> str:
    top, deep = g.tone("#4fb9e0", "#23397a", "#c77f92"), g.tone("#7fdbe0", "#36538f", "#f0a884")
    sand, dark = g.tone("#f7e3b0", "#5a5a80", "#dca77a"), g.tone("#e9c887", "#474a72", "#bd8261")
    shore = g.y + 0.14 * g.h
    out = sky(g) + f"<defs>{gradient('water', ((0, top), (1, deep)))}{gradient('sand', ((0, sand), (1, dark)))}</defs>"
    out += rect(0, g.y, g.w, g.h - g.y, "url(#water)") + _ripples(g, g.y, shore)
    state = g.chance.getstate()
    out += rolling(g, shore - 12, 12, 3, "#ffffff", 'opacity="0.75"')
    g.chance.setstate(state)
    out += rolling(g, shore + 4, 12, 3, "url(#sand)")
    for _ in range(int(60 * g.w / 1000)):
        x, y = g.chance.uniform(0, g.w), g.chance.uniform(shore + 50, g.h)
        out += circle(x, y, g.chance.uniform(1.5, 3.5), mixed(dark, "#5b4020", 0.25), 0.5)
    return out


def _desert(g: Ground) -> str:
    tones = (
        g.tone("#f3cf91", "#4c4a78", "#e09468"),
        g.tone("#eaba70", "#3f3d6b", "#c8744f"),
        g.tone("#dda455", "#33325c", "#a85a42"),
    )
    out = sky(g, clouds=False) + rolling(g, g.y - 36, 46, 2, tones[0]) + rolling(g, g.y + 30, 30, 2, tones[1])
    out += f"<defs>{gradient('near', ((0, tones[2]), (1, mixed(tones[1], '#ffffff', 0.12))))}</defs>"
    return out + rolling(g, g.y + 0.1 * g.h, 20, 3, "url(#near)")


def _snow(g: Ground) -> str:
    far, near = g.tone("#dcecf7", "#5a6ca8", "#e7bccb"), g.tone("#ffffff", "#93a4d6", "#fbe3e4")
    out = sky(g) + rolling(g, g.y - 40, 40, 3, mixed(far, "#7fa3c8", 0.25))
    out += "".join(fir(g, g.chance.uniform(0, g.w), g.y + 10, g.chance.uniform(70, 150), True) for _ in range(7))
    out += rolling(g, g.y + 14, 22, 3, far)
    out += f"<defs>{gradient('near', ((0, near), (1, mixed(near, '#9fbfe0', 0.45))))}</defs>"
    return out + rolling(g, g.y + 0.1 * g.h, 16, 3, "url(#near)")


def _forest(g: Ground) -> str:
    out = sky(g, clouds=False)
    rows = (
        (g.tone("#b5dcc4", "#33497a", "#c79a92"), -10, 0.8, 12),
        (g.tone("#7dbd95", "#26406a", "#976f72"), 12, 0.62, 11),
        (g.tone("#4a9470", "#1a3050", "#66505a"), 36, 0.42, 12),
    )
    for colour, down, tall, count in rows:
        for n in range(int(count * g.w / 1000) + 1):
            x = (n + g.chance.uniform(0.1, 0.9)) * g.w / (count * g.w / 1000)
            s = tall * g.h * 0.72 * g.chance.uniform(0.7, 1.1)
            out += fir(g, x, g.y + down + 8, s, g.white, colour)
        out += rolling(
            g, g.y + down, 10, 4, mixed(colour, g.grown("#5f9b4f", "#16243f", "#574335"), 0.7 if g.white else 0.4)
        )
    near = g.grown("#5d9e4c", "#17303a", "#5a4f38")
    out += f"<defs>{gradient('near', ((0, near), (1, mixed(near, '#0a2415', 0.35))))}</defs>"
    out += rolling(g, g.y + 0.09 * g.h, 14, 4, "url(#near)")
    return out if g.white else out + tufts(g, mixed(near, "#ffffff", 0.16))


def _city(g: Ground) -> str:
    out = sky(g)
    rows = (
        (g.tone("#b7cfe4", "#27305f", "#b06f8e"), 0.46, 64.0),
        (g.tone("#8fb0cf", "#1b2350", "#7d4f7d"), 0.33, 86.0),
    )
    for n, (colour, tall, wide) in enumerate(rows):
        x = -20.0
        while x < g.w:
            w, t = wide * g.chance.uniform(0.8, 1.5), g.h * tall * g.chance.uniform(0.55, 1.15)
            out += rect(x, g.y - t, w, t + 20, colour) + _windows(g, x, g.y - t, w, t, colour, n)
            x += w + g.chance.uniform(-6, 12)
    pavement, road = g.tone("#c9ced8", "#3d4370", "#a88b9c"), g.tone("#6d7686", "#23284a", "#5f4f6b")
    out += rect(0, g.y, g.w, 0.07 * g.h, pavement) + rect(0, g.y + 0.07 * g.h, g.w, g.h, road)
    line, y = g.tone("#f4f4ee", "#9aa3c9", "#f3d9bd"), g.y + 0.205 * g.h
    return out + "".join(rect(x, y, 90, 10, line, 'rx="5" opacity="0.85"') for x in range(-30, int(g.w), 170))


def _windows(g: Ground, x: float, y: float, w: float, t: float, wall: str, row: int) -> str:
    out, lit = "", g.tone("#e8f3fb", "#ffd873", "#ffdf9a")
    for i in range(int(w / 22)):
        for j in range(int(t / 30)):
            if g.chance.random() < (0.55 if g.night else 0.7):
                shine = lit if g.chance.random() < 0.75 else mixed(wall, "#ffffff", 0.2)
                out += rect(x + 9 + 22 * i, y + 14 + 30 * j, 9, 14, shine, f'opacity="{0.5 + 0.25 * row}"')
    return out


def _mountains(g: Ground) -> str:
    out = sky(g)
    for colour, tall, count, down in (
        (g.tone("#9fb9d8", "#36447f", "#a9709a"), 0.42, 3, -10),
        (g.tone("#7897bd", "#2a3569", "#80537f"), 0.3, 4, 16),
    ):
        for n in range(count):
            x = (n + g.chance.uniform(0.25, 0.75)) * g.w / count
            t, half = g.h * tall * g.chance.uniform(0.8, 1.1), g.w / count * g.chance.uniform(0.75, 0.95)
            out += _peak(x, g.y + down, half, t, colour, g.tone("#ffffff", "#b9c6ee", "#ffe3d8"))
    near = g.grown("#77be66", "#1f4046", "#7a7550")
    out += rolling(g, g.y + 4, 20, 3, mixed(near, "#ffffff", 0.18))
    out += f"<defs>{gradient('near', ((0, near), (1, mixed(near, '#0b2a1a', 0.3))))}</defs>"
    out += rolling(g, g.y + 0.08 * g.h, 16, 4, "url(#near)")
    return out if g.white else out + tufts(g, mixed(near, "#ffffff", 0.2))


def _peak(x: float, y: float, half: float, tall: float, colour: str, cap: str) -> str:
    top, dark = y - tall, mixed(colour, "#1b2550", 0.16)
    out = path(f"M{x - half:.1f} {y + 40:.1f} L{x:.1f} {top:.1f} L{x + half:.1f} {y + 40:.1f}Z", colour)
    out += path(f"M{x:.1f} {top:.1f} L{x + half:.1f} {y + 40:.1f} L{x + half * 0.12:.1f} {y + 40:.1f}Z", dark)
    s, k = tall * 0.3, half / (tall + 40)
    d = f"M{x:.1f} {top:.1f} L{x + s * k:.1f} {top + s:.1f} l{-s * k * 0.55:.1f} {-s * 0.22:.1f}"
    d += f" l{-s * k * 0.45:.1f} {s * 0.3:.1f}"
    return out + path(f"{d} l{-s * k * 0.45:.1f} {-s * 0.3:.1f} L{x - s * k:.1f} {top + s:.1f}Z", cap)


def _space(g: Ground) -> str:
    stops = ((0, "#0a0a2c"), (0.5, "#1b1450"), (1, "#3a1d6b"))
    clouds = "".join(
        f'<radialGradient id="n{n}"><stop offset="0" stop-color="{c}" stop-opacity=".5"/>'
        f'<stop offset="1" stop-color="{c}" stop-opacity="0"/></radialGradient>'
        for n, c in enumerate(("#7d4bd8", "#2f7fd0", "#d2559f"))
    )
    out = f"<defs>{gradient('sky', stops)}{clouds}</defs>" + rect(0, 0, g.w, g.h, "url(#sky)")
    for n in range(3):
        x, y = g.chance.uniform(0, g.w), g.chance.uniform(0, g.h)
        out += f'<ellipse cx="{x:.0f}" cy="{y:.0f}" rx="{0.45 * g.w:.0f}" ry="{0.28 * g.h:.0f}" fill="url(#n{n})"/>'
    return out + stars(g, g.h * 1.3, 80)


def _moonland(g: Ground) -> str:
    out = _space(g) + _earth(g)
    for colour, y, swing in (("#8e93ab", -14, 22), ("#b9bccb", 0.07 * g.h, 14)):
        out += rolling(g, g.y + y, swing, 3, colour)
    for _ in range(int(9 * g.w / 1000)):
        x, y = g.chance.uniform(0, g.w), g.chance.uniform(g.y + 0.12 * g.h, g.h)
        r = 18 + 50 * (y - g.y) / g.h * g.chance.uniform(0.7, 1.5)
        out += ellipse(x, y, r * 1.7, r * 0.5, "#8d91a6") + ellipse(x, y + r * 0.1, r * 1.5, r * 0.4, "#a3a7ba")
    return out


def _earth(g: Ground) -> str:
    x, y, r = g.w * g.chance.choice((0.2, 0.8)), 0.2 * g.h, 76.0
    out = circle(x, y, r * 1.25, "#7fc8ff", 0.12) + circle(x, y, r, "#3d8fe0")
    land = ((-0.35, -0.3, 0.36, 0.24), (0.3, 0.1, 0.3, 0.36), (-0.25, 0.45, 0.26, 0.2), (0.3, -0.55, 0.24, 0.16))
    return out + "".join(ellipse(x + a * r, y + b * r, c * r, d * r, "#69bf6e") for a, b, c, d in land)


def _underwater(g: Ground) -> str:
    stops = ((0, g.tone("#7be0ea", "#1f4f8f")), (0.55, g.tone("#1f93c9", "#123068")), (1, g.tone("#0d4f8f", "#0a1c45")))
    out = f"<defs>{gradient('sky', stops)}</defs>" + rect(0, 0, g.w, g.h, "url(#sky)")
    for _ in range(4):
        x, w = g.chance.uniform(0, g.w), g.chance.uniform(60, 150)
        out += path(
            f"M{x:.0f} -10 L{x + w:.0f} -10 L{x + w * 2.2 - 200:.0f} {g.h * 0.85:.0f} L{x - 200:.0f} {g.h * 0.85:.0f}Z",
            "#ffffff", 'opacity="0.07"',
        )  # fmt: skip
    sand = g.tone("#ecd9a0", "#55628c")
    out += rolling(g, 0.86 * g.h, 18, 3, mixed(sand, "#1f6fa5", 0.45)) + _weeds(g)
    out += rolling(g, 0.91 * g.h, 14, 3, sand)
    for _ in range(22):
        x, y, r = g.chance.uniform(0, g.w), g.chance.uniform(0.08, 0.85) * g.h, g.chance.uniform(4, 15)
        out += circle(x, y, r, "#ffffff", 0.16) + circle(x - r * 0.3, y - r * 0.3, r * 0.3, "#ffffff", 0.5)
    return out


def _weeds(g: Ground) -> str:
    out = ""
    for _ in range(int(8 * g.w / 1000)):
        x, y = g.chance.choice((g.chance.uniform(0, 0.28), g.chance.uniform(0.72, 1))) * g.w, 0.95 * g.h
        s, colour = g.chance.uniform(110, 240), g.chance.choice(("#2f9a76", "#1f7f6a", "#57b07a", "#d9648a"))
        d = f"M{x:.1f} {y:.1f} q{s * 0.2:.1f} {-s * 0.25:.1f} 0 {-s * 0.5:.1f} t0 {-s * 0.5:.1f}"
        out += f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{s * 0.09:.1f}" stroke-linecap="round"/>'
    return out


def _room(g: Ground) -> str:
    hue = g.chance.choice((95, 200, 20, 150))
    wall = srgb(Colour(0.93, 0.035, hue)) if not g.night else "#4d4f7c"
    stripe, floor = mixed(wall, "#ffffff", 0.35), g.tone("#d4a373", "#4a3b55", "#c48a62")
    out = rect(0, 0, g.w, g.h, wall)
    out += "".join(rect(x, 0, 42, g.y, stripe, 'opacity="0.5"') for x in range(20, int(g.w), 120))
    x, y, w, t = g.w * 0.5 - 150, 0.1 * g.h, 300.0, 0.3 * g.h
    glass = f"<defs>{gradient('glass', SKIES[g.time])}</defs>" + rect(x, y, w, t, "url(#glass)")
    out += rect(x - 16, y - 16, w + 32, t + 32, "#ffffff", 'rx="8"') + glass
    out += rect(x + w / 2 - 6, y, 12, t, "#ffffff") + rect(x, y + t / 2 - 6, w, 12, "#ffffff")
    out += rect(x - 30, y + t + 14, w + 60, 18, mixed("#ffffff", wall, 0.4), 'rx="6"')
    out += rect(0, g.y, g.w, g.h, floor) + rect(0, g.y - 20, g.w, 24, "#ffffff", 'opacity="0.85"')
    for n in range(1, 5):
        out += rect(0, g.y + (g.h - g.y) * (n / 5) ** 1.3, g.w, 4, mixed(floor, "#5b3a1e", 0.3), 'opacity="0.5"')
    return out + ellipse(g.w / 2, 0.88 * g.h, 0.42 * g.w, 0.085 * g.h, srgb(Colour(0.72, 0.1, (hue + 160) % 360)), 0.75)


def _table(g: Ground) -> str:
    hue = g.chance.choice((230, 95, 20, 160))
    wall = srgb(Colour(0.92, 0.04, hue)) if not g.night else "#434673"
    wood, edge = g.tone("#c98f5a", "#5a4258", "#b87a4f"), g.tone("#a56f3f", "#432f48", "#8f5a3a")
    out = rect(0, 0, g.w, g.h, wall) + circle(g.w / 2, g.y * 0.75, 0.42 * min(g.w, g.h), mixed(wall, "#ffffff", 0.45))
    out += f"<defs>{gradient('wood', ((0, mixed(wood, '#ffffff', 0.2)), (1, wood)))}</defs>"
    out += rect(0, g.y, g.w, g.h, "url(#wood)") + rect(0, 0.93 * g.h, g.w, 0.07 * g.h, edge)
    for _ in range(9):
        x, y = g.chance.uniform(-0.1, 0.9) * g.w, g.chance.uniform(g.y + 14, 0.91 * g.h)
        out += rect(x, y, g.chance.uniform(120, 340), 3, edge, 'rx="1.5" opacity="0.35"')
    return out


def _plain(g: Ground, around: Around, main: Colour) -> str:
    """A plain sheet in a colour that lets the main thing stand out, lighter in the middle."""
    if around.colour:
        own = COLOURS[around.colour]
        base = Colour(own.light, own.chroma * 0.85, own.hue)
    else:
        hue = (
            (main.hue + g.chance.choice((150, 180, 205))) % 360
            if main.chroma > 0.03
            else g.chance.choice((230, 85, 340))
        )
        base = Colour(0.91, 0.05, hue)
    if around.time == "night":
        base = Colour(0.35, 0.07, 275)
    light = srgb(Colour(min(0.985, base.light + 0.07), base.chroma * 0.8, base.hue))
    dark = srgb(Colour(base.light - 0.05, base.chroma * 1.1, base.hue))
    blob = srgb(Colour(min(0.99, base.light + (0.045 if base.light < 0.9 else 0.055)), base.chroma * 0.75, base.hue))
    stops = stops_of(((0, light), (1, dark)))
    out = f'<defs><radialGradient id="sheet" cx=".5" cy=".42" r=".75">{stops}</radialGradient></defs>'
    out += rect(0, 0, g.w, g.h, "url(#sheet)")
    kind, r = g.chance.randrange(3), 0.4 * min(g.w, g.h)
    if kind == 0:
        return out + circle(g.w / 2, g.h * 0.5, r, blob, 0.8)
    if kind == 1:
        return out + _blob(g, r * 1.02, blob)
    return out


def _blob(g: Ground, r: float, colour: str) -> str:
    points = [
        (g.w / 2 + r * k * math.cos(t), g.h / 2 + r * k * math.sin(t))
        for t, k in ((n * math.pi / 4, g.chance.uniform(0.86, 1.1)) for n in range(8))
    ]
    d, count = "", len(points)
    for n, (x, y) in enumerate(points):
        (px, py), (nx, ny), (mx, my) = points[n - 1], points[(n + 1) % count], points[(n + 2) % count]
        d += f"M{x:.1f} {y:.1f}" if n == 0 else ""
        d += f" C{x + (nx - px) / 5:.1f} {y + (ny - py) / 5:.1f}"
        d += f" {nx - (mx - x) / 5:.1f} {ny - (my - y) / 5:.1f} {nx:.1f} {ny:.1f}"
    return path(d + "Z", colour, 'opacity="0.8"')


_PLACES: dict[Place, Callable[[Ground], str]] = {
    "meadow": _meadow,
    "sea": _sea,
    "beach": _beach,
    "desert": _desert,
    "snow": _snow,
    "forest": _forest,
    "city": _city,
    "mountains": _mountains,
    "space": _space,
    "moon": _moonland,
    "underwater": _underwater,
    "room": _room,
    "table": _table,
}
