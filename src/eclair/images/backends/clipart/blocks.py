"""Blocks: pictures that stand together, as their relations say. A block's origin is the middle of where it stands."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from eclair.images.backends.clipart import traits
from eclair.images.backends.clipart.book import book
from eclair.images.backends.clipart.scene import Relation, Scene, Thing

GAP = 0.09
"""Between neighbours, of a person's size."""
ROW = 5
"""Of one kind that stand in a row; more stand behind each other."""
CLIMBED = 0.1
"""How deep what is on something sinks into it, of its height; and where that is a seat."""
SEATED = 0.46
HALVES = {"rainbow"}
"""Pictures that show the left half of a thing."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture: the middle of its lower edge, how large its longer side is, and how it is turned. What is `deeper` is
    drawn earlier."""

    icon: int
    x: float
    y: float
    size: float
    colour: str | None = None
    mirrored: bool = False
    turn: float = 0.0
    deeper: float = 0.0
    lifted: bool = False
    """Nothing bears it: it throws no shadow on the ground."""
    cut: float = 0.0
    """So much of its height is not seen, from above."""

    @property
    def width(self) -> float:
        icon = book().icons[self.icon]
        return self.size * icon.width / max(icon.width, icon.height)

    @property
    def height(self) -> float:
        icon = book().icons[self.icon]
        return self.size * icon.height / max(icon.width, icon.height)

    def moved(self, x: float, y: float, scale: float = 1.0) -> Placed:
        """Scaled around the origin, then moved."""
        return replace(self, x=self.x * scale + x, y=self.y * scale + y, size=self.size * scale)


@dataclass(frozen=True, slots=True)
class Block:
    """`things` are the numbers of those whose pictures it has."""

    items: tuple[Placed, ...]
    things: frozenset[int]

    @property
    def left(self) -> float:
        return min(item.x - item.width / 2 for item in self.items)

    @property
    def right(self) -> float:
        return max(item.x + item.width / 2 for item in self.items)

    @property
    def top(self) -> float:
        return min(item.y - item.height for item in self.items)

    @property
    def bottom(self) -> float:
        return max(item.y for item in self.items)

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def moved(self, x: float, y: float, scale: float = 1.0, deeper: float = 0.0) -> Block:
        items = (replace(item, deeper=item.deeper + deeper) for item in self.items)
        return Block(tuple(item.moved(x, y, scale) for item in items), self.things)

    def centred(self) -> Block:
        return self.moved(-(self.left + self.right) / 2, 0)


def blocks(scene: Scene, chance: random.Random) -> list[Block]:
    """The things of a scene, those that are related in one block. What is in the sky is related to nothing there."""
    made = {n: _several(n, thing, chance) for n, thing in enumerate(scene.things)}
    for link in scene.links:
        relation = link.relation
        those = [n for n in link.those if not _apart(scene, n, relation, link.other)]
        if not those:
            continue
        first = _row([each for each in _distinct(made, those) if link.other not in each.things])
        other = made[link.other]
        if first is None:
            continue
        if relation == "between":
            joined = _between(first, other, made, scene, link.other)
        else:
            joined = _joined(first, relation, other, scene, chance)
        for n in joined.things:
            made[n] = joined
    return [block.centred() for block in _distinct(made, list(made))]


def one(thing: Thing, chance: random.Random) -> Placed:
    """A picture of the thing, standing at the origin."""
    return Placed(thing.icon, 0, 0, traits.size(thing.icon) * thing.size, thing.colour, chance.random() < 0.4)


