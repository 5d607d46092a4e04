"""The files of a session: uploads and given files to read, and what its code wrote, in memory and within bounds."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from eclair.python.python_protocol import MAX_FILE_BYTES, MAX_FILES, MAX_FILES_BYTES, FileRemoved, FileWritten, RunCode
from eclair.sandbox.descriptors import open_input

HIDDEN = "."
"""Names that begin so are of the session alone, such as caches."""


class SessionFiles:
    """Files by their path within the workspace, without a slash in front."""

    def __init__(self) -> None:
        self._written: dict[str, bytes] = {}
        self._inputs: dict[str, Path] = {}
        self._given: dict[str, bytes] = {}
        self._folders = set[str]()
        self._changed = set[str]()
        self._removed = set[str]()
        self.alts: dict[str, str] = {}

    def receive(self, request: RunCode) -> None:
        """Take the files of a request; nothing counts as changed then."""
        self._inputs = {file.name: Path(file.path) for file in request.inputs}
        self._given.update({file.name: file.data for file in request.given})
        for name in request.removed:
            self._written.pop(name, None)
        for file in request.kept:
            self._written[file.name] = file.data
            self._folders.update(_parents(file.name))
        self._changed.clear()
        self._removed.clear()
        self.alts.clear()

    def changes(self) -> Iterator[FileWritten | FileRemoved]:
        """Yield what the code made, changed and removed since `receive`."""
        for name in sorted(self._removed - self._written.keys()):
            yield FileRemoved(name)
        for name in sorted(self._changed & self._written.keys()):
            if not name.startswith(HIDDEN):
                yield FileWritten(name, self._written[name], self.alts.get(name, ""))

    def names(self) -> list[str]:
        return sorted(self._written.keys() | self._inputs.keys() | self._given.keys())

    def has_file(self, name: str) -> bool:
        return name in self._written or name in self._inputs or name in self._given

    def has_folder(self, name: str) -> bool:
        return name in ("", *self._folders) or any(name in _parents(each) for each in self.names())

    def children(self, folder: str) -> dict[str, bool]:
        """Return the names in a folder, and whether each is a file."""
        prefix = f"{folder}/" if folder else ""
        found: dict[str, bool] = {}
        for name in [*self._folders, *(parent for each in self.names() for parent in _parents(each))]:
            if name.startswith(prefix) and (rest := name[len(prefix) :]):
                found[rest.partition("/")[0]] = False
        for name in self.names():
            if name.startswith(prefix) and "/" not in (rest := name[len(prefix) :]):
                found[rest] = True
        return found

    def size(self, name: str) -> int:
        """Return a file's size. Raises OSError."""
        if (data := self._bytes(name)) is not None:
            return len(data)
        with open_input(self._input(name)) as file:
            return file.seek(0, os.SEEK_END)

    def read(self, name: str) -> bytes:
        """Return a file's bytes. Raises OSError."""
        if (data := self._bytes(name)) is not None:
            return data
        with open_input(self._input(name)) as file:
            return file.read()

    def write(self, name: str, data: bytes) -> None:
        """Replace or make a file. Raises OSError where there is no room, or no such folder."""
        if self.has_folder(name):
            raise _error(errno.EISDIR)
        if name in self._given:
            raise _error(errno.EACCES)
        if "/" in name and not self.has_folder(name.rpartition("/")[0]):
            raise _error(errno.ENOENT)
        others = sum(len(each) for key, each in self._written.items() if key != name)
        is_new = name not in self._written
        if len(data) > MAX_FILE_BYTES or others + len(data) > MAX_FILES_BYTES:
            raise _error(errno.ENOSPC)
        if (is_new and len(self._written) >= MAX_FILES) or len(name.encode()) > 200:
            raise _error(errno.ENOSPC)
        if is_new or self._written[name] != data:
            self._changed.add(name)
        self._written[name] = data

    def remove(self, name: str) -> None:
        """Remove a file that the code wrote. Raises OSError; uploads and given files stay."""
        if name not in self._written:
            raise _error(errno.EACCES if self.has_file(name) else errno.ENOENT)
        del self._written[name]
        self._changed.discard(name)
        if not name.startswith(HIDDEN):
            self._removed.add(name)

    def make_folder(self, name: str) -> None:
        """Make a folder. Raises OSError."""
        if self.has_file(name) or self.has_folder(name):
            raise _error(errno.EEXIST)
        if "/" in name and not self.has_folder(name.rpartition("/")[0]):
            raise _error(errno.ENOENT)
        if len(self._folders) >= MAX_FILES:
            raise _error(errno.ENOSPC)
        self._folders.add(name)

    def remove_folder(self, name: str) -> None:
        """Remove an empty folder. Raises OSError."""
        if not self.has_folder(name) or not name:
            raise _error(errno.ENOENT)
        if self.children(name):
            raise _error(errno.ENOTEMPTY)
        self._folders.discard(name)

    def rename(self, source: str, target: str) -> None:
        """Move a file or a folder. Raises OSError."""
        if self.has_file(source):
            self.write(target, self.read(source))
            if source in self._written and source != target:
                self.remove(source)
            return
        if not self.has_folder(source) or not source or target.startswith(f"{source}/"):
            raise _error(errno.ENOENT)
        self._folders.add(target)
        for name in [name for name in self._written if name.startswith(f"{source}/")]:
            moved = target + name[len(source) :]
            self._folders.update(_parents(moved))
            self.write(moved, self._written[name])
            self.remove(name)
        self._folders -= {name for name in self._folders if name == source or name.startswith(f"{source}/")}

    def _bytes(self, name: str) -> bytes | None:
        """Return a file that is in memory."""
        return self._written.get(name, self._given.get(name))

    def _input(self, name: str) -> Path:
        if name not in self._inputs:
            raise _error(errno.EISDIR if self.has_folder(name) else errno.ENOENT)
        return self._inputs[name]


def _parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))
