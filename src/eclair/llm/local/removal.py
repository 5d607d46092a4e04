"""Delete a text model from this machine, with its tuning."""

from __future__ import annotations

import asyncio
from pathlib import Path

from eclair.errors import Conflict, ModelMissing
from eclair.llm.local import endpoint_file, profile
from eclair.models import catalog, default_model, installed
from eclair.models.catalog import CatalogEntry
from eclair.models.install import lock_file, try_lock
from eclair.settings import Settings


async def remove_model(name: str, settings: Settings) -> tuple[CatalogEntry, int]:
    """Delete a model from this machine; returns its entry and how many bytes that frees.

    Raises NotFound for one that is unknown or not here, Conflict while it is loaded or downloaded, and ModelMissing
    where the folder does not allow it.
    """
    known = catalog.load_entries(settings.catalog)
    here = await asyncio.to_thread(installed.installed_models, known, settings.data_dir)
    entry = here[name].entry if name in here else catalog.find_entry(known, name)
    running = await endpoint_file.find_shared(endpoint_file.endpoint_path(settings.data_dir, entry.id))
    if running is not None:
        raise Conflict(
            f"{entry.name} is loaded by an Éclair that runs (process {running.pid}); end that one, then remove it with "
            f"`eclair pull --remove {entry.id}`."
        )
    return entry, await asyncio.to_thread(_remove, entry, settings.data_dir)


def _remove(entry: CatalogEntry, data_dir: Path) -> int:
    folder = installed.models_folder(data_dir)
    if not folder.is_dir():
        return installed.delete_files(entry, data_dir)  # raises NotFound
    try:
        with try_lock(lock_file(data_dir, entry.id)) as ours:
            if not ours:
                raise Conflict(f"{entry.name} is being fetched by another Éclair; end that one, then remove it.")
            freed = installed.delete_files(entry, data_dir) + profile.delete_tuning(data_dir, entry.id)
            if entry.id == catalog.RECOMMENDED_MODEL:
                default_model.decline(data_dir)  # or the next start would fetch it again
            return freed
    except OSError as error:
        raise ModelMissing(f"{entry.name} cannot be removed from {folder}: {error.strerror}.") from error
