"""What the safetensors files of a model hold, by their headers alone: whether they are whole, and how many numbers."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

MOST = 64 << 20
"""Bytes of a header."""

STRANGE = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".py", ".msgpack", ".h5")
"""Endings of files that could run code when they are loaded, or that nothing here reads."""


def count(folder: Path, parts: Iterable[str]) -> dict[str, int]:
    """How many numbers each part of a model has that has any.

    Raises ValueError, whose text is for the middle of a sentence, for a file that is damaged or of a kind that is not
    loaded.
    """
    found: dict[str, int] = {}
    for part in parts:
        files = sorted((folder / part).glob("*.safetensors"))
        strange = [file.name for file in sorted((folder / part).glob("*")) if file.suffix in STRANGE]
        if strange:
            raise ValueError(f"{part}/{strange[0]} is no safetensors file, and nothing else is loaded")
        if files:
            found[part] = sum(map(numbers, files))
    if not found:
        raise ValueError("it has no weights")
    return found


def numbers(file: Path) -> int:
    name = f"{file.parent.name}/{file.name}"
    with file.open("rb") as handle:
        size = file.stat().st_size
        head = handle.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        if not 2 <= length <= min(MOST, size):
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
