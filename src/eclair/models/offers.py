"""The catalog on this machine: what each model needs, and if it fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eclair.errors import InvalidInput
from eclair.models import catalog, memory
from eclair.models import installed as installed_models
from eclair.models.catalog import CatalogEntry
from eclair.models.quantization import QuantizationOption, QuantizationReason, choose_quantization
from eclair.settings import Settings


@dataclass(frozen=True, slots=True)
class Offer:
    """A model, with the quantization that is installed or would be downloaded.

    `quant` is None if the embedded engine can't run it. `size` and `memory` are bytes, None if unknown. `options` are
    all its quantizations, and `reason` is why this one would be chosen. `downloaded_bytes` counts a partial download.
    Without `in_catalog`, somebody put its file into the models folder.
    """

    entry: CatalogEntry
    quant: str | None
    size: int | None
    memory: int | None
    fits: bool | None
    installed: bool
    options: tuple[QuantizationOption, ...] = ()
    reason: QuantizationReason | None = None
    downloaded_bytes: int = 0
    in_catalog: bool = True


def list_offers(settings: Settings) -> list[Offer]:
    """List every model of the catalog, then the others that are installed.

    Reads the disk. Raises SettingsError.
    """
    known = catalog.load_entries(settings.catalog)
    here = installed_models.installed_models(known, settings.data_dir)
    parts = installed_models.partial_downloads(settings.data_dir)
    found = [
        _installed(here[id], settings) if id in here else _offered(entry, settings, parts)
        for id, entry in known.items()
    ]
    return found + [_installed(model, settings) for id, model in here.items() if id not in known]


def _installed(model: installed_models.InstalledModel, settings: Settings) -> Offer:
    needed = memory.needed_by_installed(model, settings)
    quant = next(file.quant for file in model.entry.files if file.name == model.path.name)
    options = _options(model.entry, settings) if model.in_catalog else ()
    return Offer(
        model.entry, quant, model.size, needed, memory.fits(needed), True, options, in_catalog=model.in_catalog
    )


def _offered(entry: CatalogEntry, settings: Settings, parts: Sequence[tuple[str, int]]) -> Offer:
    if not entry.files:
        return Offer(entry, None, None, None, None, False)
    options = _options(entry, settings)
    try:
        chosen = choose_quantization(entry.name, options)
        option, reason = options[chosen.index], chosen.reason
    except InvalidInput:  # none fits: the smallest shows what is lacking
        option, reason = min(options, key=lambda option: option.memory or 0), None
    fits = memory.fits(option.memory) if option.memory is not None else None
    begun = sum(bytes for name, bytes in parts if _belongs(name, entry))
    return Offer(entry, option.quant, option.size, option.memory, fits, False, options, reason, begun)


def _options(entry: CatalogEntry, settings: Settings) -> tuple[QuantizationOption, ...]:
    return tuple(QuantizationOption.of_entry(entry, file, settings) for file in entry.files)


def _belongs(part: str, entry: CatalogEntry) -> bool:
    """Return whether a partial download is one of the model's files."""
    names = [name for file in entry.files for name in installed_models.shard_names(file.name)]
    return any(part.startswith(f"{name}.") for name in (*names, *(wheel.file for wheel in entry.parts)))
