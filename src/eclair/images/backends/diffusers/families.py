"""Diffusers pipelines by a folder's `model_index.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INDEX_FILE_NAME = "model_index.json"
"""The index of a repository in diffusers' layout, downloaded last."""

TRUSTED_LIBRARIES = frozenset(("diffusers", "transformers"))
"""A model may only use classes of these: code that comes with weights is never run."""


@dataclass(frozen=True, slots=True)
class PipelineFamily:
    """The pipelines of a family: from text, from images, and with a mask.

    It takes up to `max_images`; with `uses_references` it looks at them instead of starting from the first; `negative`
    says that it takes a negative prompt.
    """

    text_to_image: str
    image_to_image: str
    inpainting: str | None
    max_images: int = 1
    uses_references: bool = False
    negative: bool = False


FAMILIES = {
    family.text_to_image: family
    for family in (
        PipelineFamily("FluxPipeline", "FluxImg2ImgPipeline", "FluxInpaintPipeline", negative=True),
        PipelineFamily(
            "FluxKontextPipeline",
            "FluxKontextPipeline",
            "FluxKontextInpaintPipeline",
            uses_references=True,
            negative=True,
        ),
        PipelineFamily("Flux2Pipeline", "Flux2Pipeline", None, max_images=10, uses_references=True),
        PipelineFamily(
            "Flux2KleinPipeline", "Flux2KleinPipeline", "Flux2KleinInpaintPipeline", max_images=10, uses_references=True
        ),
    )
}


@dataclass(frozen=True, slots=True)
class PipelineIndex:
    """The family of a model, and the folders of its parts."""

    family: PipelineFamily
    parts: tuple[str, ...]


def read_index(folder: Path) -> PipelineIndex:
    """Read a folder's index. Raises OSError, and ValueError with a text for the middle of a sentence."""
    return parse_index((folder / INDEX_FILE_NAME).read_bytes())


def parse_index(data: bytes) -> PipelineIndex:
    """Parse a `model_index.json`. Raises ValueError with a text for the middle of a sentence."""
    try:
        table: dict[str, Any] = json.loads(data)
        family = FAMILIES.get(str(table["_class_name"]))
        made = {name: str(row[0]) for name, row in table.items() if type(row) is list and row[0] is not None}  # pyright: ignore[reportUnknownArgumentType]
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError, TypeError, KeyError, IndexError, AttributeError):
        raise ValueError(f"its {INDEX_FILE_NAME} cannot be read") from None
    if family is None:
        raise ValueError(f"it is for {table['_class_name']}, and Éclair supports {', '.join(FAMILIES)}")
    strange = sorted({library for library in made.values() if library not in TRUSTED_LIBRARIES})
    if strange:
        raise ValueError(f"it wants code of its own ({', '.join(strange)}), which is not run")
    if any("/" in name or name.startswith(".") for name in made):
        raise ValueError(f"its {INDEX_FILE_NAME} names folders that are elsewhere")
    return PipelineIndex(family, tuple(made))
