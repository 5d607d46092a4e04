"""Which Python has what draws: the one of the settings, Éclair's own, or one beside the models."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import orjson

from eclair.settings import Settings

ASK = """
import importlib.metadata as known, json, sys
found = {"python": list(sys.version_info[:2])}
for name in sys.argv[1:]:
    try:
        found[name] = known.version(name)
    except known.PackageNotFoundError:
        found[name] = None
print(json.dumps(found))
"""

ANEW = 30.0
"""Seconds after which it is looked again whether what was missing has come."""

WITHIN = 60.0


@dataclass(frozen=True, slots=True)
class Needs:
    """The packages that draw, what they are called together, and the extra of Éclair's that brings them."""

    packages: tuple[str, ...]
    called: str
    extra: str

    @property
    def how(self) -> str:
        """The commands that bring them."""
        return f"`make diffusers`, or `pip install 'eclair[{self.extra}]'` where Éclair is installed (docs/flux.md)"


@dataclass(frozen=True, slots=True)
class Found:
    """The interpreter that draws; `why` says what is missing, None where nothing is."""

    python: Path
    why: str | None


class Environment:
    """Looks for it once, and again now and then while it is missing."""

    def __init__(self, settings: Settings, needs: Needs) -> None:
        self._settings = settings
        self._needs = needs
        self._found: Found | None = None
        self._looked = 0.0
        self._lock = asyncio.Lock()

    async def find(self) -> Found:
        async with self._lock:
            stale = self._found is None or (self._found.why and time.monotonic() - self._looked > ANEW)
            if stale or self._found is None:
                self._found = await self._look()
                self._looked = time.monotonic()
            return self._found

    async def _look(self) -> Found:
        python = self._chosen()
        if python is None:
            return Found(Path(sys.executable), f"It needs {self._needs.called}, not installed yet: {self._needs.how}.")
        return Found(python, await _missing(python, self._needs))

    def _chosen(self) -> Path | None:
        if self._settings.diffusers_python is not None:
            return self._settings.diffusers_python
        if all(importlib.util.find_spec(name) is not None for name in self._needs.packages):
            return Path(sys.executable)
        beside = self._settings.data_dir / "diffusers" / "bin" / "python"
        return beside if beside.exists() else None


async def _missing(python: Path, needs: Needs) -> str | None:
    """What keeps `python` from drawing, in a sentence."""
    try:
        process = await asyncio.create_subprocess_exec(
            python,
            "-I",
            "-c",
            ASK,
            *needs.packages,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=-1,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        return f"{python} cannot be started: {error.strerror}; correct `diffusers_python`."
    try:
        async with asyncio.timeout(WITHIN):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"{python} does not answer; correct `diffusers_python`."
    try:
        found = orjson.loads(said)
        version = tuple(found["python"])
        lacking = [name for name in needs.packages if found[name] is None]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"{python} is no Python that could draw; correct `diffusers_python`."
    if version < (3, 11):
        return f"{python} is Python {'.'.join(map(str, version))}, and drawing needs 3.11 or newer."
    return f"{python} lacks {', '.join(lacking)}: {needs.how}." if lacking else None
