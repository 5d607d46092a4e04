"""The facts that plans rest on: each with its source, the day it was looked at, and a range."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date, timedelta
from functools import cache
from importlib import resources
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from eclair.capacity.figures import Figure

MAX_AGE = timedelta(days=180)
"""From this age on a plan warns that a fact is old."""

FactAmount = Annotated[float, Field(ge=0)]
FactCount = Annotated[int, Field(gt=0)]
Precision = Literal["bf16", "fp8", "fp4"]

BYTES_PER_WEIGHT: dict[Precision, float] = {"bf16": 2.0, "fp8": 1.0, "fp4": 0.55}
"""FP4 has a scale for each block of weights."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure of one line: a value within a range, its source, and when it was looked at."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    likely: FactAmount
    low: FactAmount
    high: FactAmount
    source: str
    checked: date

    @property
    def figure(self) -> Figure:
        return Figure(self.low, self.likely, self.high)


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """Of data centers: energy of the site for each of its machines' (PUE), and water for cooling."""

    pue: Fact
    water_l_per_kwh: Fact


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A processor that runs models; memory and speeds are of one, `machine_kw` of a machine with `per_machine`.

    `correction` is published throughput divided by simulated throughput.
    """

    id: str
    name: str
    per_machine: FactCount
    memory_gb: Fact
    bandwidth_gb_s: Fact
    tflops: Fact
    machine_kw: Fact
    correction: Fact
    tflops_fp8: Fact | None = None
    rent_usd_per_hour: Fact | None = None
    purchase_usd: Fact | None = None


@dataclass(frozen=True, slots=True)
class KeyValueSize:
    """Bytes of a model's keys and values for each token."""

    id: str
    kv_bytes_per_token: Fact


@dataclass(frozen=True, slots=True)
class PublishedThroughput:
    """Throughput that others published, with so many answers at once and no pauses."""

    model: str
    accelerator: str
    gpus: FactCount
    precision: Precision
    prompt_tokens: FactCount
    answer_tokens: FactCount
    at_once: FactCount
    counted: Literal["total", "answer"]
    tokens_per_s: Fact


@dataclass(frozen=True, slots=True)
class CountryFacts:
    """Electricity of a country, by its ISO code: emissions, price without VAT, and water used to generate it."""

    code: str
    carbon_g_per_kwh: Fact
    electricity_eur_per_kwh: Fact
    water_l_per_kwh: Fact


@dataclass(frozen=True, slots=True)
class CapacityFacts:
    """All facts. `sources` has the text of each source by its id."""

    sources: dict[str, str]
    site: SiteFacts
    accelerator: tuple[Accelerator, ...]
    model: tuple[KeyValueSize, ...]
    published: tuple[PublishedThroughput, ...]
    country: tuple[CountryFacts, ...]

    def find_accelerator(self, id: str) -> Accelerator | None:
        return next((each for each in self.accelerator if each.id == id), None)

    def find_country(self, code: str) -> CountryFacts | None:
        return next((each for each in self.country if each.code == code), None)

    def kv_bytes(self, model: str) -> Fact | None:
        return next((each.kv_bytes_per_token for each in self.model if each.id == model), None)


@cache
def load_facts() -> CapacityFacts:
    """Return the facts of `facts.toml`."""
    text = resources.files("eclair.capacity").joinpath("facts.toml").read_text("utf-8")
    return TypeAdapter(CapacityFacts).validate_python(tomllib.loads(text))


def named_facts(row: object) -> Iterator[tuple[str, Fact]]:
    """Yield each fact of a row with its name."""
    for spec in fields(row):  # pyright: ignore[reportArgumentType]
        value = getattr(row, spec.name)
        if isinstance(value, Fact):
            yield spec.name, value


def old_facts(rows: list[object], today: date) -> list[str]:
    """Return the names of the facts in these rows that nobody has looked at for `MAX_AGE`."""
    return sorted({name for row in rows for name, fact in named_facts(row) if today - fact.checked > MAX_AGE})
