"""Has the model rewrite a question as search queries that stand alone, in the language of the documents.

Whether that is needed is the caller's to say: it takes a small model on two cores seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from eclair.errors import EclairError
from eclair.generation.usage import AskModel
from eclair.llm.base import JSON, Engine, PromptMessage, Request, Text
from eclair.llm.reasoning import FLASH_EFFORT
from eclair.schema.messages import Sampling
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.text.language import language_names

MAX_QUERIES = 3
"""Queries of a capable model. A small one repeats itself, and gives one."""
MAX_QUERY_CHARS = 160
MAX_REPLY_TOKENS = 60
"""Per query."""
MAX_QUESTIONS = 3
"""The question and the ones before it."""
MAX_QUESTION_CHARS = 600
REWRITE_TIMEOUT_S = 8.0

_PROMPT = """\
{questions}

Write {number}{language} that {verb} the answer to the last question: the same question{language}, with names and what \
"it" means written out.{more} Answer with JSON alone, such as {{"queries": ["…"]}}"""
_MORE = " Each in other words, such as a document may use for the same thing."

log = logging.getLogger(__name__)


class _Rewritten(BaseModel):
    queries: Annotated[list[str], Field(min_length=1)]


async def rewrite_question(
    ask: AskModel, principal: Principal, engine: Engine, model: Model, questions: Sequence[str], language: str | None
) -> tuple[str, ...]:
    """Return queries for the last of the questions; none if the model gives none in time, or repeats the question.

    `language` is the code of the documents' language, if known.
    """
    most = MAX_QUERIES if model.can_plan else 1
    request = Request(
        model.id,
        (PromptMessage("user", _prompt(questions[-MAX_QUESTIONS:], language, most)),),
        sampling=Sampling(temperature=0.0, max_tokens=MAX_REPLY_TOKENS * most),
        response_format=_format(most),
        extra={} if model.reasoning in (None, "never") else {"reasoning_effort": FLASH_EFFORT},
        reasoning=model.reasoning,
        purpose="queries",
    )
    reply = ""
    try:
        async with asyncio.timeout(REWRITE_TIMEOUT_S), aclosing(ask(principal, engine, model, request)) as deltas:
            async for delta in deltas:
                reply += delta.text if isinstance(delta, Text) else ""
        written = _Rewritten.model_validate_json(reply[reply.find("{") : reply.rfind("}") + 1]).queries
    except (TimeoutError, EclairError, ValidationError) as error:
        log.info("a question was not rewritten: %s", error or "no answer in time")
        return ()
    queries = (" ".join(query.split())[:MAX_QUERY_CHARS] for query in written)
    asked = {" ".join(question.split()).casefold() for question in questions[-1:]}
    return tuple(query for query in dict.fromkeys(queries) if query and query.casefold() not in asked)[:most]


def _prompt(questions: Sequence[str], language: str | None, most: int) -> str:
    name = language_names().get(language or "")
    return _PROMPT.format(
        questions="\n".join(f"Question: {question[:MAX_QUESTION_CHARS]}" for question in questions),
        number="one search query" if most == 1 else f"up to {most} search queries",
        verb="finds" if most == 1 else "find",
        language=f" in {name}" if name else "",
        more=_MORE if most > 1 else "",
    )


def _format(most: int) -> JSON:
    query = {"type": "string", "minLength": 2, "maxLength": MAX_QUERY_CHARS}
    queries = {"type": "array", "items": query, "minItems": 1, "maxItems": most}
    schema = {
        "type": "object",
        "properties": {"queries": queries},
        "required": ["queries"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "queries", "strict": True, "schema": schema}}
