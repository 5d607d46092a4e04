"""Splits documents into sections and fits their key sentences into a budget.

`notes` has a model read the sections.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from textwrap import shorten

from eclair.citations.evidence import split_passage
from eclair.schema.messages import Passage
from eclair.text.facts import extract_facts
from eclair.text.intent.whole_document import request_stems
from eclair.text.terms import is_content_word

MAX_HEADING_DEPTH = 3
"""Heading levels by which documents are split."""

KEY_SENTENCE_CHARS = (30, 300)
"""Length of a key sentence: a shorter one says little, a longer one is not a summary."""

MIN_FITTING_CHARS = 12
"""Of a sentence that fits a question, which may be short."""

FRAGMENT_FACTOR = 0.5
"""Factor on the score of a line that isn't a full sentence, as in a table or code."""

ASKED_WEIGHT, OPENING_WEIGHT = 3, 2
"""Factors on a word that the question has, and on the first sentence of a section."""

_SENTENCE_END = re.compile(r"[.!?…。！？؟][\"'”’“»›)\]*_]*\Z")

TITLE_CHARS = 40
"""Of a section's text, as its title if it has neither heading nor page."""

PASSAGE_OVERHEAD_CHARS = 70
"""The length that its number and location add to a passage in the prompt."""

RANGE = " – "
"""Between the titles of the first and the last of several sections."""

# Sections


@dataclass(frozen=True, slots=True)
class Section:
    """Consecutive passages of one document, unnumbered. `title` is their heading or location.

    A `digest` is read in place of their text.
    """

    title: str
    passages: tuple[Passage, ...]
    digest: str | None = None

    @property
    def text(self) -> str:
        return "\n\n".join(passage.text for passage in self.passages) if self.digest is None else self.digest


@dataclass(frozen=True, slots=True)
class KeySentence:
    """A sentence and its source: characters `start` to `end` of the document, in `passage`."""

    text: str
    passage: Passage
    start: int
    end: int


def split_sections(files: Sequence[Sequence[Passage]], max_chars: int) -> list[Section]:
    """Split each file into sections of about `max_chars`, at headings where possible."""
    sections: list[Section] = []
    for passages in files:
        depth = _split_depth(passages)
        held: list[Passage] = []
        for group in _group_by_heading(passages, depth):
            for piece in _split_evenly(group, max_chars):
                if held and _length(held) + _length(piece) > max_chars:
                    sections.append(_make_section(held, depth, files))
                    held = []
                held += piece
        if held:
            sections.append(_make_section(held, depth, files))
    return sections


def _split_depth(passages: Sequence[Passage]) -> int:
    """Return the first heading level with more than one heading."""
    return next(
        (depth for depth in range(1, MAX_HEADING_DEPTH) if len({passage.heading[:depth] for passage in passages}) > 1),
        MAX_HEADING_DEPTH,
    )


def _group_by_heading(passages: Sequence[Passage], depth: int) -> list[list[Passage]]:
    """Group consecutive passages under the same headings, in the same file of an archive."""
    groups: list[list[Passage]] = []
    for passage in passages:
        last = groups[-1][-1] if groups else None
        if last and (last.member, last.heading[:depth]) == (passage.member, passage.heading[:depth]):
            groups[-1].append(passage)
        else:
            groups.append([passage])
    return groups


