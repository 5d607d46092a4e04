"""Files that a sandbox may read: the parent opens them and hands over their descriptors.

The sandbox's walls leave it no file of the user. Its code names a file by its path, and `open_input` finds the
descriptor that came for it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import io
import mmap
import os
import socket
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

MAX_PATH_BYTES = 8192

_descriptors: dict[bytes, int] = {}
"""Descriptors by path, for the present request."""

_lines: list[socket.socket] = []
"""The socket through which they come."""


def hand_over(line: socket.socket, paths: Sequence[str]) -> None:
    """Send the descriptors of files for the next request.

    A path that is no file, or can't be opened, is left to the sandbox to name. Raises OSError if the sandbox is gone.
    """
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                socket.send_fds(line, [os.fsencode(path)], [descriptor])
        finally:
            os.close(descriptor)


def connect_files(line: socket.socket) -> None:
    """Have `receive_files` take files from this socket."""
    line.setblocking(False)
    _lines.append(line)


def disconnect_files() -> None:
    """Close the files, and take no more."""
    _lines.clear()
    close_files()


def close_files() -> None:
    """Close the files of a request that has ended, which may be erased meanwhile."""
    for descriptor in _descriptors.values():
        os.close(descriptor)
    _descriptors.clear()


def receive_files() -> None:
    """Take the descriptors that came for this request."""
    for line in _lines:
        with contextlib.suppress(BlockingIOError):
            while (message := socket.recv_fds(line, MAX_PATH_BYTES, 1))[1]:
                _descriptors[message[0]] = message[1][0]


def open_input(path: Path) -> BinaryIO:
    """Open a file that was handed over, or else one that the process can open itself. Raises OSError."""
    descriptor = _descriptors.get(os.fsencode(path))
    return path.open("rb") if descriptor is None else io.BufferedReader(_InputFile(descriptor))


def map_input(path: Path) -> ctypes.Array[ctypes.c_char]:
    """Return the bytes of such a file, mapped into memory: read as they are needed.

    Raises OSError, ValueError for an empty file, and MemoryError for one that is larger than the process may be.
    """
    with open_input(path) as file:
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except OSError as error:
            if error.errno == errno.ENOMEM:
                raise MemoryError from error
            raise
    return (ctypes.c_char * len(mapped)).from_buffer(mapped)


class _InputFile(io.RawIOBase):
    """A reader of a descriptor with a position of its own, which leaves the descriptor open."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def readinto(self, buffer: memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        count = os.preadv(self._descriptor, [buffer], self._position)
        self._position += count
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = (0, self._position, os.fstat(self._descriptor).st_size)[whence]
        if start + offset < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))  # as a file of the system does
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position
