"""Mirrors folders into a library: scans, plans, and adds what is missing.

A file is identified by its path. It has changed when its size or modification time differs and its bytes do too. What
happens to a file after that is left to `ingest`.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import stat
from collections.abc import AsyncGenerator, Container, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from eclair.documents.ingest import Ingestor, limit_size
from eclair.errors import Conflict, InvalidInput, NotFound, TooLarge, UserError
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.files import StoredFile
from eclair.util.file_opening import open_file

MAX_CONCURRENT_FILES = 4
READ_CHUNK_BYTES = 1 << 20
_CONTROL_CHARS = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """A file as it was found; `path` is absolute."""

    path: str
    size: int
    mtime_ns: int

    @property
    def name(self) -> str:
        return _CONTROL_CHARS.sub("�", os.path.basename(self.path))


@dataclass(slots=True)
class FolderScan:
    """Files found under the given paths.

    Hidden files and folders, links, and anything that is neither file nor folder (`others`) are skipped and counted.
    `unread` are places that could not be read, each with a sentence that says why.
    """

    files: dict[str, ScannedFile] = field(default_factory=dict[str, ScannedFile])
    hidden: int = 0
    links: int = 0
    others: int = 0
    unread: dict[str, str] = field(default_factory=dict[str, str])

    def left_out(self) -> str | None:
        """Return a sentence on what was skipped."""
        counts = (("what is hidden", self.hidden), ("links", self.links), ("devices and sockets", self.others))
        named = [f"{what} ({count:,})" for what, count in counts if count]
        return f"Left out: {', '.join(named)}." if named else None


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """Changes that make the library match a scan; `changed` pairs each file with the library's present one."""

    new: tuple[ScannedFile, ...]
    changed: tuple[tuple[ScannedFile, StoredFile], ...]
    gone: tuple[StoredFile, ...]
    same: int

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.gone)

    def files(self) -> set[ScannedFile]:
        """Return the files to ingest."""
        return {*self.new, *(seen for seen, _ in self.changed)}

    def without(self, done: Container[ScannedFile]) -> SyncPlan:
        """Return the plan without files that were ingested already, or could not be."""
        new = tuple(seen for seen in self.new if seen not in done)
        return SyncPlan(new, tuple(each for each in self.changed if each[0] not in done), self.gone, self.same)

    def filter_settled(self, before: SyncPlan | None) -> SyncPlan:
        """Return the part that was the same in the scan before; the rest may still be being written."""
        if before is None:
            return SyncPlan((), (), (), self.same)
        return SyncPlan(
            tuple(seen for seen in self.new if seen in before.new),
            tuple(each for each in self.changed if each in before.changed),
            tuple(file for file in self.gone if file in before.gone),
            self.same,
        )


@dataclass(frozen=True, slots=True)
class SyncResult:
    """Outcome for one file; `refused` has a sentence in `why`.

    `changed` files are read again; of `same` ones, only the modification time changed.
    """

    what: Literal["added", "changed", "same", "removed", "refused"]
    name: str
    file: str | None = None
    why: str | None = None


def resolve_roots(paths: Sequence[Path]) -> list[Path]:
    """Return absolute paths; `~` is the home folder. Raises InvalidInput for a path that doesn't exist."""
    found: list[Path] = []
    for path in paths:
        try:
            found.append(path.expanduser().resolve(strict=True))
        except (OSError, RuntimeError) as error:
            why = error.strerror if isinstance(error, OSError) else "its links go round in a circle"
            raise InvalidInput(f"{path} cannot be read: {why}.") from error
    return found


def scan(roots: Iterable[Path]) -> FolderScan:
    """List the files under the paths, folders recursively. Blocks: about a second per 100,000 files."""
    found = FolderScan()
    for root in roots:
        try:
            there = root.stat()
        except OSError as error:
            found.unread[os.fspath(root)] = f"{root} cannot be read: {error.strerror}."
            continue
        if stat.S_ISDIR(there.st_mode):
            _scan_folder(os.fspath(root), found)
        else:
            _add_file(os.fspath(root), there, found)
    return found


