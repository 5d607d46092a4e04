"""Probes how models call tools, once each, after their first answer and while nobody waits for one."""

from __future__ import annotations

import asyncio
import logging

from eclair.errors import EclairError
from eclair.llm.base import Engine
from eclair.llm.call_probe import probe_calls
from eclair.llm.call_skills import CallSkills
from eclair.schema.models import Model
from eclair.util.background import IdleScheduler

QUIET_S = 120.0
"""Seconds without an answer before a probe; then a follow-up question is rarely near."""

MAX_ATTEMPTS = 3
"""The number of attempts with a model when answers interrupt it, until the next start."""

log = logging.getLogger(__name__)


class CallProber:
    """Probes in the background. Call `start` before use, `close` at the end."""

    def __init__(self, skills: CallSkills, idle: IdleScheduler) -> None:
        self._skills = skills
        self._idle = idle
        self._waiting: asyncio.Queue[tuple[Engine, Model]] = asyncio.Queue()
        self._known = set[tuple[str, str]]()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="probe how models call tools")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def note_answer(self, engine: Engine, model: Model) -> None:
        """Note that a model has answered; it is probed if that wasn't done yet."""
        key = (model.engine, model.id)
        if key not in self._known and not self._skills.knows(model):
            self._known.add(key)
            self._waiting.put_nowait((engine, model))

    async def _run(self) -> None:
        while True:
            engine, model = await self._waiting.get()
            await self._probe(engine, model)

    async def _probe(self, engine: Engine, model: Model) -> None:
        for _ in range(MAX_ATTEMPTS):
            try:
                skill = await self._idle.run_once(lambda: probe_calls(engine, model), QUIET_S)
            except EclairError as error:
                log.info("how %s calls tools is not known: %s", model.name, error.message)
                self._known.discard((model.engine, model.id))  # its next answer is another chance
                return
            except Exception:  # a bug of ours: log it; the model answers as before
                log.exception("how %s calls tools is not known", model.name)
                return
            if skill is not None:
                self._skills.add(model, skill)
                log.info("%s calls tools: %s%s", model.name, skill.way, "" if skill.is_good else ", not well")
                return
