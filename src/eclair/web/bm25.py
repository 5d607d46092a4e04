"""Which passages of pages that were just read fit a question: by their words, weighed as BM25 does, over all of them.

Pages come one by one and are gone with the answer, so that no index is kept. Robertson and Zaragoza, "The Probabilistic
Relevance Framework: BM25 and Beyond", 2009.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eclair.documents.chunking import Chunker
from eclair.schema.documents import Chunk
from eclair.schema.web import WebPage
from eclair.text.facts import content_stems

K1, B = 1.2, 0.75
TITLE_WEIGHT = 0.35
"""What a word counts that only the page's title has, beside one of the passage."""
RANK_BONUS = 0.12
"""What it adds, as a part of the best score, that the search services had the page first; half of that the second."""
REPEAT_FACTOR = 0.6
"""By how much a page's next passage must fit better than the best of a page that has none yet."""


@dataclass(frozen=True, slots=True)
class PageChunk:
    """A passage of page number `page` (in the order in which the services had them), as it can be shown."""

    page: int
    chunk: Chunk
    counts: Counter[str]
    title: frozenset[str]

    @property
    def length(self) -> int:
        return self.counts.total()


def split_page(number: int, page: WebPage) -> list[PageChunk]:
    """All passages of a page, in order."""
    chunker = Chunker(page.url)
    chunks = [chunk for sheet in page.pages for chunk in chunker.add(sheet)] + chunker.finish()
    title = frozenset(content_stems(page.title))
    return [PageChunk(number, chunk, Counter(content_stems(chunk.text)), title) for chunk in chunks]


def rank_chunks(
    question: str, chunks: Sequence[PageChunk], limit: int, page_factors: Mapping[int, float] | None = None
) -> list[PageChunk]:
    """The `most` passages that fit the question, best first, of as many pages as have some that do. `fresh` is by how
    much those of a page count more."""
    asked = set(content_stems(question))
    factors = page_factors or {}
    scores = [score * factors.get(piece.page, 1.0) for score, piece in zip(_scores(asked, chunks), chunks, strict=True)]
    top = max(scores, default=0.0)
    if top <= 0:
        return []
    placed = {number: rank for rank, number in enumerate(sorted({piece.page for piece in chunks}))}
    scored = [
        (score + top * RANK_BONUS / (1 + placed[piece.page]), piece)
        for score, piece in zip(scores, chunks, strict=True)
        if score > 0
    ]
    chosen: list[PageChunk] = []
    taken = Counter[int]()
    while scored and len(chosen) < limit:
        place = max(range(len(scored)), key=lambda at: scored[at][0] * REPEAT_FACTOR ** taken[scored[at][1].page])
        piece = scored.pop(place)[1]
        taken[piece.page] += 1
        chosen.append(piece)
    return chosen


def first_chunks(chunks: Sequence[PageChunk], limit: int) -> list[PageChunk]:
    """The first `most` passages, of every page as many."""
    places = Counter[int]()
    order: list[tuple[int, int, PageChunk]] = []
    for piece in chunks:
        order.append((places[piece.page], piece.page, piece))
        places[piece.page] += 1
    return [piece for _, _, piece in sorted(order, key=lambda each: each[:2])[:limit]]


def _scores(asked: set[str], found: Sequence[PageChunk]) -> list[float]:
    mean = sum(piece.length for piece in found) / len(found) if found else 0.0
    having = Counter(stem for piece in found for stem in asked if stem in piece.counts)
    weights = {stem: math.log(1 + (len(found) - n + 0.5) / (n + 0.5)) for stem, n in having.items()}
    scores: list[float] = []
    for piece in found:
        norm = K1 * (1 - B + B * piece.length / mean) if mean else K1
        score = 0.0
        for stem, weight in weights.items():
            count = piece.counts[stem]
            score += weight * (count * (K1 + 1) / (count + norm) if count else TITLE_WEIGHT * (stem in piece.title))
        scores.append(score)
    return scores
