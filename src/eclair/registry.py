"""Which engine answers for which model: built-in engines are listed here, servers come from the settings."""

from __future__ import annotations

import asyncio
import difflib
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from eclair.engines.base import Engine, Health, Model
from eclair.errors import EclairError, EngineUnavailable, NotFound
from eclair.settings import Settings

if TYPE_CHECKING:
    from eclair.engines.local import LocalEngine

FRESH = 30.0
"""Seconds for which a server's list of models is taken as true."""

log = logging.getLogger(__name__)


class Registry:
    """The engines, and the models that each serves. Of two engines with one model the first answers."""

    def __init__(self, engines: Sequence[Engine], default: str | None = None, local: LocalEngine | None = None) -> None:
        self.engines = {engine.name: engine for engine in engines}
        self._default = default
        self.local = local
        self._models: dict[str, list[Model]] = {}
        self._faults: dict[str, EclairError] = {}
        self._asked = -FRESH
        self._asking = asyncio.Lock()
        self._wishes = self._granted = 0

    async def models(self) -> list[Model]:
        """Every model that can be asked. An engine that is down keeps those that it had."""
        if self._stale():
            async with self._asking:
                if self._stale():
                    wishes = self._wishes  # one that comes while the engines answer is not granted by that
                    await asyncio.gather(*(self._ask(engine) for engine in self.engines.values()))
                    self._asked, self._granted = time.monotonic(), wishes
        known: dict[str, Model] = {}
        for name in self.engines:
            for model in self._models.get(name, []):
                known.setdefault(model.id, model)
        return list(known.values())

    async def release(self, model: str) -> None:
        """Have the embedded engine unload a model, so that it can be removed. Raises Conflict while it answers."""
        if self.local is not None:
            await self.local.release(model)

    def ask_anew(self) -> None:
        """Have the engines say again which models they have, when next somebody wants to know."""
        self._wishes += 1

    async def resolve(self, name: str | None) -> tuple[Engine, Model]:
        """The engine and the model of that name, or the default one.

        Raises NotFound, which names some that there are, or EngineUnavailable where a server that cannot be
        reached might have it.
        """
        models = {model.id: model for model in await self.models()}
        wanted = name or self._default or next(iter(models), None)
        model = models.get(wanted or "")
        if model is None:
            self._refuse(wanted, list(models))
        return self.engines[model.engine], model

    async def health(self) -> dict[str, Health]:
        names = list(self.engines)
        found = await asyncio.gather(*(self.engines[name].health() for name in names))
        return dict(zip(names, found, strict=True))

    async def close(self) -> None:
        await asyncio.gather(*(engine.close() for engine in self.engines.values()))

    def _stale(self) -> bool:
        return self._granted < self._wishes or time.monotonic() - self._asked >= FRESH

    def _refuse(self, wanted: str | None, known: list[str]) -> NoReturn:
        for fault in self._faults.values():
            raise EngineUnavailable(f"Nothing that can be reached has the model {wanted!r}. {fault.message}")
        if wanted is None:
            raise NotFound("No model is there to answer; `eclair doctor` says why.", param="model")
        near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.0)
        raise NotFound(f"There is no model {wanted!r}; there is {', '.join(near)}.", param="model")

    async def _ask(self, engine: Engine) -> None:
        try:
            self._models[engine.name] = await engine.models()
            self._faults.pop(engine.name, None)
        except EclairError as error:
            self._faults[engine.name] = error
            log.warning("engine %s does not say which models it has: %s", engine.name, error.message)


def build(settings: Settings) -> Registry:
    """The engines that the settings ask for. An embedded engine begins to load at once."""
    engines: list[Engine] = []
    local: LocalEngine | None = None
    if settings.embedded:
        from eclair.engines.local import LocalEngine

        local = LocalEngine.start(settings)
        engines.append(local)
    if settings.engines:
        from eclair.engines.openai import OpenAIEngine

        engines += [OpenAIEngine.configured(name, server) for name, server in settings.engines.items()]
    if settings.scripted:
        from eclair.engines.scripted import ScriptedEngine

        engines.append(ScriptedEngine())
    return Registry(engines, settings.model, local)
