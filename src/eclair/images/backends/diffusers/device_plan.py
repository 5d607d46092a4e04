"""Plans device and precision, so that a model fits: whole, or offloaded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Offload = Literal["none", "parts", "pieces"]
"""Nothing is kept off the device; all parts but the active one; all layers but the active one."""

WORKING_BYTES = 3 << 30
"""Needed beside the weights: about 2 GiB for decoding 1024 × 1024, and what torch itself takes."""

SMALL_MODEL_PARAMETERS = 100_000_000
"""Smaller models need next to nothing beside the weights."""


class DoesNotFit(Exception):
    """The model doesn't fit in any way; the text is for the middle of a sentence."""


@dataclass(frozen=True, slots=True)
class DevicePlan:
    device: str
    dtype: Literal["bfloat16", "float16", "float32"]
    offload: Offload


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """A torch device, the free bytes on it and in memory, and whether it computes natively in bfloat16.

    On a device that shares the memory both numbers are the same.
    """

    device: str
    device_bytes: int
    memory_bytes: int
    bfloat16: bool


def plan_device(parts: Mapping[str, int], machine: DeviceMemory) -> DevicePlan:
    """Plan a model by the parameter counts of its parts. Raises DoesNotFit."""
    whole, largest = sum(parts.values()), max(parts.values())
    working = WORKING_BYTES if whole > SMALL_MODEL_PARAMETERS else 0
    half: Literal["bfloat16", "float16"] = "bfloat16" if machine.bfloat16 or machine.device == "cpu" else "float16"
    if not machine.device.startswith("cuda"):
        if machine.device == "cpu" and not machine.bfloat16 and whole * 4 + working <= machine.memory_bytes:
            return DevicePlan(machine.device, "float32", "none")
        _check(whole * 2 + working, machine.memory_bytes)
        return DevicePlan(machine.device, half, "none")
    if whole * 2 + working <= machine.device_bytes:
        return DevicePlan(machine.device, half, "none")
    _check(whole * 2, machine.memory_bytes)
    fits = largest * 2 + working <= machine.device_bytes
    return DevicePlan(machine.device, half, "parts" if fits else "pieces")


def device_memory(torch: Any, wanted: str, limit: int) -> DeviceMemory:
    """Measure a torch device, or the best one for `auto`. `limit` bounds the memory unless it is 0.

    Raises ValueError for a device that isn't there.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    device = ("cuda" if cuda else "mps" if mps else "cpu") if wanted == "auto" else wanted
    if (device == "cuda" and not cuda) or (device == "mps" and not mps):
        raise ValueError(f"torch finds no {device} here; set `picture_device` to `auto`")
    memory = min(free_memory_bytes(), limit or free_memory_bytes())
    if device == "cuda":
        left, _ = torch.cuda.mem_get_info()
        return DeviceMemory(device, int(left), memory, bool(torch.cuda.is_bf16_supported()))
    return DeviceMemory(device, memory, memory, device == "mps" or _computes_bfloat16())


def free_memory_bytes() -> int:
    """Return the bytes of free memory, within the limits of the container, if there is one."""
    found = [_available()]
    for most, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        limit, taken = _number(most), _number(used)
        if limit is not None and taken is not None:
            found.append(max(0, limit - taken))
    return min(found)


def _available() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _number(file: str) -> int | None:
    try:
        return int(Path(file).read_text())
    except (OSError, ValueError):  # no such control group, or `max`
        return None


def _computes_bfloat16() -> bool:
    """Return True if the processor has bfloat16 instructions; without them float32 is faster."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return any(flag in flags for flag in ("avx512_bf16", "amx_bf16", " bf16"))


def _check(needed: int, there: int) -> None:
    if needed > there:
        raise DoesNotFit(f"it needs {needed / 1e9:.1f} GB of memory, and {there / 1e9:.1f} GB are free")
