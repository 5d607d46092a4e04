"""The choice of the model that transcribes recordings, among those of this machine and of servers.

What the settings file says is fixed; everything else is chosen in the app, stored, and in force at once.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Final, Literal

from eclair.errors import Conflict, NotFound
from eclair.live_settings import LiveSettings
from eclair.llm.openai.model_names import is_transcription_model
from eclair.llm.registry import Registry
from eclair.schema.principal import Principal
from eclair.settings import Settings
from eclair.speech.listening_parts import ListeningParts
from eclair.speech.recognition import SpeechRecognizer
from eclair.speech.whisper_models import BASE_BYTES, BASE_MODEL, BASE_NAME, WHISPER_MODELS
from eclair.storage.open import read_transcriber
from eclair.storage.speech_settings import SpeechSettingsStore
from eclair.util.log_context import log_admin_act

LAYER: Final = "speech"
AUTOMATIC: Final = "auto"

RecognizerKind = Literal["base", "larger", "server"]
"""The model of the part `listening`, a larger one that is downloaded by itself, or one of a server."""


@dataclass(frozen=True, slots=True)
class RecognizerEntry:
    """A model that can transcribe recordings. `size` is the bytes of its weights in memory; None on a server."""

    id: str
    name: str
    kind: RecognizerKind
    engine: str | None
    size: int | None
    is_installed: bool


@dataclass(frozen=True, slots=True)
class RecognizerReport:
    """The models, the one that is `chosen` (a name or `auto`) and the one that is `used`.

    `is_fixed` says that the settings file chose it; `fault` is a sentence where the chosen one is missing.
    """

    chosen: str
    used: str
    is_fixed: bool
    fault: str | None
    recognizers: tuple[RecognizerEntry, ...]


class RecognizerChoice:
    """Lists the models that transcribe recordings, and puts a chosen one in force through `live`."""

    def __init__(
        self, live: LiveSettings, store: SpeechSettingsStore, registry: Registry, recognizer: SpeechRecognizer
    ) -> None:
        self._live = live
        self._store = store
        self._registry = registry
        self._recognizer = recognizer

    async def report(self) -> RecognizerReport:
        """List the models, and say which one is used."""
        settings = self._live.current
        is_fixed = is_transcriber_fixed(self._live.configured)
        return await describe_recognizers(settings, self._registry, self._recognizer, is_fixed=is_fixed)

    async def choose(self, principal: Principal, model: str) -> None:
        """Choose the model that transcribes recordings from now on, by its id, or `auto`.

        Raises Conflict where the settings file says it, and NotFound for one that is not there.
        """
        if is_transcriber_fixed(self._live.configured):
            raise Conflict("The settings file says transcriber; change it there.")
        there = {each.id for each in (await self.report()).recognizers if each.is_installed}
        if model not in (AUTOMATIC, BASE_MODEL) and model not in there:
            raise NotFound(missing_recognizer(model), param="transcriber")
        await self._store.put_transcriber(principal, model)
        await self.reload()
        log_admin_act("speech.changed", f"Recordings are transcribed by {model}.")

    async def reload(self) -> None:
        """Put in force what is stored, where another process has changed it. Raises StoreError."""
        settings = self._live.configured
        stored = None if is_transcriber_fixed(settings) else await self._store.get_transcriber()
        self._live.overlay({} if stored is None else {"transcriber": stored}, LAYER)


async def describe_recognizers(
    settings: Settings, registry: Registry, recognizer: SpeechRecognizer, *, is_fixed: bool
) -> RecognizerReport:
    """List the models that can transcribe recordings, and say which one is used with these settings."""
    chosen = settings.transcriber
    entries = await asyncio.to_thread(_list_own, recognizer.parts)
    for model in await registry.all_models():
        if is_transcription_model(model.id) or model.id == chosen:
            entries.append(RecognizerEntry(model.id, model.name, "server", model.engine, None, is_installed=True))
    used = recognizer.model_id
    is_there = used == BASE_MODEL or any(each.id == used and each.is_installed for each in entries)
    fault = None if is_there else missing_recognizer(used)
    return RecognizerReport(chosen=chosen, used=used, is_fixed=is_fixed, fault=fault, recognizers=tuple(entries))


def _list_own(parts: ListeningParts) -> list[RecognizerEntry]:
    base = RecognizerEntry(BASE_MODEL, BASE_NAME, "base", None, BASE_BYTES, parts.is_ready)
    larger = [
        RecognizerEntry(each.id, each.name, "larger", None, each.memory_bytes, each.is_installed(parts.data_dir))
        for each in WHISPER_MODELS
    ]
    return [base, *larger]


def missing_recognizer(model: str) -> str:
    """Describe a model that was chosen and isn't there."""
    return f"{model}, which was chosen for recordings, is missing; download it or choose another in Settings › Speech."


def with_speech_settings(settings: Settings) -> Settings:
    """Return the settings with what was chosen in the app, for commands without a server. Raises StoreError."""
    stored = None if is_transcriber_fixed(settings) else read_transcriber(settings)
    return settings if stored is None else replace(settings, transcriber=stored)


def is_transcriber_fixed(settings: Settings) -> bool:
    """Return whether the settings file, or the environment, says which model transcribes recordings."""
    return settings.transcriber != AUTOMATIC
