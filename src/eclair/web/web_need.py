"""Lets a capable model decide whether a question needs the web, where the rule sees no sign that it does."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import replace
from datetime import date

from pydantic import BaseModel, ValidationError

from eclair.errors import EclairError
from eclair.generation.usage import AskModel
from eclair.llm.base import JSON, Engine, PromptMessage, Request, Text
from eclair.llm.reasoning import FLASH_EFFORT
from eclair.schema.models import Model
from eclair.text.intent.web import is_small_talk, is_task
from eclair.web.question import WebQuestion

DECISION_TIMEOUT_S = 1.5
"""After so long the rule stands: nothing is looked up."""

MAX_QUESTION_WORDS = 60
"""A longer text is one to work on."""

_PROMPT = """\
Today is {today}. Does a good answer to the last question need a look at the web, because it depends on the day (news, \
results, prices, opening hours, timetables, weather, office holders, versions) or on a place or product that few know? \
Lasting knowledge, language, sums, code and advice don't. Answer with JSON alone: {{"search": true}} or \
{{"search": false}}.

{questions}"""
_SCHEMA: JSON = {
    "type": "object",
    "properties": {"search": {"type": "boolean"}},
    "required": ["search"],
    "additionalProperties": False,
}

log = logging.getLogger(__name__)


class _Decision(BaseModel):
    search: bool


def is_worth_asking(question: str) -> bool:
    """Return whether a text is short and may ask something, with or without a mark: the model may decide about it."""
    return len(question.split()) <= MAX_QUESTION_WORDS and not (is_task(question) or is_small_talk(question))


class NeedDecider:
    """Asks models that are known to be capable; others, and those too slow, leave it at the rule."""

    def __init__(self, ask: AskModel, timeout_s: float = DECISION_TIMEOUT_S) -> None:
        self._ask = ask
        self._timeout_s = timeout_s

    async def needs_web(self, question: WebQuestion, engine: Engine, model: Model, today: date) -> bool:
        """Return the model's decision; False if it isn't capable, fails or takes too long."""
        if model.tier != "capable":
            return False
        questions = "\n".join(f"Question: {each}" for each in (*question.before[-1:], question.text))
        text = _PROMPT.format(today=today.isoformat(), questions=questions)
        sampling = replace(model.sampling, temperature=0.0, max_tokens=24, stop=())
        extra: JSON = {} if model.reasoning in (None, "never") else {"reasoning_effort": FLASH_EFFORT}
        request = Request(
            model.id,
            (PromptMessage("user", text),),
            sampling=sampling,
            response_format={"type": "json_schema", "json_schema": {"name": "need", "strict": True, "schema": _SCHEMA}},
            extra=extra,
            reasoning=model.reasoning,
            purpose="queries",
        )
        reply = ""
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                aclosing(self._ask(question.principal, engine, model, request)) as pieces,
            ):
                async for piece in pieces:
                    reply += piece.text if isinstance(piece, Text) else ""
            return _Decision.model_validate_json(reply[reply.find("{") : reply.rfind("}") + 1]).search
        except (TimeoutError, EclairError, ValidationError) as error:
            log.info("whether the web is needed is decided by rule: %s", error or "no answer in time")
            return False
