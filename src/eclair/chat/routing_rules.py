"""Rules that choose a model, and whether it reasons, by mode. Pure functions.

Flash is the fastest model that can do the task, without reasoning; think is the strongest, with reasoning; auto is
one of the two, depending on the question, and flash in a conversation by voice. No mode chooses a model further away
than the default model: see `no_further_than`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from eclair.llm.servers.jurisdiction import LocationKind
from eclair.schema.messages import Mode, NoticeCode
from eclair.schema.models import Model
from eclair.text.intent.deliberation import asks_to_deliberate
from eclair.text.language import lists_language

ResolvedMode = Literal["flash", "think"]

DISTANCES: dict[LocationKind, int] = {"machine": 0, "network": 1, "country": 2, "unknown": 2}

LONG_QUESTION_WORDS = 80
"""Words from which on a question counts as long."""

MAX_MENTAL_SUMMAND = 99
MAX_MENTAL_FACTOR = 10
"""Up to these numbers, a sum or a product needs no thought."""

DEFAULT_PARAMETERS_B = 8.0
"""Parameters assumed for a model of unknown size, in billions."""

REASONING_STRENGTH_FACTOR = 2.0
"""Reasoning makes a model about as strong as one of twice its size."""

ALWAYS_REASONING_SLOWDOWN = 10.0
"""The slowdown of a model whose reasoning can't be turned off."""

_CODE = re.compile(r"^ {0,3}(```|~~~)|[{};]\s*$|\b(def|class|function|import|SELECT)\b.*[(:{*]", re.MULTILINE)
_SUM = re.compile(r"\d\s*[-+*/×·÷^=%<>]\s*\(?-?\d|\$[^$\n]*\\\w+|\\(frac|sum|int|sqrt)\b|[∑∫√≤≥≠]")
_TWO_NUMBERS = re.compile(r"(?<![\d.,])(\d+)\s*([-+*/×·÷])\s*(\d+)(?![\d.,]*\d)")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that is available, where it is, and its recent speed if known."""

    model: Model
    location: LocationKind
    words_per_second: float | None = None


def classify_question(question: str) -> NoticeCode:
    """Classify a question for auto: code, a calculation or three numbers, to be thought through, long, or short."""
    if _CODE.search(question):
        return "routed_code"
    if (_SUM.search(question) and not _is_mental_sum(question)) or len(_NUMBER.findall(question)) >= 3:
        return "routed_numbers"
    if asks_to_deliberate(question):
        return "routed_hard"
    return "routed_long" if len(question.split()) >= LONG_QUESTION_WORDS else "routed_short"


def _is_mental_sum(question: str) -> bool:
    """Tell whether the only calculation is one that people do in their heads, such as 2+2."""
    found = _TWO_NUMBERS.search(question)
    if found is None or len(_NUMBER.findall(question)) != 2:
        return False
    first, operator, second = int(found[1]), found[2], int(found[3])
    return max(first, second) <= (MAX_MENTAL_SUMMAND if operator in "+-" else MAX_MENTAL_FACTOR)


def resolve_mode(mode: Mode, question: str, *, spoken: bool = False) -> tuple[ResolvedMode, NoticeCode | None]:
    """Resolve auto to flash or think, with the reason; None if the person chose.

    A `spoken` answer is always flash, since the person waits in silence.
    """
    if mode != "auto":
        return mode, None
    if spoken:
        return "flash", None
    why = classify_question(question)
    return ("flash" if why == "routed_short" else "think"), why


def no_further_than(candidates: Sequence[Candidate], limit: LocationKind) -> list[Candidate]:
    """Return the candidates that are no further away than `limit`."""
    return [candidate for candidate in candidates if DISTANCES[candidate.location] <= DISTANCES[limit]]


def able_to_read(
    candidates: Sequence[Candidate], tokens: int, needs_vision: bool = False, language: str | None = None
) -> list[Candidate]:
    """Return the candidates that can read the task; all of them if none can.

    They see images if it `needs_vision`, can be trusted with a task, and have room for `tokens` beside an answer. Of
    these, those that list the task's `language` are preferred.
    """
    seeing = [
        candidate for candidate in candidates if needs_vision and candidate.model.vision_pixels is not None
    ] or list(candidates)
    roomy = [
        candidate for candidate in seeing if candidate.model.context is None or candidate.model.context >= 2 * tokens
    ]
    able = [candidate for candidate in roomy if candidate.model.can_title] or roomy or seeing
    speaking = [candidate for candidate in able if language and lists_language(candidate.model.languages, language)]
    return speaking or able


def pick(mode: ResolvedMode, candidates: Sequence[Candidate]) -> Candidate:
    """Pick the fastest or the strongest candidate; the first of equals. There must be one."""
    if mode == "think":
        return max(candidates, key=lambda candidate: strength(candidate.model))
    work = [
        candidate.words_per_second * _active_parameters(candidate.model)
        for candidate in candidates
        if candidate.words_per_second is not None
    ]
    rate = median(work) if work else 1.0
    return max(candidates, key=lambda candidate: _speed(candidate, rate))


def strength(model: Model) -> float:
    """The effective size of a model, in billions of parameters.

    For a mixture of experts it is the geometric mean of all and active parameters.
    """
    total = model.parameters or DEFAULT_PARAMETERS_B
    return math.sqrt(total * (model.active or total)) * (
        1 if model.reasoning in ("never", None) else REASONING_STRENGTH_FACTOR
    )


def _speed(candidate: Candidate, rate: float) -> float:
    """Words per second: measured, or estimated from the parameters that a token uses.

    `rate` is how many billions of parameters are processed per second.
    """
    measured = candidate.words_per_second
    words = rate / _active_parameters(candidate.model) if measured is None else measured
    return words / (ALWAYS_REASONING_SLOWDOWN if candidate.model.reasoning == "always" else 1)


def _active_parameters(model: Model) -> float:
    return model.active or model.parameters or DEFAULT_PARAMETERS_B
