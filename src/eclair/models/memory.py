"""How much memory a model needs and this machine has, in bytes. An estimate, which errs on the large side.

A model needs its file, keys and values for every token of the window that its requests share, and what llama.cpp
works in. A file of unknown size is reckoned from the parameters and the bits of its quantisation; keys and values of
a model whose header nobody has read yet from its parameters, with a rule that meets SmolLM2 135M (23 KB a token),
Ministral 3B to 14B (106 to 164 KB), Mistral Small (164 KB) and Large (360 KB) within a third, mostly above.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from eclair.models.catalog import CatalogEntry, ModelFile
from eclair.models.installed import InstalledModel
from eclair.settings import Settings

SHARED_WINDOWS = 2
"""The window that all requests share, in windows of one request. f16 keys and values take 23 KB a token: with one
window of 8,192 tokens the process has 330 MB, with two 510 MB, with four 870 MB. In two, sixteen answers of 1,024
tokens find room; when they do not, llama.cpp forgets idle chats first."""

WORKING_BYTES = 512 << 20
"""What llama.cpp works in, with the cache of idle chats."""

USABLE_SHARE = 0.8
"""The part of the memory that a model may have; the rest is for everything else on the machine."""

FLOAT_BITS = {"F32": 32.0, "F16": 16.0, "BF16": 16.0}


def physical() -> int:
    """The memory of this machine, or of the container that this process is kept in."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([whole, *(limit for limit in map(_limit, _LIMITS) if limit is not None)])


def budget(settings: Settings) -> int:
    """What all resident models together may take."""
    return settings.embedded_memory * 1_000_000 if settings.embedded_memory else physical() // 2


def fits(needed: int) -> bool:
    """Whether this machine can run a model that needs so much."""
    return needed <= physical() * USABLE_SHARE


def needed(size: int, kv: float, settings: Settings, context: int | None = None) -> int:
    """What a model takes whose file has `size` bytes and whose tokens take `kv` bytes each."""
    window = min(settings.embedded_context, context or settings.embedded_context)
    return size + round(kv * window * SHARED_WINDOWS) + WORKING_BYTES


def estimate(entry: CatalogEntry, file: ModelFile, settings: Settings) -> int | None:
    """What `entry` would take from `file`; None where neither size nor parameters are known."""
    size = file_size(entry, file)
    if size is None:
        return None
    return needed(size, kv_bytes_per_token(entry.parameters, size, file.quant), settings, entry.context)


def needed_by_installed(model: InstalledModel, settings: Settings) -> int:
    """What a model that is on this machine takes."""
    quant = next(file.quant for file in model.entry.files if file.name == model.path.name)
    kv = (
        kv_bytes_per_token(model.entry.parameters, model.size, quant)
        if model.kv_bytes_per_token is None
        else model.kv_bytes_per_token
    )
    eyes = model.projector.stat().st_size if model.projector is not None else 0
    return needed(model.size + eyes, kv, settings, model.entry.context)


def file_size(entry: CatalogEntry, file: ModelFile) -> int | None:
    """The size of the file as the catalogue has it, or reckoned from the parameters."""
    if file.size is not None or entry.parameters is None:
        return file.size
    return round(entry.parameters * 1e9 * bits_per_weight(file.quant) / 8)


def bits_per_weight(quant: str) -> float:
    """About how many bits a weight takes: Q4_K_M has 4.8, Q8_0 has 8.5."""
    if quant.upper() in FLOAT_BITS:
        return FLOAT_BITS[quant.upper()]
    digit = re.search(r"\d", quant)
    return int(digit[0]) + 0.7 if digit else 16.0


def kv_bytes_per_token(parameters: float | None, size: int, quant: str) -> float:
    """About how many bytes the keys and values of one token take."""
    billions = parameters or size * 8 / bits_per_weight(quant) / 1e9
    return 65_000 * billions**0.35


_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def _limit(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # no such control group, or `max`
        return None
