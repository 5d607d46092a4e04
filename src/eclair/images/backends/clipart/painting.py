"""The sheet as SVG: the backdrop, the pictures in their colours with their shadows, weather, lettering.

What comes from the prompt is text alone, and escaped; everything else is ours.
"""

from __future__ import annotations

import re
from html import escape

from eclair.images.backends.clipart import backdrops
from eclair.images.backends.clipart.blocks import Placed
from eclair.images.backends.clipart.book import UNIT, book
from eclair.images.backends.clipart.colors import COLOURS, Colour, main_colour, recoloured
from eclair.images.backends.clipart.composing import Sheet
from eclair.images.backends.clipart.scene import Scene, chance_of
from eclair.images.backends.clipart.strokes import Ground, circle, path, rect

LIGHTS = "🔥💡🕯⭐🌟✨🌙🌛🌕🎆🎇☄🪐💫🌠🎃🏮☀🌞"

_ID = re.compile(r'\bid="([^"]+)"')
_CONFETTI = ("#f25f5c", "#ffd166", "#06b6a4", "#5b8def", "#c77dff", "#ff8fab")


def painted(scene: Scene, sheet: Sheet, seed: int) -> str:
    """The SVG."""
    chance = chance_of(seed, "paint")
    own = _bare(scene)
    ground = Ground(sheet.width, sheet.height, sheet.horizon * sheet.height, scene.around.time or "day", chance, own)
    body = backdrops.backdrop(
        sheet.place, scene.around, (sheet.width, sheet.height), sheet.horizon, _main(scene), chance, own
    )
    if scene.around.weather == "rain":
        body += rect(0, 0, sheet.width, sheet.height, "#4a5a78", 'opacity="0.22"')
    body += _shadows() + "".join(_item(n, item, scene, sheet) for n, item in enumerate(sheet.items))
    if sheet.place == "sea":
        body += _hulls(ground, sheet)
    if ground.time != "day" and sheet.place not in (None, "space", "moon"):
        body += _dusk(ground) + "".join(
            _item(1000 + n, item, scene, sheet) for n, item in enumerate(sheet.items) if _shines(item)
        )
    body += _weather(scene, ground) + (_festive(ground) if scene.around.festive else "")
    body += _lettering(scene.lettering, sheet) if scene.lettering else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {sheet.width:.2f} {sheet.height:.2f}">{body}</svg>'
    )


def _bare(scene: Scene) -> bool:
    """Whether the things have a sun, a moon or clouds of their own, or the sky is grey."""
    names = {book().icons[thing.icon].name for thing in scene.things}
    return bool(scene.around.weather) or any(
        part in name for name in names for part in ("sun", "moon", "cloud", "rainbow", "star") if "flower" not in name
    )


def _main(scene: Scene) -> Colour:
    if not scene.things:
        return Colour(0.6, 0.0, 0.0)
    thing = scene.things[0]
    return COLOURS[thing.colour] if thing.colour else main_colour(book().icons[thing.icon].colours)[0]


def _item(number: int, item: Placed, scene: Scene, sheet: Sheet) -> str:
    """A picture in its place, with a shadow where it stands on something."""
    icon = book().icons[item.icon]
    svg = book().svg(item.icon)
    if item.colour:
        svg = recoloured(svg, icon.colours, COLOURS[item.colour])
    for name in set(_ID.findall(svg)):
        svg = re.sub(rf'(id="|url\(#|href="#){re.escape(name)}(?=["\)])', rf"\g<1>i{number}{name}", svg)
    left, top, right, bottom = icon.box
    scale = item.size / max(icon.width, icon.height)
    turned = f" rotate({item.turn:.1f} 0 {-item.height / 2:.1f})" if item.turn else ""
    mirrored = "-" if item.mirrored else ""
    place = f"translate({item.x:.1f} {item.y:.1f}){turned} scale({mirrored}{scale:.4f} {scale:.4f})"
    shadow = "" if item.lifted or _wet(item, sheet) else _shadow(item, scene)
    above = top + item.cut * icon.height if item.cut else 0.0
    view = f'y="{above:.1f}" height="{UNIT - above:.1f}" viewBox="0 {above:.1f} {UNIT} {UNIT - above:.1f}"'
    inner = f'<svg width="{UNIT}" {view}>{svg}</svg>'
    return f'{shadow}<g transform="{place} translate({-(left + right) / 2} {-bottom})">{inner}</g>'


def _wet(item: Placed, sheet: Sheet) -> bool:
    return sheet.place in ("sea", "space", "underwater") and not (sheet.place == "underwater" and not item.lifted)


def _shadows() -> str:
    stops = "".join(
        f'<stop offset="{at}" stop-color="#0b1030" stop-opacity="{o}"/>' for at, o in ((0, 0.42), (0.6, 0.2), (1, 0))
    )
    return f'<defs><radialGradient id="shadow">{stops}</radialGradient></defs>'


