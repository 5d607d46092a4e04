"""Estimates from words and vectors alone if passages can answer a question.

What is asked for is often missing altogether: no price in a text without any money, no lift where nothing is said of
one. That costs no model's time. The weights were fitted to the questions of `bench/answers/tune`, half of which the
documents don't answer though they come near.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence

from eclair.documents.quotes import RankedSentence
from eclair.schema.messages import Passage
from eclair.text.intent.asked_fact import AskedFact, read_asked_fact, states_kind
from eclair.text.language import identify_language
from eclair.text.terms import share_word, split_terms
from eclair.text.written_numbers import extract_numbers

MIN_KIND_COSINE, MAX_KIND_GAP = 0.83, 0.03
"""A sentence with a fact of the kind asked for is about something else below this cosine to the question, if it is
that much further from it than the closest sentence: to some questions nothing is close.

That can't be told of a table's rows, which say too little by themselves."""

CLOSE_COSINE = 0.85

MAX_NEAR = 3
"""Closest sentences that should have the question's words."""

CERTAIN_SCORE = 10.0
"""The score of a question that surely isn't answered."""


UNANSWERED_SCORE, ANSWERED_SCORE = 1.2, -0.4
"""From the one on a question isn't answered, up to the other it is; between them the model is asked too.

Of 180 questions that documents answer, in six languages, one is above; of XQuAD's in three languages, three in a
hundred. Of those that nothing answers, two in three are, and three in four."""

MAX_JUDGED_SCORE = 0.65
"""With the model's judgment, a question isn't answered above this score."""

MODEL_WEIGHT = 0.8
"""Weight of the logarithm of the odds that the model gives: it says yes too easily."""

MIN_PROBABILITY = 0.01


async def is_answered(
    question: str,
    passages: Sequence[Passage],
    closest: Sequence[RankedSentence],
    judge: Callable[[], Awaitable[float | None]],
) -> bool:
    """Return whether the passages seem to answer a question; True if that can't be told.

    `closest` are sentences with their cosines to the question, closest first. `judge` asks the model for the
    probability that they answer; it isn't asked where words decide.
    """
    language = identify_language(question)
    theirs = identify_language(" ".join(each.text for each in (*closest, *passages)))
    if language is not None and theirs is not None and language != theirs:
        return True
    asked = read_asked_fact(question, language or theirs)
    if asked is None:
        return True
    score = await asyncio.to_thread(unanswered_score, asked, passages, closest)
    if not ANSWERED_SCORE < score < UNANSWERED_SCORE:
        return score <= ANSWERED_SCORE
    probability = await judge()
    if probability is None:
        return True
    probability = min(1 - MIN_PROBABILITY, max(MIN_PROBABILITY, probability))
    return score - MODEL_WEIGHT * math.log(probability / (1 - probability)) <= MAX_JUDGED_SCORE


def unanswered_score(asked: AskedFact, passages: Sequence[Passage], closest: Sequence[RankedSentence]) -> float:
    """Return how likely it is that passages don't answer: roughly the logarithm of the odds."""
    text = "\n".join(" ".join((passage.name, *passage.heading, passage.text)) for passage in passages)
    far = 0.0
    if asked.kind is not None:
        stating = [each for each in closest if states_kind(asked.kind, each.text)]
        if not stating and not states_kind(asked.kind, text):
            return CERTAIN_SCORE
        if stating and not any("|" in each.text for each in stating):
            of_kind = max(each.score for each in stating)
            if of_kind < min(MIN_KIND_COSINE, closest[0].score - MAX_KIND_GAP):
                return CERTAIN_SCORE
            far = max(0.0, CLOSE_COSINE - of_kind)
    if any(code not in text for code in asked.codes) or _lacks_count(asked, passages):
        return CERTAIN_SCORE
    near = " ".join(" ".join((*each.passage.heading, each.text)) for each in closest[:MAX_NEAR])
    missing, missing_near = _count_missing(asked, text), _count_missing(asked, near)
    count = max(1, len(asked.words))
    return (
        -2.4
        - 49 * (closest[0].score - 0.86)
        + 4.0 * missing / count
        + 1.4 * missing_near / count
        + 0.15 * min(2, missing)
        + (1.2 + 2.0 * (missing > 0)) * asked.is_existence
        + 2.8 * (missing > 0) * asked.is_person
        + 1.2 * (asked.kind is not None)
        + 3.6 * far
    )


def _count_missing(asked: AskedFact, text: str) -> int:
    stated = split_terms(text)
    return sum(not any(share_word(word, other) for other in stated) for word in asked.words)


def _lacks_count(asked: AskedFact, passages: Sequence[Passage]) -> bool:
    """Tell whether the passages have no number beside the thing whose number is asked for."""
    if asked.counted is None:
        return False
    for passage in passages:
        heading = " ".join(passage.heading)
        for line in passage.text.split("\n"):
            for sentence in line.split(". "):
                has_number = "|" in sentence or extract_numbers(sentence)
                if has_number and any(share_word(asked.counted, o) for o in split_terms(f"{heading} {sentence}")):
                    return False
    return True
