"""Landlock: a process gives up all files but those beneath a few folders, and TCP, for good. Linux only.

The structures and flags are those of `linux/landlock.h`; what a kernel knows depends on its ABI version.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FIRST_ABI_FILES = (1 << 13) - 1
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1
_ABSTRACT_SOCKETS, _SIGNALS = 1 << 0, 1 << 1

_READ = _READ_FILE | _READ_DIR
_RULESET = struct.Struct("=QQQ")
_PATH_RULE = struct.Struct("=Qi")
_RULESET_BYTES = {1: 8, 2: 8, 3: 8, 4: 16, 5: 16}
"""Of the ruleset's structure by ABI; later ones know all of it."""


def abi_version() -> int:
    """Return the kernel's Landlock ABI, 0 if it has none."""
    if sys.platform != "linux":
        return 0
    version = _libc().syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    return max(0, int(version))


def restrict_files(
    read: Iterable[Path],
    write: Iterable[Path],
    *,
    listens: bool = False,
    connects: bool = False,
    starts_programs: bool = False,
    programs: Iterable[Path] = (),
) -> int:
    """Leave this thread and its future threads the files beneath `read`, and those beneath `write` to change.

    Paths that don't exist are skipped. No program can be started but `programs`, or any that is readable with
    `starts_programs`; no TCP port opened unless it `listens`, none connected to unless it `connects`, and no other
    process signaled, as far as the kernel's ABI reaches.
    Returns that ABI, 0 if the kernel has no Landlock. The process must have given up new privileges before. Raises
    OSError.
    """
    abi = abi_version()
    if not abi:
        return 0
    files = _FIRST_ABI_FILES | (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0)
    files |= _IOCTL_DEV if abi >= 5 else 0
    tcp = (0 if connects else _CONNECT_TCP) | (0 if listens else _BIND_TCP)
    rules = _RULESET.pack(files, tcp if abi >= 4 else 0, _ABSTRACT_SOCKETS | _SIGNALS if abi >= 6 else 0)
    ruleset = _call(_CREATE_RULESET, rules, _RULESET_BYTES.get(abi, _RULESET.size), 0)
    try:
        for path in dict.fromkeys(read):
            _add(ruleset, path, _READ | (_EXECUTE if starts_programs else 0))
        for path in dict.fromkeys(programs):
            _add(ruleset, path, _READ | _EXECUTE)
        for path in dict.fromkeys(write):
            _add(ruleset, path, files & ~_EXECUTE)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return abi


def _add(ruleset: int, path: Path, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
            return
        raise
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            access &= _OF_FILES
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, _PATH_RULE.pack(access, descriptor), 0)
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: int | bytes) -> int:
    """Make a system call. Raises OSError."""
    given = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = int(_libc().syscall(number, *given))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc
