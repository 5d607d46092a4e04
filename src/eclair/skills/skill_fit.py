"""Chooses the skill that a question calls for, on behalf of models that don't call tools.

A message calls for a skill if it names it, or if it is closer in meaning to its description than to every everyday
task; one with a question mark has to be clearly closer, since questions on documents are near to any description.
`tests/skills/test_skill_fit.py` has how often that is right.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eclair.errors import UpstreamError
from eclair.schema.skills import Skill
from eclair.text.sentences import has_question_mark
from eclair.util.lru import LruCache

if TYPE_CHECKING:
    from eclair.documents.embeddings import Embedder

EVERYDAY_TASKS = (
    "Answers a question about facts, people, places or history.",
    "Explains how something works or what a word means.",
    "Writes a poem, a story or a greeting card.",
    "Writes or explains program code.",
    "Translates a text or corrects its spelling.",
    "Summarizes an article, a book or a chapter.",
    "Calculates with numbers, times and dates.",
    "Chats, tells a joke or says hello.",
    "Gives advice, a recipe or a plan for a journey.",
    "Writes a personal letter, an application or a short e-mail.",
    "Makes a picture or a chart.",
    "Looks up news, the weather or the date of an event.",
    "Asks when or where a meeting takes place, or how long something should be.",
    "Asks what a technical term, a law of science or a data type is.",
    "Sorts, adds up or plots a table.",
    "Asks for a number, a price, a limit or a date that a document states.",
    "Asks whether something is allowed, necessary, included or possible.",
    "Asks why something is so, or what a sign or code on a device means.",
    "Asks who is responsible for something, or who may do it.",
    "Asks how often, how long, how many or how much.",
    "Asks about a product, a medicine, a device, an insurance or a service.",
    "Asks which data somebody stores or sees, and how long.",
)
MIN_QUESTION_LEAD = 0.02
"""Lead over every everyday task that a skill needs with a question mark in the message; 0 without one."""
MAX_QUESTION_CHARS = 1000
EMBEDDING_TIMEOUT_S = 2.0
"""After that names decide alone, so that an answer doesn't wait for an embedder that starts."""

_WORD = re.compile(r"/?[a-z0-9]++(?:-[a-z0-9]++)*+")


class SkillFit:
    """Finds the skill for a question; by names alone without an embedder or while it fails."""

    def __init__(self, embedder: Embedder | None) -> None:
        self._embedder = embedder
        self._vectors = LruCache[str, Sequence[float]](1000)

    async def choose(self, skills: Sequence[Skill], question: str) -> Skill | None:
        """Return the skill that a question calls for; None for none."""
        asked = question[:MAX_QUESTION_CHARS]
        named = find_named(skills, asked)
        if named is not None or self._embedder is None or not skills or not asked.strip():
            return named
        described = [f"{each.name.replace('-', ' ')}: {each.head.description}" for each in skills]
        try:
            async with asyncio.timeout(EMBEDDING_TIMEOUT_S):
                scores = await self._score(self._embedder, [*described, *EVERYDAY_TASKS], asked)
        except (UpstreamError, TimeoutError):
            return None
        best = max(range(len(skills)), key=scores.__getitem__)
        lead = scores[best] - max(scores[len(skills) :])
        return skills[best] if lead > (MIN_QUESTION_LEAD if has_question_mark(asked) else 0) else None

    async def _score(self, embedder: Embedder, texts: Sequence[str], question: str) -> list[float]:
        """Return how close in meaning each text is to the question. Raises UpstreamError."""
        missing = [text for text in dict.fromkeys(texts) if self._vectors.get(text) is None]
        new, *found = await embedder.embed([question, *missing], "query")
        for text, vector in zip(missing, found, strict=True):
            self._vectors.put(text, vector)
        vectors = [self._vectors.get(text) for text in texts]
        return [
            0.0 if vector is None else float(sum(a * b for a, b in zip(new, vector, strict=True))) for vector in vectors
        ]


def find_named(skills: Sequence[Skill], question: str) -> Skill | None:
    """Return the skill that a question names: as `/report`, or by a name of several words as it is written."""
    words = set(_WORD.findall(question.casefold()))
    return next(
        (each for each in skills if f"/{each.name}" in words or ("-" in each.name and each.name in words)), None
    )
