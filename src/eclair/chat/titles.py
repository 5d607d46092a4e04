"""Titles: after the first answer of a conversation, the model that gave it is asked to name the conversation.

This is done when nobody is being answered. Until then, and where what the model says is no title, the first line of the
question stands; a title that the person gave stays for ever.
"""

from __future__ import annotations

import asyncio
import logging
import re
import unicodedata
from collections import deque
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import cache

from eclair.errors import EclairError
from eclair.generation.usage import AskModel
from eclair.llm.base import Engine, PromptMessage, Request, Text
from eclair.llm.registry import Registry
from eclair.schema.messages import Message
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.conversations import ConversationStore
from eclair.text.lexicon.loader import merge_patterns
from eclair.util.background import IdleScheduler

LONGEST = 60
SHOWN = 1500
"""Characters of the question, and of the answer, that the model is shown."""
MOST = 100
"""Conversations that may wait for a title; of more, the oldest keep the one they have."""
PATIENCE = 60.0
"""Seconds that a model may take."""

_ASK = """\
Write a title for the conversation below: two to six words, in the language of the conversation, that say what it is \
about. Answer with the title alone.

Question:
{question}

Answer:
{answer}"""
_AROUND = " \t*_#`\"'“”„«»‹›‘’"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A conversation that is to be named, and what was said in it."""

    principal: Principal
    conversation: str
    model: str | None
    question: str
    answer: str


class Titles:
    """`start` before use; `close` at the end: what is not named by then keeps its title."""

    def __init__(
        self,
        registry: Registry,
        conversations: ConversationStore,
        changes: ChangeFeed,
        idle: IdleScheduler,
        ask: AskModel,
    ) -> None:
        self._registry = registry
        self._ask = ask
        self._conversations = conversations
        self._changes = changes
        self._idle = idle
        self._wanted: deque[_Wanted] = deque(maxlen=MOST)
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._name_for_ever(), name="name conversations")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def name(self, principal: Principal, conversation: str, question: str, answer: Message) -> None:
        """Have the conversation named soon, by the model that gave the answer."""
        if answer.status == "finished" and answer.text.strip():
            asked, said = question[:SHOWN], answer.text[:SHOWN]
            self._wanted.append(_Wanted(principal, conversation, answer.model, asked, said))
            self._woken.set()

    async def _name_for_ever(self) -> None:
        while True:
            await self._woken.wait()
            while self._wanted:
                await self._name(self._wanted.popleft())
            self._woken.clear()

    async def _name(self, wanted: _Wanted) -> None:
        try:
            await self._idle.run(lambda: self._try(wanted))
        except (EclairError, TimeoutError) as error:
            log.info("conversation %s keeps its title: %s", wanted.conversation, error)
        except Exception:
            log.exception("conversation %s keeps its title", wanted.conversation)

    async def _try(self, wanted: _Wanted) -> None:
        if not await self._conversations.is_untitled(wanted.principal, wanted.conversation):
            return
        engine, model = await self._registry.resolve(wanted.model)
        if not model.can_title:
            return
        async with asyncio.timeout(PATIENCE):
            title = checked(await self._asked(wanted, engine, model))
        if title is not None and await self._conversations.set_generated_title(
            wanted.principal, wanted.conversation, title
        ):
            self._changes.publish(wanted.conversation, "changed")

    async def _asked(self, wanted: _Wanted, engine: Engine, model: Model) -> str:
        """What the model says, up to the end of its first line."""
        ask = _ASK.format(question=wanted.question, answer=wanted.answer)
        sampling = replace(model.sampling, temperature=0.2, max_tokens=256, stop=())
        request = Request(model.id, (PromptMessage("user", ask),), sampling=sampling, purpose="title")
        said = ""
        async with aclosing(self._ask(wanted.principal, engine, model, request)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Text):
                    said += piece.text
                if "\n" in said.lstrip() or len(said) > 4 * LONGEST:
                    break
        return said


@cache
def _label() -> re.Pattern[str]:
    """Matches what some models write before a title, such as `Title:`."""
    return re.compile(rf"({merge_patterns(lambda lexicon: lexicon.title_labels)})\s*:\s*", re.IGNORECASE)


def checked(said: str) -> str | None:
    """The title in what a model said: its first line without ornament; None where that cannot be one."""
    line = next(iter(said.strip().splitlines()), "").strip(_AROUND)
    title = unicodedata.normalize("NFC", _label().sub("", line, count=1) if _label().match(line) else line)
    title = title.strip(_AROUND).removesuffix(".")
    sound = 2 <= len(title) <= LONGEST and title.isprintable() and not title.endswith(":") and "<" not in title
    return title if sound and any(character.isalpha() for character in title) else None
