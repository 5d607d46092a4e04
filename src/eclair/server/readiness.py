"""Readiness: whether Éclair can take a question now and keep its answer, from the disk to the engines.

Checks are cheap and shared: callers that come together get one result, which holds for a second. One that hangs, as
on a disk that has gone, is reported as such and isn't begun a second time.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from eclair.app import App
from eclair.errors import EclairError, StoreFull
from eclair.llm.base import EngineState, best_state
from eclair.llm.registry import Registry
from eclair.models.weights_check import WeightsCheck
from eclair.storage.base import Storage
from eclair.storage.blobs import Blobs
from eclair.util.humanize import format_size

RESULT_TTL_S = 1.0
CHECK_TIMEOUT_S = 3.0
SERVERS_TIMEOUT_S = 6.0
"""The state of a server that doesn't answer is known after five seconds."""
STORE_TIMEOUT_S = 6.0
"""Shorter than the eight seconds for which a proxy waits."""
MIN_FREE_BYTES = 50 << 20
PROBE_BYTES = 4096
READABLE_WITHOUT = frozenset({"integrity", "models", "files"})
"""Checks of what all servers share, or read on without: where one fails, people are better off with a server."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check; `detail` is a sentence for people.

    With `allows_reading`, what failed keeps nobody from reading what is stored.
    """

    is_ok: bool
    detail: str
    allows_reading: bool = False


class Readiness:
    """The checks of one Éclair."""

    @classmethod
    def from_app(cls, app: App) -> Readiness:
        return cls(
            app.settings.data_dir,
            app.storage,
            app.registry,
            app.weights,
            app.blobs,
            app.read_only,
            is_draining=lambda: app.runs.is_draining,
        )

    def __init__(
        self,
        folder: Path,
        storage: Storage,
        registry: Registry,
        weights: WeightsCheck,
        blobs: Blobs,
        read_only: str | None = None,
        is_draining: Callable[[], bool] = lambda: False,
    ) -> None:
        """`read_only` says why nothing can be stored, None where it can; `is_draining`, that no answers begin."""
        self._is_draining = is_draining
        self._read_only = read_only
        self._storage = storage
        self._registry = registry
        self._weights = weights
        self._blobs = blobs
        self._own = {
            "database": _SharedCheck("The database", self._check_database),
            "integrity": _SharedCheck("The integrity", self._check_integrity),
            "models": _SharedCheck("The models", self._check_models),
            "disk": _SharedCheck("The disk", lambda: asyncio.to_thread(_check_disk, folder)),
            "data_folder": _SharedCheck("The data folder", lambda: asyncio.to_thread(_check_folder, folder)),
        }
        if blobs.is_shared:
            self._own["files"] = _SharedCheck("The object store", self._check_blobs, STORE_TIMEOUT_S)
        self._engines = _SharedCheck("The engines", self._check_engines)
        self._failed = set[str]()
        self._servers = _SharedCheck("The engines", self._check_servers, SERVERS_TIMEOUT_S)

    async def check_parts(self) -> dict[str, CheckResult]:
        """Run all checks but that of the engines, as for those who watch; nothing is logged."""
        return await _run(self._own)

    async def check(self, *, asks_servers: bool, with_engines: bool = True) -> dict[str, CheckResult]:
        """Run all checks. Without `asks_servers` remote engines are as they were when last asked.

        Without `with_engines`, nothing fails with which people can still read, at any server: a full disk of the
        database, an object store that is down, a damaged page or model.
        """
        checks = dict(self._own)
        if with_engines:
            checks["engines"] = self._servers if asks_servers else self._engines
        found = await _run(checks)
        if not with_engines:
            found = {
                name: replace(result, is_ok=result.is_ok or result.allows_reading or name in READABLE_WITHOUT)
                for name, result in found.items()
            }
        if self._is_draining():
            found = {"draining": CheckResult(False, "Éclair is about to end, and begins no further answers."), **found}
        self._log_changes(found)
        return found

    def _log_changes(self, found: dict[str, CheckResult]) -> None:
        """Log what fails once it does; what wasn't checked is as it was."""
        failed = {name: result for name, result in found.items() if not result.is_ok}
        before, unchecked = self._failed, self._failed - found.keys()
        self._failed = unchecked | failed.keys()
        if self._failed != before:
            if failed:
                log.warning("Éclair is not ready: %s", " ".join(result.detail for result in failed.values()))
            elif not unchecked:
                log.info("Éclair is ready again.")

    async def _check_database(self) -> CheckResult:
        if self._read_only is not None:
            return CheckResult(False, self._read_only)
        await self._storage.processes.check()
        return CheckResult(True, "A row was written and read back.")

    async def _check_blobs(self) -> CheckResult:
        await self._blobs.check()
        return CheckResult(True, "The object store answers.")

    async def _check_models(self) -> CheckResult:
        problem = self._weights.problem
        return CheckResult(problem is None, problem or "No model file is known to be damaged.")

    async def _check_integrity(self) -> CheckResult:
        damage = self._storage.integrity.damage
        return CheckResult(damage is None, damage or "No damage of the database is known.")

    async def _check_engines(self) -> CheckResult:
        return _describe(await self._registry.status(), "")

    async def _check_servers(self) -> CheckResult:
        engines = await self._registry.health()
        state = best_state({engine.state for engine in engines.values()})
        faults = " ".join(f"{name}: {engine.detail}" for name, engine in engines.items() if engine.state != "ready")
        return _describe(state, faults or ("" if engines else "There are none; `eclair doctor` says why."))