def plan_sync(found: FolderScan, known: Iterable[StoredFile], roots: Sequence[Path]) -> SyncPlan:
    """Compare a scan with the library. A file is gone if it was in one of the folders and its place could be read."""
    by_path = {file.path: file for file in known if file.path is not None}
    new: list[ScannedFile] = []
    changed: list[tuple[ScannedFile, StoredFile]] = []
    same = 0
    for path, seen in found.files.items():
        file = by_path.get(path)
        if file is None:
            new.append(seen)
        elif (file.size, file.mtime_ns) != (seen.size, seen.mtime_ns):
            changed.append((seen, file))
        else:
            same += 1
    gone = [
        file
        for path, file in by_path.items()
        if path not in found.files
        and any(_is_within(path, os.fspath(root)) for root in roots)
        and not any(path == place or _is_within(path, place) for place in found.unread)
    ]
    return SyncPlan(tuple(new), tuple(changed), tuple(gone), same)


async def sync(
    storage: Storage, ingestor: Ingestor, principal: Principal, library: str, plan: SyncPlan, max_mb: int
) -> AsyncGenerator[SyncResult, None]:
    """Carry out a plan, yielding the result for each file. Raises NotFound for the library, and StoreError."""
    slots = asyncio.Semaphore(MAX_CONCURRENT_FILES)

    async def ingest(seen: ScannedFile, old: StoredFile | None) -> SyncResult:
        async with slots:
            try:
                return await _ingest_file(storage, ingestor, principal, library, seen, old, max_mb)
            except NotFound:
                await storage.libraries.get_library(principal, library)
                return SyncResult("refused", seen.name, why=f"{seen.path} was removed here while it was read again.")
            except UserError as error:
                return SyncResult("refused", seen.name, why=error.message)

    work = [(seen, None) for seen in plan.new] + list(plan.changed)
    tasks = {asyncio.create_task(ingest(*each), name="ingest a file") for each in work}
    try:
        for done in asyncio.as_completed(list(tasks)):
            yield await done
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for file in plan.gone:
        try:
            await ingestor.delete(principal, file.id)
        except NotFound:
            continue
        yield SyncResult("removed", file.name, file.id)


async def _ingest_file(
    storage: Storage,
    ingestor: Ingestor,
    principal: Principal,
    library: str,
    seen: ScannedFile,
    old: StoredFile | None,
    max_mb: int,
) -> SyncResult:
    if seen.size > max_mb * 1_000_000:
        raise TooLarge(f"{seen.path} is larger than {max_mb:,} MB, the limit (ECLAIR_MAX_FILE_MB).")
    if seen.size == 0:
        raise InvalidInput(f"{seen.path} is empty.")
    if old is not None and old.size == seen.size and await asyncio.to_thread(_sha256, seen.path) == old.sha256:
        await storage.files.edit_file(principal, old.id, mtime_ns=seen.mtime_ns)
        return SyncResult("same", seen.name, old.id)
    async with aclosing(read_file(Path(seen.path), max_mb)) as source:
        try:
            state = await ingestor.ingest(
                principal,
                seen.name,
                "application/octet-stream",
                source,
                library=library,
                path=seen.path,
                mtime_ns=seen.mtime_ns,
                replaces=None if old is None else old.id,
            )
        except Conflict:  # another process has just brought it
            return SyncResult("same", seen.name)
    return SyncResult("added" if old is None else "changed", seen.name, state.file.id)


async def read_file(path: Path, max_mb: int) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a file. Raises InvalidInput for an unreadable or empty file, and TooLarge."""
    async with aclosing(limit_size(_pieces(path), str(path), max_mb)) as pieces:
        async for piece in pieces:
            yield piece


async def _pieces(path: Path) -> AsyncGenerator[bytes, None]:
    try:
        with await open_file(path, "rb") as handle:
            while data := await asyncio.to_thread(handle.read, READ_CHUNK_BYTES):
                yield data
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error


def _scan_folder(folder: str, found: FolderScan) -> None:
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        found.unread[folder] = f"{folder} cannot be read: {error.strerror}."
        return
    for entry in inside:
        if entry.name.startswith("."):
            found.hidden += 1
        elif entry.is_symlink():
            found.links += 1
        elif entry.is_dir(follow_symlinks=False):
            _scan_folder(entry.path, found)
        else:
            try:
                _add_file(entry.path, entry.stat(follow_symlinks=False), found)
            except FileNotFoundError:
                continue  # it went meanwhile


def _add_file(path: str, there: os.stat_result, found: FolderScan) -> None:
    if not stat.S_ISREG(there.st_mode):
        found.others += 1
        return
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = path.encode(errors="replace").decode()
        found.unread[path] = f"{shown} has a name that is not UTF-8; rename it."
        return
    found.files[path] = ScannedFile(path, there.st_size, there.st_mtime_ns)


def _is_within(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def _sha256(path: str) -> str:
    """Return the SHA-256 of a file in hex. Raises InvalidInput."""
    try:
        with open(path, "rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
