"""Finds the sentences that are closest to a question, and asks a model if they answer it.

A small model overlooks what stands among much else. So it is shown the closest sentences once more, right above the
question.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

from eclair.documents.embeddings import Embedder
from eclair.documents.quotes import RankedSentence, rank_by_words
from eclair.documents.table_rows import name_cells
from eclair.generation.untrusted import neutralize_line
from eclair.generation.usage import AskModel
from eclair.llm.base import Engine, PromptMessage, Request, Text
from eclair.schema.messages import Passage, Sampling
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.text.intent.asked_fact import asked_kind, states_kind

MAX_PASSAGES = 3
"""Sentences of the best passages are compared."""

MAX_EMBEDDED_SENTENCES = 8
"""Each embedding delays the first word of the answer."""

MAX_CLOSEST = 3

MAX_SENTENCES_OF_KIND = 6
"""Sentences with a fact of the kind asked for, such as a price, that are compared besides."""

_QUESTION = """\
Text: {text}

Question: {question}

Is the answer to the question stated in the text? Answer yes or no."""


async def find_closest_sentences(
    question: str, passages: Sequence[Passage], embedder: Embedder
) -> list[RankedSentence]:
    """Return sentences of the passages, closest first; their score is the cosine.

    They are of the best passages, which come first, but those with a fact of the kind asked for are of all passages.
    Raises what the embedder raises.
    """
    import numpy as np  # takes 0.1 s, which most starts don't need

    found = await asyncio.to_thread(_choose_sentences, question, passages)
    if not found:
        return []
    (asked,), vectors = await asyncio.gather(
        embedder.embed([question], "query"), embedder.embed([_with_heading(each) for each in found], "passage")
    )
    cosines = np.asarray(vectors) @ np.asarray(asked)
    ranked = [replace(each, score=float(cosine)) for each, cosine in zip(found, cosines, strict=True)]
    return sorted(ranked, key=lambda sentence: -sentence.score)


def _choose_sentences(question: str, passages: Sequence[Passage]) -> list[RankedSentence]:
    found = rank_by_words(question, passages[:MAX_PASSAGES])[:MAX_EMBEDDED_SENTENCES]
    kind = asked_kind(question)
    if kind is None:
        return found
    of_kind = [each for each in rank_by_words(question, passages) if states_kind(kind, each.text)]
    places = {(each.passage.number, each.start) for each in found}
    return [*found, *(e for e in of_kind[:MAX_SENTENCES_OF_KIND] if (e.passage.number, e.start) not in places)]


def describe_closest(sentences: Sequence[RankedSentence]) -> str:
    """Return the closest sentences as a model is shown them, each with the number of its passage."""
    shown = sentences[:MAX_CLOSEST]
    return "\n".join(f"[{each.passage.number}] {' '.join(_with_heading(each).split())}" for each in shown)


async def answer_probability(
    question: str,
    closest: Sequence[RankedSentence],
    ask: AskModel,
    principal: Principal,
    engine: Engine,
    model: Model,
) -> float | None:
    """Ask the model if the closest sentences answer the question; None if it doesn't say. Raises UpstreamError."""
    text = neutralize_line(" ".join(map(_as_told, closest[:MAX_CLOSEST])))
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
                return probability
    return None


def _with_heading(sentence: RankedSentence) -> str:
    heading = next((each for each in reversed(sentence.passage.heading) if "|" not in each), None)
    return _as_told(sentence) if heading is None else f"{heading}: {_as_told(sentence)}"


def _as_told(sentence: RankedSentence) -> str:
    """Return a sentence, of a table's row with the names of its columns: a small model doesn't count these."""
    return name_cells(sentence.passage, sentence.start) or sentence.text


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
