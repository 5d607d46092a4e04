"""Values of citation checking: claim, evidence and verdict."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from eclair.schema.messages import Passage
from eclair.text.facts import Facts
from eclair.text.sentences import Span, split_sentences
from eclair.text.written_numbers import Number

_BLOCK = re.compile(r"\S(?:.|\n(?![ \t]*\n))*")
"""A stretch without blank lines."""

_ITEM = re.compile(r"^[ \t]*+•.*\n", re.MULTILINE)
_LINE = re.compile(r"[^\s|](?:.*[^\s|])?")


@dataclass(frozen=True, slots=True)
class Supported:
    """A passage supports the claim.

    `quote` is characters `start` to `end` of the document of passage number `passage`. `support` is the likelihood that
    this is right, from 0 to 1; `page` and `label` are where the quote begins, and `computation` is what was computed
    from the quote, as in a `Citation`.
    """

    passage: int
    start: int
    end: int
    quote: str
    support: float
    page: int | None
    label: str | None
    computation: str | None = None


@dataclass(frozen=True, slots=True)
class Doubtful:
    """No passage supports the claim.

    `about` is the part of it that differs from the nearest passage, whose number is `passage`; empty if there is none.
    Then `nearest` is the place of the passages that comes nearest, to be cited should somebody look again and agree.
    """

    about: str
    passage: int | None
    nearest: Supported | None = field(default=None, compare=False)


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
    """A sentence of the answer with its facts, the stems of its content words by weight, and those that are names.

    `is_about_source` if it says only where something stands, in the title or on the day of a passage. `is_bare` if its
    figures and dates are all that it says: `The receipt is of 3 May.`
    """

    text: str
    facts: Facts
    language: str | None
    weights: dict[str, float]
    names: frozenset[str]
    is_about_source: bool = False
    is_bare: bool = False


def split_passage(passage: Passage) -> list[Span]:
    """Split a passage into sentences, as offsets in its text; headings never run into the text below them.

    In a table every row is one, and a line beside it ends with its last sentence. An item of a list ends with its line
    where the next begins like a sentence.
    """
    body = passage.body
    spans = split_sentences(passage.text[:body])
    for block in _BLOCK.finditer(passage.text, body):
        if "|" in block[0]:
            pieces = [piece.span() for piece in _LINE.finditer(passage.text, *block.span())]
        else:
            pieces = _split_after_lists(passage.text, *block.span())
        for begin, until in pieces:
            piece = passage.text[begin:until]
            found = [(0, len(piece))] if "|" in piece else split_sentences(piece)
            spans += [(begin + start, begin + end) for start, end in found]
    return spans


def _split_after_lists(text: str, start: int, end: int) -> list[Span]:
    """Split a stretch of text where a line with a bullet is followed by one without that begins like a sentence."""
    pieces: list[Span] = []
    begin = start
    for line in _ITEM.finditer(text, start, end):
        after = text[line.end() : end].lstrip(" \t")[:1]
        if after and after != "•" and not after.islower():
            pieces.append((begin, line.end()))
            begin = line.end()
    return [*pieces, (begin, end)]
