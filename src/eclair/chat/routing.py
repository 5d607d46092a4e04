"""Modes: gathers who could answer, and has `routing` choose. How fast each model writes is read from what is kept."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from eclair.chat.routing_rules import Candidate, Settled, able, near, pick, settle
from eclair.errors import EclairError
from eclair.generation.fallback import Fallback, resolve
from eclair.llm.base import JSON, Engine, RemoteEngine, Request, estimate_tokens
from eclair.llm.openai.model_names import chats
from eclair.llm.reasoning import FLASH, THINK
from eclair.llm.registry import Registry
from eclair.llm.servers.jurisdiction import Where, place
from eclair.schema.events import Remarked
from eclair.schema.messages import MODES, Mode, RemarkCode
from eclair.schema.models import Model
from eclair.settings import Settings
from eclair.storage.base import Storage

FRESH = 30.0
"""Seconds for which measured speeds are taken as true."""

EMBEDDED = "embedded"
"""The engine that lists its default model even while that is not on this machine."""

WHY: dict[RemarkCode, str] = {
    "routed_short": "a short question",
    "routed_long": "a long question",
    "routed_code": "a question with code or a file in it",
    "routed_numbers": "a question with numbers to work out",
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who answers, and who in its place; with which `reasoning_effort`, and the remark that says why, where nobody said
    so."""

    engine: Engine
    model: Model
    fallback: Fallback
    effort: str | None = None
    remark: Remarked | None = None

    def by(self, engine: Engine, model: Model) -> Chosen:
        """The same, with another who answers; why the first was chosen need not be said then."""
        return self if model is self.model else replace(self, engine=engine, model=model, remark=None)

    def wishing(self, request: Request) -> Request:
        """The request with this effort, unless it wishes for one itself."""
        wish: JSON = {} if self.effort is None else {"reasoning_effort": self.effort}
        return replace(request, extra=wish | request.extra)


class Modes:
    """Without a store nothing is known of speeds."""

    def __init__(self, settings: Settings, registry: Registry, storage: Storage | None = None) -> None:
        self._settings = settings
        self._registry = registry
        self._storage = storage
        self._speeds: dict[str, float] = {}
        self._read = -FRESH

    async def choose(self, named: str | None, mode: Mode | None, question: str, pictured: bool = False) -> Chosen:
        """Who answers: the model that is named, which a mode only tells whether to think; else the mode's choice, which
        sees if there are pictures and one that does, or the default model without a mode. Raises NotFound and
        EngineUnavailable as the registry does."""
        if mode is None:
            return Chosen(*await resolve(self._settings, self._registry, named))
        settled, why = settle(mode, question)
        name = named if named is not None else (await self._picked(settled, question, pictured)).id
        engine, model, fallback = await resolve(self._settings, self._registry, name)
        remark = None
        if why is not None and (named is None or model.reasoning not in ("always", "never")):
            remark = Remarked(why, f"{settled.capitalize()}, with {model.name}: {WHY[why]}.")
        return Chosen(engine, model, fallback, FLASH if settled == "flash" else THINK, remark)

    async def called(self, name: str, question: str) -> Chosen:
        """As `choose`, for a program that names a mode in the place of a model; a model of that name goes first."""
        there = any(model.id == name for model in await self._registry.models())
        mode: Mode | None = next((mode for mode in MODES if mode == name and not there), None)
        return await self.choose(name if mode is None else None, mode, question)

    async def picks(self) -> tuple[Model, Model] | None:
        """Whom flash and think choose for a short question; None where nobody is there to answer."""
        try:
            return await self._picked("flash", ""), await self._picked("think", "")
        except EclairError:
            return None

    async def _picked(self, mode: Settled, question: str, pictured: bool = False) -> Model:
        engine, default = await self._registry.resolve(None)
        speeds = await self._words_per_second()
        found = [
            Candidate(model, _where(engine), speeds.get(model.id))
            for engine, model in await self._registry.ready()
            if chats(model.id) and model.id not in MODES and not (model.engine == EMBEDDED and model.size is None)
        ]
        found.sort(key=lambda one: one.model.id != default.id)
        nearby = near(found, _where(engine))
        return pick(mode, able(nearby, estimate_tokens(question), pictured)).model if nearby else default

    async def _words_per_second(self) -> dict[str, float]:
        if self._storage is not None and time.monotonic() - self._read >= FRESH:
            self._speeds = await self._storage.usage.get_model_speeds()
            self._read = time.monotonic()
        return self._speeds


def _where(engine: Engine) -> Where:
    """By the address alone: the country that an owner states makes a server neither nearer nor further."""
    return place(engine.url).where if isinstance(engine, RemoteEngine) else "machine"
