"""The parts of documents that are asked about as a whole, what tells most in each, and what there is room for.

What a model is asked about the parts is the affair of `notes`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from textwrap import shorten

from eclair.citations.evidence import split_passage
from eclair.schema.messages import Passage
from eclair.text.facts import extract_facts
from eclair.text.intent.whole_document import request_stems
from eclair.text.terms import is_content_word

DEPTHS = 3
"""Levels of headings along which documents are parted."""

QUOTED = (30, 300)
"""Characters that a sentence has which is to speak for its part: less says little, more is no summary."""

BROKEN = 0.5
"""What a line counts that is no whole sentence, as one of a table or a program is."""

_ENDED = re.compile(r"[.!?…。！？؟][\"'”’“»›)\]*_]*\Z")

BEGINNING = 40
"""Characters with which a part begins, where it has neither a heading nor a page of its own."""

PASSAGE_OVERHEAD_CHARS = 70
"""Characters that the number and the place of a passage take."""

# The parts


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of one document: `passages` in its order, not numbered. `title` is what it stands under, or where."""

    title: str
    passages: tuple[Passage, ...]

    @property
    def text(self) -> str:
        return "\n\n".join(passage.text for passage in self.passages)


@dataclass(frozen=True, slots=True)
class KeySentence:
    """A sentence, and what it rests on: characters `start` to `end` of the document in which `passage` stands."""

    text: str
    passage: Passage
    start: int
    end: int


def split_sections(files: Sequence[Sequence[Passage]], most: int) -> list[Section]:
    """Each file in parts of about `most` characters, along its headings as far as they allow."""
    parts: list[Section] = []
    for passages in files:
        depth = _depth(passages)
        held: list[Passage] = []
        for chapter in _chapters(passages, depth):
            for piece in _cut(chapter, most):
                if held and _length(held) + _length(piece) > most:
                    parts.append(_part(held, depth, files))
                    held = []
                held += piece
        if held:
            parts.append(_part(held, depth, files))
    return parts


def _depth(passages: Sequence[Passage]) -> int:
    """The first level of headings that parts the document."""
    return next(
        (depth for depth in range(1, DEPTHS) if len({passage.heading[:depth] for passage in passages}) > 1), DEPTHS
    )


def _chapters(passages: Sequence[Passage], depth: int) -> list[list[Passage]]:
    """What stands under the same headings of an archive's same file."""
    chapters: list[list[Passage]] = []
    for passage in passages:
        last = chapters[-1][-1] if chapters else None
        if last and (last.member, last.heading[:depth]) == (passage.member, passage.heading[:depth]):
            chapters[-1].append(passage)
        else:
            chapters.append([passage])
    return chapters


