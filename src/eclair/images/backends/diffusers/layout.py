"""Where a model computes and with which numbers, so that it fits: on the device whole, in parts, or piece by piece."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Offload = Literal["none", "parts", "pieces"]
"""Nothing waits off the device; all parts do but the one that works; all pieces do but the one that works."""

WORKING = 3 << 30
"""Bytes that drawing takes beside the weights: about 2 GiB for decoding 1024 × 1024, and what torch itself needs."""

SMALL = 100_000_000
"""Numbers below which a model's drawing takes next to nothing beside the weights."""


class TooLarge(Exception):
    """It fits in no way; the text is for the middle of a sentence."""


@dataclass(frozen=True, slots=True)
class Layout:
    device: str
    numbers: Literal["bfloat16", "float16", "float32"]
    offload: Offload


@dataclass(frozen=True, slots=True)
class Machine:
    """What is there: a device of torch's, bytes free on it, bytes free in the memory, and whether the processor or
    the device computes with bfloat16 by itself. On a device that shares the memory both are the same."""

    device: str
    on_device: int
    in_memory: int
    bfloat16: bool


def choose(parts: Mapping[str, int], machine: Machine) -> Layout:
    """How a model whose parts have so many numbers is laid out. Raises TooLarge."""
    whole, largest = sum(parts.values()), max(parts.values())
    working = WORKING if whole > SMALL else 0
    half: Literal["bfloat16", "float16"] = "bfloat16" if machine.bfloat16 or machine.device == "cpu" else "float16"
    if not machine.device.startswith("cuda"):
        if machine.device == "cpu" and not machine.bfloat16 and whole * 4 + working <= machine.in_memory:
            return Layout(machine.device, "float32", "none")
        _check(whole * 2 + working, machine.in_memory)
        return Layout(machine.device, half, "none")
    if whole * 2 + working <= machine.on_device:
        return Layout(machine.device, half, "none")
    _check(whole * 2, machine.in_memory)
    fits = largest * 2 + working <= machine.on_device
    return Layout(machine.device, half, "parts" if fits else "pieces")


def look(torch: Any, wanted: str, limit: int) -> Machine:
    """What this machine has, as `wanted` chooses: a device of torch's, or `auto` for the best. `limit` bounds the
    memory where it is not 0. Raises ValueError for a device that is not there."""
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    device = ("cuda" if cuda else "mps" if mps else "cpu") if wanted == "auto" else wanted
    if (device == "cuda" and not cuda) or (device == "mps" and not mps):
        raise ValueError(f"torch finds no {device} here; set `picture_device` to `auto`")
    memory = min(free(), limit or free())
    if device == "cuda":
        left, _ = torch.cuda.mem_get_info()
        return Machine(device, int(left), memory, bool(torch.cuda.is_bf16_supported()))
    return Machine(device, memory, memory, device == "mps" or _computes_bfloat16())


def free() -> int:
    """Bytes of memory that can be had, in the container that this is in, if it is in one."""
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
    """Whether the processor says so; float32 is faster on those that do not."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return any(flag in flags for flag in ("avx512_bf16", "amx_bf16", " bf16"))


def _check(needed: int, there: int) -> None:
    if needed > there:
        raise TooLarge(f"it needs {needed / 1e9:.1f} GB of memory, and {there / 1e9:.1f} GB are free")
