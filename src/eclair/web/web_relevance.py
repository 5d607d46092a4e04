"""Decides whether web passages are relevant to a question.

The best sentences are compared with the question by meaning and by shared words. If that isn't possible (no embedder,
another language, a question with one content word), passages count as relevant.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence

from eclair.citations.evidence import split_passage
from eclair.documents.document_relevance import CALIBRATED_EMBEDDER, MIN_QUESTION_WORDS, SHARED_WORDS_WEIGHT
from eclair.documents.embeddings import Embedder
from eclair.errors import EclairError
from eclair.schema.messages import Passage
from eclair.text.facts import content_stems
from eclair.text.intent.web import extract_topic
from eclair.text.language import identify_language
from eclair.util.tasks import cancel_and_wait

MIN_SCORE = 0.86
"""Cosine and `SHARED` together that a sentence must have; how many questions that refuses, bench/retrieve.py says."""
LOW_COVERAGE, MIN_SCORE_LOW_COVERAGE = 0.41, 0.89
"""The minimum if the passages together have less than this share of the question's words: then mostly names match."""
MAX_SENTENCES = 6
"""Sentences compared."""
MAX_VALUE_CHARS = 100
"""A line with a figure or a label of at most this length states a value of what its page is about."""
MAX_VALUE_WORDS = 6
"""With a full stop at its end and more words, such a line is a sentence, which is read by itself."""
MIN_VALUE_SHARE = 0.25
TIMEOUT_S = 1.0
"""Time for the comparison once all passages are there."""

_VALUE = re.compile(r"\d|[^\W\d]\s?:\s")

log = logging.getLogger(__name__)


class RelevanceCheck:
    """Checks passages against one question, which is embedded right away, while pages are still being read."""

    def __init__(self, question: str, embedder: Embedder | None) -> None:
        self._question = question
        self._words = frozenset(content_stems(extract_topic(question)))
        known = embedder is not None and embedder.name.startswith(CALIBRATED_EMBEDDER)
        self._embedder = embedder if known and len(self._words) >= MIN_QUESTION_WORDS else None
        self._asked = asyncio.ensure_future(self._embedder.embed([question], "query")) if self._embedder else None

    async def is_relevant(self, passages: Sequence[Passage]) -> bool:
        """Return whether one of the passages, best first, may answer the question."""
        if self._embedder is None or self._asked is None:
            return True
        import numpy as np  # takes 0.1 s, which most starts don't need

        sentences = _sentence_stems(self._words, passages)
        shares = _best_shares(self._words, sentences)
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
            log.info("passages were not checked for relevance: %s", error)
            return True
        least = MIN_SCORE_LOW_COVERAGE if _coverage(self._words, sentences) < LOW_COVERAGE else MIN_SCORE
        return bool((near + SHARED_WORDS_WEIGHT * np.array(list(shares.values()))).max() >= least)

    async def close(self) -> None:
        if self._asked is not None:
            await cancel_and_wait(self._asked)


def _sentence_stems(question: frozenset[str], passages: Sequence[Passage]) -> Mapping[str, frozenset[str]]:
    """Return the sentences, each with the stems of its words.

    A short line with a figure or a label, such as `Price: £249.95`, is read with the title or heading that it is about,
    if both together have enough of the question's words.
    """
    found: dict[str, frozenset[str]] = {}
    for passage in passages:
        subject = _subject(passage)
        for start, end in split_passage(passage):
            text = passage.text[start:end]
            stems = frozenset(content_stems(text))
            if start >= passage.body and subject and _states_value(text):
                together = stems | frozenset(content_stems(subject))
                if len(together & question) >= MIN_VALUE_SHARE * len(question):
                    found[f"{subject}: {' '.join(text.split())}"] = together
            found.setdefault(text, stems)
    return found


def _states_value(text: str) -> bool:
    """Return whether a text is a short line with a figure or a label, and no whole sentence."""
    is_sentence = text.rstrip().endswith((".", "!", "?")) and len(text.split()) > MAX_VALUE_WORDS
    return len(text) <= MAX_VALUE_CHARS and not is_sentence and _VALUE.search(text) is not None


def _subject(passage: Passage) -> str:
    """Return the title of a passage's page, or the last heading that says more."""
    title, heading = set(content_stems(passage.name)), passage.heading[-1] if passage.heading else ""
    return heading if title <= set(content_stems(heading)) else passage.name


def _coverage(question: frozenset[str], sentences: Mapping[str, frozenset[str]]) -> float:
    """Return the share of the question's words that are in any of the sentences."""
    return len(question & frozenset[str]().union(*sentences.values())) / len(question)


def _best_shares(question: frozenset[str], sentences: Mapping[str, frozenset[str]]) -> dict[str, float]:
    """Return the sentences with the highest share of the question's words.

    Sentences that say no more than the question, such as a heading that is a name, don't count.
    """
    shares = {text: len(question & stems) / len(question) for text, stems in sentences.items() if not stems <= question}
    return dict(sorted(shares.items(), key=lambda pair: -pair[1])[:MAX_SENTENCES])
