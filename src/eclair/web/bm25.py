"""Ranks the passages of pages that were just read by BM25, over all of them.

Pages come one by one and are discarded after the answer, so there is no stored index. Robertson and Zaragoza,
"The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
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
"""Weight of a word that only the page's title has, relative to one in the passage."""
RANK_BONUS = 0.12
"""Share of the best score that the page ranked first by the search providers gains; the second gains half of it."""
REPEAT_FACTOR = 0.6
"""Factor on a page's score for each of its passages chosen before."""


@dataclass(frozen=True, slots=True)
class PageChunk:
    """A chunk of page number `page` in the search providers' order, with the stems of its words and the title's."""

    page: int
    chunk: Chunk
    counts: Counter[str]
    title: frozenset[str]

    @property
    def length(self) -> int:
        return self.counts.total()


def split_page(number: int, page: WebPage) -> list[PageChunk]:
    """Cut a page into chunks."""
    chunker = Chunker(page.url)
    chunks = [chunk for sheet in page.pages for chunk in chunker.add(sheet)] + chunker.finish()
    title = frozenset(content_stems(page.title))
    return [PageChunk(number, chunk, Counter(content_stems(chunk.text)), title) for chunk in chunks]


def rank_chunks(
    question: str, chunks: Sequence[PageChunk], limit: int, page_factors: Mapping[int, float] | None = None
) -> list[PageChunk]:
    """Return the `limit` chunks that fit the question best, spread over several pages.

    `page_factors` multiply the scores of a page's chunks.
    """
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
    """Return the first `limit` chunks, equally many of every page."""
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
