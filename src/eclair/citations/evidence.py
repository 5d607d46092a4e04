"""Values of citation checking: claim, evidence and verdict."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.schema.messages import Passage
from eclair.text.facts import Facts
from eclair.text.sentences import Span, split_sentences
from eclair.text.written_numbers import Number


@dataclass(frozen=True, slots=True)
class Supported:
    """A passage supports the claim.

    `quote` is characters `start` to `end` of the document of passage number `passage`. `support` is the likelihood that
    this is right, from 0 to 1; `page` and `label` are where the quote begins, as in a `Citation`.
    """

    passage: int
    start: int
    end: int
    quote: str
    support: float
    page: int | None
    label: str | None


@dataclass(frozen=True, slots=True)
class Doubtful:
    """No passage supports the claim.

    `about` is the part of it that differs from the nearest passage, whose number is `passage`; empty if there is none.
    """

    about: str
    passage: int | None


Verdict = Supported | Doubtful


@dataclass(frozen=True, slots=True)
class EvidenceSentence:
    """A sentence of a passage. `passage` counts from 0; `start` and `end` count from the start of the passage."""

    passage: int
    start: int
    end: int
    text: str
    facts: Facts
    stems: frozenset[str]
    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class EvidenceSpan:
    """One sentence, or two in a row, that may support a claim: sentences `first` to `last` of the index.

    `overlap` is the weighted share of the claim's words found there; `support` the likelihood that it supports the
    claim.
    """

    first: int
    last: int
    overlap: float
    support: float


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of the answer with its facts, the stems of its content words by weight, and those that are names."""

    text: str
    facts: Facts
    language: str | None
    weights: dict[str, float]
    names: frozenset[str]


def split_passage(passage: Passage) -> list[Span]:
    """Split a passage into sentences, as offsets in its text; headings never run into the text below them."""
    body = passage.body
    below = [(body + start, body + end) for start, end in split_sentences(passage.text[body:])]
    return [*split_sentences(passage.text[:body]), *below]