def _shadow(item: Placed, scene: Scene) -> str:
    rx, ry = item.width * 0.52, max(7.0, item.width * 0.085)
    faint = 0.85 if scene.around.time != "night" else 0.6
    return (
        f'<ellipse cx="{item.x:.1f}" cy="{item.y - ry * 0.25:.1f}" rx="{rx:.1f}" ry="{ry:.1f}" '
        f'fill="url(#shadow)" opacity="{faint}"/>'
    )


def _hulls(ground: Ground, sheet: Sheet) -> str:
    afloat = [item for item in sheet.items if not item.lifted and item.deeper < 15]
    if not afloat:
        return ""
    lowest = max(item.y for item in afloat)
    deep = max(0.06 * item.height for item in afloat)
    return backdrops.waterline(ground, lowest - deep)


def _shines(item: Placed) -> bool:
    return book().icons[item.icon].char in LIGHTS and bool(book().icons[item.icon].char)


def _dusk(ground: Ground) -> str:
    """The light of the hour, over all that stands in it."""
    colour, most = ("#0a1240", 0.46) if ground.night else ("#8a2f5c", 0.2)
    stops = ((0, 0.05 * most), (0.2, 0.3 * most), (0.5, 0.7 * most), (1, most))
    defs = "".join(f'<stop offset="{at}" stop-color="{colour}" stop-opacity="{o:.3f}"/>' for at, o in stops)
    shade = f'<defs><linearGradient id="dusk" x1="0" y1="0" x2="0" y2="1">{defs}</linearGradient></defs>'
    return shade + rect(0, 0, ground.w, ground.h, "url(#dusk)")


def _weather(scene: Scene, ground: Ground) -> str:
    chance, out = ground.chance, ""
    if scene.around.weather == "rain":
        for _ in range(int(150 * ground.w * ground.h / 1e6)):
            x, y, s = chance.uniform(-40, ground.w), chance.uniform(-40, ground.h), chance.uniform(26, 54)
            out += f'<path d="M{x:.0f} {y:.0f} l{-s * 0.22:.1f} {s:.1f}"/>'
        return f'<g stroke="#d5e6f7" stroke-width="3.4" stroke-linecap="round" opacity="0.6">{out}</g>'
    if scene.around.weather == "snowing" or scene.around.place == "snow":
        for _ in range(int(80 * ground.w * ground.h / 1e6)):
            x, y, r = chance.uniform(0, ground.w), chance.uniform(0, ground.h), chance.uniform(2.5, 8)
            out += circle(x, y, r, "#ffffff", chance.uniform(0.6, 0.95))
    return out


def _festive(ground: Ground) -> str:
    """A garland along the upper edge, and confetti."""
    chance, out = ground.chance, ""
    for _ in range(int(56 * ground.w * ground.h / 1e6)):
        x, y, s = chance.uniform(0, ground.w), ground.h * chance.random() ** 1.5, chance.uniform(8, 15)
        turn = f'transform="rotate({chance.uniform(0, 180):.0f} {x:.0f} {y:.0f})" rx="2"'
        colour = chance.choice(_CONFETTI)
        out += rect(x, y, s, s * 0.55, colour, turn) if chance.random() < 0.6 else circle(x, y, s * 0.4, colour)
    sag, flags = 70.0, int(10 * ground.w / 1000)
    for n in range(flags):
        t = (n + 0.5) / flags
        x, y = t * ground.w, 8 + sag * 4 * t * (1 - t)
        out += path(f"M{x - 34:.0f} {y:.0f} h68 l-34 62Z", _CONFETTI[n % len(_CONFETTI)])
    curve = f"M0 6 Q{ground.w / 2:.0f} {8 + 2 * sag:.0f} {ground.w:.0f} 6"
    return out + path(curve, "none", 'stroke="#ffffff" stroke-width="6"')


def _lettering(text: str, sheet: Sheet) -> str:
    """In one to three lines along the lower edge, as large as fits."""
    lines = _broken(text)
    longest = max(len(line) for line in lines)
    size = min(0.9 * sheet.width / (0.64 * longest), 0.11 * sheet.height)
    y = sheet.height * 0.955 - size * 1.15 * (len(lines) - 1)
    out = "".join(
        f'<text x="{sheet.width / 2:.1f}" y="{y + n * size * 1.15:.1f}">{escape(line)}</text>'
        for n, line in enumerate(lines)
    )
    look = (
        f'font-family="Comfortaa" font-weight="700" font-size="{size:.1f}" text-anchor="middle" stroke-linejoin="round"'
    )
    outline = f'<g {look} fill="#2b2350" stroke="#2b2350" stroke-width="{size * 0.2:.1f}">{out}</g>'
    return outline + f'<g {look} fill="#ffffff">{out}</g>'


def _broken(text: str) -> list[str]:
    if len(text) <= 22:
        return [text]
    lines, wanted = [""], max(16, len(text) // 3)
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) > wanted and len(lines) < 3:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