def _cut(passages: list[Passage], most: int) -> list[list[Passage]]:
    """What is longer than `most` in pieces of like length."""
    count = -(-_length(passages) // most)
    target = _length(passages) / count
    pieces: list[list[Passage]] = [[]]
    for passage in passages:
        if pieces[-1] and _length(pieces[-1]) + len(passage.text) // 2 > target:
            pieces.append([])
        pieces[-1].append(passage)
    return pieces


def _part(passages: list[Passage], depth: int, files: Sequence[Sequence[Passage]]) -> Section:
    first, last = passages[0], passages[-1]
    names = [first.name] if len(files) > 1 else []
    where = " – ".join(dict.fromkeys((_where(first, depth), _where(last, depth))))
    return Section(" › ".join([*names, *([first.member] if first.member else []), where]), tuple(passages))


def _where(passage: Passage, depth: int) -> str:
    if passage.heading:
        return passage.heading[:depth][-1]
    if passage.label != "":
        return passage.label or f"page {passage.page}"
    return f"“{shorten(passage.text, BEGINNING, placeholder='…')}”"


def _length(passages: Iterable[Passage]) -> int:
    return sum(len(passage.text) for passage in passages)


# What tells most


def choose_key_sentences(question: str, parts: Sequence[Section]) -> list[list[KeySentence]]:
    """Of each part the sentence that tells most: the one that has most of the question's words, where any part has
    some; else the one that is most like its part. None of a part that has nothing to tell."""
    asked = {term.stem for term in extract_facts(question).terms if is_content_word(term)} - request_stems()
    lines = [_lines(part) for part in parts]
    common = Counter(stem for part in lines for _, stems in part for stem in set(stems) & asked)
    chosen: list[list[KeySentence]] = []
    for part in lines:
        weights = (
            {stem: 1 / common[stem] for stem in common} if common else Counter(s for _, stems in part for s in stems)
        )
        scored = [
            (_score(stems, weights) * (1 if _ENDED.search(stated.text) else BROKEN), stated) for stated, stems in part
        ]
        best = max(scored, key=lambda one: one[0], default=None)
        chosen.append([best[1]] if best is not None and best[0] > 0 else [])
    return chosen


def _lines(part: Section) -> list[tuple[KeySentence, list[str]]]:
    """The sentences below its headings, with the stems of their words."""
    found: list[tuple[KeySentence, list[str]]] = []
    for passage in part.passages:
        for start, end in split_passage(passage):
            if start >= passage.body and QUOTED[0] <= end - start <= QUOTED[1]:
                text = passage.text[start:end]
                stems = [term.stem for term in extract_facts(text).terms if is_content_word(term)]
                found.append((KeySentence(text, passage, passage.start + start, passage.start + end), stems))
    return found


def _score(stems: list[str], weights: dict[str, float] | Counter[str]) -> float:
    """How much of what counts a sentence has, for its length."""
    return sum(weights.get(stem, 0) for stem in set(stems)) / (4 + len(stems)) ** 0.5


# What is shown


@dataclass(frozen=True, slots=True)
class Excerpts:
    """What there is room for: sentences by the part they are of, and the passages they rest on. Both in order."""

    passages: list[Passage]
    stated: list[list[KeySentence]]


def fit_sentences(stated: Sequence[Sequence[KeySentence]], room: int) -> Excerpts:
    """As many sentences as `room` characters hold with what they rest on: of every part the first one, then the next.
    What rests on one passage is one passage, from the first of its words that count to the last."""
    spans: dict[tuple[str, int], tuple[Passage, int, int]] = {}
    kept: list[list[KeySentence]] = [[] for _ in stated]
    for rank in range(max(map(len, stated), default=0)):
        for number in _spread(len(stated)):
            if rank >= len(stated[number]):
                continue
            one = stated[number][rank]
            place = (one.passage.file, one.passage.start)
            before = spans.get(place)
            start = min(one.start, before[1]) if before else one.start
            end = max(one.end, before[2]) if before else one.end
            cost = len(one.text) + (end - start) - (before[2] - before[1] if before else -PASSAGE_OVERHEAD_CHARS)
            if cost <= room:
                room -= cost
                spans[place] = (one.passage, start, end)
                kept[number].append(one)
    order = list(dict.fromkeys((one.passage.file, one.passage.start) for part in stated for one in part))
    files = list(dict.fromkeys(file for file, _ in order))
    return Excerpts(
        [_narrowed(*spans[place]) for place in sorted(spans, key=lambda place: (files.index(place[0]), place[1]))],
        kept,
    )


def _spread(count: int) -> list[int]:
    """All numbers below `count` in an order whose every beginning is spread over them."""
    golden = (5**0.5 - 1) / 2
    return sorted(range(count), key=lambda number: number * golden % 1)


def _narrowed(passage: Passage, start: int, end: int) -> Passage:
    text = passage.text[start - passage.start : end - passage.start]
    first = passage.page_at(start)
    breaks = tuple(each for each in passage.breaks if start < each.start < end)
    return replace(passage, page=first.page, label=first.label, start=start, end=end, text=text, breaks=breaks)
