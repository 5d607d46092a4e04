"""The registry of engines: built-in ones, servers of the settings, added ones."""

from __future__ import annotations

import asyncio
import difflib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn, Protocol

from eclair.accounts.rights import OPEN_RULES, RightRules
from eclair.errors import EclairError, EngineUnavailable, NoModel, NotFound, RightMissing, StoreError
from eclair.llm.base import Engine, EngineState, Health, ListingEngine, RemoteEngine, best_state
from eclair.llm.call_skills import CallSkills
from eclair.llm.servers.bfl import is_image_only
from eclair.network.gate import CLOSED_GATE, PRINCIPAL, OutboundGate
from eclair.schema.models import Model
from eclair.settings import Settings, hide_login

if TYPE_CHECKING:
    from eclair.llm.local.local_engine import LocalEngine

MODEL_LIST_TTL_S = 30.0
"""The lifetime of a server's cached list of models."""

LIST_TIMEOUT_S = 3.0
"""Limits the wait for all engines' lists together. A late list counts once it comes."""

log = logging.getLogger(__name__)


class EngineSource(Protocol):
    """A source of engines that come and go while Éclair runs."""

    async def engines(self) -> Mapping[str, Engine | EclairError]:
        """Return the current engines by name; an error for one that can't be used."""
        ...

    async def close(self) -> None: ...


