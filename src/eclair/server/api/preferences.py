"""`/api/preferences`: a user's preferences, one document."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import AfterValidator, Field

from eclair.app import App
from eclair.chat.preferences import Preferences
from eclair.schema.principal import Principal
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody

MAX_INSTRUCTIONS_CHARS = 4000
READ_ONLY = frozenset({"prompts", "temporary_only"})
"""Fields that are there to be read."""
TEXT_SIZES = (0.875, 1.0, 1.125, 1.25, 1.5)
MIN_SPEECH_SPEED, MAX_SPEECH_SPEED = 0.75, 2.0
MAX_SPEECH_VOICES = 20


def _check_text_size(size: float) -> float:
    if size not in TEXT_SIZES:
        raise ValueError(f"choose one of {', '.join(f'{known:g}' for known in TEXT_SIZES)}")
    return size


def _reject_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("it holds a NUL character; remove it")
    return text


PreferenceText = Annotated[str, AfterValidator(_reject_nul)]


@dataclass(frozen=True, slots=True)
class PromptText:
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencesReply(Preferences):
    """Preferences, and what clients read with them: one's own prompts, which `/api/prompts` changes, and a rule.

    `temporary_only` says that a rule of retention allows temporary chats alone.
    """

    prompts: tuple[PromptText, ...] = ()
    temporary_only: bool = False


class PreferencesBody(RequestBody):
    """The full document; fields left out get their defaults. READ_ONLY ones are passed over."""

    version: Annotated[int, Field(ge=0, lt=1 << 53)]
    language: Annotated[str | None, Field(pattern="^[a-z]{2}$")] = None
    theme: Literal["system", "light", "dark"] = "system"
    contrast: Literal["normal", "more"] = "normal"
    text_size: Annotated[float, AfterValidator(_check_text_size)] = 1
    motion: Literal["system", "less"] = "system"
    send_key: Literal["enter", "ctrl-enter"] = "enter"
    model: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    pinned_models: Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=100)] = Field(
        default_factory=list
    )
    instructions: Annotated[PreferenceText, Field(max_length=MAX_INSTRUCTIONS_CHARS)] = ""
    draws: bool = True
    follow_ups: bool = False
    show_presence: bool = True
    memory: bool = True
    read_aloud: bool = False
    speech_speed: Annotated[float, Field(ge=MIN_SPEECH_SPEED, le=MAX_SPEECH_SPEED)] = 1
    speech_voices: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=100)]], Field(max_length=MAX_SPEECH_VOICES)
    ] = Field(default_factory=list)
    speech_language: Annotated[str | None, Field(pattern="^[a-z]{2,3}$")] = None
    voice_cues: bool = True
    prompts: Annotated[list[Any], Field(max_length=1000)] = Field(default_factory=list)
    temporary_only: bool = False
    shortcuts: Annotated[
        dict[Annotated[str, Field(max_length=40)], Annotated[str, Field(max_length=40)]], Field(max_length=100)
    ] = Field(default_factory=dict)

    def value(self) -> Preferences:
        plain = {name: getattr(self, name) for name in type(self).model_fields if name not in READ_ONLY}
        plain["pinned_models"] = tuple(dict.fromkeys(self.pinned_models))
        plain["speech_voices"] = tuple(dict.fromkeys(self.speech_voices))
        return Preferences(**plain)


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/preferences", tags=["preferences"])

    async def with_prompts(principal: Principal, preferences: Preferences) -> PreferencesReply:
        values = {spec.name: getattr(preferences, spec.name) for spec in fields(preferences)}
        prompts = [each for each in await app.storage.prompts.list_prompts(principal) if each.access == "own"]
        return PreferencesReply(
            **values,
            prompts=tuple(PromptText(each.name, each.text) for each in prompts),
            temporary_only=(await app.storage.retention.get_person_retention(principal)).days == 0,
        )

    @api.get("")
    async def read_preferences(principal: Caller) -> PreferencesReply:
        return await with_prompts(principal, await app.preferences.read(principal))

    @api.put("")
    async def put_preferences(principal: Caller, body: PreferencesBody) -> PreferencesReply:
        kept = await app.preferences.replace(principal, body.value())
        await app.presence.tell_of(principal)
        return await with_prompts(principal, kept)

    return api
