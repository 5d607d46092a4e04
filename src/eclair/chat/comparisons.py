"""Comparisons: several models answer one question side by side, and the person keeps one of the answers.

The others stay as its siblings in the tree. Models of the embedded engine answer one after another.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from eclair.chat.runs import EventProducer, Runs
from eclair.chat.tree import NewMessage
from eclair.errors import NotFound
from eclair.generation.answer_request import AnswerRequest
from eclair.generation.pipeline import AnswerPipeline
from eclair.schema.events import Event, StepFinished, StepStarted
from eclair.schema.messages import Message
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed

MAX_MODELS = 3
"""More answers don't fit beside each other."""


class TurnTaking:
    """Arranges the answers to one question: models of the embedded engine answer one after another."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._before = ""

    def arrange(self, pipeline: AnswerPipeline, request: AnswerRequest, is_embedded: bool) -> EventProducer:
        if not is_embedded:
            return pipeline.run(request)
        before, self._before = self._before, request.route.model.name
        return WaitingAnswer(self._lock, before, pipeline, request)


class WaitingAnswer:
    """Implements `EventProducer`: an answer that begins when those before it have ended; its time runs from then."""

    def __init__(self, lock: asyncio.Lock, before: str, pipeline: AnswerPipeline, request: AnswerRequest) -> None:
        self._lock = lock
        self._before = before
        self._pipeline = pipeline
        self._request = request
        self._answer = pipeline.run(request)

    async def events(self) -> AsyncGenerator[Event, None]:
        if self._before:
            yield StepStarted("turn", "wait", f"Waiting for {self._before}")
        began = time.perf_counter()
        async with self._lock:
            if self._before:
                now = time.perf_counter()
                self._answer = self._pipeline.run(replace(self._request, accepted=now))
                yield StepFinished("turn", round((now - began) * 1000, 1))
            async with aclosing(self._answer.events()) as events:
                async for event in events:
                    yield event

    def closing_events(self, end: Event | None) -> list[Event]:
        return self._answer.closing_events(end)


def order_models(message: NewMessage) -> list[str]:
    """Return the models that answer a message, in the order in which their answers are shown."""
    models = list(message.models)
    if message.blind:
        random.shuffle(models)
    return models


class Comparisons:
    """Keeps answers of comparisons."""

    def __init__(self, storage: Storage, runs: Runs, changes: ChangeFeed) -> None:
        self._storage = storage
        self._runs = runs
        self._changes = changes

    async def keep(self, principal: Principal, conversation: str, question: str, answer: str) -> Message:
        """Keep an answer, which is shown from now on, and stop those that are still written; return the question.

        Raises NotFound, and Conflict for an answer that hasn't ended.
        """
        _, messages = await self._storage.conversations.get_tree(principal, conversation)
        if all(each.id != question for each in messages):
            raise NotFound(f"There is no message {question!r} in this conversation.")
        kept = await self._storage.ratings.keep_answer(principal, question, answer)
        assert kept.comparison is not None
        for each in messages:
            if each.id in kept.comparison.answers and each.is_open and each.run is not None:
                await self._runs.stop(await self._storage.runs.get_run(principal, each.run))
        self._changes.publish(principal, conversation, "changed")
        return kept
