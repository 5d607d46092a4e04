"""Whether sources say different things of what was asked: another number, date or name in a sentence otherwise alike.

The sentence of each page that fits the question best is held against the passages of every other site, as a sentence of
an answer is; what differs there is what they contradict each other in.
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
"""Share of the question's words that a sentence must have to be what was asked for."""
MAX_SENTENCE_CHARS = 400
"""Characters of a sentence that is compared."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What a passage says of what was asked."""

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
    """A remark that names two sources which contradict each other in what was asked; None where none do."""
    said = await asyncio.to_thread(_said, set(content_stems(question)), passages)
    for one in said:
        for other in said:
            if one.site >= other.site:
                continue
            about = await _differs(one, other)
            if about and await _differs(other, one):
                return Notice(
                    "contradicted",
                    f"Sources contradict each other: [{one.passage.number}] says “{one.sentence}”, "
                    f"[{other.passage.number}] says “{other.sentence}”.",
                )
    return None


async def _differs(one: _Said, other: _Said) -> str:
    """In what the one sentence differs from the other, where both are about the same; else nothing."""
    against = replace(other.passage, heading=(), text=other.sentence)
    judged = await CitationChecker([against], None).check(one.sentence)
    return judged.about if isinstance(judged, Doubtful) else ""


def _said(asked: set[str], passages: Sequence[Passage]) -> list[_Said]:
    """The sentence of each site that has most of the question's words, if it has enough."""
    best: dict[str, tuple[float, _Said]] = {}
    for passage in passages:
        for start, end in split_passage(passage):
            said = _Said(passage, start, end)
            shared = len(asked & set(content_stems(said.sentence))) / len(asked) if asked else 0.0
            if start >= passage.body and len(said.sentence) <= MAX_SENTENCE_CHARS and shared >= MIN_SHARED_WORDS:
                best[said.site] = max(best.get(said.site, (0.0, said)), (shared, said), key=lambda pair: pair[0])
    return [said for _, said in best.values()]
