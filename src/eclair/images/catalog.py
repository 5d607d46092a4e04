"""The catalog of image models that run on this machine.

`[[picture]]` rows of the owner's own file add to it and override it. `installed` knows which models are on this
machine, and `download_plan` how to fetch one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import orjson
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from eclair.errors import SettingsError
from eclair.models import catalog
from eclair.models.catalog import (
    Billions,
    Bytes,
    Countries,
    HttpsUrl,
    LanguageTag,
    Line,
    Name,
    PartialDate,
    Repo,
    Sha256,
)
from eclair.schema.images import ImageModel

LocalBackendName = Literal["diffusers", "sdcpp"]
WeightRole = Literal["diffusion", "vae", "clip_l", "t5xxl", "llm"]
SidePixels = Annotated[int, Field(ge=16, le=8192)]
WeightPath = Annotated[str, Field(pattern=r"^([\w+-][\w.+-]*/)*[\w+-][\w.+-]*\.(gguf|safetensors)$")]

PART_BITS_PER_WEIGHT = 4.8
"""Bits per weight of a model in parts, which are in four bits."""

_STRICT = ConfigDict(extra="forbid")
TABLE = "picture"


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One of several weight files of a model, in a repository of the hub."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    role: WeightRole
    repo: Repo
    file: WeightPath
    size: Bytes | None = None
    sha256: Sha256 | None = None

    @property
    def name(self) -> str:
        """The file's name on this machine."""
        return self.file.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class ImageModelEntry:
    """An image model of the catalog. Unknown values are None or empty.

    `country`, `restricts` and `languages` are as in the catalog of text models. `parameters` (of the network that
    generates) and `encoders` (of those that read the prompt) are billions. The weights are a repository in diffusers'
    layout, `repo`, or `parts`. Sizes are in pixels.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Name
    name: Line
    maker: Line
    license: Line
    generator: LocalBackendName
    country: Countries | None = None
    restricts: Line | Literal[""] = ""
    license_url: HttpsUrl | None = None
    released: PartialDate | None = None
    repo: Repo | None = None
    parts: tuple[WeightFile, ...] = ()
    parameters: Billions | None = None
    encoders: Billions | None = None
    width: SidePixels = 1024
    height: SidePixels = 1024
    least: SidePixels = 64
    most: SidePixels = 2048
    multiple: Annotated[int, Field(ge=1, le=256)] = 16
    steps: Annotated[int, Field(ge=1, le=200)] | None = None
    guidance: Annotated[float, Field(ge=0, le=50)] | None = None
    edits: bool = False
    masks: bool = False
    negative: bool = False
    previews: bool = False
    languages: tuple[LanguageTag, ...] = ()

    @property
    def size(self) -> int | None:
        """Bytes of its weights: the sum of its parts, or an estimate of two bytes per parameter."""
        sizes = [part.size for part in self.parts if part.size is not None]
        if self.parts:
            return sum(sizes) if len(sizes) == len(self.parts) else None
        if self.parameters is None or self.encoders is None:
            return None
        return round((self.parameters + self.encoders) * 2e9)

    @property
    def memory(self) -> int | None:
        """Bytes of memory that its weights take, at four bits and a scale for a model in parts of unknown size."""
        if self.size is not None or self.parameters is None or self.encoders is None:
            return self.size
        return round((self.parameters + self.encoders) * 1e9 * PART_BITS_PER_WEIGHT / 8)

    def to_model(self, why: str | None, *, installable: bool = False) -> ImageModel:
        """Return the model as it is listed; `why` says what is missing on this machine."""
        return ImageModel(
            id=self.id,
            name=self.name,
            maker=self.maker,
            country=self.country,
            generator=self.generator,
            license=self.license,
            license_url=self.license_url,
            restricted=bool(self.restricts),
            width=self.width,
            height=self.height,
            least=self.least,
            most=self.most,
            multiple=self.multiple,
            steps=self.steps,
            guidance=self.guidance,
            edits=self.edits,
            masks=self.masks,
            negative=self.negative,
            previews=self.previews,
            languages=self.languages,
            state="ready" if why is None else "absent",
            why=why,
            installable=installable,
            bytes=self.memory if installable else None,
        )


@cache
def entries(own: Path | None = None) -> dict[str, ImageModelEntry]:
    """Read every entry by id: Éclair's, overridden by rows of the owner's file.

    Raises SettingsError, which names the row and what is wrong with it.
    """
    text = resources.files("eclair.images").joinpath("catalog.toml").read_text("utf-8")
    rows = catalog.parse_rows(text, "catalog.toml", TABLE)
    if own is not None:
        for id, row in catalog.parse_rows(catalog.read_file(own), str(own), TABLE).items():
            rows[id] = {**rows.get(id, {}), **row}
    return {id: _entry(id, row, "catalog.toml" if own is None else str(own)) for id, row in rows.items()}


def entries_of(backend: LocalBackendName, own: Path | None = None) -> dict[str, ImageModelEntry]:
    """Read the entries of one backend by id. Raises SettingsError."""
    return {id: entry for id, entry in entries(own).items() if entry.generator == backend}


def _entry(id: str, row: Mapping[str, Any], where: str) -> ImageModelEntry:
    values = {"parts" if key == "part" else key: value for key, value in row.items()}
    try:
        if "parts" in row:
            raise SettingsError(
                f"{where}: image model {id!r} has `parts`, which is not a field; write [[picture.part]]."
            )
        entry = _ENTRY.validate_json(orjson.dumps(values), strict=True)
    except ValidationError as error:
        names = [spec.name for spec in fields(ImageModelEntry)]
        raise SettingsError(f"{where}: image model {id!r} {catalog.describe_fault(error, names)}") from None
    except orjson.JSONEncodeError as error:
        raise SettingsError(f"{where}: image model {id!r} holds what no field can be ({error}).") from None
    whole, several = entry.repo is not None, bool(entry.parts)
    if (whole, several) != (entry.generator == "diffusers", entry.generator == "sdcpp"):
        raise SettingsError(
            f"{where}: image model {id!r} needs `repo` for the generator `diffusers`, or [[picture.part]] rows for "
            "`sdcpp`, but not both."
        )
    if entry.least > entry.most or any(
        not entry.least <= side <= entry.most or side % entry.multiple for side in (entry.width, entry.height)
    ):
        raise SettingsError(
            f"{where}: image model {id!r} has a `width` or `height` that is not between `least` and `most` or no "
            "multiple of `multiple`."
        )
    return entry


_ENTRY = TypeAdapter(ImageModelEntry)
