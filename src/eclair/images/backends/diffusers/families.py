"""Which of diffusers' pipelines draw with a folder of weights, by the folder's own `model_index.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INDEX = "model_index.json"
LIBRARIES = frozenset(("diffusers", "transformers"))
"""Whose classes a model may be made of: code that comes with weights is never run."""


@dataclass(frozen=True, slots=True)
class Family:
    """The pipeline that draws from words, the one that takes pictures too, and the one that takes a mask. `several` is
    how many pictures it takes; `refers` says that it looks at them rather than beginning from the first; `negative`
    that it heeds what is not to be seen."""

    draws: str
    edits: str
    masks: str | None
    several: int = 1
    refers: bool = False
    negative: bool = False


FAMILIES = {
    family.draws: family
    for family in (
        Family("FluxPipeline", "FluxImg2ImgPipeline", "FluxInpaintPipeline", negative=True),
        Family("FluxKontextPipeline", "FluxKontextPipeline", "FluxKontextInpaintPipeline", refers=True, negative=True),
        Family("Flux2Pipeline", "Flux2Pipeline", None, several=10, refers=True),
        Family("Flux2KleinPipeline", "Flux2KleinPipeline", "Flux2KleinInpaintPipeline", several=10, refers=True),
    )
}


@dataclass(frozen=True, slots=True)
class Index:
    """What a model is made of: its family, and the folders of its parts."""

    family: Family
    parts: tuple[str, ...]


def read(folder: Path) -> Index:
    """Raises ValueError, whose text is for the middle of a sentence, and OSError."""
    return parsed((folder / INDEX).read_bytes())


def parsed(data: bytes) -> Index:
    """The `model_index.json` in `data`. Raises ValueError."""
    try:
        table: dict[str, Any] = json.loads(data)
        family = FAMILIES.get(str(table["_class_name"]))
        made = {name: str(row[0]) for name, row in table.items() if type(row) is list and row[0] is not None}  # pyright: ignore[reportUnknownArgumentType]
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError, TypeError, KeyError, IndexError, AttributeError):
        raise ValueError(f"its {INDEX} cannot be read") from None
    if family is None:
        raise ValueError(f"it is for {table['_class_name']}, and Éclair draws with {', '.join(FAMILIES)}")
    strange = sorted({library for library in made.values() if library not in LIBRARIES})
    if strange:
        raise ValueError(f"it wants code of its own ({', '.join(strange)}), which is not run")
    if any("/" in name or name.startswith(".") for name in made):
        raise ValueError(f"its {INDEX} names folders that are elsewhere")
    return Index(family, tuple(made))
