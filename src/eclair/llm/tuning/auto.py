"""Tuning by itself: once, after a model's first answer and a long calm, its layout is chosen, which brings most.

It works at the lowest priority, and ends at once when somebody asks; what `eclair tune` measures besides wants a
person who leaves the machine alone meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import os

from eclair.errors import Conflict, EclairError
from eclair.llm.base import PromptMessage, Request
from eclair.llm.local import profile
from eclair.llm.local.engine import LocalEngine
from eclair.llm.local.profile import TuningChoice
from eclair.llm.tuning.tune import tune
from eclair.models import catalog, installed, memory
from eclair.models.installed import InstalledModel
from eclair.settings import Settings
from eclair.util.background import IdleScheduler
from eclair.util.cpu import available_cores

CALM_S = 120.0
"""Seconds without an answer, and with little else at work on the machine, after which it begins."""

MAX_OTHER_LOAD = 0.3
"""The part of the machine that other programs may use then."""

MAX_FILE_BYTES = 1 << 30
"""Bytes of a model's file beyond which its owner should decide: the work takes long, and as much of the disk."""

MAX_ATTEMPTS = 3
"""How often it begins with a model anew when answers interrupt it."""

log = logging.getLogger(__name__)


class AutoTuner:
    """`start` before use, `close` at the end."""

    def __init__(self, settings: Settings, engine: LocalEngine, idle: IdleScheduler, calm: float = CALM_S) -> None:
        self._settings = settings
        self._engine = engine
        self._idle = idle
        self._calm = calm
        self._attempts: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._tune_for_ever(), name="tune models")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _tune_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._calm / 2)
            if self._idle.idle_seconds() < self._calm or os.getloadavg()[0] > MAX_OTHER_LOAD * available_cores():
                continue
            for model in await asyncio.to_thread(self._untuned):
                await self._tune(model)

    def _untuned(self) -> list[InstalledModel]:
        """Models that have answered and that nobody has tuned for this machine."""
        here = installed.installed_models(catalog.load_entries(self._settings.catalog), self._settings.data_dir)
        return [
            model
            for id, model in here.items()
            if id in self._engine.answered
            and self._attempts.get(id, 0) < MAX_ATTEMPTS
            and model.size <= MAX_FILE_BYTES
            and memory.fits(2 * memory.needed_by_installed(model, self._settings))
            and profile.find_tuning(self._settings.data_dir, id, model.path) is None
        ]

    async def _tune(self, model: InstalledModel) -> None:
        id = model.entry.id
        self._attempts[id] = self._attempts.get(id, 0) + 1
        try:
            found = await self._idle.run_once(
                lambda: tune(model, self._settings, lambda step: None, thorough=False, nice=19)
            )
            if found is None:
                return
            log.info("%s runs %s from now on", model.entry.name, found.choice.layout)
            if found.choice != TuningChoice():
                await self._load_anew(id)
        except EclairError as error:
            log.info("%s is not tuned: %s", model.entry.name, error.message)
        except Exception:  # a bug of ours: it is logged whole, and the model runs as before
            self._attempts[id] = MAX_ATTEMPTS
            log.exception("%s is not tuned", model.entry.name)

    async def _load_anew(self, model: str) -> None:
        try:
            await self._engine.release(model)
        except Conflict:
            return  # it answers; it runs as chosen from its next start on
        await self._engine.prefill(
            Request(model, (PromptMessage("system", self._settings.system_prompt), PromptMessage("user", ".")))
        )
