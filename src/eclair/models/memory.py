"""Estimates how much memory a model needs and this machine has, in bytes.

A model needs its file, keys and values for every token of the window that its requests share, and llama.cpp's working
memory. The estimates err on the large side. A file of unknown size is estimated from the parameters and the bits per
weight of its quantization; keys and values of a model whose header hasn't been read, from its parameters, by a rule
that meets SmolLM2 135M (23 KB a token), Ministral 3B to 14B (106 to 164 KB), Mistral Small (164 KB) and Large (360
KB) within a third, mostly above.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from eclair.models.catalog import CatalogEntry, ModelFile
from eclair.models.installed import InstalledModel
from eclair.settings import Settings

SHARED_WINDOWS = 2
"""The window shared by all requests, in windows of one request.

f16 keys and values take 23 KB a token: with one window of 8,192 tokens the process has 330 MB, with two 510 MB, with
four 870 MB. Two windows hold sixteen answers of 1,024 tokens; when they don't, llama.cpp drops idle chats first."""

WORKING_BYTES = 512 << 20
"""llama.cpp's working memory, with the cache of idle chats."""

USABLE_SHARE = 0.8
"""The share of the memory that a model may use; the rest is for everything else."""

FLOAT_BITS = {"F32": 32.0, "F16": 16.0, "BF16": 16.0}


def physical() -> int:
    """Return the memory of this machine, or of the container around this process."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([total, *(limit for file, _ in _LIMITS if (limit := _limit(file)) is not None)])


def available() -> int:
    """Return the free memory of this machine, caches included, or of the container around this process."""
    free = _meminfo_available()
    limits = [limit - (_limit(used) or 0) for limit_file, used in _LIMITS if (limit := _limit(limit_file)) is not None]
    return max(0, min([physical() if free is None else free, *limits]))


def budget(settings: Settings) -> int:
    """Return what all loaded models together may use."""
    return settings.embedded_memory * 1_000_000 if settings.embedded_memory else physical() // 2


def fits(needed: int) -> bool:
    """Return whether this machine can run a model that needs so much."""
    return needed <= physical() * USABLE_SHARE


def needed(size: int, kv: float, settings: Settings, context: int | None = None) -> int:
    """Return what a model needs, from its file size and the `kv` bytes of a token."""
    window = min(settings.embedded_context, context or settings.embedded_context)
    return size + round(kv * window * SHARED_WINDOWS) + WORKING_BYTES


def estimate(entry: CatalogEntry, file: ModelFile, settings: Settings) -> int | None:
    """Return what `entry` would need with `file`; None if size and parameters are unknown."""
    size = file_size(entry, file)
    if size is None:
        return None
    return needed(size, kv_bytes_per_token(entry.parameters, size, file.quant), settings, entry.context)


def needed_by_installed(model: InstalledModel, settings: Settings) -> int:
    """Return what an installed model needs."""
    quant = next(file.quant for file in model.entry.files if file.name == model.path.name)
    kv = (
        kv_bytes_per_token(model.entry.parameters, model.size, quant)
        if model.kv_bytes_per_token is None
        else model.kv_bytes_per_token
    )
    projector_size = model.projector.stat().st_size if model.projector is not None else 0
    return needed(model.size + projector_size, kv, settings, model.entry.context)


def file_size(entry: CatalogEntry, file: ModelFile) -> int | None:
    """Return the file's size: as the catalog has it, or estimated from the parameters."""
    if file.size is not None or entry.parameters is None:
        return file.size
    return round(entry.parameters * 1e9 * bits_per_weight(file.quant) / 8)


def bits_per_weight(quant: str) -> float:
    """Estimate the bits per weight: 4.8 for Q4_K_M, 8.5 for Q8_0."""
    if quant.upper() in FLOAT_BITS:
        return FLOAT_BITS[quant.upper()]
    digit = re.search(r"\d", quant)
    return int(digit[0]) + 0.7 if digit else 16.0


def kv_bytes_per_token(parameters: float | None, size: int, quant: str) -> float:
    """Estimate the bytes of one token's keys and values."""
    billions = parameters or size * 8 / bits_per_weight(quant) / 1e9
    return 65_000 * billions**0.35


_CGROUP = Path("/sys/fs/cgroup")
_LIMITS = (
    (_CGROUP / "memory.max", _CGROUP / "memory.current"),
    (_CGROUP / "memory/memory.limit_in_bytes", _CGROUP / "memory/memory.usage_in_bytes"),
)
"""Files with the limit of a control group and what it uses, in bytes, of both versions."""

_MEMINFO = Path("/proc/meminfo")


def _meminfo_available() -> int | None:
    """Return what Linux says can be had without swapping; None elsewhere."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB$", _MEMINFO.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _limit(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # no such control group, or `max`
        return None
