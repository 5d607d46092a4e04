"""What is to be seen in a drawing, as values: read from words by `reading`, put in its place by `composing`."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

Relation = Literal["on", "under", "beside", "front", "behind", "between", "in", "over", "with"]
Time = Literal["day", "night", "sunset"]
Place = Literal[
    "sea",
    "beach",
    "desert",
    "snow",
    "forest",
    "city",
    "space",
    "underwater",
    "mountains",
    "meadow",
    "room",
    "table",
    "moon",
]
Weather = Literal["rain", "snowing"]

MOST = 48
"""Pictures in one drawing; more cannot be told apart."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One kind of picture, `count` times. `icon` is its number in the book, `size` how much larger it is than usual,
    and `colour` a name of `colours.COLOURS`. `words` are those of the prompt."""

    icon: int
    words: str
    count: int = 1
    colour: str | None = None
    size: float = 1.0


@dataclass(frozen=True, slots=True)
class Link:
    """The things numbered `those` are `relation` the thing numbered `other`."""

    those: tuple[int, ...]
    relation: Relation
    other: int


@dataclass(frozen=True, slots=True)
class Around:
    """What surrounds the things; nothing of it where all is None."""

    place: Place | None = None
    time: Time | None = None
    weather: Weather | None = None
    colour: str | None = None
    festive: bool = False

    @property
    def open(self) -> bool:
        """Whether the words ask for a place, a time or a weather."""
        return bool(self.place or self.time or self.weather)


@dataclass(frozen=True, slots=True)
class Scene:
    """`without` are pictures and surroundings that must not be seen, `lettering` what is written on the drawing, and
    `undrawn` the words for which there is no picture."""

    language: str
    things: tuple[Thing, ...] = ()
    links: tuple[Link, ...] = ()
    around: Around = field(default_factory=Around)
    lettering: str = ""
    undrawn: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    """The words that told what is around."""


def chance_of(seed: int, what: str) -> random.Random:
    """Chance that is the same for the same seed and purpose."""
    return random.Random(f"{seed} {what}")  # noqa: S311
