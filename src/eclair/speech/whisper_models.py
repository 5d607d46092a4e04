"""Larger Whisper models that recognize speech, which `eclair pull` fetches from the hub.

The base model comes with the parts (`listening_parts`), which these need, too.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

from eclair.errors import Conflict, ModelMissing, NotFound
from eclair.models import install, installed, memory
from eclair.models.catalog import CatalogEntry
from eclair.models.download_plan import DownloadPlan
from eclair.models.huggingface import Hub
from eclair.network.client import DownloadClient
from eclair.schema.models import Model
from eclair.settings import Settings
from eclair.speech.recognition_protocol import RecognitionTask
from eclair.util.humanize import format_size

FOLDER_NAME = "speech"
"""In the folder of all models."""
WEIGHTS = "model.bin"
"""Fetched last: with it a model is complete."""
FILES = ("config.json", "preprocessor_config.json", "tokenizer.json", "vocabulary.json", "vocabulary.txt", WEIGHTS)
"""Files that are loaded; none holds code."""
LICENSE = "MIT"
BASE_MODEL = "whisper-base"
"""The id of the model that comes with the parts."""
BASE_NAME = "Whisper base"
BASE_BYTES = 74_000_000
"""Bytes of its weights in memory."""


@dataclass(frozen=True, slots=True)
class WhisperModel:
    """A model in CTranslate2's format in a repository of the hub; `parameters` are billions, as OpenAI says.

    `translates` tells whether it was trained to write in English what is said in another language.
    """

    id: str
    name: str
    repo: str
    parameters: float
    released: str
    translates: bool = True

    @property
    def memory_bytes(self) -> int:
        """Bytes of its weights in memory, where each takes one."""
        return round(self.parameters * 1e9)

    def folder(self, data_dir: Path) -> Path:
        return models_folder(data_dir) / self.id

    def is_installed(self, data_dir: Path) -> bool:
        return (self.folder(data_dir) / WEIGHTS).is_file()

    def to_model(self) -> Model:
        """Return the model as programs see it."""
        return Model(self.id, self.name, "listener", maker="OpenAI", license=LICENSE.lower())

    def to_entry(self) -> CatalogEntry:
        """Return the model as an entry of the general catalog, as downloads report it."""
        return CatalogEntry(
            id=self.id,
            name=self.name,
            maker="OpenAI",
            country="US",
            license=LICENSE,
            weights="open",
            parameters=self.parameters,
            released=self.released,
            card=f"https://huggingface.co/{self.repo}",
        )


WHISPER_MODELS = (
    WhisperModel("whisper-small", "Whisper small", "Systran/faster-whisper-small", 0.244, "2022-09"),
    WhisperModel("whisper-medium", "Whisper medium", "Systran/faster-whisper-medium", 0.769, "2022-09"),
    WhisperModel("whisper-large-v3", "Whisper large v3", "Systran/faster-whisper-large-v3", 1.55, "2023-11"),
    WhisperModel(
        "whisper-large-v3-turbo",
        "Whisper large v3 turbo",
        "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
        0.809,
        "2024-10",
        translates=False,
    ),
)


def models_folder(data_dir: Path) -> Path:
    """Return the folder of models that recognize speech."""
    return installed.models_folder(data_dir) / FOLDER_NAME


def find_whisper_model(id: str) -> WhisperModel | None:
    """Return the model with that id."""
    return next((model for model in WHISPER_MODELS if model.id == id), None)


@dataclass(frozen=True, slots=True)
class WhisperChoice:
    """The choice of the model that transcribes recordings; models come and go, so it is made at each use."""

    transcriber: str
    data_dir: Path

    @property
    def folder(self) -> Path:
        return models_folder(self.data_dir)

    def find_larger(self, task: RecognitionTask = "transcribe") -> WhisperModel | None:
        """Return the model that `transcriber` names, or with `auto` the largest on this machine; None for base.

        The largest that translates stands in for a named one that doesn't.
        """
        if self.transcriber != "auto":
            named = find_whisper_model(self.transcriber)
            if named is None or task == "transcribe" or named.translates:
                return named
        able = [model for model in WHISPER_MODELS if task == "transcribe" or model.translates]
        there = [model for model in able if model.is_installed(self.data_dir)]
        return max(there, key=lambda model: model.parameters, default=None)


class WhisperCatalog:
    """The larger Whisper models, downloaded and removed by their ids (see `DownloadCatalog`)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def plan(
        self, name: str, hub: Hub, downloads: DownloadClient, *, local: bool = True, addresses: bool = True
    ) -> DownloadPlan | None:
        """Plan the download of that model; None for another name. Raises ModelMissing, NotFound and Forbidden."""
        model = find_whisper_model(name)
        if model is None:
            return None
        repository = await hub.read_repository(downloads, model.repo)
        files = sorted((file for file in repository.files if file.name in FILES), key=lambda file: file.name == WEIGHTS)
        if not files or files[-1].name != WEIGHTS:
            raise ModelMissing(f"{model.repo} holds no weights of a Whisper model; check the hub.")
        return DownloadPlan(model.to_entry(), tuple(files), _memory_warning(model), "", f"{FOLDER_NAME}/{model.id}")

    async def remove(self, name: str) -> tuple[CatalogEntry, int] | None:
        """Delete that model; its entry and the bytes that frees, None for another name.

        Raises NotFound where it is not on this machine, Conflict while it is downloaded, and ModelMissing.
        """
        model = find_whisper_model(name)
        if model is None:
            return None
        return model.to_entry(), await asyncio.to_thread(_remove, model, self._settings.data_dir)


def _memory_warning(model: WhisperModel) -> str:
    """Warn where the weights don't fit into this machine's memory; empty where they do."""
    there = memory.physical()
    if model.memory_bytes <= there:
        return ""
    return f"It takes {format_size(model.memory_bytes)} and this machine has {format_size(there)} of memory"


def _remove(model: WhisperModel, data_dir: Path) -> int:
    folder = model.folder(data_dir)
    if not folder.is_dir():
        raise NotFound(f"The model {model.id} is not on this machine; there is nothing to remove.")
    try:
        with install.try_lock(install.lock_file(data_dir, model.id)) as is_ours:
            if not is_ours:
                raise Conflict(f"{model.name} is being fetched by another Éclair; end that one, then remove it.")
            freed = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            (folder / WEIGHTS).unlink(missing_ok=True)  # a half removed model is not installed
            shutil.rmtree(folder)
    except OSError as error:
        raise ModelMissing(f"{folder} cannot be removed: {error.strerror}.") from error
    return freed
