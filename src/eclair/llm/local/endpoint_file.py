"""How Éclairs on one data folder find each other's embedded engines: a file for each, for its owner alone."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import orjson

from eclair.llm.openai.dialects import DIALECTS
from eclair.llm.openai.engine import OpenAIEngine

EMBEDDED_ENGINE = "embedded"
"""What the embedded engine is called."""


@dataclass(frozen=True, slots=True)
class EngineEndpoint:
    """Where an engine listens: what its file holds. `pid` is the Éclair's, `process` the engine's own."""

    url: str
    key: str
    model: str
    context: int
    pid: int
    process: int | None = None

    def open_engine(self) -> OpenAIEngine:
        return OpenAIEngine(EMBEDDED_ENGINE, f"{self.url}/v1", self.key, dialect=DIALECTS[0])


def endpoint_path(data_dir: Path, model: str) -> Path:
    """Where the engine that runs `model` is told of."""
    return data_dir / "engines" / f"{model}.json"


async def find_shared(file: Path) -> EngineEndpoint | None:
    """The engine that another Éclair shares through `file`, if it answers to the key that stands there."""
    endpoint = _read_share(file)
    if endpoint is None:
        return None
    client = endpoint.open_engine()
    try:
        return endpoint if (await client.health()).state == "ready" else None
    finally:
        await client.close()


def _read_share(file: Path) -> EngineEndpoint | None:
    """What `file` holds; None where it is absent, half written or another version's."""
    try:
        return EngineEndpoint(**orjson.loads(file.read_bytes()))
    except (OSError, TypeError, orjson.JSONDecodeError):
        return None


def write(file: Path, endpoint: EngineEndpoint) -> None:
    file.parent.mkdir(exist_ok=True)
    fresh = file.with_suffix(f".{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(orjson.dumps(endpoint))
    fresh.replace(file)


def remove(file: Path, endpoint: EngineEndpoint) -> None:
    with contextlib.suppress(FileNotFoundError):
        if file.read_bytes() == orjson.dumps(endpoint):
            file.unlink()
