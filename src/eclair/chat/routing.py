"""Decides which model answers: gathers who could, and has `routing_rules` choose by what each is and how fast."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from eclair.chat.preferences import Preferred
from eclair.chat.routing_rules import Candidate, Settled, able, near, pick, settle
from eclair.chat.tree import last_question
from eclair.chat.turn_options import TurnOptions
from eclair.documents.vision import VisionService
from eclair.errors import EclairError
from eclair.generation.route import Route, resolve_route
from eclair.llm.base import Engine, RemoteEngine, estimate_tokens
from eclair.llm.openai.model_names import is_chat_model
from eclair.llm.reasoning import FLASH_EFFORT, THINK_EFFORT
from eclair.llm.registry import Registry
from eclair.llm.servers.jurisdiction import LocationKind, locate
from eclair.schema.events import Notice
from eclair.schema.messages import MODES, Conversation, Message, Mode, RemarkCode
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.settings import Settings
from eclair.storage.usage import UsageStore

SPEEDS_TTL_S = 30.0

EMBEDDED = "embedded"
"""The engine that lists its default model even while that is not on this machine."""

WHY: dict[RemarkCode, str] = {
    "routed_short": "a short question",
    "routed_long": "a long question",
    "routed_code": "a question with code or a file in it",
    "routed_numbers": "a question with numbers to work out",
}


class ModelRouter:
    """Routes questions to models. Without `usage` nothing is known of their speeds."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        usage: UsageStore | None = None,
        preferences: Preferred | None = None,
        photos: VisionService | None = None,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._usage = usage
        self._preferences = preferences
        self._photos = photos
        self._speeds: dict[str, float] = {}
        self._read = -SPEEDS_TTL_S

    async def route(
        self,
        principal: Principal,
        options: TurnOptions,
        conversation: Conversation | None = None,
        history: Sequence[Message] = (),
    ) -> Route:
        """Resolve the model: explicit > conversation > user preference > mode > default.

        An answer is resumed by the model that began it. Raises NotFound and EngineUnavailable as the registry does.
        """
        mode = options.mode or (conversation.mode if conversation is not None else None)
        question = last_question(history)
        if options.model is not None:
            return await self.choose(options.model, mode, question)
        preferred = [conversation.model] if conversation is not None else []
        if self._preferences is not None:
            preferred.append((await self._preferences.of(principal)).model)
        if mode is not None and history and history[-1].role == "assistant":
            preferred.append(history[-1].model)
        there = {model.id for model in await self._registry.models()} | self._settings.fallbacks.keys()
        named = next((model for model in preferred if model in there), None)
        needs_eyes = named is None and mode is not None and await self._has_photos(principal, history)
        return await self.choose(named, mode, question, needs_eyes=needs_eyes)

    async def choose(self, named: str | None, mode: Mode | None, question: str, *, needs_eyes: bool = False) -> Route:
        """Route to the named model, which the mode tells whether to think, else the mode's choice, else the default.

        Raises NotFound and EngineUnavailable as the registry does.
        """
        if mode is None:
            return await resolve_route(self._settings, self._registry, named)
        settled, why = settle(mode, question)
        name = named if named is not None else (await self._pick(settled, question, needs_eyes=needs_eyes)).id
        route = await resolve_route(self._settings, self._registry, name)
        notice = None
        if why is not None and (named is None or route.model.reasoning not in ("always", "never")):
            notice = Notice(why, f"{settled.capitalize()}, with {route.model.name}: {WHY[why]}.")
        return replace(route, effort=FLASH_EFFORT if settled == "flash" else THINK_EFFORT, notice=notice)

    async def choose_named(self, name: str, question: str) -> Route:
        """Route for a program that may name a mode in place of a model; a model of that name goes first."""
        there = any(model.id == name for model in await self._registry.models())
        mode: Mode | None = next((mode for mode in MODES if mode == name and not there), None)
        return await self.choose(name if mode is None else None, mode, question)

    async def picks(self) -> tuple[Model, Model] | None:
        """The models of flash and think for a short question; None where nobody is there to answer."""
        try:
            return await self._pick("flash", ""), await self._pick("think", "")
        except EclairError:
            return None

    async def _has_photos(self, principal: Principal, history: Sequence[Message]) -> bool:
        return self._photos is not None and bool(await self._photos.list_photos(principal, history))

    async def _pick(self, mode: Settled, question: str, *, needs_eyes: bool = False) -> Model:
        engine, default = await self._registry.resolve(None)
        speeds = await self._words_per_second()
        found = [
            Candidate(model, _where(engine), speeds.get(model.id))
            for engine, model in await self._registry.ready()
            if is_chat_model(model.id)
            and model.id not in MODES
            and not (model.engine == EMBEDDED and model.size is None)
        ]
        found.sort(key=lambda one: one.model.id != default.id)
        nearby = near(found, _where(engine))
        return pick(mode, able(nearby, estimate_tokens(question), needs_eyes)).model if nearby else default

    async def _words_per_second(self) -> dict[str, float]:
        if self._usage is not None and time.monotonic() - self._read >= SPEEDS_TTL_S:
            self._speeds = await self._usage.get_model_speeds()
            self._read = time.monotonic()
        return self._speeds


def _where(engine: Engine) -> LocationKind:
    """By the address alone: the country that an owner states makes a server neither nearer nor further."""
    return locate(engine.url).kind if isinstance(engine, RemoteEngine) else "machine"
