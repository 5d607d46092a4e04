"""`/api/preferences`: a user's preferences, one document."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import AfterValidator, Field

from eclair.app import App
from eclair.chat.preferences import Preferences, SavedPrompt
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody, StrictModel

MAX_INSTRUCTIONS_CHARS = 4000
TEXT_SIZES = (0.875, 1.0, 1.125, 1.25, 1.5)


def _check_text_size(size: float) -> float:
    if size not in TEXT_SIZES:
        raise ValueError(f"choose one of {', '.join(f'{known:g}' for known in TEXT_SIZES)}")
    return size


def _require_unique_names(prompts: list[PromptBody]) -> list[PromptBody]:
    names = [prompt.name.casefold() for prompt in prompts]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two prompts are called {name!r}; give one of them another name")
    return prompts


def _reject_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("it holds a NUL character; remove it")
    return text


PreferenceText = Annotated[str, AfterValidator(_reject_nul)]


class PromptBody(StrictModel):
    name: Annotated[str, Field(pattern=r"^[^\s/]{1,40}$")]
    text: Annotated[PreferenceText, Field(min_length=1, max_length=20_000)]


class PreferencesBody(RequestBody):
    """The full document; fields left out get their defaults."""

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
    prompts: Annotated[list[PromptBody], Field(max_length=100), AfterValidator(_require_unique_names)] = Field(
        default_factory=list
    )
    shortcuts: Annotated[
        dict[Annotated[str, Field(max_length=40)], Annotated[str, Field(max_length=40)]], Field(max_length=100)
    ] = Field(default_factory=dict)

    def value(self) -> Preferences:
        plain = {name: getattr(self, name) for name in type(self).model_fields}
        plain["pinned_models"] = tuple(dict.fromkeys(self.pinned_models))
        plain["prompts"] = tuple(SavedPrompt(prompt.name, prompt.text) for prompt in self.prompts)
        return Preferences(**plain)


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/preferences", tags=["preferences"])

    @api.get("")
    async def read_preferences(principal: Caller) -> Preferences:
        return await app.preferences.read(principal)

    @api.put("")
    async def put_preferences(principal: Caller, body: PreferencesBody) -> Preferences:
        return await app.preferences.replace(principal, body.value())

    return api
