"""The catalogue: the models that Éclair can fetch and run itself, as values. `pull` fetches, `local` runs."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from pydantic import TypeAdapter

from eclair.engines.base import Model
from eclair.messages import Sampling


@dataclass(frozen=True, slots=True)
class Wheel:
    """A package's wheel that holds a model's file as `member`. Sizes are bytes."""

    package: str
    file: str
    size: int
    sha256: str
    member: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A model of the catalogue. `country` holds ISO codes, `languages` BCP 47 tags; sizes are bytes; `titles` says
    whether it can name a conversation."""

    id: str
    name: str
    maker: str
    country: str
    licence: str
    languages: tuple[str, ...]
    context: int
    temperature: float
    top_p: float
    file: str
    size: int
    sha256: str
    wheel: Wheel
    titles: bool = True

    def model(self, engine: str, context: int, *, present: bool) -> Model:
        """The model as `engine` offers it, with a window of `context` tokens."""
        return Model(
            self.id,
            self.name,
            engine,
            context=min(context, self.context),
            sampling=Sampling(temperature=self.temperature, top_p=self.top_p),
            maker=self.maker,
            country=self.country,
            licence=self.licence,
            languages=self.languages,
            size=self.size if present else None,
            titles=self.titles,
        )


EMBEDDED = "smollm2-135m-instruct"
"""The model that comes with Éclair."""


@cache
def entries() -> dict[str, Entry]:
    """Every entry of the catalogue by its id."""
    text = resources.files("eclair.engines").joinpath("catalog.toml").read_text("utf-8")
    rows: Any = tomllib.loads(text)["model"]
    return {entry.id: entry for entry in TypeAdapter(tuple[Entry, ...]).validate_python(rows)}


def embedded() -> Entry:
    return entries()[EMBEDDED]
