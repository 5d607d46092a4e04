"""A person's preferences: appearance, default model, instructions.

Most of them are for the web app. `model`, `instructions` and `draws` apply to every turn, in the terminal too.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import orjson
from pydantic import TypeAdapter, ValidationError

from eclair.schema.principal import Principal
from eclair.storage.preferences import PreferenceStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Preferences as of `version`, which counts changes. None means the default.

    `pinned_models` come first where a model is chosen. `draws` allows models that call tools to generate images,
    `follow_ups` has the web app suggest questions below an answer, and `memory` lets answers use and keep memories.
    `read_aloud` has it read new answers aloud, `speech_speed` times as fast as usual and by the first of
    `speech_voices` that speaks a sentence's language; `speech_language` (ISO 639-1) is the one that the person speaks.
    `voice_cues` are tones that say when a conversation by voice listens, and when it has heard. `show_presence` tells
    others who may read a conversation that the person has it open. `shortcuts` maps actions to keys that differ from
    the default; an empty string means no key.
    """

    version: int = 0
    language: str | None = None
    theme: Literal["system", "light", "dark"] = "system"
    contrast: Literal["normal", "more"] = "normal"
    text_size: float = 1
    motion: Literal["system", "less"] = "system"
    send_key: Literal["enter", "ctrl-enter"] = "enter"
    model: str | None = None
    pinned_models: tuple[str, ...] = ()
    instructions: str = ""
    draws: bool = True
    follow_ups: bool = False
    show_presence: bool = True
    memory: bool = True
    read_aloud: bool = False
    speech_speed: float = 1
    speech_voices: tuple[str, ...] = ()
    speech_language: str | None = None
    voice_cues: bool = True
    shortcuts: dict[str, str] = field(default_factory=dict[str, str])


_PREFERENCES = TypeAdapter(Preferences)
_NAMES = {spec.name for spec in fields(Preferences)} - {"version"}


def parse_preferences(values: Mapping[str, Any]) -> Preferences | None:
    """Read preferences that were stored or exported; None for what no Éclair writes."""
    known = {name: value for name, value in values.items() if name in _NAMES}  # a later Éclair may have had more
    try:
        return _PREFERENCES.validate_python(known)
    except ValidationError:
        return None


class PreferenceService:
    """Reads and writes preferences, with a cache for each principal.

    A change by another process is seen at the next `read`.
    """

    def __init__(self, preferences: PreferenceStore) -> None:
        self._preferences = preferences
        self._cache: dict[Principal, Preferences] = {}

    async def get(self, principal: Principal) -> Preferences:
        """Return the preferences, from the cache if they are there."""
        return self._cache.get(principal) or await self.read(principal)

    async def read(self, principal: Principal) -> Preferences:
        """Read the preferences from the store."""
        version, body = await self._preferences.get_preferences(principal)
        stored: dict[str, Any] = orjson.loads(body)
        found = parse_preferences(stored)
        if found is None:
            log.error("the stored preferences are damaged; the defaults take their place")
            found = Preferences()
        return self._remember(principal, replace(found, version=version))

    async def replace(self, principal: Principal, new: Preferences) -> Preferences:
        """Store new preferences. Raises Conflict if `new.version` is not the current version."""
        body = orjson.dumps({name: getattr(new, name) for name in _NAMES}).decode()
        version = await self._preferences.replace_preferences(principal, new.version, body)
        return self._remember(principal, replace(new, version=version))

    def forget(self, principal: Principal) -> None:
        """Forget the preferences of somebody whose data was erased."""
        self._cache.pop(principal, None)

    def _remember(self, principal: Principal, preferences: Preferences) -> Preferences:
        cached = self._cache.get(principal)
        if cached is None or cached.version <= preferences.version:
            self._cache[principal] = preferences
        return self._cache[principal]
