"""Chooses the model for a question: applies `routing_rules` to the candidates."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from eclair.chat.preferences import PreferenceService
from eclair.chat.routing_rules import Candidate, ResolvedMode, able_to_read, no_further_than, pick, resolve_mode
from eclair.chat.tree import last_question
from eclair.chat.turn_options import TurnOptions
from eclair.documents.vision import VisionService
from eclair.errors import EclairError
from eclair.generation.route import Route, resolve_route
from eclair.live_settings import LiveSettings
from eclair.llm.base import Engine, RemoteEngine, estimate_tokens
from eclair.llm.local.endpoint_file import EMBEDDED_ENGINE
from eclair.llm.openai.model_names import is_chat_model
from eclair.llm.reasoning import FLASH_EFFORT, THINK_EFFORT
from eclair.llm.registry import Registry
from eclair.llm.servers.jurisdiction import LocationKind, locate
from eclair.schema.events import Notice
from eclair.schema.messages import MODES, Conversation, Message, Mode, NoticeCode
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.storage.usage import UsageStore
from eclair.text.language import identify_language

SPEEDS_TTL_S = 30.0

REASONS: dict[NoticeCode, str] = {
    "routed_short": "a short question",
    "routed_long": "a long question",
    "routed_code": "a question with code or a file in it",
    "routed_numbers": "a question with numbers to work out",
    "routed_hard": "a question to think through",
}


class ModelRouter:
    """Routes questions to models. Without `usage` their speeds are unknown."""

    def __init__(
        self,
        settings: LiveSettings,
        registry: Registry,
        usage: UsageStore | None = None,
        preferences: PreferenceService | None = None,
        vision: VisionService | None = None,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._usage = usage
        self._preferences = preferences
        self._vision = vision
        self._speeds: dict[str, float] = {}
        self._read_at = -SPEEDS_TTL_S

    async def route(
        self,
        principal: Principal,
        options: TurnOptions,
        conversation: Conversation | None = None,
        history: Sequence[Message] = (),
        *,
        default: str | None = None,
    ) -> Route:
        """Resolve the model: explicit > conversation > `default` of its project > user preference > mode > default.

        An answer is resumed by the model that began it. Raises NotFound and EngineUnavailable as the registry does.
        """
        mode = options.mode or (conversation.mode if conversation is not None else None)
        question = last_question(history)
        if options.model is not None:
            return await self.choose(options.model, mode, question, spoken=options.spoken)
        preferred = [conversation.model if conversation is not None else None, default]
        if self._preferences is not None:
            preferred.append((await self._preferences.get(principal)).model)
        if mode is not None and history and history[-1].role == "assistant":
            preferred.append(history[-1].model)
        available = {model.id for model in await self._registry.models()} | self._settings.current.fallbacks.keys()
        named = next((model for model in preferred if model in available), None)
        needs_vision = named is None and mode is not None and await self._has_photos(principal, history)
        return await self.choose(named, mode, question, needs_vision=needs_vision, spoken=options.spoken)

    async def choose(
        self, named: str | None, mode: Mode | None, question: str, *, needs_vision: bool = False, spoken: bool = False
    ) -> Route:
        """Route to the named model, else to the mode's choice, else to the default.

        A mode also tells a named model whether to reason. Raises NotFound and EngineUnavailable as the registry does.
        """
        if mode is None:
            return await resolve_route(self._settings.current, self._registry, named)
        settled, why = resolve_mode(mode, question, spoken=spoken)
        other = None
        if named is None:
            picked = await self._pick(settled, question, needs_vision=needs_vision)
            if why is not None:
                rival: ResolvedMode = "think" if settled == "flash" else "flash"
                other = (await self._pick(rival, question, needs_vision=needs_vision)).id
            named = picked.id
        route = await resolve_route(self._settings.current, self._registry, named)
        differs = other not in (None, named) or route.model.reasoning not in ("always", "never")
        notice = None
        if why is not None and differs:
            notice = Notice(why, f"{settled.capitalize()}, with {route.model.name}: {REASONS[why]}.")
        return replace(route, effort=FLASH_EFFORT if settled == "flash" else THINK_EFFORT, notice=notice)

    async def choose_named(self, name: str, question: str) -> Route:
        """Route for an API client, which may name a mode in place of a model.

        A model with such a name wins.
        """
        exists = any(model.id == name for model in await self._registry.models())
        mode: Mode | None = next((mode for mode in MODES if mode == name and not exists), None)
        return await self.choose(name if mode is None else None, mode, question)

    async def picks(self) -> tuple[Model, Model] | None:
        """Return the models of flash and think for a short question; None if there are none."""
        try:
            return await self._pick("flash", ""), await self._pick("think", "")
        except EclairError:
            return None

    async def _has_photos(self, principal: Principal, history: Sequence[Message]) -> bool:
        return self._vision is not None and bool(await self._vision.list_photos(principal, history))

    async def _pick(self, mode: ResolvedMode, question: str, *, needs_vision: bool = False) -> Model:
        engine, default = await self._registry.resolve(None)
        speeds = await self.words_per_second()
        found = [
            Candidate(model, _location(engine), speeds.get(model.id))
            for engine, model in await self._registry.ready()
            if is_chat_model(model.id)
            and model.id not in MODES
            and not (model.engine == EMBEDDED_ENGINE and model.size is None)  # listed before it is downloaded
        ]
        found.sort(key=lambda candidate: candidate.model.id != default.id)
        nearby = no_further_than(found, _location(engine))
        if not nearby:
            return default
        tokens, language = estimate_tokens(question), identify_language(question)
        return pick(mode, able_to_read(nearby, tokens, needs_vision, language)).model

    async def words_per_second(self) -> dict[str, float]:
        """Return the speed of each model's last answers here; without those that gave no long one."""
        if self._usage is not None and time.monotonic() - self._read_at >= SPEEDS_TTL_S:
            self._speeds = await self._usage.get_model_speeds()
            self._read_at = time.monotonic()
        return self._speeds


def _location(engine: Engine) -> LocationKind:
    """Locate an engine by its address alone: a stated country changes nothing here."""
    return locate(engine.url).kind if isinstance(engine, RemoteEngine) else "machine"
