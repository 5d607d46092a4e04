"""What was drawn, in the words of the prompt; and what of it was not."""

from __future__ import annotations

from eclair.images.backends.clipart.grammar import grammar
from eclair.images.backends.clipart.scene import Scene


def told(scene: Scene) -> str:
    """`2 × cats, tree, night; not drawn: philosophy`."""
    things = [f"{thing.count} × {thing.words}" if thing.count > 1 else thing.words for thing in scene.things]
    coloured = [
        f"{words} ({thing.colour})" if thing.colour else words
        for words, thing in zip(things, scene.things, strict=True)
    ]
    drawn = ", ".join([*coloured, *dict.fromkeys(scene.said), *([f"“{scene.lettering}”"] if scene.lettering else [])])
    if not scene.undrawn:
        return drawn
    missing = ", ".join(dict.fromkeys(scene.undrawn))
    return f"{drawn}; {grammar(scene.language).undrawn}: {missing}"
