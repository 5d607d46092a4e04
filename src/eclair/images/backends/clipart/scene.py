"""The values of a drawing, and the sentences that say what it shows."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.images.backends.clipart.book import book

MAX_PICTURES = 48  # more cannot be told apart


@dataclass(frozen=True, slots=True)
class ClipArtItem:
    """A picture of the book, `count` times. `words` name it, `size` 1 is usual, a larger `row` is higher up."""

    picture: int
    words: str
    count: int = 1
    color: str | None = None
    size: float = 1.0
    row: int = 0


@dataclass(frozen=True, slots=True)
class ClipArtScene:
    """`unknown` are things that the book does not have, `undrawn` other words that are not shown."""

    language: str
    items: tuple[ClipArtItem, ...] = ()
    unknown: tuple[str, ...] = ()
    undrawn: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """At least two thirds of the things can be drawn."""
        return len(self.items) > 0 and len(self.items) >= 2 * len(self.unknown)

    @property
    def caption(self) -> str:
        """`Drawn: 3 cats, red apple. Not drawn: skateboard.`, in the language of the prompt."""
        begin, end = book().vocabulary(self.language).captions
        drawn = ", ".join(f"{item.count} {item.words}" if item.count > 1 else item.words for item in self.items)
        missing = ", ".join(dict.fromkeys((*self.unknown, *self.undrawn)))
        return f"{begin}: {drawn}." + (f" {end}: {missing}." if missing else "")