def _several(number: int, thing: Thing, chance: random.Random) -> Block:
    """As many as there are: in a row, or in rows behind each other."""
    if thing.count == 1 and book().icons[thing.icon].name in HALVES:
        half = replace(one(thing, chance), mirrored=False)
        halves = (replace(half, x=-half.width / 2 + 0.005), replace(half, x=half.width / 2 - 0.005, mirrored=True))
        return Block(halves, frozenset([number]))
    if thing.count == 1:
        return Block((replace(one(thing, chance), mirrored=chance.random() < 0.3),), frozenset([number]))
    rows = 1 if thing.count <= ROW else 2 if thing.count <= 2 * ROW + 2 else 3
    across = -(-thing.count // rows)
    items: list[Placed] = []
    for n in range(thing.count):
        row, column = divmod(n, across)
        here = min(across, thing.count - row * across)
        item = one(thing, chance)
        step = item.width + GAP * (1 if rows == 1 else 0.4)
        x = (column - (here - 1) / 2) * step + chance.uniform(-0.04, 0.04) * step
        y = -row * item.height * 0.42 + chance.uniform(-0.05, 0.05) * item.height
        size = item.size * (1 - 0.08 * row) * chance.uniform(0.92, 1.05)
        items.append(replace(item, x=x, y=y, size=size, deeper=row + chance.random() * 0.1))
    return Block(tuple(items), frozenset([number]))


def _apart(scene: Scene, number: int, relation: Relation, other: int) -> bool:
    """Whether where it is says the relation by itself."""
    this, that = scene.things[number].icon, scene.things[other].icon
    up, high = traits.is_in(this, "sky"), traits.is_in(that, "sky")
    if relation == "over":
        return up
    borne = traits.alive(that) or relation == "on"
    loose = relation == "with" or not traits.alive(this)
    return (high and not borne) or (up and loose and relation not in ("on", "in"))


def _distinct(made: dict[int, Block], numbers: Sequence[int]) -> list[Block]:
    found: list[Block] = []
    for n in numbers:
        if all(made[n] is not each for each in found):
            found.append(made[n])
    return found


def _row(some: Sequence[Block]) -> Block | None:
    """Beside each other, on the same ground."""
    if not some:
        return None
    row = some[0].centred()
    for block in some[1:]:
        moved = block.centred()
        x = row.right + GAP - moved.left
        row = Block((*row.items, *moved.moved(x, 0).items), row.things | block.things)
    return row.centred()


def _between(first: Block, other: Block, made: dict[int, Block], scene: Scene, number: int) -> Block:
    """Two of a kind stand on both sides, or this one and the next that was named."""
    if len(other.items) > 1 and len(other.things) == 1:
        half = (len(other.items) + 1) // 2
        sides = [Block(other.items[:half], other.things), Block(other.items[half:], other.things)]
    else:
        after = made.get(number + 1)
        sides = [other] if after is None or after is other or after is first else [other, after]
    row = _row([sides[0], first, *sides[1:]])
    assert row is not None
    return row


def _joined(first: Block, relation: Relation, other: Block, scene: Scene, chance: random.Random) -> Block:
    """The first where the relation puts it beside the other."""
    base, side = other.centred(), chance.choice((-1, 1))
    icon = base.items[0].icon
    this = first.centred()
    if relation == "with" and traits.is_in(this.items[0].icon, "vessel") and traits.size(icon) < 0.95:
        return _held(base, this, first, other)
    if relation == "with":
        relation = "beside"
        worn = base.items[0].icon
        if traits.is_in(worn, "head") or traits.is_in(worn, "face"):
            return _worn(this, base)
    if relation == "on":
        narrow = min(1.0, (0.55 if traits.person(this.items[0].icon) else 0.9) * base.width / this.width)
        sunk = base.height * (SEATED if traits.is_in(icon, "seat") else CLIMBED)
        this = this.moved(0, base.top + sunk, narrow, deeper=-1)
    elif relation == "in" and not traits.large(icon):
        return _held(this, base, first, other)
    elif relation == "over":
        this = this.moved(0, base.top - 0.12)
    elif relation == "behind":
        this = this.moved(side * 0.36 * (base.width + this.width) / 2, -0.14 * base.height, deeper=2)
    elif relation in ("front", "in", "under"):
        most = 0.62 * base.height / this.height
        scale = min(1.0, most) if relation != "front" else min(1.0, max(0.7, most))
        this = this.moved(side * 0.24 * base.width, 0.09 * base.height, scale, deeper=-2)
    else:
        row = _row([this, base] if side > 0 else [base, this])
        assert row is not None
        return row
    lifted = relation in ("on", "over")
    items = (replace(item, lifted=item.lifted or lifted) for item in this.items)
    return Block((*base.items, *items), first.things | other.things)


def _held(inner: Block, vessel: Block, first: Block, other: Block) -> Block:
    """What is in a vessel, behind its rim: several of it crowd there, flowers fan out."""
    rim = vessel.top + traits.rim(vessel.items[0].icon) * vessel.height
    many, items = len(inner.items), list[Placed]()
    tall = max(item.height for item in inner.items)
    flower = traits.alive(inner.items[0].icon) and inner.items[0].height > 1.1 * inner.items[0].width
    across = max(item.width for item in inner.items) * (1 + 0.55 * (many - 1))
    scale = 0.85 if flower else min(1.0, 0.72 * vessel.width / across)
    for n, item in enumerate(sorted(inner.items, key=lambda each: each.x)):
        aside = (n - (many - 1) / 2) / max(1, many - 1)
        x = aside * (0.22 if flower else 0.52) * vessel.width
        y = rim + (0.28 if flower else 0.42) * tall * scale + 0.05 * (n % 2) * (1 if many > 2 else 0)
        turn = 56 * aside if flower else item.turn
        spot = replace(item, x=x, y=y, size=item.size * scale, turn=turn, lifted=True, deeper=1 + 0.1 * (n % 2))
        items.append(spot)
    front = traits.wall(vessel.items[0].icon)
    walls = [replace(item, deeper=-0.5, lifted=True, cut=front) for item in vessel.items if front]
    items = [replace(item, deeper=-0.2 - 0.01 * n) for n, item in enumerate(items)] if front else items
    return Block((*vessel.items, *items, *walls), first.things | other.things)


def _worn(wearer: Block, worn: Block) -> Block:
    """What is worn, on the head of the first who stands there."""
    who, what = wearer.items[0], worn.items[0]
    face = book().named.get(f"{book().icons[who.icon].name}-face")
    if face is not None and len(wearer.items) == 1:  # where eyes and ears are is known of faces alone
        who = replace(who, icon=face)
        wearer = Block((who,), wearer.things)
    bust = traits.person(who.icon) or book().icons[who.icon].name.endswith("-face")
    ahead = 0.0 if bust else who.width * (0.27 if who.mirrored else -0.27)
    size = who.size * (0.55 if bust else 0.36)
    up = 0.52 if traits.is_in(what.icon, "face") else 0.86 if bust else 0.9
    hat = replace(
        what,
        x=who.x + ahead,
        y=who.y - who.height * up,
        size=size,
        lifted=True,
        mirrored=False,
        deeper=who.deeper - 0.5,
    )
    return Block((*wearer.items, hat), wearer.things | worn.things)
