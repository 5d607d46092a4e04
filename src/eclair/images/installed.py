"""Which picture models are on this machine: a folder each, which has its last file only when it has all of them."""

from __future__ import annotations

import shutil
from pathlib import Path

from eclair.errors import ModelMissing, NotFound
from eclair.images.catalog import PictureEntry
from eclair.settings import Settings
from eclair.util.humanize import size

PLACE = "pictures"
"""Where in the models folder picture models are."""

INDEX = "model_index.json"
"""The file of diffusers' layout that is fetched last."""


def folder(data_dir: Path) -> Path:
    return data_dir / "models" / PLACE


def is_here(entry: PictureEntry, settings: Settings) -> bool:
    place = folder(settings.data_dir) / entry.id
    names = [part.name for part in entry.parts] or [INDEX]
    return all((place / name).is_file() for name in names)


def absent(entry: PictureEntry) -> str:
    """That its weights are not here, in a sentence that says how they come."""
    about = f" (about {size(entry.size)})" if entry.size is not None else ""
    return f"Its weights are not on this machine: `eclair pull {entry.id}` brings them{about}."


def on_disk(entry: PictureEntry, data_dir: Path) -> int:
    """Bytes that the model, or what has come of it, takes."""
    place = folder(data_dir) / entry.id
    return sum(file.stat().st_size for file in place.rglob("*") if file.is_file())


def remove(entry: PictureEntry, data_dir: Path) -> int:
    """Delete the model and what is left of fetching it; how many bytes that frees. Raises NotFound, ModelMissing."""
    place = folder(data_dir) / entry.id
    if not place.is_dir():
        raise NotFound(f"The model {entry.id} is not on this machine; there is nothing to remove.")
    freed = on_disk(entry, data_dir)
    (place / INDEX).unlink(missing_ok=True)  # what is half removed does not count as here
    try:
        shutil.rmtree(place)
    except OSError as error:
        raise ModelMissing(f"{place} cannot be removed: {error.strerror}.") from error
    return freed
