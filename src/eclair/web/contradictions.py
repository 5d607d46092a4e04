"""Finds contradictions between sources: another number, date or name.

The sentence of each site that fits the question best is checked against those of the other sites, as a sentence of an
answer is checked against its passage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from eclair.citations.checker import CitationChecker
from eclair.citations.evidence import Doubtful, split_passage
from eclair.schema.events import Notice
from eclair.schema.messages import Passage
from eclair.text.facts import content_stems

MIN_SHARED_WORDS = 0.5
"""Share of the question's words that a sentence must have to be compared."""
MAX_SENTENCE_CHARS = 400


@dataclass(frozen=True, slots=True)
class _Statement:
    """A sentence of a passage, at characters `start` to `end` of its text."""

    passage: Passage
    start: int
    end: int

    @property
    def sentence(self) -> str:
        return " ".join(self.passage.text[self.start : self.end].split())

    @property
    def site(self) -> str:
        return urlsplit(self.passage.url or self.passage.file).hostname or self.passage.file


async def find_contradiction(question: str, passages: Sequence[Passage]) -> Notice | None:
    """Return a notice that names two sources which contradict each other on the question; None if none do."""
    statements = await asyncio.to_thread(_best_statements, set(content_stems(question)), passages)
    for one in statements:
        for other in statements:
            if one.site >= other.site:
                continue
            about = await _difference(one, other)
            if about and await _difference(other, one):
                return Notice(
                    "contradicted",
                    f"Sources contradict each other: [{one.passage.number}] says “{one.sentence}”, "
                    f"[{other.passage.number}] says “{other.sentence}”.",
                )
    return None


async def _difference(one: _Statement, other: _Statement) -> str:
    """Return the fact in which one sentence differs from the other; empty if they agree or aren't comparable."""
    against = replace(other.passage, heading=(), text=other.sentence)
    judged = await CitationChecker([against], None).check(one.sentence)
    return judged.about if isinstance(judged, Doubtful) else ""


def _best_statements(asked: set[str], passages: Sequence[Passage]) -> list[_Statement]:
    """Return the sentence of each site that has most of the question's words, if it has enough."""
    best: dict[str, tuple[float, _Statement]] = {}
    for passage in passages:
        for start, end in split_passage(passage):
            said = _Statement(passage, start, end)
            shared = len(asked & set(content_stems(said.sentence))) / len(asked) if asked else 0.0
            if start >= passage.body and len(said.sentence) <= MAX_SENTENCE_CHARS and shared >= MIN_SHARED_WORDS:
                best[said.site] = max(best.get(said.site, (0.0, said)), (shared, said), key=lambda pair: pair[0])
    return [said for _, said in best.values()]
