"""The catalog of models, as values; the owner's own file extends and overrides it.

`download_plan` chooses one of a model's files, `install` downloads it, `llm/local` runs it.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import orjson
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from eclair.errors import NotFound, SettingsError
from eclair.schema.messages import Sampling
from eclair.schema.models import Model, ReasoningSupport, Tier

Ability = Literal["tools", "vision", "reasoning", "audio"]
Runner = Literal["llama.cpp", "vllm", "sglang", "transformers", "api"]
Speculation = Literal["ngram", "draft", "eagle", "mtp", "none"]
WeightAccess = Literal["open", "gated", "closed"]

_STRICT = ConfigDict(extra="forbid")

Line = Annotated[str, Field(min_length=1, pattern=r"^\S([^\x00-\x1f]*\S)?$")]
Bytes = Annotated[int, Field(gt=0)]
Billions = Annotated[float, Field(gt=0)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=100)]
Gguf = Annotated[str, Field(pattern=r"^([\w+-][\w.+-]*/)*[\w+-][\w.+-]*\.gguf$")]
Repo = Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
Countries = Annotated[str, Field(pattern="^[A-Z]{2}(, ?[A-Z]{2})*$")]
LanguageTag = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$")]
"""A BCP 47 tag in its usual spelling: a language, optionally a script and a region."""
PartialDate = Annotated[str, Field(pattern=r"^\d{4}(-(0\d|1[0-2])(-[0-3]\d)?)?$")]
HttpsUrl = Annotated[str, Field(pattern="^https://[^/]")]


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One file of a package, as the package index has it. Sizes are bytes."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    package: Line
    file: Line
    size: Bytes
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class Wheel(PackageFile):
    """A package's wheel that contains a model's file, or a part of it, as `member`."""

    member: Line


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A GGUF file of a model in one quantization, in a repository of the hub.

    Without `repo` it is in the entry's parts alone. Of a model in several files, this is the first.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    file: Gguf
    quant: Line
    repo: Repo | None = None
    size: Bytes | None = None
    sha256: Sha256 | None = None

    @property
    def name(self) -> str:
        """The file's name on this machine."""
        return self.file.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A model of the catalog. Unknown values are None or empty.

    `country` holds the makers' ISO codes and `languages` BCP 47 tags. `restricts` is what the license forbids or
    requires, in one sentence. `parameters` and `active` (those used per token) are in billions. `temperature`,
    `top_p` and `repeat_penalty` are recommended values. `titles` says whether it can name a conversation; `thinks`
    how reasoning is switched on or off (see `reasoning_support`), if it can reason. `side` is the length in pixels
    that the longer side of an image is scaled to. `tier` is what it is trusted with; without it, the tier is derived
    from the size. `parts` are packages that hold its one file, one after the other. `watermark_bias` is how much
    likelier (in logits) the watermark of texts makes a word, for models whose answers were measured with it; the others
    have none. `calls_on_demand` says that a model without the ability "tools" writes calls that it is told to write.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Name
    name: Line
    maker: Line
    license: Line
    weights: WeightAccess
    country: Countries | None = None
    restricts: Line | Literal[""] = ""
    released: PartialDate | None = None
    parameters: Billions | None = None
    active: Billions | None = None
    context: Annotated[int, Field(gt=0)] | None = None
    languages: tuple[LanguageTag, ...] = ()
    can: tuple[Ability, ...] = ()
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    repeat_penalty: Annotated[float, Field(ge=1, le=2)] | None = None
    card: HttpsUrl | None = None
    engines: tuple[Runner, ...] = ()
    speculation: Speculation | None = None
    quirks: Line | Literal[""] = ""
    files: tuple[ModelFile, ...] = ()
    parts: tuple[Wheel, ...] = ()
    titles: bool = True
    thinks: ReasoningSupport | None = None
    side: Annotated[int, Field(ge=64, le=4096)] | None = None
    tier: Tier | None = None
    watermark_bias: Annotated[float, Field(gt=0, le=4)] | None = None
    calls_on_demand: bool = False

    @property
    def reasoning_support(self) -> ReasoningSupport | None:
        """The way to switch reasoning; "never" if its abilities are known and don't include it."""
        return self.thinks or (None if self.parameters is None or "reasoning" in self.can else "never")

    @property
    def is_european(self) -> bool:
        """True if all its makers are European."""
        return self.country is not None and {code.strip() for code in self.country.split(",")} <= set(
            EUROPEAN_COUNTRIES.split()
        )

    def to_model(self, engine: str, context: int, size: int | None, *, seeing: bool = False) -> Model:
        """Return the model as `engine` offers it.

        `context` limits the window, in tokens. `size` is that of its file in bytes, if any. With `seeing` its
        projector is there too, so that it sees images.
        """
        return Model(
            self.id,
            self.name,
            engine,
            context=min(context, self.context or context),
            sampling=Sampling(self.temperature, self.top_p, repeat_penalty=self.repeat_penalty),
            maker=self.maker,
            country=self.country,
            license=self.license,
            languages=self.languages,
            size=size,
            can_title=self.titles,
            parameters=self.parameters,
            active=self.active,
            reasoning=self.reasoning_support,
            vision_pixels=self.vision_pixels if seeing else None,
            can_call_tools="tools" in self.can,
            calls_on_demand=self.calls_on_demand,
            stated_tier=self.tier,
        )

    @property
    def vision_pixels(self) -> int | None:
        """Pixels of the longer side of an image; None for a model without vision."""
        return (self.side or DEFAULT_IMAGE_SIDE_PIXELS) if "vision" in self.can else None


