"""Refusals: telling before the answer whether a document answers a question, on the sets of `answers.py`.

Each question is held against its whole document, in the passages that a model would be shown. Printed are the chance
that a question that isn't answered scores higher than one that is (AUC, 0.5 by guessing), and the share of unanswered
questions that would be refused where 2, 5 or 10 of a hundred answered ones are. Words and vectors alone come first.
With --judge URL the model of an OpenAI-compatible server looks at the closest sentences of every question, as it does
while answering where words leave it open. `is_answered` is what the product does with both.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from answer_sets import Document, documents
from answers import LANGUAGES, SETS
from harness import options, run, shown, table

from eclair.documents.answerability import MIN_PROBABILITY, MODEL_WEIGHT, is_answered, unanswered_score
from eclair.documents.chunking import Chunker
from eclair.documents.closest_sentences import answer_probability, find_closest_sentences
from eclair.documents.embeddings import E5Embedder, Embedder
from eclair.documents.limits import Limits
from eclair.documents.parse_protocol import ReadDocument
from eclair.documents.quotes import RankedSentence
from eclair.documents.worker import read_document
from eclair.generation.usage import ask_uncounted
from eclair.llm.openai.dialects import DIALECTS
from eclair.llm.openai.openai_engine import OpenAIEngine
from eclair.schema.documents import Page
from eclair.schema.messages import Passage
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.text.intent.asked_fact import read_asked_fact

WRONGLY_REFUSED = (0.02, 0.05, 0.1)

Judge = Callable[[str, Sequence[RankedSentence]], Awaitable[float | None]]


@dataclass(frozen=True, slots=True)
class Found:
    """A question, the logarithms of the odds that it isn't answered, and whether the product would answer it."""

    language: str
    is_answerable: bool
    by_words: float
    by_model: float | None
    is_answered: bool


def passages_of(document: Document) -> list[Passage]:
    """Return a document's passages as reading it makes them."""
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        path = Path(folder) / document.name
        path.write_text(document.text, encoding="utf-8")
        chunker = Chunker(document.name)
        pages = (
            each for each in read_document(ReadDocument(str(path), document.name, Limits())) if isinstance(each, Page)
        )
        chunks = [chunk for page in pages for chunk in chunker.add(page)] + chunker.finish()
    return [
        Passage(number, "file", document.name, chunk.page, "", chunk.heading, chunk.start, chunk.end, chunk.text)
        for number, chunk in enumerate(chunks, 1)
    ]


async def examine(document: Document, embedder: Embedder, judge: Judge | None) -> AsyncGenerator[Found]:
    """Score the questions on a document."""
    passages = passages_of(document)
    vectors = await embedder.embed([each.text for each in passages], "passage")
    for question in (*document.questions, *document.unanswered):
        (vector,) = await embedder.embed([question.text], "query")
        cosines: list[float] = (np.asarray(vectors) @ np.asarray(vector)).tolist()
        ranked = sorted(passages, key=lambda passage: -cosines[passage.number - 1])
        closest = await find_closest_sentences(question.text, ranked, embedder)
        asked = read_asked_fact(question.text, document.language)
        if asked is None or not closest:
            continue
        probability = None if judge is None else await judge(question.text, closest)

        async def known(found: float | None = probability) -> float | None:
            return found

        yield Found(
            document.language,
            question.source is not None,
            unanswered_score(asked, passages, closest),
            None if probability is None else -_log_odds(probability),
            await is_answered(question.text, passages, closest, known),
        )


def _log_odds(probability: float) -> float:
    bounded = min(1 - MIN_PROBABILITY, max(MIN_PROBABILITY, probability))
    return math.log(bounded / (1 - bounded))


def separation(answered: Sequence[float], unanswered: Sequence[float]) -> float:
    """Return the chance that an unanswered question scores higher than an answered one."""
    higher = np.asarray(unanswered)[:, None] - np.asarray(answered)[None]
    return float(((higher > 0) + 0.5 * (higher == 0)).mean())


def row(name: str, scored: Sequence[tuple[bool, float]]) -> tuple[str, ...]:
    answered = [score for is_answerable, score in scored if is_answerable]
    unanswered = [score for is_answerable, score in scored if not is_answerable]
    bounds = [float(np.quantile(answered, 1 - share)) for share in WRONGLY_REFUSED]
    refused = [sum(score > bound for score in unanswered) / len(unanswered) for bound in bounds]
    counts = f"{len(answered)} / {len(unanswered)}"
    return name, counts, shown(separation(answered, unanswered)), *map(shown, refused)


async def judge_at(url: str) -> Judge:
    engine = OpenAIEngine("judge", url, dialect=DIALECTS[0])
    model = (await engine.models())[0]
    return partial(answer_probability, ask=ask_uncounted, principal=LOCAL_PRINCIPAL, engine=engine, model=model)


async def main(given: Any) -> None:
    judge = await judge_at(given.judge) if given.judge else None
    embedder = E5Embedder()
    languages = given.languages[:1] if given.quick else given.languages
    head = ("", "answered / not", "AUC", *(f"refused, at {share:.0%} wrongly" for share in WRONGLY_REFUSED))
    try:
        for name in given.sets:
            found = [
                each
                for language in languages
                for document in documents(name, language)[: 2 if given.quick else None]
                async for each in examine(document, embedder, judge)
            ]
            print(f"\n{name}\n")
            rows = [row("words and vectors", [(each.is_answerable, each.by_words) for each in found])]
            for language in languages:
                own = [(each.is_answerable, each.by_words) for each in found if each.language == language]
                rows.append(row(f"… in {language}", own))
            judged = [(each, each.by_model) for each in found if each.by_model is not None]
            if judged:
                rows.append(row("the model alone", [(each.is_answerable, odds) for each, odds in judged]))
                both = [(each.is_answerable, each.by_words + MODEL_WEIGHT * odds) for each, odds in judged]
                rows.append(row("both", both))
            table(head, rows)
            refused = {
                kind: [not each.is_answered for each in found if each.is_answerable == kind] for kind in (True, False)
            }
            print(
                f"\nas it is: {sum(refused[False])} of {len(refused[False])} unanswered questions refused,"
                f" and {sum(refused[True])} of {len(refused[True])} answered ones"
            )
    finally:
        await embedder.close()


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=["tune", "develop"])
    parser.add_argument("--languages", nargs="+", choices=LANGUAGES, default=LANGUAGES)
    parser.add_argument("--judge", metavar="URL", help="address of a server whose model judges, too")
    run(main(parser.parse_args()))
