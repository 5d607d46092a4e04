"""A sentence of an answer, the passages that it is held against, and the verdict: plain values."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.schema.messages import Passage
from eclair.text.facts import Facts, Number
from eclair.text.sentences import Span, split


@dataclass(frozen=True, slots=True)
class Supported:
    """`quote`, characters `start` to `end` of the document of passage number `passage`, says it. `support` is how
    likely that is right, from 0 to 1; `page` and `label` are where the quote begins, as a citation has them."""

    passage: int
    start: int
    end: int
    quote: str
    support: float
    page: int | None
    label: str | None


@dataclass(frozen=True, slots=True)
class Doubted:
    """No passage says it. `about` is what of the sentence differs from passage number `passage`, the nearest, or
    empty."""

    about: str
    passage: int | None


def sentences_of(passage: Passage) -> list[Span]:
    """Where the sentences of a passage are in its text, its headings apart from what stands below them."""
    body = passage.body
    below = [(body + start, body + end) for start, end in split(passage.text[body:])]
    return [*split(passage.text[:body]), *below]


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence of a passage: `passage` counts from 0, `start` and `end` from the passage's start."""

    passage: int
    start: int
    end: int
    text: str
    facts: Facts
    stems: frozenset[str]
    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of the answer: what it says, its telling stems with their weights, and which of them are names."""

    text: str
    facts: Facts
    language: str | None
    weights: dict[str, float]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Place:
    """Lines `first` to `last` as what may support a claim. `share` of its words stand there."""

    first: int
    last: int
    share: float
    support: float
