"""Chooses the very sentences that answer a question best, to be quoted before a small model's own words."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from eclair.citations.evidence import split_passage
from eclair.documents.embeddings import Embedder
from eclair.generation.sources import Quote
from eclair.schema.messages import Citation, Passage
from eclair.text.facts import extract_facts
from eclair.text.terms import is_content_word

LOOKED_AT = 3
"""Passages, the best first, of whose sentences one is chosen."""
EMBEDDED = 6
"""Sentences that are compared by their meaning, since each costs time before the first word."""
LONGEST = 600
"""Characters of a quote."""
RANK = 0.15
"""What it counts that a sentence stands in the best passage, and for a half and a third of it in the next ones."""

CLOSE = 0.4
"""How much less good a second sentence may be that is quoted too, where one is wanted: of one question in five the
answer may as well stand there (bench/grounded.py)."""


SHORTEST = 8
"""Characters up to which a quote has two words at least: a figure or a name alone, as on a photo, says nothing."""

_WORDS = re.compile(r"\w\W+\w")


@dataclass(frozen=True, slots=True)
class _Line:
    passage: Passage
    start: int
    end: int
    text: str
    score: float


async def choose_quotes(
    question: str, passages: Sequence[Passage], embedder: Embedder | None, limit: int = 1
) -> list[Quote]:
    """The `most` sentences that answer the question best, or two where one is wanted and the second is about as good,
    in the order in which they stand; each ready to be shown as a quote of Markdown, with its citation. Raises what the
    embedder raises."""
    lines = await asyncio.to_thread(_by_words, question, passages[:LOOKED_AT])
    if embedder is not None and len(lines) > limit:
        lines = await _by_meaning(question, lines[:EMBEDDED], embedder)
    if limit == 1 and len(lines) > 1 and lines[0].score - lines[1].score < CLOSE:
        limit = 2
    chosen = sorted(lines[:limit], key=lambda line: (line.passage.number, line.start))
    return [make_quote(line.passage, line.start, line.end) for line in chosen]


def _by_words(question: str, passages: Sequence[Passage]) -> list[_Line]:
    """The sentences by the share of the question's words that they have, a rare word counting more."""
    asked = {term.stem for term in extract_facts(question).terms if is_content_word(term)}
    spans = [(rank, passage, span) for rank, passage in enumerate(passages, 1) for span in split_passage(passage)]
    stems = [{term.stem for term in extract_facts(passage.text[start:end]).terms} for _, passage, (start, end) in spans]
    common = Counter(stem for line in stems for stem in line & asked)
    whole = sum(1 / common[stem] for stem in asked if common[stem]) or 1.0
    lines = [
        _Line(
            passage,
            start,
            end,
            passage.text[start:end],
            sum(1 / common[stem] for stem in line & asked) / whole + RANK / rank,
        )
        for (rank, passage, (start, end)), line in zip(spans, stems, strict=True)
        if start >= passage.body and end - start <= LONGEST and _says(passage.text, start, end)
    ]
    return sorted(lines, key=lambda line: -line.score)


def _says(text: str, start: int, end: int) -> bool:
    return end - start > SHORTEST or _WORDS.search(text, start, end) is not None


async def _by_meaning(question: str, lines: Sequence[_Line], embedder: Embedder) -> list[_Line]:
    """The same by their nearness to the question and the words that they share with it."""
    import numpy as np  # 0.1 s, which many a start can do without

    asked, said = await asyncio.gather(
        embedder.embed([question], "query"), embedder.embed([line.text for line in lines], "passage")
    )
    near = np.vecdot(said, asked[0])
    spread = near - near.min()
    both = spread / (spread.max() or 1.0) + np.array([line.score for line in lines])
    order: list[int] = np.argsort(-both, kind="stable").tolist()
    return [replace(lines[place], score=float(both[place])) for place in order]


def make_quote(passage: Passage, start: int, end: int, title: str = "") -> Quote:
    """Characters `start` to `end` of a passage's text as a quote, below a line that says where it stands."""
    text = passage.text[start:end]
    words = " ".join(text.split())
    above = f"**{title}**\n\n> " if title else "> "
    place = (len(above), len(above) + len(words))
    begin = passage.start + start
    citation = Citation(0, *place, passage.number, text, begin, passage.start + end, 1.0, *passage.named_at(begin))
    return Quote(f"{above}{words} [{passage.number}]\n\n", citation)
