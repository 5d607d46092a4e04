"""Plans the questions of a report, by a capable model or as written.

A plan is a proposal that the person can edit.
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
from eclair.text.sentences import ends_with_question_mark, split_sentences

MIN_GENERATED_QUESTIONS, MAX_GENERATED_QUESTIONS = 3, 6
"""The number of questions that a model is asked for."""
MAX_QUESTIONS = 8
MAX_QUESTION_CHARS = 300
PLAN_TIMEOUT_S = 20.0

_PROMPT = """\
Today is {day}. A report is to be written on the request below. Write the {least} to {most} questions that have to be \
looked into for it, each complete in itself, so that it can be searched for on the web. One a line, without numbers, \
in the language of the request, and nothing else.

Request: {request}"""

_COMMAND = re.compile(r"\s*/research(?:\s+(.*))?", re.DOTALL)
_BULLET = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s+")


@dataclass(frozen=True, slots=True)
class ResearchPlan:
    """The questions of a plan, and whether a model or rules made them."""

    questions: tuple[str, ...]
    by: Literal["model", "rule"]


async def plan_research(
    principal: Principal, request: str, engine: Engine, model: Model, ask: AskModel, today: date
) -> ResearchPlan:
    """Plan the research: by the model, or by rules if it is too small or too slow."""
    if not model.can_plan:
        return split_request(request)
    try:
        async with asyncio.timeout(PLAN_TIMEOUT_S):
            reply = await _ask_model(principal, request, engine, model, ask, today)
    except (TimeoutError, UpstreamError):
        return split_request(request)
    questions = list_questions(reply)
    return ResearchPlan(questions[:MAX_GENERATED_QUESTIONS], "model") if len(questions) > 1 else split_request(request)


def parse_command(text: str) -> str | None:
    """Return the request of a text that begins with `/research`; None for any other."""
    found = _COMMAND.fullmatch(text)
    return None if found is None else (found[1] or "").strip() or None


def split_request(request: str) -> ResearchPlan:
    """Make each line a question, or each question of a single line; otherwise the whole request is one."""
    lines = list_questions(request)
    if len(lines) == 1:
        found = [lines[0][start:end] for start, end in split_sentences(lines[0])]
        questions = [each for each in found if ends_with_question_mark(each)]
        lines = tuple(questions) if len(questions) > 1 else lines
    return ResearchPlan(lines[:MAX_QUESTIONS], "rule")


async def _ask_model(
    principal: Principal, request: str, engine: Engine, model: Model, ask: AskModel, today: date
) -> str:
    prompt = _PROMPT.format(
        day=today.isoformat(), least=MIN_GENERATED_QUESTIONS, most=MAX_GENERATED_QUESTIONS, request=request
    )
    sampling = Sampling(temperature=0, max_tokens=MAX_GENERATED_QUESTIONS * MAX_QUESTION_CHARS // 3)
    completion = Request(
        model.id,
        (PromptMessage("user", prompt),),
        sampling=sampling,
        extra={"reasoning_effort": FLASH_EFFORT},
        purpose="notes",
    )
    text = ""
    async with aclosing(ask(principal, engine, model, completion)) as pieces:
        async for piece in pieces:
            text += piece.text if isinstance(piece, Text) else ""
    return text


def list_questions(text: str) -> tuple[str, ...]:
    """List the lines of a text as questions, without the numbers or bullets before them."""
    lines = (" ".join(_BULLET.sub("", line).split())[:MAX_QUESTION_CHARS] for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line))
