"""Probes how models call tools, once each and while nobody waits for an answer.

A model of the embedded engine is probed once it is loaded, all others only after their first answer: an idle server
may be asleep, or cost money. No engine loads a model for a probe.
"""

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
"""Seconds after the loading and without an answer before a probe; then a question is rarely near."""

MAX_ATTEMPTS = 3
"""The number of probes of a model that answers may interrupt, until the next start."""

log = logging.getLogger(__name__)


class CallProber:
    """Probes in the background. Call `start` before use, `close` at the end."""

    def __init__(self, skills: CallSkills, idle: IdleScheduler) -> None:
        self._skills = skills
        self._idle = idle
        self._waiting: asyncio.Queue[tuple[Engine, Model | str]] = asyncio.Queue()
        """Engines with their models, or the ids of those."""
        self._known = set[tuple[str, str]]()
        """Models that wait or have been probed, by their engine's name and their id."""
        self._loaded = dict[tuple[str, str], asyncio.TimerHandle]()
        """Timers of models that were loaded, until they wait."""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="probe how models call tools")

    async def close(self) -> None:
        for delay in self._loaded.values():
            delay.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def note_answer(self, engine: Engine, model: Model) -> None:
        """Note that a model has answered; it is probed if that wasn't done yet."""
        key = (model.engine, model.id)
        if key not in self._known and not self._skills.knows(model):
            self._known.add(key)
            self._waiting.put_nowait((engine, model))

    def note_loaded(self, engine: Engine, model: str) -> None:
        """Note that an engine has loaded a model, by its id; it is probed QUIET_S later if that wasn't done yet."""
        key = (engine.name, model)
        if key not in self._known:
            self._known.add(key)
            self._loaded[key] = asyncio.get_running_loop().call_later(QUIET_S, self._add_loaded, engine, model)

    def _add_loaded(self, engine: Engine, model: str) -> None:
        del self._loaded[engine.name, model]
        self._waiting.put_nowait((engine, model))

    async def _run(self) -> None:
        while True:
            engine, found = await self._waiting.get()
            model = await self._find(engine, found) if isinstance(found, str) else found
            if model is not None and not self._skills.knows(model):
                await self._probe(engine, model)

    async def _find(self, engine: Engine, id: str) -> Model | None:
        """Return the model of that id; None if the engine has it no more."""
        try:
            for model in await engine.models():
                if model.id == id:
                    return model
        except EclairError as error:
            log.info("how %s calls tools is not known: %s", id, error.message)
        self._known.discard((engine.name, id))  # it may be loaded again
        return None

    async def _probe(self, engine: Engine, model: Model) -> None:
        for _ in range(MAX_ATTEMPTS):
            await self._idle.until_idle(QUIET_S)
            try:
                skill = await self._idle.run_once(lambda: probe_calls(engine, model), 0)
            except EclairError as error:
                log.info("how %s calls tools is not known: %s", model.name, error.message)
                self._known.discard((model.engine, model.id))  # its next answer or loading is another chance
                return
            except Exception:  # a bug of ours: log it; the model answers as before
                log.exception("how %s calls tools is not known", model.name)
                return
            if skill is not None:
                self._skills.add(model, skill)
                log.info("%s calls tools: %s%s", model.name, skill.way, "" if skill.is_good else ", not well")
                return