class _SharedCheck:
    """A check whose callers share its result."""

    def __init__(
        self, subject: str, check: Callable[[], Awaitable[CheckResult]], timeout_s: float | None = None
    ) -> None:
        self._subject = subject
        self._check = check
        self._timeout_s = timeout_s or CHECK_TIMEOUT_S
        self._task: asyncio.Task[CheckResult] | None = None
        self._ended = 0.0

    async def result(self) -> CheckResult:
        if self._task is None or (self._task.done() and time.monotonic() - self._ended >= RESULT_TTL_S):
            self._task = asyncio.create_task(self._run(), name="readiness")
        done, _ = await asyncio.wait([self._task], timeout=self._timeout_s)
        if not done:
            return CheckResult(False, f"{self._subject} did not answer within {self._timeout_s:g} seconds.")
        return self._task.result()

    async def _run(self) -> CheckResult:
        try:
            return await self._check()
        except EclairError as error:
            return CheckResult(False, error.message, allows_reading=isinstance(error, StoreFull))
        finally:
            self._ended = time.monotonic()


async def _run(checks: Mapping[str, _SharedCheck]) -> dict[str, CheckResult]:
    results = await asyncio.gather(*(check.result() for check in checks.values()))
    return dict(zip(checks, results, strict=True))


def _describe(state: EngineState, faults: str) -> CheckResult:
    sentence = {
        "ready": "An engine is ready.",
        "loading": "No engine is ready yet; one is loading its model.",
        "down": "No engine is ready.",
    }[state]
    return CheckResult(state == "ready", f"{sentence} {faults}".strip())


def _check_disk(folder: Path) -> CheckResult:
    try:
        disk = os.statvfs(folder)
    except OSError as error:
        return CheckResult(False, f"The disk that holds {folder} cannot be asked for its room: {error.strerror}.")
    free = disk.f_bavail * disk.f_frsize
    if free < MIN_FREE_BYTES:
        return CheckResult(False, f"The disk that holds {folder} has {format_size(free)} left; free some space.")
    if disk.f_files and not disk.f_favail:
        return CheckResult(False, f"The disk that holds {folder} has no room for another file; delete some.")
    return CheckResult(True, f"The disk has {format_size(free)} left.")


def _check_folder(folder: Path) -> CheckResult:
    probe = folder / f".writable-{secrets.token_hex(8)}"
    try:
        try:
            probe.write_bytes(bytes(PROBE_BYTES))
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        return CheckResult(False, f"{folder} cannot be written: {error.strerror}; check its disk and who owns it.")
    return CheckResult(True, "A file was written and removed.")
