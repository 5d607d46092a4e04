"""Finds the sentences that are closest to a question, and judges by them if the sources answer it.

A small model overlooks what stands among much else, and answers what nothing answers. So it is shown the closest
sentences once more, right above the question. If none is close, it is asked first if they answer at all.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

from eclair.documents.embeddings import Embedder
from eclair.documents.quotes import RankedSentence, rank_by_words
from eclair.generation.untrusted import neutralize_line
from eclair.generation.usage import AskModel
from eclair.llm.base import Engine, PromptMessage, Request, Text
from eclair.schema.messages import Passage, Sampling
from eclair.schema.models import Model
from eclair.schema.principal import Principal

MAX_PASSAGES = 3
"""Sentences of the best passages are compared."""

MAX_EMBEDDED_SENTENCES = 8
"""Each embedding delays the first word of the answer."""

MAX_CLOSEST = 3

CLEARLY_CLOSE_COSINE = 0.85
"""From here on the sentence is about the question: of 24 questions in three languages, one of 18 that a text answers
was below, and all of 6 that it doesn't."""

MIN_ANSWERED_PROBABILITY = 0.7
"""The probability of yes from which on a small model's judgment counts, since it says yes too easily.

Of those six questions it lets one through, and of the 18 it refuses one."""

MIN_JUDGED_WORDS = 4
"""A shorter question rests on the one before."""

_QUESTION = """\
Text: {text}

Question: {question}

Is the answer to the question stated in the text? Answer yes or no."""


async def find_closest_sentences(
    question: str, passages: Sequence[Passage], embedder: Embedder
) -> list[RankedSentence]:
    """Return the closest sentences of the best passages, closest first; their score is the cosine.

    `passages` come best first. Raises what the embedder raises.
    """
    import numpy as np  # takes 0.1 s, which most starts don't need

    found = await asyncio.to_thread(rank_by_words, question, passages[:MAX_PASSAGES])
    found = found[:MAX_EMBEDDED_SENTENCES]
    if not found:
        return []
    (asked,), vectors = await asyncio.gather(
        embedder.embed([question], "query"), embedder.embed([_with_heading(each) for each in found], "passage")
    )
    cosines = np.asarray(vectors) @ np.asarray(asked)
    ranked = [replace(each, score=float(cosine)) for each, cosine in zip(found, cosines, strict=True)]
    return sorted(ranked, key=lambda sentence: -sentence.score)[:MAX_CLOSEST]


def describe_closest(sentences: Sequence[RankedSentence]) -> str:
    """Return the sentences as a model is shown them, each with the number of its passage."""
    return "\n".join(f"[{each.passage.number}] {' '.join(_with_heading(each).split())}" for each in sentences)


async def states_answer(
    question: str,
    sentences: Sequence[RankedSentence],
    ask: AskModel,
    principal: Principal,
    engine: Engine,
    model: Model,
) -> bool:
    """Ask the model if the sentences answer the question; True if it doesn't say. Raises UpstreamError."""
    text = neutralize_line(" ".join(each.text for each in sentences))
    request = Request(
        model.id,
        (PromptMessage("user", _QUESTION.format(text=text, question=neutralize_line(question))),),
        sampling=Sampling(temperature=0.0, max_tokens=1),
        extra={"logprobs": True, "top_logprobs": 20},
        purpose="notes",
    )
    async with aclosing(ask(principal, engine, model, request)) as deltas:
        async for delta in deltas:
            if isinstance(delta, Text) and (probability := _probability_of_yes(delta)) is not None:
                return probability >= MIN_ANSWERED_PROBABILITY
    return True


def _with_heading(sentence: RankedSentence) -> str:
    heading = sentence.passage.heading
    return f"{heading[-1]}: {sentence.text}" if heading else sentence.text


def _probability_of_yes(delta: Text) -> float | None:
    """Return the probability of yes among yes and no as the first token; None if the engine doesn't say."""
    chances = {"yes": 0.0, "no": 0.0}
    for row in delta.logprobs[:1]:
        for candidate in row.get("top_logprobs") or ():
            word, logprob = str(candidate.get("token", "")).strip().lower(), candidate.get("logprob")
            if word in chances and isinstance(logprob, int | float):
                chances[word] += math.exp(min(0.0, logprob))
    total = sum(chances.values())
    return chances["yes"] / total if total > 0 else None