def _split_evenly(passages: list[Passage], max_chars: int) -> list[list[Passage]]:
    """Split passages longer than `max_chars` into pieces of similar length."""
    count = -(-_length(passages) // max_chars)
    target = _length(passages) / count
    pieces: list[list[Passage]] = [[]]
    for passage in passages:
        if pieces[-1] and _length(pieces[-1]) + len(passage.text) // 2 > target:
            pieces.append([])
        pieces[-1].append(passage)
    return pieces


def _make_section(passages: list[Passage], depth: int, files: Sequence[Sequence[Passage]]) -> Section:
    first, last = passages[0], passages[-1]
    names = [first.name] if len(files) > 1 else []
    where = RANGE.join(dict.fromkeys((_label(first, depth), _label(last, depth))))
    return Section(" › ".join([*names, *([first.member] if first.member else []), where]), tuple(passages))


def _label(passage: Passage, depth: int) -> str:
    if passage.heading:
        return passage.heading[:depth][-1]
    if passage.label != "":
        return passage.label or f"page {passage.page}"
    return f"“{shorten(passage.text, TITLE_CHARS, placeholder='…')}”"


def _length(passages: Iterable[Passage]) -> int:
    return sum(len(passage.text) for passage in passages)


# Key sentences


def choose_key_sentences(question: str, sections: Sequence[Section]) -> list[list[KeySentence]]:
    """Choose the key sentence of each section; an empty list for a section without one.

    It has most of the question's words if any section has some, else it is the most typical of its section.
    """
    asked = {term.stem for term in extract_facts(question).terms if is_content_word(term)} - request_stems()
    lines = [_scored_sentences(section) for section in sections]
    common = Counter(stem for section in lines for _, stems in section for stem in set(stems) & asked)
    chosen: list[list[KeySentence]] = []
    for section in lines:
        weights = (
            {stem: 1 / common[stem] for stem in common} if common else Counter(s for _, stems in section for s in stems)
        )
        scored = [
            (_score(stems, weights) * (1 if _SENTENCE_END.search(stated.text) else FRAGMENT_FACTOR), stated)
            for stated, stems in section
        ]
        best = max(scored, key=lambda scored: scored[0], default=None)
        chosen.append([best[1]] if best is not None and best[0] > 0 else [])
    return chosen


def digest_sections(question: str, sections: Sequence[Section], digest_chars: int, max_chars: int) -> list[Section]:
    """Merge sections into ones whose digests have at most about `max_chars`; all digests have `digest_chars`.

    A digest holds the title of each section, its first sentence and its most telling ones.
    """
    asked = {term.stem for term in extract_facts(question).terms if is_content_word(term)} - request_stems()
    share = digest_chars / max(1, sum(_length(section.passages) for section in sections))
    merged: list[Section] = []
    group: list[Section] = []
    for section in sections:
        digest = _digest(section, asked, int(share * _length(section.passages)))
        if group and sum(len(each.text) for each in group) + len(digest.text) > max_chars:
            merged.append(_merge(group))
            group = []
        group.append(digest)
    return [*merged, _merge(group)] if group else merged


def narrow_section(question: str, section: Section, max_chars: int) -> Section:
    """Narrow the passages of a section to the sentences that fit a question best, about `max_chars` of them."""
    asked = {term.stem for term in extract_facts(question).terms if is_content_word(term)}
    scored = _scored_sentences(section, MIN_FITTING_CHARS)
    common = Counter(stem for _, stems in scored for stem in set(stems) & asked)
    weights = {stem: 1 / count for stem, count in common.items()}
    order = sorted(range(len(scored)), key=lambda at: (-_score(scored[at][1], weights), at))
    chosen: list[KeySentence] = []
    for at in order:
        if not chosen or sum(len(each.text) for each in chosen) + len(scored[at][0].text) <= max_chars:
            chosen.append(scored[at][0])
    if not chosen:
        return section
    by_passage: dict[int, list[KeySentence]] = {}
    for sentence in chosen:
        by_passage.setdefault(sentence.passage.start, []).append(sentence)
    passages = [
        _narrow(group[0].passage, min(each.start for each in group), max(each.end for each in group))
        for _, group in sorted(by_passage.items())
    ]
    return Section(section.title, tuple(passages))


def merge_sections(sections: Sequence[Section], max_chars: int) -> list[Section]:
    """Merge neighboring sections into ones of at most about `max_chars`; each is told from the others by its title."""
    titled = [Section(each.title, each.passages, f"{each.title}: {each.text}") for each in sections]
    merged: list[Section] = []
    group: list[Section] = []
    for section in titled:
        if group and sum(len(each.text) for each in group) + len(section.text) > max_chars:
            merged.append(_merge(group))
            group = []
        group.append(section)
    return [*merged, _merge(group)] if group else merged


def _digest(section: Section, asked: set[str], max_chars: int) -> Section:
    scored = _scored_sentences(section)
    frequency = Counter(stem for _, stems in scored for stem in stems)
    weights = {stem: count * (ASKED_WEIGHT if stem in asked else 1) for stem, count in frequency.items()}
    order = sorted(range(len(scored)), key=lambda at: -_digest_score(at, *scored[at], weights))
    chosen: list[int] = []
    seen: set[str] = set()
    left = max_chars
    for at in order:
        text = scored[at][0].text
        if text not in seen and (not chosen or len(text) <= left):
            chosen.append(at)
            seen.add(text)
            left -= len(text)
    sentences = [scored[at][0] for at in sorted(chosen)]
    used = {sentence.passage.start for sentence in sentences}
    passages = tuple(passage for passage in section.passages if passage.start in used)
    text = " ".join(" ".join(sentence.text.split()) for sentence in sentences)
    return Section(section.title, passages or section.passages[:1], f"{section.title}: {text}")


def _digest_score(at: int, stated: KeySentence, stems: list[str], weights: dict[str, int]) -> float:
    whole = 1 if _SENTENCE_END.search(stated.text) else FRAGMENT_FACTOR
    return _score(stems, weights) * whole * (OPENING_WEIGHT if at == 0 else 1)


def _merge(sections: Sequence[Section]) -> Section:
    titles = dict.fromkeys((sections[0].title.split(RANGE)[0], sections[-1].title.split(RANGE)[-1]))
    passages = tuple(passage for section in sections for passage in section.passages)
    return Section(RANGE.join(titles), passages, "\n\n".join(section.text for section in sections))


def _scored_sentences(section: Section, min_chars: int = KEY_SENTENCE_CHARS[0]) -> list[tuple[KeySentence, list[str]]]:
    """Return the section's sentences with the stems of their words, without headings."""
    found: list[tuple[KeySentence, list[str]]] = []
    for passage in section.passages:
        for start, end in split_passage(passage):
            if start >= passage.body and min_chars <= end - start <= KEY_SENTENCE_CHARS[1]:
                text = passage.text[start:end]
                stems = [term.stem for term in extract_facts(text).terms if is_content_word(term)]
                found.append((KeySentence(text, passage, passage.start + start, passage.start + end), stems))
    return found


def _score(stems: list[str], weights: Mapping[str, float]) -> float:
    """Return the weight of a sentence's words, relative to its length."""
    return sum(weights.get(stem, 0) for stem in set(stems)) / (4 + len(stems)) ** 0.5


# Excerpts


@dataclass(frozen=True, slots=True)
class Excerpts:
    """Sentences that fit into the budget, by section, and the passages that they are from; both in order."""

    passages: list[Passage]
    stated: list[list[KeySentence]]


def fit_sentences(stated: Sequence[Sequence[KeySentence]], max_chars: int) -> Excerpts:
    """Fit sentences and their passages into `max_chars`: the first of each section, then the second, and so on.

    Passages are narrowed to the span of their sentences.
    """
    left = max_chars
    spans: dict[tuple[str, int], tuple[Passage, int, int]] = {}
    kept: list[list[KeySentence]] = [[] for _ in stated]
    for rank in range(max(map(len, stated), default=0)):
        for number in _spread_order(len(stated)):
            if rank >= len(stated[number]):
                continue
            sentence = stated[number][rank]
            place = (sentence.passage.file, sentence.passage.start)
            before = spans.get(place)
            start = min(sentence.start, before[1]) if before else sentence.start
            end = max(sentence.end, before[2]) if before else sentence.end
            cost = len(sentence.text) + (end - start) - (before[2] - before[1] if before else -PASSAGE_OVERHEAD_CHARS)
            if cost <= left:
                left -= cost
                spans[place] = (sentence.passage, start, end)
                kept[number].append(sentence)
    order = list(
        dict.fromkeys((sentence.passage.file, sentence.passage.start) for section in stated for sentence in section)
    )
    files = list(dict.fromkeys(file for file, _ in order))
    return Excerpts(
        [_narrow(*spans[place]) for place in sorted(spans, key=lambda place: (files.index(place[0]), place[1]))],
        kept,
    )


def _spread_order(count: int) -> list[int]:
    """Order the numbers below `count` so that every prefix is spread over them."""
    golden = (5**0.5 - 1) / 2
    return sorted(range(count), key=lambda number: number * golden % 1)


def _narrow(passage: Passage, start: int, end: int) -> Passage:
    text = passage.text[start - passage.start : end - passage.start]
    first = passage.page_at(start)
    breaks = tuple(each for each in passage.breaks if start < each.start < end)
    return replace(passage, page=first.page, label=first.label, start=start, end=end, text=text, breaks=breaks)
