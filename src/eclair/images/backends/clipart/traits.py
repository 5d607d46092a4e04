"""What pictures are like in the world: how large, and where they belong. `lexicon.toml` says it."""

from __future__ import annotations

from functools import cache

from eclair.images.backends.clipart.book import book
from eclair.images.backends.clipart.finding import lexicon, signs

USUAL, HEAD = 0.55, 0.62
"""What is not in the lexicon; people are mostly shown by their heads."""
SQUEEZED = 0.6
"""Sizes are brought nearer to each other by this exponent, so that a bee beside a house can be seen."""

RIMS = {"amphora": 0.08, "basket": 0.3, "package": 0.2, "bucket": 0.25, "potted-plant": 0.5}
"""How far below its top the rim of a vessel is, as a part of its height; of others 0.3."""

WALLS = {"basket": 0.44, "shopping-cart": 0.35}
"""Of those that are seen from above, where the front begins, as a part of the height."""

NAMED = {"lighthouse": 2.2, "treasure-chest": 0.8, "meteor": 1.2, "monarch-butterfly": 0.3}


def size(icon: int) -> float:
    """How large it is in drawings, a person being 1."""
    return _world(icon) ** SQUEEZED


def large(icon: int) -> bool:
    """Whether it is found outdoors, by its size."""
    return _world(icon) >= 1.5


def rim(icon: int) -> float:
    """How far below its top the rim is, where it can hold something."""
    return RIMS.get(book().icons[icon].name, 0.3)


def wall(icon: int) -> float:
    """Where its front begins, where one sees into it; else 0."""
    return WALLS.get(book().icons[icon].name, 0.0)


def is_in(icon: int, place: str) -> bool:
    """Whether it belongs there: `sky`, `float`, `swim`, `head`, `face`, `seat`, `vessel`, `far`."""
    return icon in _places().get(place, ())


def alive(icon: int) -> bool:
    """Whether it is an animal or a plant."""
    return book().icons[icon].group == "Animals & Nature"


def person(icon: int) -> bool:
    return book().icons[icon].group == "People & Body"


def _world(icon: int) -> float:
    known = _sizes().get(icon)
    return known if known is not None else HEAD if person(icon) else USUAL


@cache
def _sizes() -> dict[int, float]:
    found = {
        number: float(size)
        for size, row in lexicon()["sizes"].items()
        for sign in signs(row)
        if (number := book().number(sign)) is not None
    }
    return found | {number: size for name, size in NAMED.items() if (number := book().number(name)) is not None}


@cache
def _places() -> dict[str, frozenset[int]]:
    return {
        place: frozenset(number for sign in signs(row) if (number := book().number(sign)) is not None)
        for place, row in lexicon()["places"].items()
    }
