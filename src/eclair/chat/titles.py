"""Generates titles: after the first answer, its model is asked for one.

It is asked while no answer is being made, and nothing is read for the next question. Until then, or if the result is
not a title, the title is the first line of the question. A title that the person gave is never replaced.
"""

from __future__ import annotations

import asyncio
import logging
import re
import unicodedata
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import cache

from eclair.chat.message_text import MAX_TITLE_CHARS
from eclair.errors import EclairError
from eclair.generation.usage import AskModel
from eclair.llm.base import Engine, PromptMessage, Request, Text
from eclair.llm.registry import Registry
from eclair.schema.messages import Message
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.conversations import ConversationStore
from eclair.text.language import identify_language, language_names
from eclair.text.lexicon.loader import merge_patterns
from eclair.util.background import IdleScheduler

MAX_EXCERPT_CHARS = 1500
"""Characters of the question, and of the answer, that the model is shown."""
MAX_PENDING_TITLES = 100
"""Conversations that may wait; beyond that, the oldest keep their title."""
TITLE_TIMEOUT_S = 60.0

_PROMPT = """\
Question:
{question}

Answer:
{answer}

Write a short title in {language} for this conversation: two to six words that name its subject, as in a table of \
contents. Answer with the title alone."""
_ORNAMENT = " \t*_#`\"'“”„«»‹›‘’"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _TitleJob:
    """A conversation that needs a title, and its first question and answer."""

    principal: Principal
    conversation: str
    model: str | None
    question: str
    answer: str


class TitleGenerator:
    """Generates titles. Call `start` before use; `close` drops what is pending.

    `until_read` returns once nothing is read for a question to come, which is more urgent.
    """

    def __init__(
        self,
        registry: Registry,
        conversations: ConversationStore,
        changes: ChangeFeed,
        idle: IdleScheduler,
        ask: AskModel,
        until_read: Callable[[], Awaitable[None]],
    ) -> None:
        self._until_read = until_read
        self._registry = registry
        self._ask = ask
        self._conversations = conversations
        self._changes = changes
        self._idle = idle
        self._pending: deque[_TitleJob] = deque(maxlen=MAX_PENDING_TITLES)
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="name conversations")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def request_title(self, principal: Principal, conversation: str, question: str, answer: Message) -> None:
        """Have the conversation named soon, by the model that gave the answer."""
        if answer.status == "finished" and answer.text.strip():
            question_excerpt, answer_excerpt = question[:MAX_EXCERPT_CHARS], answer.text[:MAX_EXCERPT_CHARS]
            self._pending.append(_TitleJob(principal, conversation, answer.model, question_excerpt, answer_excerpt))
            self._woken.set()

    async def _run(self) -> None:
        while True:
            await self._woken.wait()
            while self._pending:
                await self._handle(self._pending.popleft())
            self._woken.clear()

    async def _handle(self, job: _TitleJob) -> None:
        try:
            await self._idle.run(lambda: self._generate(job))
        except (EclairError, TimeoutError) as error:
            log.info("conversation %s keeps its title: %s", job.conversation, error)
        except Exception:
            log.exception("conversation %s keeps its title", job.conversation)

    async def _generate(self, job: _TitleJob) -> None:
        if not await self._conversations.is_untitled(job.principal, job.conversation):
            return
        engine, model = await self._registry.resolve(job.model)
        if not model.can_title:
            return
        await self._until_read()
        async with asyncio.timeout(TITLE_TIMEOUT_S):
            title = parse_title(await self._ask_model(job, engine, model))
        if title is not None and await self._conversations.set_generated_title(job.principal, job.conversation, title):
            self._changes.publish(job.principal, job.conversation, "changed")

    async def _ask_model(self, job: _TitleJob, engine: Engine, model: Model) -> str:
        """Ask the model, and return what it says up to the end of its first line."""
        code = identify_language(job.question)
        language = language_names()[code] if code is not None else "the language of the question"
        prompt = _PROMPT.format(question=job.question, answer=job.answer, language=language)
        sampling = replace(model.sampling, temperature=0.2, max_tokens=256, stop=())
        request = Request(model.id, (PromptMessage("user", prompt),), sampling=sampling, purpose="title")
        reply = ""
        async with aclosing(self._ask(job.principal, engine, model, request)) as deltas:
            async for delta in deltas:
                if isinstance(delta, Text):
                    reply += delta.text
                if "\n" in reply.lstrip() or len(reply) > 4 * MAX_TITLE_CHARS:
                    break
        return reply


@cache
def _label() -> re.Pattern[str]:
    """Match a label that some models write before a title, such as `Title:`."""
    return re.compile(rf"({merge_patterns(lambda lexicon: lexicon.title_labels)})\s*:\s*", re.IGNORECASE)


def parse_title(reply: str) -> str | None:
    """Extract the title from a model's reply, without ornament; None if it is not a title."""
    line = next(iter(reply.strip().splitlines()), "").strip(_ORNAMENT)
    title = unicodedata.normalize("NFC", _label().sub("", line, count=1) if _label().match(line) else line)
    title = title.strip(_ORNAMENT).removesuffix(".")
    is_valid = (
        2 <= len(title) <= MAX_TITLE_CHARS
        and title.isprintable()
        and not title.endswith(":")
        and "<" not in title
        and any(character.isalpha() for character in title)
    )
    return title if is_valid else None
