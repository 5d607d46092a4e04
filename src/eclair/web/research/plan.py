"""The plan of a research: the questions that are looked into, by a model that can, else as the person wrote them.

A plan is a proposal; what the person makes of it is what is looked into.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date
from typing import Literal

from eclair.errors import UpstreamError
from eclair.generation.usage import AskModel
from eclair.llm.base import Engine, PromptMessage, Request, Text
from eclair.llm.reasoning import FLASH_EFFORT
from eclair.schema.messages import Sampling
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.text.sentences import split_sentences

LEAST, MOST = 3, 6
"""Questions that a model is asked for."""
MAX_QUESTIONS = 8
"""Questions that a plan has at most."""
MAX_QUESTION_CHARS = 300
"""Characters of a question of a plan."""
PLAN_TIMEOUT_S = 20.0
"""Seconds that it has for that."""

_ASK = """\
Today is {day}. A report is to be written on the request below. Write the {least} to {most} questions that have to be \
looked into for it, each complete in itself, so that it can be searched for on the web. One a line, without numbers, \
in the language of the request, and nothing else.

Request: {request}"""

_BULLET = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s+")


@dataclass(frozen=True, slots=True)
class ResearchPlan:
    """The questions that will be looked into, and whether a model or a rule made them."""

    questions: tuple[str, ...]
    by: Literal["model", "rule"]


async def plan_research(
    principal: Principal, request: str, engine: Engine, model: Model, ask: AskModel, today: date
) -> ResearchPlan:
    """Plan the request: by the model unless it is known to be too small or is too slow, else by rule."""
    if model.tier in ("tiny", "small"):
        return split_request(request)
    try:
        async with asyncio.timeout(PLAN_TIMEOUT_S):
            said = await _said(principal, request, engine, model, ask, today)
    except (TimeoutError, UpstreamError):
        return split_request(request)
    questions = _lines(said)
    return ResearchPlan(questions[:MOST], "model") if len(questions) > 1 else split_request(request)


def split_request(request: str) -> ResearchPlan:
    """Each line or sentence of the request that asks something is a question; one alone is the plan."""
    lines = _lines(request)
    if len(lines) == 1:
        found = [lines[0][start:end] for start, end in split_sentences(lines[0])]
        asked = [each for each in found if each.rstrip().endswith(("?", "？", ";", "؟"))]
        lines = tuple(asked) if len(asked) > 1 else lines
    return ResearchPlan(lines[:MAX_QUESTIONS], "rule")


async def _said(principal: Principal, request: str, engine: Engine, model: Model, ask: AskModel, today: date) -> str:
    prompt = _ASK.format(day=today.isoformat(), least=LEAST, most=MOST, request=request)
    sampling = Sampling(temperature=0, max_tokens=MOST * MAX_QUESTION_CHARS // 3)
    wanted = Request(
        model.id,
        (PromptMessage("user", prompt),),
        sampling=sampling,
        extra={"reasoning_effort": FLASH_EFFORT},
        purpose="notes",
    )
    text = ""
    async with aclosing(ask(principal, engine, model, wanted)) as pieces:
        async for piece in pieces:
            text += piece.text if isinstance(piece, Text) else ""
    return text


def _lines(text: str) -> tuple[str, ...]:
    lines = (" ".join(_BULLET.sub("", line).split())[:MAX_QUESTION_CHARS] for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line))
