"""Endpoint files: how Éclair processes on one data folder share embedded engines.

Each engine has a file that only its owner can read.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import orjson

from eclair.llm.local.llama_engine import LlamaEngine
from eclair.llm.openai.dialects import DIALECTS
from eclair.llm.remote.silence import FIRST_WORD_TIMEOUT_S

EMBEDDED_ENGINE = "embedded"


@dataclass(frozen=True, slots=True)
class EngineEndpoint:
    """An engine's address and key, as in its file. `pid` is Éclair's, `process` the engine's."""

    url: str
    key: str
    model: str
    context: int
    pid: int
    process: int | None = None

    def open_engine(self, first_word_s: float = FIRST_WORD_TIMEOUT_S) -> LlamaEngine:
        url = f"{self.url}/v1"
        return LlamaEngine(EMBEDDED_ENGINE, url, self.key, dialect=DIALECTS[0], first_word_s=first_word_s)


def endpoint_path(data_dir: Path, model: str) -> Path:
    """Return the path of the endpoint file of the engine that runs `model`."""
    return data_dir / "engines" / f"{model}.json"


async def find_shared(file: Path) -> EngineEndpoint | None:
    """Return the endpoint in `file` if an engine answers there to its key."""
    endpoint = _read_endpoint(file)
    if endpoint is None:
        return None
    client = endpoint.open_engine()
    try:
        return endpoint if (await client.health()).state == "ready" else None
    finally:
        await client.close()


def _read_endpoint(file: Path) -> EngineEndpoint | None:
    """Read `file`; None if it is absent, half written or of another version."""
    try:
        return EngineEndpoint(**orjson.loads(file.read_bytes()))
    except (OSError, TypeError, orjson.JSONDecodeError):
        return None


def write_endpoint(file: Path, endpoint: EngineEndpoint) -> None:
    file.parent.mkdir(exist_ok=True)
    fresh = file.with_suffix(f".{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(orjson.dumps(endpoint))
    fresh.replace(file)


def remove_endpoint(file: Path, endpoint: EngineEndpoint) -> None:
    with contextlib.suppress(FileNotFoundError):
        if file.read_bytes() == orjson.dumps(endpoint):
            file.unlink()
