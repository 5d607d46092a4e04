"""A scene is composed: each picture gets its place on the sheet, by what it is, what it belongs to and what is around.

The sheet's shorter side is SIDE. The same seed gives the same composition.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from eclair.images.backends.clipart import traits
from eclair.images.backends.clipart.blocks import GAP, HALVES, Block, Placed, blocks, one
from eclair.images.backends.clipart.book import book
from eclair.images.backends.clipart.scene import Place, Scene, chance_of

SIDE = 1000.0

TRIES = 60
"""Places that are tried for what floats freely."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Where things are in order of depth, the farthest first. `horizon` is a part of the height; `place` is where they
    are, None for a plain sheet."""

    width: float
    height: float
    place: Place | None
    horizon: float
    items: tuple[Placed, ...]


def compose(scene: Scene, width: int, height: int, seed: int) -> Sheet:
    """The sheet for a picture of these proportions."""
    chance = chance_of(seed, "compose")
    wide, high = SIDE * width / min(width, height), SIDE * height / min(width, height)
    place = _place(scene)
    horizon = _HORIZONS.get(place, 0.62) if place else 0.7
    up = [traits.is_in(thing.icon, "sky") for thing in scene.things]
    if place is None and (all(up) or not any(up)):
        items = _plain(scene, wide, high, chance)
    elif place in ("space", "underwater"):
        items = _floating(scene, place, wide, high, chance)
    else:
        items = _grounded(scene, place, wide, high, horizon, chance)
    return Sheet(wide, high, place, horizon, tuple(sorted(items, key=lambda item: -item.deeper)))


_HORIZONS: dict[Place, float] = {
    "sea": 0.54,
    "beach": 0.5,
    "city": 0.74,
    "room": 0.7,
    "table": 0.66,
    "forest": 0.66,
    "moon": 0.64,
    "mountains": 0.66,
}


_BASES: dict[Place, float] = {"sea": 0.8, "city": 0.9, "room": 0.88, "table": 0.86}


def _place(scene: Scene) -> Place | None:
    """Where it is. Several things of the world outdoors are in a meadow; what lies alone lies on a plain sheet."""
    around, icons = scene.around, [thing.icon for thing in scene.things]
    swimming = bool(icons) and all(traits.is_in(icon, "swim") for icon in icons)
    if around.colour:
        return None
    if around.place == "sea":
        land = [i for i in icons if not any(traits.is_in(i, where) for where in ("float", "swim", "sky", "far"))]
        carried = {n for link in scene.links if link.relation in ("on", "in") for n in link.those}
        ashore = [n for n, icon in enumerate(icons) if icon in land and n not in carried]
        return "underwater" if swimming and len(icons) > 0 and not _leaping(icons) else "beach" if ashore else "sea"
    if around.place:
        return around.place
    if around.time == "night" and icons and all(traits.is_in(icon, "sky") for icon in icons):
        return "meadow"
    if around.time or around.weather:
        return "snow" if around.weather == "snowing" else "meadow"
    outdoors = [i for i in icons if traits.large(i) or traits.is_in(i, "sky") or (traits.alive(i) and not _dish(i))]
    large = any(traits.large(i) for i in icons)
    if around.festive and not large:
        return None
    living = [i for i in icons if traits.alive(i) or traits.person(i)]
    return "meadow" if len(icons) > 1 and ((large and outdoors) or (living and len(outdoors) >= 2)) else None


def _leaping(icons: Sequence[int]) -> bool:
    """Whether one of them is seen above the water too."""
    return any(traits.size(icon) > 1 for icon in icons)


def _dish(icon: int) -> bool:
    return traits.size(icon) < 0.5 and not traits.is_in(icon, "sky")


def _plain(scene: Scene, wide: float, high: float, chance: random.Random) -> list[Placed]:
    """Blocks in rows on a plain sheet, each as large as there is room."""
    lone = [thing for thing in scene.things if thing.count > 1]
    if len(scene.things) == 1 and lone:
        return _pattern(scene, wide, high, chance)
    units = blocks(scene, chance)
    if not units:
        return []
    best: tuple[float, list[list[Block]]] | None = None
    for rows in range(1, min(4, len(units)) + 1):
        across = -(-len(units) // rows)
        split = [units[i : i + across] for i in range(0, len(units), across)]
        need = max(sum(b.width for b in row) + 0.16 * (len(row) - 1) for row in split)
        tall = sum(max(b.height for b in row) for row in split) + 0.16 * (len(split) - 1)
        scale = min(0.78 * wide / need, 0.68 * high / tall)
        if best is None or scale > best[0]:
            best = scale, split
    assert best is not None
    scale, split = best
    tall = scale * (sum(max(b.height for b in row) for row in split) + 0.16 * (len(split) - 1))
    y = (high - tall) / 2 + 0.01 * high
    items: list[Placed] = []
    for row in split:
        y += scale * max(b.height for b in row)
        need = scale * (sum(b.width for b in row) + 0.16 * (len(row) - 1))
        x = (wide - need) / 2
        for block in row:
            below = min(0.0, -block.bottom)
            items.extend(block.moved(x + scale * block.width / 2, y + scale * below, scale).items)
            x += scale * (block.width + 0.16)
        y += 0.16 * scale
    return items


def _pattern(scene: Scene, wide: float, high: float, chance: random.Random) -> list[Placed]:
    """Many of one kind, in rows that stand in the gaps of each other."""
    thing = scene.things[0]
    count = thing.count
    model = one(thing, chance_of(0, "model"))
    model = replace(model, size=1.0)
    best = (0.0, 1)
    for rows in range(1, 8):
        across = -(-count // rows)
        scale = min(0.8 * wide / (across * (model.width + 0.14)), 0.74 * high / (rows * (model.height + 0.14)))
        best = max(best, (scale, rows))
    scale, rows = best
    loose = traits.is_in(thing.icon, "sky")
    counts = [count // rows + (1 if i >= rows - count % rows else 0) for i in range(rows)]
    step, tall = scale * (model.height + 0.14), scale * (rows * (model.height + 0.14) - 0.14)
    items: list[Placed] = []
    for row, here in enumerate(counts):
        y = (high - tall) / 2 + scale * model.height + row * step
        for column in range(here):
            x = wide / 2 + (column - (here - 1) / 2) * scale * (model.width + 0.14)
            turn = chance.uniform(-11, 11) if loose else chance.uniform(-2, 2) if count > 2 else 0
            lift = chance.uniform(-0.07, 0.07) * scale * model.height if loose else 0
            size = scale * (chance.uniform(0.86, 1.0) if loose else 1)
            items.append(replace(model, x=x, y=y + lift, size=size, turn=turn, mirrored=False, lifted=loose))
    return items


def _floating(scene: Scene, place: Place, wide: float, high: float, chance: random.Random) -> list[Placed]:
    """Under water and in space: freely, the first in the middle; what does not swim stands on the ground of the sea."""
    free: list[Block] = []
    ground: list[Block] = []
    for block in blocks(scene, chance):
        swims = place == "space" or traits.is_in(block.items[0].icon, "swim") or len(block.items) > 3
        (free if swims else ground).append(block)
    singles = [single for block in free for single in _taken_apart(block)]
    weight = sum(single.width * single.height for single in singles) or 1
    scale = min(
        (0.62 if len(singles) > 1 else 0.85) * SIDE, math.sqrt(0.3 * wide * high * (0.8 if ground else 1) / weight)
    )
    placed = _standing(ground, wide, 0.93 * high, _scale(ground, wide, 0.32 * high), chance)
    taken = [_box(item) for item in placed]
    region = (0.1 * wide, 0.1 * high, 0.9 * wide, (0.72 if ground else 0.84) * high)
    items = list(placed)
    for n, single in enumerate(sorted(singles, key=lambda each: -each.height * each.width)):
        middle = n == 0 and len(singles) < 5
        here = _free(single, scale, region, taken, chance, (0.5 * wide, 0.47 * high) if middle else None)
        turned = chance.uniform(-6, 6)
        items.extend(replace(item, lifted=True, turn=item.turn + turned, deeper=1) for item in here.items)
        taken.extend(_box(item) for item in here.items)
    return items


def _taken_apart(block: Block) -> list[Block]:
    """Several of one kind each for itself, all turned to one side; what belongs together together."""
    if len(block.things) > 1 or book().icons[block.items[0].icon].name in HALVES:
        return [block]
    side = block.items[0].mirrored
    return [Block((replace(item, x=0, y=0, mirrored=side),), block.things) for item in block.items]


def _grounded(
    scene: Scene, place: Place | None, wide: float, high: float, horizon: float, chance: random.Random
) -> list[Placed]:
    """What stands on the ground, or lies on the water, in a row or two; what is far on the horizon; the rest above."""
    sky: list[Block] = []
    far: list[Block] = []
    ground: list[Block] = []
    for block in blocks(scene, chance):
        alone = len(block.things) == 1
        icon = block.items[0].icon
        if alone and traits.is_in(icon, "far") and (len(scene.things) > 1 or len(block.items) > 1):
            far.append(block)
        elif all(traits.is_in(item.icon, "sky") for item in block.items) and place not in ("room", "table"):
            sky.extend(_taken_apart(block))
        else:
            ground.append(block)
    ceiling = 0.3 if sky else 0.14
    back, front = _rows(ground, wide)
    base = (_BASES.get(place, 0.85) if place else 0.88) * high
    behind = base - 0.1 * high
    lower = base + (0.055 * high if back else 0)
    most = _scale(front, wide, (lower - ceiling * high) * (0.7 if back else 1))
    least = min(most, _scale(back, wide, behind - ceiling * high)) if back else most
    items = [replace(item, deeper=item.deeper + 10) for item in _standing(back, wide, behind, least, chance)]
    items += _standing(front, wide, lower, min(most, least * 1.25), chance)
    for block in far:
        scale = min(0.5 * high / block.height, 0.75 * wide / block.width)
        x = chance.uniform(0.32, 0.68) * wide
        distant = block.moved(x, horizon * high + 0.03 * high, scale, deeper=30).items
        items += [replace(item, lifted=True) for item in distant]
    return items + _above(sky, items, wide, high, horizon, chance)


def _above(
    sky: list[Block], ground: Sequence[Placed], wide: float, high: float, horizon: float, chance: random.Random
) -> list[Placed]:
    """What is in the sky, where nothing stands before it."""
    if not sky:
        return []
    taken = [_box(item) for item in ground]
    many = len(sky)
    size = (0.34 if not ground else 0.25) * SIDE / (1 if many < 3 else 1.3 if many < 7 else 1.9)
    bottom = horizon * 0.95 if not ground else max(0.3, min(horizon * 0.78, min(box[1] for box in taken) / high + 0.2))
    region = (0.07 * wide, 0.06 * high, 0.93 * wide, bottom * high)
    items: list[Placed] = []
    for n, single in enumerate(sky):
        extent = size / max(0.45, traits.size(single.items[0].icon)) ** 0.45
        aim = (chance.choice((0.24, 0.76)) * wide, 0.2 * high) if n == 0 and ground else None
        if n == 0 and many == 1 and not ground:
            aim = (0.5 * wide, 0.4 * high)
        here = _free(single, extent, region, taken, chance, aim)
        items.extend(replace(item, lifted=True, deeper=20) for item in here.items)
        taken.extend(_box(item) for item in here.items)
    return items


def _rows(ground: list[Block], wide: float) -> tuple[list[Block], list[Block]]:
    """Those behind and those before: one row while there are few, or room for them."""
    need = sum(block.width for block in ground) + GAP * (len(ground) - 1)
    if len(ground) < 3 or (len(ground) < 5 and need < 2.4 * wide / SIDE):
        return [], ground
    tall = sorted(ground, key=lambda block: -block.height)
    back = {id(block) for block in tall[: len(ground) // 2]}
    return [b for b in ground if id(b) in back], [b for b in ground if id(b) not in back]


def _scale(row: list[Block], wide: float, room: float) -> float:
    """How large a row can be: no wider than the sheet, and no higher than there is room."""
    if not row:
        return 0
    need = sum(block.width for block in row) + GAP * (len(row) - 1)
    tall = max(block.height for block in row)
    return min(0.84 * wide / need, room / tall, 0.5 * SIDE / min(1.0, tall) ** 0.6)


def _standing(row: list[Block], wide: float, base: float, scale: float, chance: random.Random) -> list[Placed]:
    """A row of blocks at that height, in any order."""
    order = row[:]
    chance.shuffle(order)
    rest = wide * 0.92 - scale * sum(block.width for block in order)
    gap = rest / (len(order) + 1)
    x = 0.04 * wide + gap
    items: list[Placed] = []
    for block in order:
        shift = chance.uniform(-0.22, 0.22) * min(gap, 0.3 * wide)
        sink = chance.uniform(-0.012, 0.012) * SIDE if len(order) > 1 else 0
        down = -max(0.0, block.bottom) * scale
        items.extend(block.moved(x + scale * block.width / 2 + shift, base + sink + down, scale).items)
        x += scale * block.width + gap
    return items


Box = tuple[float, float, float, float]


def _box(item: Placed) -> Box:
    return item.x - item.width / 2, item.y - item.height, item.x + item.width / 2, item.y


def _free(
    block: Block,
    scale: float,
    region: Box,
    taken: Sequence[Box],
    chance: random.Random,
    aim: tuple[float, float] | None,
) -> Block:
    """Moved to where it hides nothing and is far from the rest, or near where it is aimed at; smaller if it must be."""
    shape = block.centred()
    for shrink in (1.0, 0.8, 0.64, 0.5, 0.38):
        now = scale * shrink
        best: tuple[float, Block] | None = None
        for n in range(TRIES if len(taken) < 12 else TRIES // 4):
            half, tall = now * shape.width / 2, now * shape.height
            x = chance.uniform(region[0] + half, max(region[0] + half, region[2] - half))
            y = chance.uniform(region[1] + tall, max(region[1] + tall, region[3]))
            if aim is not None and n == 0:
                x, y = aim[0], aim[1] + tall / 2
            here = shape.moved(x, y - now * shape.bottom, now)
            box = (x - half, y - tall, x + half, y)
            over = sum(_shared(box, other) for other in taken) / max(1.0, 2 * half * tall)
            near = min((_distance(box, other) for other in taken), default=SIDE)
            wish = 0.0 if aim is None else -math.hypot(x - aim[0], y - tall / 2 - aim[1])
            score = min(near, 0.3 * SIDE) + wish - 4000 * over
            if best is None or score > best[0]:
                best = score, here
        assert best is not None
        if best[0] > -1200 or shrink == 0.38:
            return best[1]
    raise AssertionError("the last size is always taken")


def _shared(a: Box, b: Box) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, wide) * max(0.0, high)


def _distance(a: Box, b: Box) -> float:
    return math.hypot((a[0] + a[2] - b[0] - b[2]) / 2, (a[1] + a[3] - b[1] - b[3]) / 2)
