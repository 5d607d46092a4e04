"""Suggests questions that may follow an answer: its model is asked for them while no answer is being made.

A question that comes meanwhile goes first, and nothing is suggested then.
"""

from __future__ import annotations

import asyncio
import unicodedata
from contextlib import aclosing
from dataclasses import replace

from eclair.errors import Conflict, NotFound
from eclair.generation.usage import AskModel
from eclair.llm.base import Engine, PromptMessage, Request, Text
from eclair.llm.registry import Registry
from eclair.schema.messages import Message
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.storage.conversations import ConversationStore
from eclair.text.language import identify_language, language_names
from eclair.text.sentences import ends_with_question_mark
from eclair.util.background import IdleScheduler

MAX_FOLLOW_UPS = 3
MAX_FOLLOW_UP_CHARS = 120
MAX_EXCERPT_CHARS = 1500
"""Characters of the question, and of the answer, that the model is shown."""
MAX_REPLY_CHARS = 1000
FOLLOW_UPS_TIMEOUT_S = 60.0

_PROMPT = """\
Question:
{question}

Answer:
{answer}

Write the three questions in {language} that the person is most likely to ask next: short, each on a line of its own. \
Answer with these three lines alone."""
_ORNAMENT = " \t*_#`\"'“”„«»‹›‘’-–•·"
_NUMBERING = "0123456789.)"


class FollowUpGenerator:
    """Generates the questions that may follow an answer."""

    def __init__(
        self, registry: Registry, conversations: ConversationStore, idle: IdleScheduler, ask: AskModel
    ) -> None:
        self._registry = registry
        self._conversations = conversations
        self._idle = idle
        self._ask = ask

    async def suggest(self, principal: Principal, conversation: str, answer: str) -> list[str]:
        """Return up to three questions; none if an answer interrupts, it takes too long, or the model is too weak.

        Raises NotFound, Conflict for a message that is no finished answer, and what keeps the model from answering.
        """
        _, messages = await self._conversations.get_tree(principal, conversation)
        known = {message.id: message for message in messages}
        found = known.get(answer)
        if found is None:
            raise NotFound(f"There is no message {answer!r} in this conversation.")
        question = known.get(found.parent or "")
        if found.role != "assistant" or found.status != "finished" or question is None:
            raise Conflict("Only a finished answer has follow-up questions.")
        engine, model = await self._registry.resolve(found.model)
        if not model.can_title or not found.text.strip():
            return []
        try:
            async with asyncio.timeout(FOLLOW_UPS_TIMEOUT_S):
                reply = await self._idle.run_once(lambda: self._ask_model(principal, engine, model, question, found))
        except TimeoutError:
            return []
        return parse_follow_ups(reply or "", question.text)

    async def _ask_model(
        self, principal: Principal, engine: Engine, model: Model, question: Message, answer: Message
    ) -> str:
        code = identify_language(question.text)
        language = language_names()[code] if code is not None else "the language of the question"
        prompt = _PROMPT.format(
            question=question.text[:MAX_EXCERPT_CHARS], answer=answer.text[:MAX_EXCERPT_CHARS], language=language
        )
        sampling = replace(model.sampling, temperature=0.4, max_tokens=256, stop=())
        request = Request(model.id, (PromptMessage("user", prompt),), sampling=sampling, purpose="follow_ups")
        reply = ""
        async with aclosing(self._ask(principal, engine, model, request)) as deltas:
            async for delta in deltas:
                if isinstance(delta, Text):
                    reply += delta.text
                if len(reply) > MAX_REPLY_CHARS:
                    break
        return reply


def parse_follow_ups(reply: str, question: str) -> list[str]:
    """Extract the questions from a model's reply; none where a line is anything else."""
    found: list[str] = []
    for line in filter(str.strip, reply.strip().splitlines()):
        text = unicodedata.normalize("NFC", line).strip(_ORNAMENT).lstrip(_NUMBERING).strip(_ORNAMENT)
        is_question = (
            2 < len(text) <= MAX_FOLLOW_UP_CHARS
            and ends_with_question_mark(text)
            and text.isprintable()
            and "<" not in text
        )
        if not is_question:
            return []
        if text.casefold() not in {question.strip().casefold(), *(each.casefold() for each in found)}:
            found.append(text)
    return found[:MAX_FOLLOW_UPS]
