"""Measures how much of a model is in memory while a process loads it."""

from __future__ import annotations

import os
from pathlib import Path

from eclair.llm.local.llama_server import model_files


def loaded_share(process: int, model: Path) -> float | None:
    """Return the share of the model's files that process `process` holds in memory, below 1; None if unknown.

    Linux alone says it. The interpreter counts too, some 50 MB.
    """
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        size = sum(path.stat().st_size for path in set(model_files(model)))
    except (OSError, ValueError, IndexError):
        return None
    return min(pages * os.sysconf("SC_PAGE_SIZE") / size, 0.99) if size else None
