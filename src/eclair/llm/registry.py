"""Which engine answers for which model: built-in engines are listed here, servers come from the settings,
or were added and come and go."""

from __future__ import annotations

import asyncio
import difflib
import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn, Protocol

from eclair.errors import EclairError, EngineUnavailable, NotFound, StoreError
from eclair.llm.base import Engine, Health
from eclair.llm.servers.bfl import is_image_only
from eclair.network.gate import CLOSED_GATE, OutboundGate
from eclair.schema.models import Model
from eclair.settings import Settings

if TYPE_CHECKING:
    from eclair.llm.local.engine import LocalEngine

MODEL_LIST_TTL_S = 30.0
"""Seconds for which a server's list of models is taken as true."""

LIST_TIMEOUT_S = 3.0
"""Seconds for which the lists of all engines are waited for together. What comes later is known from then on."""

log = logging.getLogger(__name__)


class EngineSource(Protocol):
    """Engines that come and go while Éclair runs."""

    async def engines(self) -> Mapping[str, Engine | EclairError]:
        """Those that there are now, by name; an error in the place of one that cannot be used."""
        ...

    async def close(self) -> None: ...


class Registry:
    """The engines, and the models that each serves. Of two engines with one model the first answers."""

    def __init__(
        self,
        engines: Sequence[Engine],
        default: str | None = None,
        local: LocalEngine | None = None,
        added: EngineSource | None = None,
    ) -> None:
        self.engines = {engine.name: engine for engine in engines}
        self.default = default
        self.local = local
        self._added = added
        self._from_added: set[str] = set()
        self._under_way: dict[Engine, asyncio.Task[None]] = {}
        self._models: dict[str, list[Model]] = {}
        self._faults: dict[str, EclairError] = {}
        self._asked = -MODEL_LIST_TTL_S
        self._asking = asyncio.Lock()
        self._wishes = self._granted = 0

    async def models(self) -> list[Model]:
        """Every model that can be asked. An engine that is down keeps those that it had."""
        if self._stale():
            async with self._asking:
                if self._stale():
                    wishes = self._wishes  # one that comes while the engines answer is not granted by that
                    await self._renew()
                    await self._ask_all()
                    self._asked, self._granted = time.monotonic(), wishes
        return list(self._known().values())

    async def ready(self) -> list[tuple[Engine, Model]]:
        """Those of the models whose engine answered when it was last asked."""
        known = await self.models()
        return [(self.engines[model.engine], model) for model in known if model.engine not in self._faults]

    @property
    def loaded(self) -> list[str]:
        """The models that the embedded engine has in memory, or is loading."""
        return self.local.loaded if self.local is not None else []

    async def release(self, model: str) -> None:
        """Have the embedded engine unload a model, so that it can be removed. Raises Conflict while it answers."""
        if self.local is not None:
            await self.local.release(model)

    def refresh(self) -> None:
        """Have the engines say again which models they have, when next somebody wants to know."""
        self._wishes += 1

    async def resolve(self, name: str | None) -> tuple[Engine, Model]:
        """The engine and the model of that name, or the default one.

        Raises NotFound, which names some that there are, or EngineUnavailable where a server that cannot be
        reached might have it.
        """
        await self.models()
        models = self._known()
        wanted = name or self.default or next(iter(models), None)
        if wanted not in models and self._under_way:  # one that takes long may have it
            await asyncio.wait(self._under_way.values())
            models = self._known()
            wanted = wanted or next(iter(models), None)
        model = models.get(wanted or "")
        if model is None:
            self._refuse(wanted, list(models))
        return self.engines[model.engine], model

    async def health(self) -> dict[str, Health]:
        names = list(self.engines)
        found = await asyncio.gather(*(self.engines[name].health() for name in names))
        unusable = {name: Health("down", fault.message) for name, fault in self._faults.items() if name not in names}
        return dict(zip(names, found, strict=True)) | unusable

    def fault(self, engine: str) -> EclairError | None:
        """Why the engine did not say which models it has, when it was asked last."""
        from eclair.llm.openai.engine import OpenAIEngine

        found = self.engines.get(engine)
        return self._faults.get(engine) or (found.unreachable if isinstance(found, OpenAIEngine) else None)

    async def close(self) -> None:
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        await asyncio.gather(*(engine.close() for engine in self.engines.values()))
        if self._added is not None:
            await self._added.close()

    def _known(self) -> dict[str, Model]:
        known: dict[str, Model] = {}
        for name in self.engines:
            for model in self._models.get(name, []):
                known.setdefault(model.id, model)
        return known

    def _stale(self) -> bool:
        return self._granted < self._wishes or time.monotonic() - self._asked >= MODEL_LIST_TTL_S

    async def _renew(self) -> None:
        """Take up the engines that were added, and let go of those that were removed."""
        if self._added is None:
            return
        try:
            found = await self._added.engines()
        except StoreError as error:  # those that are known go on
            log.warning("which engines were added cannot be read: %s", error.message)
            return
        for name in self._from_added | set(found):
            engine = found.get(name)
            if engine is not None and engine is self.engines.get(name):
                continue
            self.engines.pop(name, None)
            self._models.pop(name, None)
            self._faults.pop(name, None)
            if isinstance(engine, EclairError):
                self._faults[name] = engine
            elif engine is not None:
                self.engines[name] = engine
        self._from_added = set(found)

    async def _ask_all(self) -> None:
        """Ask every engine, and wait for one that takes long no longer than PATIENCE."""
        for engine in self.engines.values():
            if engine not in self._under_way:
                self._under_way[engine] = asyncio.create_task(self._ask(engine), name=f"ask {engine.name}")
        if not self._under_way:
            return
        done, _ = await asyncio.wait(self._under_way.values(), timeout=LIST_TIMEOUT_S)
        self._under_way = {engine: task for engine, task in self._under_way.items() if task not in done}
        for task in done:
            task.result()

    def _refuse(self, wanted: str | None, known: list[str]) -> NoReturn:
        for fault in self._faults.values():
            raise EngineUnavailable(f"Nothing that can be reached has the model {wanted!r}. {fault.message}")
        if wanted is None:
            raise NotFound("No model is there to answer; `eclair doctor` says why.", param="model")
        near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.0)
        raise NotFound(f"There is no model {wanted!r}; there is {', '.join(near)}.", param="model")

    async def _ask(self, engine: Engine) -> None:
        try:
            models = await engine.models()
            if self.engines.get(engine.name) is engine:  # else it was removed meanwhile
                self._models[engine.name] = models
                self._faults.pop(engine.name, None)
        except EclairError as error:
            if self.engines.get(engine.name) is engine:
                self._faults[engine.name] = error
            log.warning("engine %s does not say which models it has: %s", engine.name, error.message)


def build_registry(
    settings: Settings,
    added: EngineSource | None = None,
    *,
    gate: OutboundGate = CLOSED_GATE,
    local: LocalEngine | None = None,
) -> Registry:
    """The engines that the settings ask for, and those that were added. An embedded engine begins to load at once,
    unless it is `local`, which has. Those that are elsewhere are called through `gate`."""
    engines: list[Engine] = []
    if settings.embedded:
        from eclair.llm.local.engine import LocalEngine

        local = local or LocalEngine.start(settings)
        engines.append(local)
    if settings.engines:
        from eclair.llm.openai.engine import OpenAIEngine

        answering = {name: each for name, each in settings.engines.items() if not is_image_only(name, each.url)}
        engines += [OpenAIEngine.configured(name, server, gate) for name, server in answering.items()]
    if settings.scripted:
        from eclair.llm.scripted import ScriptedEngine

        engines.append(ScriptedEngine())
    return Registry(engines, settings.model, local, added)
