"""Checks headers of safetensors files: completeness and parameter counts."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

MAX_HEADER_BYTES = 64 << 20

UNTRUSTED_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".py", ".msgpack", ".h5")
"""Files that could run code when they are loaded, or that are never read."""


def count_parameters(folder: Path, parts: Iterable[str]) -> dict[str, int]:
    """Count the parameters of each part of a model that has weights.

    Raises ValueError, with a text for the middle of a sentence, for a damaged file or one of another kind.
    """
    found: dict[str, int] = {}
    for part in parts:
        files = sorted((folder / part).glob("*.safetensors"))
        strange = [file.name for file in sorted((folder / part).glob("*")) if file.suffix in UNTRUSTED_SUFFIXES]
        if strange:
            raise ValueError(f"{part}/{strange[0]} is not a safetensors file, and nothing else is loaded")
        if files:
            found[part] = sum(map(count_tensor_numbers, files))
    if not found:
        raise ValueError("it has no weights")
    return found


def count_tensor_numbers(file: Path) -> int:
    """Count the parameters in one file. Raises ValueError for a damaged one."""
    name = f"{file.parent.name}/{file.name}"
    with file.open("rb") as handle:
        size = file.stat().st_size
        head = handle.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        if not 2 <= length <= min(MAX_HEADER_BYTES, size):
            raise ValueError(f"{name} is damaged")
        text = handle.read(length)
    try:
        table: dict[str, dict[str, Any]] = json.loads(text)
        tensors = [row for key, row in table.items() if key != "__metadata__"]
        end = max((int(row["data_offsets"][1]) for row in tensors), default=0)
        total = sum(math.prod(map(int, row["shape"])) for row in tensors)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        raise ValueError(f"{name} is damaged") from None
    if 8 + length + end != size:
        raise ValueError(f"{name} is damaged: it has {size:,} bytes and should have {8 + length + end:,}")
    return total
