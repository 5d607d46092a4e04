"""Folders that a library mirrors: what is in them, what of it the library lacks, and bringing it there.

A file is known by its path, and has changed where its size or time of change is another and its bytes are too. What
is done with a file once it is taken in is `intake`'s affair.
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

from eclair.documents.ingest import Intake, sized
from eclair.errors import Conflict, InvalidInput, NotFound, TooLarge, UserError
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.files import StoredFile

AT_ONCE = 4
"""Files that are taken in together."""
PIECE = 1 << 20
_UNSHOWN = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it was found. `path` is absolute."""

    path: str
    size: int
    mtime_ns: int

    @property
    def name(self) -> str:
        return _UNSHOWN.sub("�", os.path.basename(self.path))


@dataclass(slots=True)
class Look:
    """What was found in paths. Hidden files and folders, links, and what is neither file nor folder (`others`) are left
    out and counted; `unread` are places where could not be looked, each with a sentence that says why."""

    files: dict[str, Seen] = field(default_factory=dict[str, Seen])
    hidden: int = 0
    links: int = 0
    others: int = 0
    unread: dict[str, str] = field(default_factory=dict[str, str])

    def left_out(self) -> str | None:
        """A sentence on what was left out."""
        counts = (("what is hidden", self.hidden), ("links", self.links), ("devices and sockets", self.others))
        named = [f"{what} ({count:,})" for what, count in counts if count]
        return f"Left out: {', '.join(named)}." if named else None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done so that the library has what was found: `changed` beside what the library has of it now."""

    new: tuple[Seen, ...]
    changed: tuple[tuple[Seen, StoredFile], ...]
    gone: tuple[StoredFile, ...]
    same: int

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.gone)

    def files(self) -> set[Seen]:
        """What is to be taken in."""
        return {*self.new, *(seen for seen, _ in self.changed)}

    def without(self, done: Container[Seen]) -> Plan:
        """The rest, where these were taken in already, or could not be."""
        new = tuple(seen for seen in self.new if seen not in done)
        return Plan(new, tuple(each for each in self.changed if each[0] not in done), self.gone, self.same)

    def settled(self, before: Plan | None) -> Plan:
        """What was as it is now at the look before already: the rest may still be being written."""
        if before is None:
            return Plan((), (), (), self.same)
        return Plan(
            tuple(seen for seen in self.new if seen in before.new),
            tuple(each for each in self.changed if each in before.changed),
            tuple(file for file in self.gone if file in before.gone),
            self.same,
        )


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of one file: it was `added`, or read anew (`changed`), or only its time of change was another
    (`same`), or it was `removed`, or `refused` with a sentence."""

    what: Literal["added", "changed", "same", "removed", "refused"]
    name: str
    file: str | None = None
    why: str | None = None


def roots(paths: Sequence[Path]) -> list[Path]:
    """The paths as they are known from now on; `~` is the person's folder. Raises InvalidInput for one that is not
    there."""
    found: list[Path] = []
    for path in paths:
        try:
            found.append(path.expanduser().resolve(strict=True))
        except (OSError, RuntimeError) as error:
            why = error.strerror if isinstance(error, OSError) else "its links go round in a circle"
            raise InvalidInput(f"{path} cannot be read: {why}.") from error
    return found


def look(roots: Iterable[Path]) -> Look:
    """What is there, folders with all that is in them. It blocks, a second for some 100,000 files."""
    found = Look()
    for root in roots:
        try:
            there = root.stat()
        except OSError as error:
            found.unread[os.fspath(root)] = f"{root} cannot be read: {error.strerror}."
            continue
        if stat.S_ISDIR(there.st_mode):
            _look_into(os.fspath(root), found)
        else:
            _see(os.fspath(root), there, found)
    return found


def plan(found: Look, known: Iterable[StoredFile], roots: Sequence[Path]) -> Plan:
    """What is to be done. Gone is what was in one of the folders, is there no more, and stood where could be looked."""
    by_path = {file.path: file for file in known if file.path is not None}
    new: list[Seen] = []
    changed: list[tuple[Seen, StoredFile]] = []
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
        and any(_within(path, os.fspath(root)) for root in roots)
        and not any(path == place or _within(path, place) for place in found.unread)
    ]
    return Plan(tuple(new), tuple(changed), tuple(gone), same)


async def bring(
    storage: Storage, intake: Intake, principal: Principal, library: str, plan: Plan, most_mb: int
) -> AsyncGenerator[Brought, None]:
    """Do what is planned, and tell of each file as it is done. Raises NotFound for the library, StoreError."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(seen: Seen, old: StoredFile | None) -> Brought:
        async with places:
            try:
                return await _taken(storage, intake, principal, library, seen, old, most_mb)
            except NotFound:
                await storage.libraries.get_library(principal, library)
                return Brought("refused", seen.name, why=f"{seen.path} was removed here while it was read anew.")
            except UserError as error:
                return Brought("refused", seen.name, why=error.message)

    work = [(seen, None) for seen in plan.new] + list(plan.changed)
    tasks = {asyncio.create_task(one(*each), name="take in a file") for each in work}
    try:
        for done in asyncio.as_completed(list(tasks)):
            yield await done
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for file in plan.gone:
        try:
            await intake.delete(principal, file.id)
        except NotFound:
            continue
        yield Brought("removed", file.name, file.id)


async def _taken(
    storage: Storage,
    intake: Intake,
    principal: Principal,
    library: str,
    seen: Seen,
    old: StoredFile | None,
    most_mb: int,
) -> Brought:
    if seen.size > most_mb * 1_000_000:
        raise TooLarge(f"{seen.path} is larger than {most_mb:,} MB, the limit (ECLAIR_MAX_FILE_MB).")
    if seen.size == 0:
        raise InvalidInput(f"{seen.path} is empty.")
    if old is not None and old.size == seen.size and await asyncio.to_thread(_sha256, seen.path) == old.sha256:
        await storage.files.edit_file(principal, old.id, mtime_ns=seen.mtime_ns)
        return Brought("same", seen.name, old.id)
    async with aclosing(read(Path(seen.path), most_mb)) as source:
        try:
            state = await intake.take(
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
            return Brought("same", seen.name)
    return Brought("added" if old is None else "changed", seen.name, state.file.id)


async def read(path: Path, most_mb: int) -> AsyncGenerator[bytes, None]:
    """The bytes of a file. Raises InvalidInput where it cannot be read or is empty, TooLarge."""
    async with aclosing(sized(_pieces(path), str(path), most_mb)) as pieces:
        async for piece in pieces:
            yield piece


async def _pieces(path: Path) -> AsyncGenerator[bytes, None]:
    try:
        with await asyncio.to_thread(path.open, "rb") as handle:
            while data := await asyncio.to_thread(handle.read, PIECE):
                yield data
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error


def _look_into(folder: str, found: Look) -> None:
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
            _look_into(entry.path, found)
        else:
            try:
                _see(entry.path, entry.stat(follow_symlinks=False), found)
            except FileNotFoundError:
                continue  # it went meanwhile


def _see(path: str, there: os.stat_result, found: Look) -> None:
    if not stat.S_ISREG(there.st_mode):
        found.others += 1
        return
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = path.encode(errors="replace").decode()
        found.unread[path] = f"{shown} has a name that is not UTF-8; rename it."
        return
    found.files[path] = Seen(path, there.st_size, there.st_mtime_ns)


def _within(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def _sha256(path: str) -> str:
    """Raises InvalidInput."""
    try:
        with open(path, "rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
