"""Tunes models automatically: their layout, once, when the machine is idle.

It starts after a model's first answer, runs at the lowest priority, and stops at once for an answer. The rest of what
`eclair tune` measures needs a person who leaves the machine alone meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import os

from eclair.errors import Conflict, EclairError
from eclair.llm.base import PromptMessage, Request
from eclair.llm.local import profile
from eclair.llm.local.local_engine import LocalEngine
from eclair.llm.local.profile import TuningChoice
from eclair.llm.tuning.tune import tune
from eclair.models import catalog, installed, memory
from eclair.models.installed import InstalledModel
from eclair.settings import Settings
from eclair.util.background import IdleScheduler
from eclair.util.cpu import available_cores

CALM_S = 120.0
"""Seconds without an answer, and with a low load, before it starts."""

MAX_OTHER_LOAD = 0.3
"""The share of the machine that other programs may use then."""

MAX_FILE_BYTES = 1_250_000_000
"""Larger models are left to their owner: tuning takes long, and as much disk again."""

MAX_ATTEMPTS = 3
"""The number of attempts with a model when answers interrupt it."""

log = logging.getLogger(__name__)


class AutoTuner:
    """Tunes models in the background. Call `start` before use, `close` at the end."""

    def __init__(self, settings: Settings, engine: LocalEngine, idle: IdleScheduler, calm: float = CALM_S) -> None:
        self._settings = settings
        self._engine = engine
        self._idle = idle
        self._calm = calm
        self._attempts: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="tune models")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._calm / 2)
            if self._idle.idle_seconds() < self._calm or os.getloadavg()[0] > MAX_OTHER_LOAD * available_cores():
                continue
            for model in await asyncio.to_thread(self._untuned):
                await self._tune(model)

    def _untuned(self) -> list[InstalledModel]:
        """Return models that have answered and have no tuning for this machine."""
        models = installed.installed_models(catalog.load_entries(self._settings.catalog), self._settings.data_dir)
        return [
            model
            for id, model in models.items()
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
                await self._reload(id)
        except EclairError as error:
            log.info("%s is not tuned: %s", model.entry.name, error.message)
        except Exception:  # a bug of ours: log it; the model runs as before
            self._attempts[id] = MAX_ATTEMPTS
            log.exception("%s is not tuned", model.entry.name)

    async def _reload(self, model: str) -> None:
        try:
            await self._engine.release(model)
        except Conflict:
            return  # it answers; it runs as chosen from its next start on
        await self._engine.prefill(
            Request(model, (PromptMessage("system", self._settings.system_prompt), PromptMessage("user", ".")))
        )