class Registry:
    """The engines and their models. If two engines have a model, the first serves it.

    The person on whose behalf it is asked sees and gets the models that they may use.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        default: str | None = None,
        local: LocalEngine | None = None,
        added: EngineSource | None = None,
        rights: RightRules = OPEN_RULES,
        skills: CallSkills | None = None,
    ) -> None:
        self._rights = rights
        self._skills = skills
        self.engines = {engine.name: engine for engine in engines}
        self.default = default
        self.local = local
        self._added = added
        self._added_names: set[str] = set()
        self._listing: dict[Engine, asyncio.Task[None]] = {}
        self._models: dict[str, list[Model]] = {}
        self._faults: dict[str, EclairError] = {}
        self._listed_at = -MODEL_LIST_TTL_S
        self._last_states: dict[str, EngineState] = {}
        self._list_lock = asyncio.Lock()
        self._refreshes_asked = self._refreshes_done = 0

    async def models(self) -> list[Model]:
        """List the models. An engine that is down keeps the models it last listed."""
        await self._list()
        return list(self._usable().values())

    async def all_models(self) -> list[Model]:
        """List the models whoever may use them."""
        await self._list()
        return list(self._known().values())

    async def _list(self) -> None:
        """Have the engines list their models, if that was long ago."""
        if self._is_stale():
            async with self._list_lock:
                if self._is_stale():
                    asked = self._refreshes_asked  # a later one is not served by this refresh
                    await self._update_engines()
                    await self._ask_all()
                    self._listed_at, self._refreshes_done = time.monotonic(), asked

    async def ready(self) -> list[tuple[Engine, Model]]:
        """List the models whose engine answered when it was last asked, with the engine."""
        known = await self.models()
        return [(self.engines[model.engine], model) for model in known if model.engine not in self._faults]

    @property
    def loaded(self) -> list[str]:
        """The models that the embedded engine has loaded or is loading."""
        return self.local.loaded if self.local is not None else []

    async def release(self, model: str) -> None:
        """Unload a model of the embedded engine, before it is removed.

        Raises Conflict while it answers.
        """
        if self.local is not None:
            await self.local.release(model)

    def refresh(self) -> None:
        """Have the engines list their models again the next time they are needed."""
        self._refreshes_asked += 1

    async def resolve(self, name: str | None) -> tuple[Engine, Model]:
        """Return the engine and the model of that name, or the default ones.

        Raises NotFound, which names similar models, EngineUnavailable if an unreachable server might have it, and
        RightMissing for a model that the person may not use.
        """
        await self._find(name or self.default)
        usable, known = self._usable(), self._known()
        if name is None and self.default in known and self.default not in usable and usable:
            name = next(iter(usable))
        wanted = name or self.default or next(iter(usable), None)
        model = usable.get(wanted or "")
        if model is None and (wanted in known or (wanted is None and known)):
            raise RightMissing(
                f"Your account may not use {f'the model {wanted}' if wanted else 'any model'}; ask an administrator.",
                param="model",
            )
        if model is None:
            self._raise_not_found(wanted, list(usable))
        return self.engines[model.engine], model

    async def resolve_for_house(self, name: str) -> tuple[Engine, Model]:
        """Return the engine and the model of that name for work of Éclair's own. Raises as `resolve` does."""
        await self._find(name)
        model = self._known().get(name)
        if model is None:
            self._raise_not_found(name, list(self._usable()))
        return self.engines[model.engine], model

    async def _find(self, wanted: str | None) -> None:
        """Have the engines list their models, and wait for late ones if nobody else has the wanted one."""
        await self._list()
        if self._listing and (wanted is None or wanted not in self._known()):
            if wanted is None and self._known():
                return
            await asyncio.wait(self._listing.values())

    async def status(self) -> EngineState:
        """Return the best state of an engine; see `last_states`."""
        return best_state({*(await self.last_states()).values()})

    async def last_states(self) -> dict[str, EngineState]:
        """Return each engine's state without calling a server: those are as they were when last asked."""
        states: dict[str, EngineState] = {}
        for name, engine in self.engines.items():
            if isinstance(engine, RemoteEngine):
                states[name] = self._last_states.get(name, "ready" if self.fault(name) is None else "down")
            else:
                states[name] = (await engine.health()).state
        return states

    async def health(self) -> dict[str, Health]:
        """Ask every engine for its state; no detail shows a login."""
        names = list(self.engines)
        found = await asyncio.gather(*(self.engines[name].health() for name in names))
        unusable = {name: Health("down", fault.message) for name, fault in self._faults.items() if name not in names}
        states = dict(zip(names, found, strict=True)) | unusable
        self._last_states = {name: state.state for name, state in states.items()}
        return {name: replace(state, detail=hide_login(state.detail)) for name, state in states.items()}

    def fault(self, engine: str) -> EclairError | None:
        """Return why the engine couldn't list its models when last asked; None if it could."""
        found = self.engines.get(engine)
        return self._faults.get(engine) or (found.list_error if isinstance(found, ListingEngine) else None)

    async def close(self) -> None:
        for task in self._listing.values():
            task.cancel()
        await asyncio.gather(*self._listing.values(), return_exceptions=True)
        await asyncio.gather(*(engine.close() for engine in self.engines.values()))
        if self._added is not None:
            await self._added.close()

    def _known(self) -> dict[str, Model]:
        known: dict[str, Model] = {}
        for name in self.engines:
            for model in self._models.get(name, []):
                known.setdefault(model.id, model if self._skills is None else self._skills.apply(model))
        return known

    def may_use(self, model: Model) -> bool:
        """Tell if the person may use a model on whose behalf this is asked."""
        return self._rights.may_use_model(PRINCIPAL.get(), model.id, model.engine)

    def _usable(self) -> dict[str, Model]:
        """Return the known models that the person may use on whose behalf this is asked."""
        return {id: model for id, model in self._known().items() if self.may_use(model)}

    def _is_stale(self) -> bool:
        return self._refreshes_done < self._refreshes_asked or time.monotonic() - self._listed_at >= MODEL_LIST_TTL_S

    async def _update_engines(self) -> None:
        """Add engines that were added since, and drop those that were removed."""
        if self._added is None:
            return
        try:
            found = await self._added.engines()
        except StoreError as error:  # known ones stay
            log.warning("which engines were added cannot be read: %s", error.message)
            return
        for name in self._added_names | set(found):
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
        self._added_names = set(found)

    async def _ask_all(self) -> None:
        """Ask every engine for its models; wait at most LIST_TIMEOUT_S."""
        for engine in self.engines.values():
            if engine not in self._listing:
                self._listing[engine] = asyncio.create_task(self._ask(engine), name=f"ask {engine.name}")
        if not self._listing:
            return
        done, _ = await asyncio.wait(self._listing.values(), timeout=LIST_TIMEOUT_S)
        self._listing = {engine: task for engine, task in self._listing.items() if task not in done}
        for task in done:
            task.result()

    def _raise_not_found(self, wanted: str | None, known: list[str]) -> NoReturn:
        for fault in self._faults.values():
            raise EngineUnavailable(f"Nothing that can be reached has the model {wanted!r}. {fault.message}")
        if wanted is None:
            raise NoModel("No model is there to answer; `eclair doctor` says why.", param="model")
        near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.0)
        raise NotFound(f"There is no model {wanted!r}. Available: {', '.join(near)}.", param="model")

    async def _ask(self, engine: Engine) -> None:
        try:
            models = await engine.models()
            if self.engines.get(engine.name) is engine:  # unless it was removed meanwhile
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
    rights: RightRules = OPEN_RULES,
    skills: CallSkills | None = None,
) -> Registry:
    """Build the registry of the settings' engines and `added` ones.

    An embedded engine starts to load at once, unless `local` is given, which has started. Remote engines are called
    through `gate`. `skills` are what is known of how models call tools.
    """
    engines: list[Engine] = []
    if settings.embedded:
        from eclair.llm.local.local_engine import LocalEngine

        local = local or LocalEngine.start(settings)
        engines.append(local)
    if settings.engines:
        from eclair.llm.remote.request_marks import RequestMarks
        from eclair.llm.servers.server_api import configured_engine

        answering = {name: each for name, each in settings.engines.items() if not is_image_only(name, each.url)}
        marks, limit_s = RequestMarks.configured(settings), settings.first_word_seconds
        engines += [
            configured_engine(name, server, gate=gate, first_word_s=limit_s, marks=marks)
            for name, server in answering.items()
        ]
    if settings.scripted:
        from eclair.llm.scripted import ScriptedEngine

        engines.append(ScriptedEngine())
    return Registry(engines, settings.model, local, added, rights, skills)
