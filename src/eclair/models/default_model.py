"""Chooses the model that answers unless one is named, and a better one to fetch."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from eclair.models import catalog, installed, memory
from eclair.models.catalog import CatalogEntry
from eclair.models.installed import InstalledModel
from eclair.schema.models import Tier, tier_of
from eclair.settings import Settings

MIN_FREE_MEMORY_BYTES = 4_000_000_000
"""Free memory below which the recommended model would crowd out other programs."""

SPARE_DISK_BYTES = 2_000_000_000
"""Room that its download leaves on the disk."""

TIER_RANKS: dict[Tier | None, int] = {"tiny": 0, None: 1, "small": 1, "capable": 2}


def choose_default(on_disk: Mapping[str, InstalledModel], settings: Settings) -> CatalogEntry:
    """Return the model of the settings if it is installed, else the best installed one, else the starter model.

    The best is the lightest of the highest tier that fits the memory budget: answers come sooner from it. Of tiny
    models it is the largest.
    """
    if settings.model is not None and settings.model in on_disk:
        return on_disk[settings.model].entry
    budget = memory.budget(settings)
    fitting = [model.entry for model in on_disk.values() if memory.needed_by_installed(model, settings) <= budget]
    return max(fitting, key=_merit, default=catalog.load_entries(settings.catalog)[catalog.STARTER_MODEL])


def recommended_download(default: CatalogEntry, settings: Settings) -> CatalogEntry | None:
    """Return the model to fetch in place of a tiny default; None if it wouldn't help or can't run here."""
    entry = catalog.load_entries(settings.catalog).get(catalog.RECOMMENDED_MODEL)
    if entry is None or settings.model is not None or _tier(default) != "tiny" or _tier(entry) == "tiny":
        return None
    needed = memory.estimate(entry, entry.files[0], settings)
    return entry if needed is not None and needed <= memory.budget(settings) else None


def find_lack_of_room(entry: CatalogEntry, data_dir: Path) -> str | None:
    """Say in a sentence why `entry` isn't fetched unasked: too little memory or disk is free. None if it can be."""
    free_memory = memory.available()
    if free_memory < MIN_FREE_MEMORY_BYTES:
        return f"only {free_memory / 1e9:.1f} GB of memory are free."
    size = entry.files[0].size or 0
    free_disk = shutil.disk_usage(_existing(installed.models_folder(data_dir))).free
    if free_disk < size + SPARE_DISK_BYTES:
        return f"the disk has only {free_disk / 1e9:.1f} GB free."
    return None


def is_declined(data_dir: Path) -> bool:
    """Return whether somebody has stopped the download of the recommended model or removed it."""
    return _declined_file(data_dir).exists()


def decline(data_dir: Path) -> None:
    """Remember that the recommended model isn't wanted. Raises OSError."""
    _declined_file(data_dir).touch()


def _declined_file(data_dir: Path) -> Path:
    return installed.models_folder(data_dir) / ".declined"


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _tier(entry: CatalogEntry) -> Tier | None:
    return entry.tier or tier_of(entry.parameters, entry.active)


def _merit(entry: CatalogEntry) -> tuple[int, float]:
    tier = _tier(entry)
    weight = entry.active or entry.parameters or 0.0
    return TIER_RANKS[tier], weight if tier == "tiny" else -weight
