"""Finds a Python with PyTorch and diffusers: settings, Éclair's own, data folder."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import orjson

from eclair.settings import Settings
from eclair.util.child_environment import child_environment

PACKAGES_SCRIPT = """
import importlib.metadata as known, json, sys
found = {"python": list(sys.version_info[:2])}
for name in sys.argv[1:]:
    try:
        found[name] = known.version(name)
    except known.PackageNotFoundError:
        found[name] = None
print(json.dumps(found))
"""

RECHECK_INTERVAL_S = 30.0
"""While packages are missing."""

CHECK_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class RequiredPackages:
    """Packages that a backend needs, their label for people, and the extra of Éclair's that installs them."""

    packages: tuple[str, ...]
    label: str
    extra: str

    @property
    def install_hint(self) -> str:
        """The commands that install them."""
        return f"`make diffusers`, or `pip install 'eclair[{self.extra}]'` where Éclair is installed (docs/flux.md)"


@dataclass(frozen=True, slots=True)
class PythonEnvironment:
    """An interpreter; `problem` says what it lacks, None if nothing."""

    python: Path
    problem: str | None


class EnvironmentFinder:
    """Looks for the interpreter once, and again from time to time while packages are missing."""

    def __init__(self, settings: Settings, needs: RequiredPackages) -> None:
        self._settings = settings
        self._needs = needs
        self._found: PythonEnvironment | None = None
        self._checked_at = 0.0
        self._lock = asyncio.Lock()

    async def find(self) -> PythonEnvironment:
        async with self._lock:
            stale = self._found is None or (
                self._found.problem and time.monotonic() - self._checked_at > RECHECK_INTERVAL_S
            )
            if stale or self._found is None:
                self._found = await self._check()
                self._checked_at = time.monotonic()
            return self._found

    async def _check(self) -> PythonEnvironment:
        python = self._choose()
        if python is None:
            return PythonEnvironment(
                Path(sys.executable),
                f"It needs {self._needs.label}, which isn't installed: {self._needs.install_hint}.",
            )
        return PythonEnvironment(python, await _find_problem(python, self._needs))

    def _choose(self) -> Path | None:
        if self._settings.diffusers_python is not None:
            return self._settings.diffusers_python
        if all(importlib.util.find_spec(name) is not None for name in self._needs.packages):
            return Path(sys.executable)
        beside = self._settings.data_dir / "diffusers" / "bin" / "python"
        return beside if beside.exists() else None


async def _find_problem(python: Path, needs: RequiredPackages) -> str | None:
    """Say in a sentence why that interpreter can't be used; None if it can."""
    try:
        process = await asyncio.create_subprocess_exec(
            python,
            "-I",
            "-c",
            PACKAGES_SCRIPT,
            *needs.packages,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=-1,
            stderr=asyncio.subprocess.DEVNULL,
            env=child_environment(),
        )
    except OSError as error:
        return f"{python} cannot be started: {error.strerror}; correct `diffusers_python`."
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
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
        return f"{python} is not a Python that can be used; correct `diffusers_python`."
    if version < (3, 11):
        return f"{python} is Python {'.'.join(map(str, version))}, and 3.11 or newer is needed."
    return f"{python} lacks {', '.join(lacking)}: {needs.install_hint}." if lacking else None
