"""Settings: each with a name, a default and a sentence; read once, from one file and the environment.

`load` builds the one frozen `Settings` that is handed down; nothing else reads the environment or the
file. `eclair config` and `docs/configuration.md` are made from `describe`.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_type_hints

import platformdirs
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from eclair.errors import SettingsError

Origin = Literal["default", "file", "environment", "command line"]

PREFIX = "ECLAIR_"
FILE_VARIABLE = "ECLAIR_CONFIG"
CATALOG = "models.toml"

SYSTEM_PROMPT = "You are Eclair, a helpful AI assistant. Give clear, correct and short answers."
"""Short, for a small model; and without an accent, which makes the embedded one answer in French."""


Amount = Annotated[Decimal, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
HostName = Annotated[str, Field(pattern=r"^[a-z0-9_-]+(\.[a-z0-9_-]+)*$")]

HostPort = Annotated[str, Field(pattern=r"^(\[[0-9a-f:.]+\]|[^\s:/@]+):[1-9][0-9]{0,4}$")]


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in units of `currency` (ISO 4217) for a million tokens; `cached` as `input` by default."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    input: Amount
    output: Amount
    cached: Amount | None = None


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """One OpenAI-compatible server: its base URL (ending in /v1), its key, models it does not list, and `pictures`,
    those of its models that make pictures although their names do not say so.

    `prices` are by model, `*` for every other; `joules_per_token`, or else `watts`, is what answering takes there.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    url: Annotated[str, Field(pattern="^https?://[^/]")]
    key: Annotated[str | None, Field(min_length=1)] = None
    models: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    context: Annotated[int | None, Field(ge=1)] = None
    prices: dict[str, Price] = field(default_factory=dict[str, Price])
    joules_per_token: Rate | None = None
    watts: Rate | None = None


