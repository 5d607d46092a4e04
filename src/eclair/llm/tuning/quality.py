"""Compares a model's quality in two layouts with a small set of tasks.

The texts decide, since they measure finely: every token's probability counts, and both layouts get the same ones.
There are few questions and documents, so that only a plain loss shows in them; they catch what texts don't.
"""

from __future__ import annotations

import asyncio
import math
import tomllib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from statistics import fmean, stdev
from typing import Any, TypeVar

import orjson

from eclair.errors import EngineBroken
from eclair.llm.base import JSON
from eclair.llm.local.profile import Quality
from eclair.llm.tuning.measure import TuningEngine

MAX_CONCURRENT_QUESTIONS = 8
GIVEN_TOKENS = 6
"""Tokens of a text that are given as a prompt."""

MAX_LOSS_NATS = 0.02
"""The loss per token that a layout may have: twice the noise of this set.

Q4_0 loses eight times as much with the embedded model."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class ExamAnswers:
    """The results of one layout: nats per token for each text, and what was correct."""

    nats: tuple[float, ...]
    english: tuple[bool, ...]
    german: tuple[bool, ...]
    json: tuple[bool, ...]
    facts: tuple[bool, ...]


async def examine(loaded: TuningEngine, report: Callable[[int, int], object]) -> ExamAnswers:
    """Ask everything; `report` gets what is done of what total. Raises UpstreamError."""
    asked = _load_questions()
    done, total = 0, sum(len(rows) for rows in asked.values())

    async def each(work: Callable[[T], Awaitable[R]], rows: Sequence[T]) -> tuple[R, ...]:
        room = asyncio.Semaphore(MAX_CONCURRENT_QUESTIONS)

        async def ask(row: T) -> R:
            nonlocal done
            async with room:
                result = await work(row)
            done += 1
            report(done, total)
            return result

        return tuple(await asyncio.gather(*map(ask, rows)))

    nats = await each(lambda text: _nats_per_token(loaded, text), asked["texts"])
    english = await each(lambda row: _answer(loaded, row), asked["english"])
    german = await each(lambda row: _answer(loaded, row), asked["german"])
    documents = await each(lambda row: _document(loaded, row), asked["documents"])
    return ExamAnswers(nats, english, german, tuple(row[0] for row in documents), tuple(row[1] for row in documents))


def compare(answers: ExamAnswers, before: ExamAnswers) -> Quality:
    """Rate a layout's answers against those of the original file."""
    losses = [new - old for new, old in zip(answers.nats, before.nats, strict=True)]
    return Quality(
        nats=fmean(answers.nats),
        worse=fmean(losses),
        error=stdev(losses) / math.sqrt(len(losses)),
        answers=sum(answers.english),
        german=sum(answers.german),
        json=sum(answers.json),
        facts=sum(answers.facts),
        asked=(len(answers.english), len(answers.german), len(answers.json)),
    )


def find_loss(answers: ExamAnswers, before: ExamAnswers) -> str | None:
    """Return why a layout is worse than the original file; None if it isn't."""
    quality = compare(answers, before)
    if quality.worse > MAX_LOSS_NATS:
        return f"expects texts less well ({quality.worse:+.3f} ± {quality.error:.3f} nats a token)"
    for name, new, old in (
        ("answers", answers.english, before.english),
        ("valid JSON", answers.json, before.json),
        ("facts in JSON", answers.facts, before.facts),
    ):
        if _has_lost(new, old):
            return f"{name}: {sum(new)} in place of {sum(old)} of {len(old)} right"
    return None


def _has_lost(new: Iterable[bool], old: Iterable[bool]) -> bool:
    """Return whether significantly more was lost than won: a sign test at two sigma."""
    pairs = list(zip(new, old, strict=True))
    lost, won = sum(b and not a for a, b in pairs), sum(a and not b for a, b in pairs)
    return lost - won > 2 * math.sqrt(lost + won)


async def _nats_per_token(loaded: TuningEngine, text: str) -> float:
    """Return the average nats per token of the text, which a grammar forces."""
    tokens = await loaded.tokenize(text)
    continuation = tokens[GIVEN_TOKENS:]
    reply = await loaded.complete(
        {
            "prompt": tokens[:GIVEN_TOKENS],
            "grammar": "root ::= " + " ".join(f"<[{token}]>" for token in continuation),
            "n_predict": len(continuation),
            "n_probs": 1,
        }
    )
    return -fmean(step["logprob"] for step in reply["completion_probabilities"])


async def _answer(loaded: TuningEngine, row: Sequence[str]) -> bool:
    passage, question, expected = row
    said = (await _ask(loaded, f"{passage}\n\n{question}", 24)).lower()
    return any(word.lower() in said for word in expected.split("|"))


async def _document(loaded: TuningEngine, row: Sequence[Any]) -> tuple[bool, bool]:
    """Return whether the extraction is valid JSON, and whether it holds the facts."""
    text, name, place, number = row
    ask = f"{text}\n\nWho is it, where, and how old? Answer as JSON with name, place and number."
    form = {"type": "json_schema", "json_schema": {"schema": _SCHEMA}}
    try:
        found: Any = orjson.loads(await _ask(loaded, ask, 80, response_format=form))
    except (orjson.JSONDecodeError, EngineBroken):  # llama.cpp refuses some invalid documents itself
        return False, False
    return True, name in found["name"] and place in found["place"] and found["number"] == number


_LINE = {"type": "string", "maxLength": 40}  # without a bound a small model's loop is cut off in the middle of a string
_SCHEMA = {
    "type": "object",
    "properties": {"name": _LINE, "place": _LINE, "number": {"type": "integer", "minimum": 0, "maximum": 120}},
    "required": ["name", "place", "number"],
    "additionalProperties": False,
}


async def _ask(loaded: TuningEngine, question: str, tokens: int, **more: Any) -> str:
    body: JSON = {
        "messages": [{"role": "user", "content": question}],
        "temperature": 0,
        "max_tokens": tokens,
        "cache_prompt": False,
        "chat_template_kwargs": {"enable_thinking": False},
        **more,
    }
    reply = await loaded.client.fetch(f"{loaded.client.url}/chat/completions", body, idle=600)
    return reply["choices"][0]["message"]["content"] or ""


@cache
def _load_questions() -> dict[str, list[Any]]:
    return tomllib.loads(resources.files("eclair.llm.tuning").joinpath("quality.toml").read_text("utf-8"))
