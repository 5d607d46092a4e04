"""Settings: each with a name, a default and a sentence; read once, from one file and the environment.

`load` builds the one frozen `Settings` that is handed down; nothing else reads the environment or the
file. `eclair config` and `docs/configuration.md` are made from `describe`.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import TypeAdapter, ValidationError

from eclair.errors import SettingsError

Origin = Literal["default", "file", "environment", "command line"]

SYSTEM_PROMPT = (
    "You are Éclair, a helpful assistant. Answer in the language of the question, briefly and truthfully. "
    "If you do not know something, say so."
)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """One OpenAI-compatible server: its base URL (ending in /v1), its key, and models it does not list."""

    url: str
    key: str | None = None
    models: tuple[str, ...] = ()
    context: int | None = None


def _setting(default: Any, sentence: str) -> Any:
    return field(default=default, metadata={"sentence": sentence})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    data_dir: Path = field(
        default_factory=lambda: platformdirs.user_data_path("eclair", appauthor=False),
        metadata={"sentence": "Folder for the database, the models and the logs."},
    )
    host: str = _setting("127.0.0.1", "Address to listen on; anything but a loopback address needs `api_key`.")
    port: int = _setting(8642, "Port to listen on; 0 takes any free one.")
    allowed_hosts: tuple[str, ...] = _setting(
        (), "Further host names under which browsers may reach Éclair, such as a reverse proxy's."
    )
    api_key: str | None = _setting(None, "Key that every request must carry; required off loopback.")
    model: str | None = _setting(None, "Model that answers when none is named; the embedded one by default.")
    system_prompt: str = _setting(SYSTEM_PROMPT, "What every conversation begins with.")
    max_tokens: int = _setting(1024, "Longest answer, in tokens, unless the request says otherwise.")
    max_message_kb: int = _setting(1024, "Largest message accepted, in KiB.")
    embedded: bool = _setting(True, "Run the embedded engine (llama.cpp) and its model.")
    embedded_context: int = _setting(8192, "Context window of the embedded engine, in tokens.")
    embedded_parallel: int = _setting(16, "How many requests the embedded engine serves together.")
    embedded_threads: int = _setting(0, "Threads for reading prompts; 0 takes every core. Writing uses one.")
    engines: dict[str, EngineSettings] = field(
        default_factory=dict[str, EngineSettings],
        metadata={"sentence": "OpenAI-compatible servers by name, each with `url`, `key` and `models`."},
    )
    scripted: bool = _setting(False, "Offer the scripted engine, for demonstrations and tests.")
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
    file = Path(environ.get("ECLAIR_CONFIG") or default_file())
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
    return Loaded(Settings(**values), origins, file)


def describe(loaded: Loaded) -> list[Described]:
    """Every setting, in the order of the class. Keys are never shown."""
    blank = Settings()
    rows: list[Described] = []
    for spec in fields(Settings):
        value = getattr(loaded.settings, spec.name)
        if spec.name == "api_key" and value is not None:
            value = "(set)"
        if spec.name == "engines":
            value = {name: engine.url for name, engine in loaded.settings.engines.items()}
        rows.append(
            Described(
                name=spec.name,
                variable=f"ECLAIR_{spec.name.upper()}",
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
        from typing import get_type_hints

        hints = get_type_hints(Settings)
        _TYPES.update({spec.name: TypeAdapter(hints[spec.name]) for spec in fields(Settings)})
    return _TYPES[name]


def _parse(name: str, value: Any, origin: Origin, file: Path) -> Any:
    where = str(file) if origin == "file" else f"the {origin}"
    known = [spec.name for spec in fields(Settings)]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise SettingsError(f"{where} sets {name!r}, which is no setting; did you mean {near!r}?")
    adapter = _adapter(name)
    try:
        if origin == "environment" and name == "engines":
            return adapter.validate_json(value)
        if origin == "environment" and name == "allowed_hosts":
            return tuple(host.strip() for host in str(value).split(",") if host.strip())
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join([name, *map(str, first["loc"])])
        raise SettingsError(f"{where} sets {at} to {first['input']!r}: {first['msg'].lower()}.") from None


def _read_file(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as handle:
            return tomllib.load(handle)
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {error}.") from error


def _read_environment(environ: Mapping[str, str]) -> dict[str, str]:
    prefix = "ECLAIR_"
    return {
        key.removeprefix(prefix).lower(): value
        for key, value in environ.items()
        if key.startswith(prefix) and key not in ("ECLAIR_CONFIG",)
    }
