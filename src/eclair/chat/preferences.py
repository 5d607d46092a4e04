"""What a person likes: how the page looks and speaks, which model answers, and what each is told.

The page follows most of it by itself. `model`, `instructions` and `draws` hold for every turn, in the terminal too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import orjson
from pydantic import TypeAdapter

from eclair.schema.principal import Principal
from eclair.storage.preferences import PreferenceStore


@dataclass(frozen=True, slots=True)
class Prompt:
    """A saved prompt; what stands in it in double braces is asked for before it is used."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """All of them, as of `version`, which counts the changes. None leaves a choice to the browser or the server.

    With `draws` a model that calls tools may have pictures drawn. `shortcuts` holds the keys of actions that have
    others than their own, empty where they have none.
    """

    version: int = 0
    language: str | None = None
    theme: Literal["system", "light", "dark"] = "system"
    contrast: Literal["normal", "more"] = "normal"
    text_size: float = 1
    motion: Literal["system", "less"] = "system"
    send_key: Literal["enter", "ctrl-enter"] = "enter"
    model: str | None = None
    instructions: str = ""
    draws: bool = True
    prompts: tuple[Prompt, ...] = ()
    shortcuts: dict[str, str] = field(default_factory=dict[str, str])


_PREFERENCES = TypeAdapter(Preferences)
_NAMES = {spec.name for spec in fields(Preferences)} - {"version"}


class Preferred:
    """Every owner's preferences, held once they were read. A change goes through here; one that another process
    made is seen at the next `read`."""

    def __init__(self, preferences: PreferenceStore) -> None:
        self._preferences = preferences
        self._held: dict[Principal, Preferences] = {}

    async def of(self, principal: Principal) -> Preferences:
        """Without a look at the store where they are held."""
        return self._held.get(principal) or await self.read(principal)

    async def read(self, principal: Principal) -> Preferences:
        version, body = await self._preferences.get_preferences(principal)
        kept: dict[str, Any] = orjson.loads(body)
        known = {name: value for name, value in kept.items() if name in _NAMES}  # a later Éclair may have had more
        return self._hold(principal, _PREFERENCES.validate_python({**known, "version": version}))

    async def change(self, principal: Principal, wanted: Preferences) -> Preferences:
        """Keep them in the place of those of the same version. Raises Conflict where these are no longer the last."""
        body = orjson.dumps({name: getattr(wanted, name) for name in _NAMES}).decode()
        version = await self._preferences.replace_preferences(principal, wanted.version, body)
        return self._hold(principal, replace(wanted, version=version))

    def _hold(self, principal: Principal, preferences: Preferences) -> Preferences:
        held = self._held.get(principal)
        if held is None or held.version <= preferences.version:
            self._held[principal] = preferences
        return self._held[principal]