EUROPEAN_COUNTRIES = (
    "AT BE BG CH CY CZ DE DK EE ES FI FR GB GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK UA"
)
"""Countries that count as European."""

DEFAULT_IMAGE_SIDE_PIXELS = 1540
"""The longer side of images for Mistral's models; it suits the others about as well."""

STARTER_MODEL = "smollm2-135m-instruct"
"""The model that answers first: small enough to be here a minute after the installation."""

RECOMMENDED_MODEL = "qwen2.5-coder-1.5b"
"""The model that is fetched in the background after that, since it answers far better."""


@cache
def load_entries(own: Path | None = None) -> dict[str, CatalogEntry]:
    """Return all entries by id: Éclair's, then those of the owner's file.

    Rows of the owner's file override only the fields that they have. Raises SettingsError, which names the row and
    its fault.
    """
    known = parse_rows(resources.files("eclair.models").joinpath("catalog.toml").read_text("utf-8"), "catalog.toml")
    if own is not None:
        for id, row in parse_rows(read_file(own), str(own)).items():
            known[id] = {**known.get(id, {}), **row}
    return {id: _entry(id, row, "catalog.toml" if own is None else str(own)) for id, row in known.items()}


def starter_entry() -> CatalogEntry:
    """Return Éclair's own entry of the starter model."""
    return load_entries()[STARTER_MODEL]


def find_entry(known: Mapping[str, CatalogEntry], id: str) -> CatalogEntry:
    """Return the entry with that id. Raises NotFound, which names similar ids."""
    entry = known.get(id)
    if entry is None:
        near = difflib.get_close_matches(id, known, n=3, cutoff=0.0)
        raise NotFound(
            f"The catalog has no model {id!r}; it has {', '.join(near)}. `eclair models --all` lists it.",
            param="name",
        )
    return entry


def read_file(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file} is not text in UTF-8: {error.reason}; correct it.") from error
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}; check who may read it.") from error


TABLES = ("model", "picture")
"""The tables of the owner's file: models that answer, and models that make images."""

FORMER_FIELDS = {"licence": "license", "licence_url": "license_url"}
"""Fields by their names in 0.1, still read."""


def parse_rows(text: str, source: str, kind: str = "model") -> dict[str, dict[str, Any]]:
    """Return the rows of the table `kind` by their ids. Raises SettingsError."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source} is not TOML: {error}; correct it.") from error
    found: dict[str, dict[str, Any]] = {}
    listed: Any = table.get(kind, [])
    strange = not isinstance(listed, list) or not all(isinstance(row, dict) for row in listed)  # pyright: ignore[reportUnknownVariableType]
    if strange or not table.keys() <= set(TABLES):
        raise SettingsError(f"{source} holds something else than [[model]] rows or [[picture]] rows; take it out.")
    for number, row in enumerate(listed, 1):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        id: Any = row.get("id")  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(id, str):
            raise SettingsError(f"{source}: row {number} has no `id`; add one.")
        if id in found:
            raise SettingsError(f"{source}: two rows have the id {id!r}; give one of them another.")
        found[id] = _with_current_names(row)  # pyright: ignore[reportUnknownArgumentType]
    return found


def _with_current_names(row: Mapping[str, Any]) -> dict[str, Any]:
    return {FORMER_FIELDS.get(key, key): value for key, value in row.items()}


def _entry(id: str, row: Mapping[str, Any], where: str) -> CatalogEntry:
    values = {{"file": "files", "part": "parts"}.get(key, key): value for key, value in row.items()}
    try:
        for name in ("file", "part"):
            if f"{name}s" in row:
                raise SettingsError(
                    f"{where}: model {id!r} has `{name}s`, which is not a field; write [[model.{name}]]."
                )
        entry = _ENTRY.validate_json(orjson.dumps(values), strict=True)
    except ValidationError as error:
        raise SettingsError(
            f"{where}: model {id!r} {describe_fault(error, [spec.name for spec in fields(CatalogEntry)])}"
        ) from None
    except orjson.JSONEncodeError as error:
        raise SettingsError(f"{where}: model {id!r} holds what no field can be ({error}); take it out.") from None
    if not entry.parts and any(file.repo is None for file in entry.files):
        raise SettingsError(f"{where}: model {id!r} has a file without `repo`; name the hub's repository.")
    if entry.parts and (len(entry.files) != 1 or entry.files[0].sha256 is None or entry.files[0].size is None):
        raise SettingsError(f"{where}: model {id!r} has parts; they need one file with `size` and `sha256`.")
    return entry


def describe_fault(error: ValidationError, names: Sequence[str]) -> str:
    """Describe the first fault of a row whose fields are `names`, to follow the row's name."""
    first = error.errors()[0]
    path = [_WRITTEN.get(str(step), str(step)) for step in first["loc"] if not _branch(step)]
    place = ".".join(path)
    match first["type"]:
        case "unexpected_keyword_argument":
            near = difflib.get_close_matches(path[-1], names, n=1, cutoff=0.0)[0]
            return f"has `{place}`, which is not a field; did you mean `{near}`?"
        case "missing" | "missing_argument":
            return f"lacks `{place}`; add it."
        case "string_pattern_mismatch" | "string_too_short":
            return f"has `{place}` = {first['input']!r}, which is not written as that field is; see docs/engines.md."
        case _:
            return f"has `{place}` = {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}."


_WRITTEN = {"files": "file", "parts": "part"}
"""Names of the array fields as they are written in TOML."""


def _branch(step: int | str) -> bool:
    """Return whether a step of an error's path is pydantic's name for a branch of a union."""
    return isinstance(step, str) and (step.startswith(("literal[", "constrained-", "function-")) or step == "str")


_ENTRY = TypeAdapter(CatalogEntry)
