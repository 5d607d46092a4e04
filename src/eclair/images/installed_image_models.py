"""Installed image models: a folder each, whose last file marks it complete."""

from __future__ import annotations

import shutil
from pathlib import Path

from eclair.errors import ModelMissing, NotFound
from eclair.images.backends.diffusers.families import INDEX_FILE_NAME
from eclair.images.catalog import ImageModelEntry
from eclair.settings import Settings
from eclair.util.humanize import format_size

MODELS_FOLDER_NAME = "pictures"
"""In the folder of all models."""


def models_folder(data_dir: Path) -> Path:
    """Return the folder of image models."""
    return data_dir / "models" / MODELS_FOLDER_NAME


def is_installed(entry: ImageModelEntry, settings: Settings) -> bool:
    """Return True if all files of the model are on this machine."""
    folder = models_folder(settings.data_dir) / entry.id
    names = [weights.name for weights in entry.parts] or [INDEX_FILE_NAME]
    return all((folder / name).is_file() for name in names)


def missing_reason(entry: ImageModelEntry) -> str:
    """Say that the weights are missing, and how to get them."""
    about = f" (about {format_size(entry.size)})" if entry.size is not None else ""
    return f"Its weights are not on this machine: `eclair pull {entry.id}` fetches them{about}."


def disk_bytes(entry: ImageModelEntry, data_dir: Path) -> int:
    """Return the bytes that the model takes, complete or not."""
    folder = models_folder(data_dir) / entry.id
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def remove(entry: ImageModelEntry, data_dir: Path) -> int:
    """Delete the model, complete or not, and return the freed bytes. Raises NotFound and ModelMissing."""
    folder = models_folder(data_dir) / entry.id
    if not folder.is_dir():
        raise NotFound(f"The model {entry.id} is not on this machine; there is nothing to remove.")
    freed = disk_bytes(entry, data_dir)
    (folder / INDEX_FILE_NAME).unlink(missing_ok=True)  # a half removed model is not installed
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise ModelMissing(f"{folder} cannot be removed: {error.strerror}.") from error
    return freed
