"""Plans downloads of image models.

Of a repository in diffusers' layout, only the files that are loaded are fetched; of a model in parts, each part.
"""

from __future__ import annotations

import asyncio
import re

from eclair.errors import Conflict, ModelMissing
from eclair.images import installed_image_models
from eclair.images.backends.diffusers import families
from eclair.images.catalog import ImageModelEntry, entries
from eclair.images.installed_image_models import MODELS_FOLDER_NAME
from eclair.models import catalog, install, memory
from eclair.models.download_plan import DownloadPlan
from eclair.models.huggingface import Hub, PlannedFile
from eclair.network.client import DownloadClient
from eclair.settings import Settings
from eclair.util.humanize import format_size

LOADED_SUFFIXES = (".json", ".txt", ".model", ".jinja", ".safetensors")
"""None of these files holds code."""

_NAME = re.compile(r"[\w+-][\w.+-]*(/[\w+-][\w.+-]*)*")
_VARIANT = re.compile(r"\.(fp16|bf16|fp32|non_ema|ema|int8|fp8)\b")


class ImageModelCatalog:
    """The image models of the catalog, downloaded and removed by their ids."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def plan(
        self, name: str, hub: Hub, downloads: DownloadClient, *, local: bool = True, addresses: bool = True
    ) -> DownloadPlan | None:
        """Plan the download of that model; None for another name. Raises ModelMissing, NotFound and Forbidden."""
        entry = self._find(name)
        return await plan(entry, hub, downloads) if entry is not None else None

    async def remove(self, name: str) -> tuple[catalog.CatalogEntry, int] | None:
        """Delete that model; its entry and the bytes that frees, None for another name.

        Raises NotFound where it is not on this machine, Conflict while it is downloaded, and ModelMissing.
        """
        entry = self._find(name)
        if entry is None:
            return None
        return as_entry(entry), await asyncio.to_thread(_remove, entry, self._settings)

    def _find(self, name: str) -> ImageModelEntry | None:
        return entries(self._settings.catalog).get(name)


def _remove(entry: ImageModelEntry, settings: Settings) -> int:
    if not installed_image_models.models_folder(settings.data_dir).is_dir():
        return installed_image_models.remove(entry, settings.data_dir)  # which says that it is not here
    try:
        with install.try_lock(install.lock_file(settings.data_dir, entry.id)) as ours:
            if not ours:
                raise Conflict(f"{entry.name} is being fetched by another Éclair; end that one, then remove it.")
            return installed_image_models.remove(entry, settings.data_dir)
    except OSError as error:
        raise ModelMissing(f"{entry.name} cannot be removed: {error.strerror}.") from error


async def plan(entry: ImageModelEntry, hub: Hub, downloads: DownloadClient) -> DownloadPlan:
    """Plan the download of a model of the catalog. Raises ModelMissing, NotFound and Forbidden."""
    files = await (_of_repository if entry.repo is not None else _of_parts)(entry, hub, downloads)
    sizes = [file.size for file in files if file.size is not None]
    return DownloadPlan(
        as_entry(entry), files, _memory_warning(sum(sizes)), entry.restricts, f"{MODELS_FOLDER_NAME}/{entry.id}"
    )


async def _of_repository(entry: ImageModelEntry, hub: Hub, downloads: DownloadClient) -> tuple[PlannedFile, ...]:
    assert entry.repo is not None
    repository = await hub.read_repository(downloads, entry.repo)
    try:
        index = families.parse_index(await hub.read_file(downloads, entry.repo, families.INDEX_FILE_NAME))
    except ValueError as error:
        raise ModelMissing(f"{entry.repo} can't be used: {error}.") from error
    files = [file for file in repository.files if _is_loaded(file.name, index.parts)]
    last = [file for file in repository.files if file.name == families.INDEX_FILE_NAME]
    if not last or not any(file.name.endswith(".safetensors") for file in files):
        raise ModelMissing(f"{entry.repo} holds no weights in diffusers' layout; check `repo` in the catalog.")
    return (*files, *last)


def _is_loaded(name: str, parts: tuple[str, ...]) -> bool:
    folder, _, file = name.rpartition("/")
    return (
        _NAME.fullmatch(name) is not None
        and folder in parts
        and file.endswith(LOADED_SUFFIXES)
        and _VARIANT.search(file) is None
        and not file.endswith(".msgpack.index.json")
    )


async def _of_parts(entry: ImageModelEntry, hub: Hub, downloads: DownloadClient) -> tuple[PlannedFile, ...]:
    found: list[PlannedFile] = []
    for part in entry.parts:
        url, gguf = hub.file_url(part.repo, part.file), part.name.endswith(".gguf")
        if part.size is not None and part.sha256 is not None:
            found.append(PlannedFile(part.name, url, part.size, part.sha256, is_gguf=gguf))
            continue
        seen = await hub.inspect_file(downloads, url, f"{part.repo}/{part.file}")
        found.append(PlannedFile(part.name, url, seen.size, part.sha256 or seen.sha256, seen.etag, is_gguf=gguf))
    return tuple(found)


def _memory_warning(needed: int) -> str:
    """Warn where the weights don't fit into this machine's memory; empty where they do."""
    there = memory.physical()
    if needed <= there:
        return ""
    return (
        f"Its weights are {format_size(needed)} and this machine has {format_size(there)} of memory, so that it will "
        "not run here"
    )


def as_entry(entry: ImageModelEntry) -> catalog.CatalogEntry:
    """Return the model as an entry of the general catalog, as downloads report it."""
    return catalog.CatalogEntry(
        id=entry.id,
        name=entry.name,
        maker=entry.maker,
        license=entry.license,
        weights="open",
        country=entry.country,
        restricts=entry.restricts,
        released=entry.released,
        parameters=entry.parameters,
        card=entry.license_url,
    )
