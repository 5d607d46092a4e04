"""Whether what was found has to do with a question at all, or is only the nearest of what has not.

The best sentences are compared with the question by their meaning and by the words that they share. Where that cannot
be told (no embedder, another language, a question of one telling word), what was found is taken to fit.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from eclair.citations.evidence import split_passage
from eclair.documents.embeddings import Embedder
from eclair.documents.relevance import CALIBRATED_EMBEDDER, MIN_QUESTION_WORDS, SHARED_WORDS_WEIGHT
from eclair.errors import EclairError
from eclair.generation.fallback import cancel_and_wait
from eclair.schema.messages import Passage
from eclair.text.facts import content_stems
from eclair.text.intent.web import extract_topic
from eclair.text.language import identify_language

MIN_SCORE = 0.86
"""Cosine and `SHARED` together that a sentence must have; how many questions that refuses, bench/retrieve.py says."""
LOW_COVERAGE, MIN_SCORE_LOW_COVERAGE = 0.41, 0.89
"""The same where less than that share of the question's words stands in all passages together: then it is mostly the
names that are near, which led there."""
MAX_SENTENCES = 6
"""Sentences that are compared."""
TIMEOUT_S = 1.0
"""Seconds that the comparison may take once everything is there."""

log = logging.getLogger(__name__)


class RelevanceCheck:
    """Compares with one question. What the embedder needs for that is begun at once, while pages are still read."""

    def __init__(self, question: str, embedder: Embedder | None) -> None:
        self._question = question
        self._words = frozenset(content_stems(extract_topic(question)))
        known = embedder is not None and embedder.name.startswith(CALIBRATED_EMBEDDER)
        self._embedder = embedder if known and len(self._words) >= MIN_QUESTION_WORDS else None
        self._asked = asyncio.ensure_future(self._embedder.embed([question], "query")) if self._embedder else None

    async def is_relevant(self, passages: Sequence[Passage]) -> bool:
        """Whether one of these passages, the best first, may answer the question."""
        if self._embedder is None or self._asked is None:
            return True
        import numpy as np  # 0.1 s, which many a start can do without

        said = _said(passages)
        shares = _shares(self._words, said)
        language = identify_language(self._question)
        if (
            not shares
            or language is None
            or any(identify_language(each.text) not in (language, None) for each in passages)
        ):
            return True
        try:
            async with asyncio.timeout(TIMEOUT_S):
                near = np.vecdot(await self._embedder.embed(list(shares), "passage"), (await self._asked)[0])
        except (EclairError, TimeoutError) as error:
            log.info("whether what was found fits is not known: %s", error)
            return True
        least = MIN_SCORE_LOW_COVERAGE if _covered(self._words, said) < LOW_COVERAGE else MIN_SCORE
        return bool((near + SHARED_WORDS_WEIGHT * np.array(list(shares.values()))).max() >= least)

    async def close(self) -> None:
        if self._asked is not None:
            await cancel_and_wait(self._asked)


def _said(passages: Sequence[Passage]) -> Mapping[str, frozenset[str]]:
    """The sentences, each with the stems of its words."""
    texts = (passage.text[start:end] for passage in passages for start, end in split_passage(passage))
    return {text: frozenset(content_stems(text)) for text in texts}


def _covered(asked: frozenset[str], said: Mapping[str, frozenset[str]]) -> float:
    """The share of the question's words that stands in any of the sentences."""
    return len(asked & frozenset[str]().union(*said.values())) / len(asked)


def _shares(asked: frozenset[str], said: Mapping[str, frozenset[str]]) -> dict[str, float]:
    """The sentences that have most of the question's words, each with the share that it has; but none that says no more
    than the question does, as a heading that is a name."""
    shares = {text: len(asked & stems) / len(asked) for text, stems in said.items() if not stems <= asked}
    return dict(sorted(shares.items(), key=lambda pair: -pair[1])[:MAX_SENTENCES])