def _setting(default: Any, sentence: str, **limits: int) -> Any:
    return field(default=default, metadata={"sentence": sentence, "limits": limits})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    data_dir: Path = field(
        default_factory=lambda: platformdirs.user_data_path("eclair", appauthor=False),
        metadata={"sentence": "Folder for the database, the models and the logs."},
    )
    host: str = _setting("127.0.0.1", "Address to listen on; anything but a loopback address needs `api_key`.")
    port: int = _setting(8642, "Port to listen on; 0 takes any free one.", ge=0, le=65535)
    allowed_hosts: tuple[str, ...] = _setting(
        (), "Further host names under which browsers may reach Éclair, such as a reverse proxy's."
    )
    api_key: str | None = _setting(None, "Key that every request must carry; required off loopback.", min_length=1)
    model: str | None = _setting(None, "Model that answers when none is named; the embedded one by default.")
    system_prompt: str = _setting(SYSTEM_PROMPT, "What every conversation begins with.")
    max_tokens: int = _setting(1024, "Longest answer, in tokens, unless the request says otherwise.", ge=1)
    max_message_kb: int = _setting(1024, "Largest message accepted, in KiB.", ge=1)
    max_file_mb: int = _setting(200, "Largest file accepted, in MB.", ge=1)
    max_check_mb: int = _setting(50, "Largest file whose marks are looked at, in MB; see docs/marks.md.", ge=1)
    feed_days: int = _setting(60, "Days for which the newsroom keeps what feeds bring.", ge=1, le=3650)
    embedded: bool = _setting(True, "Run the embedded engine (llama.cpp) and its model.")
    embedded_context: int = _setting(8192, "Context window of the embedded engine, in tokens.", ge=1)
    embedded_parallel: int = _setting(16, "How many requests the embedded engine serves together.", ge=1)
    embedded_threads: Annotated[int, Field(ge=0)] = _setting(
        0,
        "Threads for reading prompts; 0 takes every core. Half of the cores write, 1 to 16, until `eclair tune` ran.",
    )
    embedded_memory: Annotated[int, Field(ge=0)] = _setting(
        0, "Memory for all models that the embedded engine keeps loaded, in MB; 0 takes half of the machine's."
    )
    speculation: Literal["auto", "off"] = _setting(
        "auto", "Whether the embedded engine guesses ahead where a text repeats: `auto` while that pays, or `off`."
    )
    embedder: str = _setting(
        "auto",
        "What finds passages by their meaning: `auto` (multilingual-e5-small on this machine), an engine's model that "
        "gives embeddings, or `off`.",
        min_length=1,
    )
    hub: Annotated[str | None, Field(pattern="^https?://[^/]")] = _setting(
        None, "Hugging-Face-compatible hub that models are pulled from; HF_ENDPOINT by default, else huggingface.co."
    )
    catalog: Path = field(
        default_factory=lambda: default_file().parent / CATALOG,
        metadata={"sentence": "File with models of your own, which add to Éclair's catalogue and override it."},
    )
    web_search: tuple[str, ...] = _setting(
        (),
        "Search services that are asked, by name, in this order; by default those that need no setting up and all that "
        "are set up below; see docs/browsing.md.",
    )
    search_keys: dict[str, Annotated[str, Field(min_length=1)]] = field(
        default_factory=dict[str, str], metadata={"sentence": "Keys of search services, by the service's name."}
    )
    searxng: Annotated[str | None, Field(pattern="^https?://[^/]")] = _setting(
        None, "Address of a SearXNG that you run and that may answer in JSON."
    )
    opensearch: dict[str, Annotated[str, Field(pattern="^https?://[^/]")]] = field(
        default_factory=dict[str, str],
        metadata={"sentence": "Further sites to search: by a name of yours, where their OpenSearch description is."},
    )
    web_seconds: float = _setting(
        6.0, "Seconds that an answer may take to look on the web; what is late is left out.", gt=0, le=120
    )
    picture_model: str | None = _setting(
        None, "Model that makes pictures when none is named; the first that is here by default; see docs/pictures.md."
    )
    picture_seconds: float = _setting(1800, "Seconds that one picture may take to be made.", gt=0, le=86_400)
    pictures_at_once: int = _setting(
        1, "How many pictures each generator on this machine makes together; the others wait.", ge=1, le=16
    )
    engines: dict[str, EngineSettings] = field(
        default_factory=dict[str, EngineSettings],
        metadata={
            "sentence": "OpenAI-compatible servers by name: `url`, `key`, `models`, `pictures`, `context`, and what "
            "they take."
        },
    )
    core_watts: float = _setting(
        4.0,
        "Watts of a busy processor core, where the machine does not count its energy; see docs/usage.md.",
        gt=0,
        le=1000,
    )
    grid_g_per_kwh: float | None = _setting(
        None, "Grams of CO₂ for each kWh of your electricity; then what answers caused is shown too.", ge=0, le=10_000
    )
    fallbacks: dict[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]],
        metadata={"sentence": "Models that answer when another is down or slow: by its name a list, in order."},
    )
    slow_after: Annotated[float, Field(ge=0)] = _setting(
        0, "Seconds without a first word after which one of `fallbacks` answers; 0 waits."
    )
    secret_key_file: Path | None = field(
        default=None,
        metadata={"sentence": "File with the secret that encrypts servers' keys; in the data folder by default."},
    )
    mark_certificate: Path | None = field(
        default=None,
        metadata={
            "sentence": "File with your own certificate chain (PEM) that marks are signed with; by default one is made."
        },
    )
    mark_key: Path | None = field(
        default=None, metadata={"sentence": "File with the key (PEM, without a password) of `mark_certificate`."}
    )
    diffusers_python: Path | None = field(
        default=None,
        metadata={
            "sentence": "Python that has PyTorch and diffusers and draws with FLUX; by default Éclair's own, or "
            "`diffusers/bin/python` in the data folder; see docs/flux.md."
        },
    )
    picture_device: Literal["auto", "cuda", "mps", "cpu"] = _setting(
        "auto", "Where picture models compute: on a graphics processor where there is one (`auto`), or on that named."
    )
    picture_memory: Annotated[int, Field(ge=0)] = _setting(
        0, "Memory that a picture model may take for data, in MB; 0 lets it take what there is."
    )
    picture_minutes: float = _setting(
        10, "Minutes for which a picture model stays loaded when nobody draws with it.", gt=0, le=100_000
    )
    egress: Literal["offline", "listed", "eu", "open"] = _setting(
        "open",
        "Which hosts may be called: none (`offline`), the engines you set up and `egress_hosts` (`listed`), those and "
        "hosts in the EU or EEA (`eu`), or any (`open`).",
    )
    egress_hosts: tuple[HostName, ...] = _setting(
        (), "Hosts that `listed` and `eu` allow as well, with their subdomains."
    )
    egress_days: int = _setting(
        365, "Days for which the audit log keeps outgoing calls; 0 keeps them forever.", ge=0, le=36_500
    )
    private_addresses: tuple[HostPort, ...] = _setting(
        (),
        "Your own services on this machine or its network that web search may reach, as `host:port`: a SearXNG or an "
        "intranet.",
    )
    scripted: bool = _setting(False, "Offer the scripted engine, for demonstrations and tests.")
    titles: bool = _setting(True, "Let the model that answered name the conversation after its first answer.")
    tune: bool = _setting(
        True, "Choose a model's fastest layout by itself, once, in a long calm after its first answer."
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting("info", "How much is logged.")


@dataclass(frozen=True, slots=True)
class Described:
    """A setting as it is shown: its name, variable, value, where the value came from, and what it means."""

    name: str
    variable: str
    default: Any
    value: Any
    origin: Origin
    sentence: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and for each name where its value came from."""

    settings: Settings
    origins: Mapping[str, Origin]
    file: Path


def default_file() -> Path:
    """Where the settings file is unless ECLAIR_CONFIG says otherwise."""
    return platformdirs.user_config_path("eclair", appauthor=False) / "eclair.toml"


def load(environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Loaded:
    """Read the file, then the environment, then the command line's `overrides`; the later wins.

    Raises SettingsError for an unknown name, with the nearest known one, and for a value of the wrong type.
    """
    named = environ.get(FILE_VARIABLE)
    file = Path(named).expanduser() if named else default_file()
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    layers: tuple[tuple[Origin, Mapping[str, Any]], ...] = (
        ("file", _read_file(file)),
        ("environment", _read_environment(environ)),
        ("command line", overrides or {}),
    )
    for origin, layer in layers:
        for name, value in layer.items():
            values[name] = _parse(name, value, origin, file)
            origins[name] = origin
    values.setdefault("catalog", file.absolute().parent / CATALOG)
    return Loaded(Settings(**values), origins, file)


def describe(loaded: Loaded) -> list[Described]:
    """Every setting, in the order of the class. Keys are never shown."""
    blank = Settings()
    rows: list[Described] = []
    for spec in fields(Settings):
        value = getattr(loaded.settings, spec.name)
        if spec.name == "api_key" and value is not None:
            value = "(set)"
        if spec.name == "search_keys":
            value = dict.fromkeys(loaded.settings.search_keys, "(set)")
        if spec.name == "engines":
            value = {name: engine.url for name, engine in loaded.settings.engines.items()}
        rows.append(
            Described(
                name=spec.name,
                variable=f"{PREFIX}{spec.name.upper()}",
                default=getattr(blank, spec.name),
                value=value,
                origin=loaded.origins.get(spec.name, "default"),
                sentence=spec.metadata["sentence"],
            )
        )
    return rows


_TYPES: dict[str, TypeAdapter[Any]] = {}


def _adapter(name: str) -> TypeAdapter[Any]:
    if not _TYPES:
        hints = get_type_hints(Settings, include_extras=True)
        for spec in fields(Settings):
            limits = spec.metadata.get("limits", {})
            kind: Any = Annotated[hints[spec.name], Field(**limits)]
            _TYPES[spec.name] = TypeAdapter(kind)
    return _TYPES[name]


def _parse(name: str, value: Any, origin: Origin, file: Path) -> Any:
    where, shown = (str(file), name) if origin == "file" else (f"The {origin}", name)
    if origin == "environment":
        shown = f"{PREFIX}{name.upper()}"
    known = [spec.name for spec in fields(Settings)]
    if name not in known:
        near = _nearest(name, known)
        near = f"{PREFIX}{near.upper()}" if origin == "environment" else near
        raise SettingsError(f"{where} sets {shown}, which is no setting; did you mean {near}?")
    try:
        return _validate(name, value, origin)
    except ValidationError as error:
        sentence = f"{where} sets {_fault(shown, error)}"
        raise SettingsError(sentence if sentence.endswith("?") else f"{sentence}.") from None


def _validate(name: str, value: Any, origin: Origin) -> Any:
    adapter = _adapter(name)
    if origin == "environment" and name in ("engines", "fallbacks", "search_keys", "opensearch"):
        return adapter.validate_json(value)
    if origin == "environment" and name in ("allowed_hosts", "egress_hosts", "private_addresses", "web_search"):
        value = tuple(one.strip() for one in str(value).split(",") if one.strip())
    parsed = adapter.validate_python(value)
    return parsed.expanduser().absolute() if isinstance(parsed, Path) else parsed


def _fault(name: str, error: ValidationError) -> str:
    """What is set and what is wrong with it. What may hold a key is not repeated."""
    first = error.errors()[0]
    *path, last = [name, *map(str, first["loc"])]
    place = ".".join([*path, last])
    match first["type"]:
        case "unexpected_keyword_argument":
            near = _nearest(last, [spec.name for spec in fields(Price if "prices" in path else EngineSettings)])
            return f"{place}, which is no setting; did you mean {near}?"
        case "tuple_type":
            return f"{place}, which is no list of models"
        case "missing" | "missing_argument":
            return f"{'.'.join(path)} without {last}; add it"
        case "string_pattern_mismatch":
            if name.lower().endswith("egress_hosts"):
                return f"{name} to {first['input']!r}, which is no host; write its name alone, such as example.eu"
            if name.lower().endswith("private_addresses"):
                return f"{name} to {first['input']!r}, which is no host:port; write it so, such as 10.0.0.5:8888"
            if last == "currency":
                return f"{place} to {first['input']!r}, which is no currency code; write three letters, such as EUR"
            return f"{place} to {first['input']!r}, which is no address that begins with http:// or https://"
        case _:
            private = place.lower().endswith(("key", "engines")) or "search_keys" in place.lower()
            secret = private or not isinstance(first["input"], str | int | float)
            value = "" if secret else f" to {first['input']!r}"
            return f"{place}{value}: {first['msg'][0].lower()}{first['msg'][1:]}"


def _nearest(name: str, known: list[str]) -> str:
    return difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]


def _read_file(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as handle:
            return tomllib.load(handle)
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not TOML: {error}; correct it.") from error
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}; check who may read it.") from error


def _read_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that are settings; an empty one counts as not set."""
    return {
        key.removeprefix(PREFIX).lower(): value
        for key, value in environ.items()
        if key.startswith(PREFIX) and key != FILE_VARIABLE and value
    }
