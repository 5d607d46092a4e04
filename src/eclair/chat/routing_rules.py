"""Which model answers in which mode, and whether it thinks first: a pure rule that asks and measures nothing.

Flash is the fastest model that can do the task, without thinking; think is the strongest, thinking; auto is one of the
two, by what the question looks like. None leads further away than the default model: see `near`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from eclair.llm.servers.jurisdiction import LocationKind
from eclair.schema.messages import Mode, RemarkCode
from eclair.schema.models import Model

Settled = Literal["flash", "think"]

DISTANCE: dict[LocationKind, int] = {"machine": 0, "network": 1, "country": 2, "unknown": 2}

LONG = 80
"""Words from which on a question is long."""

SUPPOSED = 8.0
"""Billions of parameters of a model of which nothing is known."""

REASONING = 2.0
"""How much stronger a model is that thinks: about as one of twice its size."""

THINKING = 10.0
"""How much slower a model is that cannot be kept from thinking."""

_CODE = re.compile(r"^ {0,3}(```|~~~)|[{};]\s*$|\b(def|class|function|import|SELECT)\b.*[(:{*]", re.MULTILINE)
_SUM = re.compile(r"\d\s*[-+*/×·÷^=%<>]\s*\(?-?\d|\$[^$\n]*\\\w+|\\(frac|sum|int|sqrt)\b|[∑∫√≤≥≠]")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that can be asked now, where it is, and how many words a second it lately wrote, if that is known."""

    model: Model
    where: LocationKind
    words_per_second: float | None = None


def weigh(question: str) -> RemarkCode:
    """What a question looks like, which is what auto goes by: code, a sum or three numbers, many words, or neither."""
    if _CODE.search(question):
        return "routed_code"
    if _SUM.search(question) or len(_NUMBER.findall(question)) >= 3:
        return "routed_numbers"
    return "routed_long" if len(question.split()) >= LONG else "routed_short"


def settle(mode: Mode, question: str) -> tuple[Settled, RemarkCode | None]:
    """Flash or think, and why where it was not the person who said so."""
    if mode != "auto":
        return mode, None
    why = weigh(question)
    return ("flash" if why == "routed_short" else "think"), why


def near(candidates: Sequence[Candidate], where: LocationKind) -> list[Candidate]:
    """Those that are no further away than `where`."""
    return [one for one in candidates if DISTANCE[one.where] <= DISTANCE[where]]


def able(candidates: Sequence[Candidate], tokens: int, pictured: bool = False) -> list[Candidate]:
    """Those that can do the task: which see, where there are pictures to be seen; are trusted with a task at all; and
    can read `tokens` beside an answer. Where there is none, all of them."""
    seeing = [one for one in candidates if pictured and one.model.vision_pixels is not None] or list(candidates)
    roomy = [one for one in seeing if one.model.context is None or one.model.context >= 2 * tokens]
    return [one for one in roomy if one.model.can_title] or roomy or seeing


def pick(mode: Settled, candidates: Sequence[Candidate]) -> Candidate:
    """The fastest or the strongest; of those that are alike the first. There is one at least."""
    if mode == "think":
        return max(candidates, key=lambda one: strength(one.model))
    work = [one.words_per_second * _used(one.model) for one in candidates if one.words_per_second is not None]
    rate = median(work) if work else 1.0
    return max(candidates, key=lambda one: _speed(one, rate))


def strength(model: Model) -> float:
    """Billions of parameters that a model is worth: of a mixture of experts the geometric mean of all and active."""
    whole = model.parameters or SUPPOSED
    return math.sqrt(whole * (model.active or whole)) * (1 if model.reasoning in ("never", None) else REASONING)


def _speed(candidate: Candidate, rate: float) -> float:
    """Words a second, measured or from the parameters that a token uses, of which all do `rate` billions a second."""
    measured = candidate.words_per_second
    words = rate / _used(candidate.model) if measured is None else measured
    return words / (THINKING if candidate.model.reasoning == "always" else 1)


def _used(model: Model) -> float:
    return model.active or model.parameters or SUPPOSED
