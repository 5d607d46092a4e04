"""The speech of a recording that was read: its sentences with their times, and their places in the document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from eclair.storage.documents import StoredPage


@dataclass(frozen=True, slots=True)
class HeardSentence:
    """A sentence or so, from `start` to `end` in seconds: characters `first` to `last` of the document."""

    start: float
    end: float
    text: str
    page: int
    first: int
    last: int


def heard_sentences(pages: Iterable[StoredPage], member: str | None = None) -> list[HeardSentence]:
    """Return what is said on the pages of a recording, or on those of the `member` of an archive or e-mail."""
    return [
        HeardSentence(
            *block.seconds,
            stored.page.text[block.start : block.end],
            stored.page.number,
            stored.start + block.start,
            stored.start + block.end,
        )
        for stored in pages
        if stored.page.member == member
        for block in stored.page.blocks
        if block.seconds is not None
    ]
